"""One record, looked at against the texts that it cites: everything that can be said of it alone."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from filters.instruct_audit.checker import Premise, missing
from filters.instruct_audit.citations import Support, reply_of, statements, support
from filters.instruct_audit.prompts import Prompt, Row, Texts, prompt_of
from filters.instruct_audit.reasons import ill_founded
from manifests.keys import canonical_json

_ABSTAINS = ("none",)
_NOTHING: Mapping[str, str] = MappingProxyType({})
MIN_PUBLISHERS = 3  # publishers and clusters that a closed-book fact needs
MIN_AGREEMENT = 0.9


@dataclass(frozen=True)
class Claim:
    """A statement that its evidence supports, and that evidence: what corruption starts from."""

    text: str
    premise: str
    language: str


@dataclass(frozen=True)
class Examined:
    """What the auditor keeps of a record.

    offsets: (right, all) pieces of evidence. problems: what is wrong, in words. answered: the answer stands in its
    evidence (answerable records). context: the passages of the prompt, for hedges only.
    """

    id: str
    behaviour: str
    task: str
    language: str
    split: str
    split_key: str
    mode: str
    template: str
    reason: str
    contrast_id: str | None
    edit: tuple[str, str, str] | None
    question: str
    prompt: str
    context: str
    reply: str
    answer: tuple[str, ...]
    offsets: tuple[int, int]
    support: Support | None
    answered: bool
    problems: tuple[str, ...]
    documents: tuple[str, ...]
    claims: tuple[Claim, ...]
    domains: int  # of the evidence that carries the answer

    @property
    def is_hedge(self) -> bool:
        return self.behaviour == "hedge"


def examine(row: Row, texts: Texts, fetched: Mapping[str, str] = _NOTHING) -> Examined:
    """Return what is found of a record.

    texts: the stored texts by (doc_id, sha256), read from the shards. fetched: the day of each document (ISO 8601),
    under "" the newest of all.
    """
    prompt = prompt_of(row, texts)
    wrong = list(_misplaced(row, texts))
    named = ("", *(each["doc_id"] for each in row["evidence"]))
    days = " ".join(sorted({row["answer"]["as_of"] or "", *(fetched.get(name, "") for name in named)}))
    judged = support(row, prompt.question, days) if row["behaviour"] == "attribution" or row["citations"] else None
    hedge = row["hedge"] or {}
    edit = hedge.get("edit")
    answer = row["answer"]
    return Examined(
        id=row["id"].hex(),
        behaviour=row["behaviour"],
        task=row["task"],
        language=row["lang"],
        split=row["split"],
        split_key=row["split_key"],
        mode=row["gen"]["mode"],
        template=row["gen"]["template"],
        reason=hedge.get("reason") or "",
        contrast_id=hedge.get("contrast_id"),
        edit=(edit["kind"] or "", edit["from"] or "", edit["to"] or "") if edit else None,
        question=prompt.question,
        prompt="\n".join(turn["content"] for turn in row["messages"][:-1]),
        context=prompt.context if row["behaviour"] == "hedge" else "",
        reply=reply_of(row),
        answer=tuple(dict.fromkeys(filter(None, (answer["text"], *(answer["aliases"] or []))))),
        offsets=(len(row["evidence"]) - len(wrong), len(row["evidence"])),
        support=judged,
        answered=_answered(row, prompt, judged),
        problems=(
            *wrong,
            *_malformed(row),
            *_unverified(row),
            *_uncorroborated(row),
            *ill_founded(row, prompt, fetched.get("", "")),
        ),
        documents=tuple(sorted({each["doc_id"] for each in row["evidence"] if each["role"] == "support"})),
        claims=_claims(row, prompt),
        domains=len({each["domain"] for each in row["evidence"] if each["role"] == "support"}),
    )


def _misplaced(row: Row, texts: Texts) -> Iterator[str]:
    """Name every piece of evidence that does not stand where it is said to stand, in the very text that is named."""
    for place, each in enumerate(row["evidence"]):
        text = texts.get((each["doc_id"], each["text_sha256"]))
        if text is None:
            yield f"evidence {place}: no stored text of {each['doc_id']} has sha256 {each['text_sha256'][:12]}…"
        elif not each["quote"] or text[each["start"] : each["end"]] != each["quote"]:
            yield f"evidence {place}: [{each['start']}, {each['end']}) of {each['doc_id']} is not its quote"


def _malformed(row: Row) -> Iterator[str]:
    stated = {name: value for name, value in row.items() if name not in ("id", "split")}
    if hashlib.blake2b(canonical_json(stated), digest_size=16).digest() != row["id"]:
        yield "id: not the digest of the record"
    roles = [turn["role"] for turn in row["messages"]]
    if roles[-1:] != ["assistant"] or "user" not in roles:
        yield "messages: no user's turn with an assistant's behind it"
    elif row["answer"]["type"] not in _ABSTAINS and row["answer"]["text"] not in reply_of(row):
        yield "answer: not in the last message"
    length = len(reply_of(row))
    for each in row["citations"] or []:
        start, end = each["answer_span"]
        if not 0 <= start < end <= length or not all(0 <= n < len(row["evidence"]) for n in each["evidence"]):
            yield f"citation [{start}, {end}): outside of the reply, or of evidence that is not there"


def _unverified(row: Row) -> Iterator[str]:
    """Name checks of a generated record that did not pass: unknown is no pass."""
    if row["gen"]["mode"] == "llm":
        checks = row["verify"] or []
        if not checks:
            yield "verify: generated, and not checked"
        for each in checks:
            if each["verdict"] != "pass":
                yield f"verify: {each['check']} is {each['verdict']}"


def _uncorroborated(row: Row) -> Iterator[str]:
    if row["behaviour"] != "closed_book":
        return
    stated = row["corroboration"]
    if stated is None:
        yield "corroboration: missing"
        return
    if min(stated["n_domains"], stated["n_dup_clusters"]) < MIN_PUBLISHERS:
        yield f"corroboration: {stated['n_domains']} publishers in {stated['n_dup_clusters']} clusters"
    texts = {each["text_sha256"] for each in row["evidence"] if each["role"] == "support"}
    if len(texts) < MIN_PUBLISHERS:
        yield f"corroboration: its evidence stands in {len(texts)} different texts"
    if stated["agree"] < MIN_AGREEMENT or stated["conflicts"]:
        yield f"corroboration: agreement {stated['agree']:.2f}, {stated['conflicts']} conflicts"


def _answered(row: Row, prompt: Prompt, judged: Support | None) -> bool:
    """Tell whether an answerable record's answer is carried by its evidence."""
    if row["behaviour"] == "hedge" or row["answer"]["type"] in _ABSTAINS:
        return False
    if judged is not None:
        return judged.supported == judged.statements
    quotes = tuple(each["quote"] for each in row["evidence"] if each["role"] == "support")
    asked = Premise((prompt.question,))
    names = [row["answer"]["text"], *(row["answer"]["aliases"] or [])]
    return any(not missing(name, row["lang"], Premise((quote,)), asked) for quote in quotes for name in names)


def _claims(row: Row, prompt: Prompt) -> tuple[Claim, ...]:
    """Return the supported statements of an answer with what carries them; a hedge quotes what is there, too."""
    if row["behaviour"] == "closed_book":
        return ()
    found = []
    for each in statements(row):
        premise = "\n".join(row["evidence"][n]["quote"] for n in each.evidence if 0 <= n < len(row["evidence"]))
        if not missing(each.text, row["lang"], Premise((premise,)), Premise((prompt.question,))):
            found.append(Claim(each.text, premise, row["lang"]))
    return tuple(found)
