"""A passage and what a model wrote of it -> records that pass every check, and the reasons of those that don't.

The steps are those of the anchor page, 4.2 (b): each quote is located literally; every number of the answer stands in
its quotes; each sentence of the answer is entailed by its own citations; a citation that is not needed is dropped; a
judge says that the passage answers the question; a reader with another prompt (or another model) finds the same
answer. What a judge can't tell is not passed. `Waiting` says which responses are needed first.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from filters.instruct.build import Draft, Piece
from filters.instruct.endpoint import prompts, replies
from filters.instruct.endpoint.asking import Dead, Model, Request, Responses, Waiting, answers
from filters.instruct.endpoint.entailment import Scorer
from filters.instruct.endpoint.locate import locate
from filters.instruct.endpoint.replies import Changed, Item
from filters.instruct.leak import mentions, squeeze
from filters.instruct.passages import Stretch
from filters.instruct.phrases import Voice, languages
from filters.instruct.record import Answer, Candidate, Check, Edit, Hedge, Origin, Settings
from manifests.reasons import CandidateRefused

DRAFTS_VERSION = 1
TOOL = "corpusmill.endpoint@1"
MIN_AGREEMENT = 0.5  # of the characters of two answers (F1 of bigrams) that are the same answer
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[^\s\d])|(?<=[。！？])|(?<=[।؟])\s*")
_DIGITS = re.compile(r"\d+")

Pair = tuple[Candidate, Candidate]
Span = tuple[int, int]


@dataclass(frozen=True)
class Writers:
    """Who does what at the endpoint."""

    writer: Model
    reader: Model  # of the round trip
    judge: Model  # of answerability


@dataclass(frozen=True)
class Rejected:
    """Why an item became no record: stage endpoint."""

    reason: CandidateRefused
    language: str
    prompt: str  # key of the request that it was written for
    text: str  # question and answer, as they came; "" where nothing came


Outcome = Candidate | Pair | Rejected


@dataclass(frozen=True)
class Table:
    """A passage and those who work on it."""

    stretch: Stretch
    writers: Writers
    scorer: Scorer
    responses: Responses
    settings: Settings

    @property
    def language(self) -> str:
        return self.stretch.source.language

    def judged(self, question: str) -> tuple[bool | None, str | None]:
        """Return whether the judge finds a question answerable, and what the reader answers."""
        can, read = answers(
            self.responses,
            prompts.can_answer(self.writers.judge, self.stretch.text, question),
            prompts.read(self.writers.reader, self.stretch.text, question, self.language),
        )
        return replies.answerable(can), replies.answer(read)

    def checks(self, *checks: tuple[str, str, float]) -> tuple[Check, ...]:
        """Return checks that were passed: (check, who made it, score)."""
        who = {"judge": f"{self.writers.judge.name}@can{prompts.PROMPTS_VERSION}",
               "reader": f"{self.writers.reader.name}@read{prompts.PROMPTS_VERSION}",
               "scorer": self.scorer.tool, "own": TOOL}  # fmt: skip
        return tuple(Check(name, who[by], round(score, 6), "pass") for name, by, score in checks)


def of_passage(stretch: Stretch, writers: Writers, scorer: Scorer, responses: Responses, settings: Settings,
               count: int = 2) -> Iterator[Outcome]:  # fmt: skip
    """Yield what comes of a passage: records, hedges with their twins, and rejects; raises Waiting."""
    table = Table(stretch, writers, scorer, responses, settings)
    asked = prompts.write(writers.writer, stretch.text, table.language, count)
    try:
        (said,) = answers(responses, asked)
    except Dead:
        yield Rejected(CandidateRefused.NO_RESPONSE, table.language, asked.key, "")
        return
    found = replies.items(said)[:count]
    if not found:
        yield Rejected(CandidateRefused.NO_ITEM, table.language, asked.key, said[:2000])
    outcomes = _outcomes(table, found, asked.key)
    first = next((n for n, each in enumerate(outcomes) if isinstance(each, Candidate)), None)
    for n, each in enumerate(outcomes):
        if n == first and isinstance(each, Candidate):
            yield from _with_hedge(table, each, found[n])
        else:
            yield each


def _outcomes(table: Table, found: Sequence[Item], prompt: str) -> list[Candidate | Rejected]:
    """Return what comes of each item; raises Waiting for all requests that any of them needs."""
    outcomes: list[Candidate | Rejected] = []
    needed: list[Request] = []
    for item in found:
        try:
            outcomes.append(_checked(table, item, prompt))
        except Waiting as error:
            needed += error.requests
        except Dead:
            said = f"{item.question}\n{item.answer}"
            outcomes.append(Rejected(CandidateRefused.NO_RESPONSE, table.language, prompt, said))
    if needed:
        raise Waiting(needed)
    return outcomes


def _checked(table: Table, item: Item, prompt: str) -> Candidate | Rejected:
    """Return a record, or the first check that an item does not pass; what costs nothing comes first."""

    def rejected(reason: CandidateRefused) -> Rejected:
        return Rejected(reason, table.language, prompt, f"{item.question}\n{item.answer}")

    passage = table.stretch.text
    places = [locate(quote, passage) for quote in item.quotes]
    if None in places:
        return rejected(CandidateRefused.QUOTE_NOT_LOCATED)
    spans = sorted({place for place in places if place is not None})
    quotes = [passage[start:end] for start, end in spans]
    if not _numbers(item.answer) <= _numbers("\n".join(quotes)):
        return rejected(CandidateRefused.NUMBER_NOT_IN_QUOTES)
    is_answerable, answer = table.judged(item.question)
    likeness = agreement(answer or "", item.answer)
    if is_answerable is not True:
        return rejected(CandidateRefused.NOT_ANSWERABLE)
    if likeness < MIN_AGREEMENT:
        return rejected(CandidateRefused.ROUND_TRIP)
    sentences = _sentences(item.answer)
    carried = [_minimal(item.answer[slice(*span)], quotes, table.scorer, table.language) for span in sentences]
    if not all(carried):
        return rejected(CandidateRefused.NOT_ENTAILED)
    cited = [(span, spans[place]) for span, needed in zip(sentences, carried, strict=True) for place in needed]
    checks = table.checks(("offset", "own", 1.0), ("literal", "own", 1.0), ("answerable", "judge", 1.0),
                          ("roundtrip", "reader", likeness), ("nli", "scorer", 1.0))  # fmt: skip
    return _signed(_answered(table, item, cited), table.writers, prompt, checks)


def _answered(table: Table, item: Item, cited: Sequence[tuple[Span, Span]]) -> Candidate:
    """Return the candidate of an item; cited: (span of the answer, span of the passage)."""
    draft = _asked(item.question, table.stretch, table.settings)
    draft.reply = item.answer
    for of_answer, (start, end) in cited:
        shift = table.stretch.start
        draft.cite(of_answer, Piece(table.stretch.source, start + shift, end + shift))
    made = draft.done("attribution", "generated_qa", Answer(item.answer, "sentence"), about=_about(table.stretch))
    return _merged(made)


def _minimal(sentence: str, quotes: Sequence[str], scorer: Scorer, language: str) -> tuple[int, ...]:
    """Return the numbers of the quotes that a sentence needs, () where they don't entail it.

    Quotes are left out from the last one on, as long as the rest still entails the sentence.
    """
    needed = list(range(len(quotes)))
    if scorer.score("\n".join(quotes), sentence, language) != "entail":
        return ()
    for place in reversed(range(len(quotes))):
        rest = [each for each in needed if each != place]
        if rest and scorer.score("\n".join(quotes[each] for each in rest), sentence, language) == "entail":
            needed = rest
    return tuple(needed)


def _with_hedge(table: Table, twin: Candidate, item: Item) -> list[Outcome]:
    """Return the twin with its hedge, or the twin and why there is none."""
    passage = table.stretch.text
    asked = prompts.hedge(table.writers.writer, passage, item.question, table.language)

    def rejected(reason: CandidateRefused, text: str) -> list[Outcome]:
        return [twin, Rejected(reason, table.language, asked.key, text[:2000])]

    try:
        (said,) = answers(table.responses, asked)
        found = replies.changed(said)
        if found is None or mentions(found.changed, passage) or not mentions(found.changed, found.question):
            return rejected(CandidateRefused.NOT_CHANGED, said)
        if not _numbers(found.reply) <= _numbers(f"{passage}\n{found.question}"):
            return rejected(CandidateRefused.NUMBER_NOT_IN_QUOTES, said)
        is_answerable, answer = table.judged(found.question)
    except Dead:
        return rejected(CandidateRefused.NO_RESPONSE, "")
    if is_answerable is not False or answer is not None:
        return rejected(CandidateRefused.NOT_UNANSWERABLE, said)
    checks = table.checks(("offset", "own", 1.0), ("leak", "own", 0.0), ("answerable", "judge", 0.0),
                          ("roundtrip", "reader", 0.0))  # fmt: skip
    return [(_signed(_unanswered(table, item, found), table.writers, asked.key, checks), twin)]


def _unanswered(table: Table, item: Item, found: Changed) -> Candidate:
    """Return the hedge of a changed question."""
    draft = _asked(found.question, table.stretch, table.settings)
    draft.reply = found.reply
    kind = "number" if _numbers(found.changed) else "entity"
    edit = Edit(kind, replaced(item.question, found.question, found.changed), found.changed)
    why = Hedge(f"context.{edit.kind}_swap", "abstain", item.answer, edit)
    return draft.done("hedge", "generated_hedge", Answer("", "none"), why, about=_about(table.stretch))


def replaced(old: str, new: str, changed: str) -> str:
    """Return what stood in the old question where `changed` stands in the new one, "" where more was changed."""
    before, mark, behind = new.partition(changed)
    room = len(old) - len(before) - len(behind)
    if not mark or room <= 0 or not old.startswith(before) or not old.endswith(behind):
        return ""
    return old[len(before) : len(before) + room]


def _asked(question: str, stretch: Stretch, settings: Settings) -> Draft:
    """Return a draft whose prompt shows the passage, framed as other sets of the language are where it has phrases."""
    source = stretch.source
    lot = f"endpoint/{source.doc_id}/{stretch.start}/{question}"
    shown = Piece(source, stretch.start, stretch.end, "context")
    draft = Draft(Voice(source.language, settings.seed, lot), [shown])
    if source.language in languages():
        draft.ask_in_words(question)
    else:
        draft.question = f"{stretch.text}\n\n{question}"
    return draft


def _about(stretch: Stretch) -> list[str]:
    return [stretch.source.title] if stretch.source.title else []


def _signed(made: Candidate, writers: Writers, prompt: str, checks: tuple[Check, ...]) -> Candidate:
    """Return a candidate with its origin; the template that it keeps is that of the frame around the passage."""
    origin = Origin("llm", made.gen.template, model=writers.writer.name, prompt_sha256=prompt, seed=made.gen.seed)
    return replace(made, gen=origin, verify=checks)


def _merged(made: Candidate) -> Candidate:
    """Put the evidence of one span into one citation."""
    spans: dict[tuple[int, int], list[int]] = {}
    for each in made.citations:
        spans.setdefault(each.answer_span, []).extend(each.evidence)
    merged = [replace(made.citations[0], answer_span=span, evidence=tuple(found)) for span, found in spans.items()]
    return replace(made, citations=tuple(merged))


def _sentences(text: str) -> list[tuple[int, int]]:
    """Return [start, end) of the sentences of an answer, white space at their ends left out."""
    found, start = [], 0
    for cut in (*(match.start() for match in _SENTENCE.finditer(text)), len(text)):
        piece = text[start:cut]
        if piece.strip():
            begin = start + len(piece) - len(piece.lstrip())
            found.append((begin, begin + len(piece.strip())))
        start = cut
    return found


def _numbers(text: str) -> frozenset[str]:
    """Return the runs of digits of a text, in any script and grouping."""
    western = "".join(str(unicodedata.decimal(each, each)) for each in squeeze(text))
    return frozenset(_DIGITS.findall(western))


def agreement(left: str, right: str) -> float:
    """Return how alike two answers are, in [0, 1]: 1 where one holds the other, else F1 of their bigrams."""
    a, b = squeeze(left).strip("."), squeeze(right).strip(".")
    if not a or not b:
        return 0.0
    if a in b or b in a:
        return 1.0
    pairs = [Counter(text[i : i + 2] for i in range(len(text) - 1)) for text in (a, b)]
    return 2 * (pairs[0] & pairs[1]).total() / max(1, pairs[0].total() + pairs[1].total())
