"""The same record twice: question and answer alike, or the whole prompt."""

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from filters.instruct_audit.examine import Examined


class Repeats(NamedTuple):
    """Records whose prompt and reply were there before, and whose bare question and reply were."""

    records: int
    same_prompt: int
    same_question: int


def repeats(records: Iterable[Examined]) -> Repeats:
    """Count records beyond the first of each."""
    prompts: Counter[bytes] = Counter()
    questions: Counter[bytes] = Counter()
    for each in records:
        prompts[_digest(each.prompt, each.reply)] += 1
        questions[_digest(each.question, each.reply)] += 1
    total = prompts.total()
    return Repeats(total, total - len(prompts), total - len(questions))


def _digest(*texts: str) -> bytes:
    folded = "\0".join(" ".join(unicodedata.normalize("NFKC", text).casefold().split()) for text in texts)
    return hashlib.blake2b(folded.encode("utf-8", "surrogatepass"), digest_size=16).digest()
