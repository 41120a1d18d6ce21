"""What of a prompt is passage and what is question, told by the texts that the record cites.

A passage is a piece of a cited text that stands in the prompt literally: where a quote of the evidence is found in it,
the piece is followed to both sides as far as prompt and text agree. What is left is the question.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SHORTEST_PASSAGE = 60  # bytes; a shorter piece may be a name that the question takes up
_MOST_FINDS = 8  # of one quote in one prompt

Row = Mapping[str, Any]
Texts = Mapping[tuple[str, str], str]


@dataclass(frozen=True)
class Prompt:
    """The parts of what the user says: passages as they stand, and the question around them."""

    question: str
    passages: tuple[str, ...]

    @property
    def context(self) -> str:
        return "\n".join(self.passages)


def prompt_of(row: Row, texts: Texts) -> Prompt:
    """Return the parts of a record's prompt; `texts`: the cited texts by (doc_id, text_sha256)."""
    content = "\n".join(turn["content"] for turn in row["messages"] if turn["role"] != "assistant")
    covered = _joined(_pieces(content, row["evidence"], texts))
    passages = tuple(content[start:end] for start, end in covered)
    left, at = [], 0
    for start, end in covered:
        left.append(content[at:start])
        at = end
    return Prompt("".join([*left, content[at:]]), passages)


def _pieces(content: str, evidence: Sequence[Row], texts: Texts) -> Iterator[tuple[int, int]]:
    for each in evidence:
        text = texts.get((each["doc_id"], each["text_sha256"]), each["quote"])
        start = each["start"] if text[each["start"] : each["end"]] == each["quote"] else 0
        place = content.find(each["quote"]) if each["quote"] else -1
        longest = (0, 0)  # where a question takes up a sentence of the passage, the passage agrees further
        for _ in range(_MOST_FINDS):
            if place < 0:
                break
            found = _grown(content, place, text, start, len(each["quote"]))
            longest = max(longest, found, key=lambda piece: piece[1] - piece[0])
            place = content.find(each["quote"], max(found[1], place + 1))
        if len(content[slice(*longest)].encode("utf-8", "surrogatepass")) >= SHORTEST_PASSAGE:
            yield longest


def _grown(content: str, place: int, text: str, start: int, length: int) -> tuple[int, int]:
    """Follow an agreement to both sides: content[place:place + length] == text[start:start + length]."""
    left, right = 0, length
    while place - left > 0 and start - left > 0 and content[place - left - 1] == text[start - left - 1]:
        left += 1
    while place + right < len(content) and start + right < len(text) and content[place + right] == text[start + right]:
        right += 1
    return place - left, place + right


def _joined(pieces: Iterator[tuple[int, int]]) -> list[tuple[int, int]]:
    out: list[tuple[int, int]] = []
    for start, end in sorted(pieces):
        if out and start <= out[-1][1]:
            out[-1] = (out[-1][0], max(end, out[-1][1]))
        else:
            out.append((start, end))
    return out
