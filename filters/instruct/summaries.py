"""Summaries in a document's own sentences: of each passage shown the sentence that says most of it, with its number."""

from collections.abc import Iterator

import numpy as np

from filters.instruct.build import Draft
from filters.instruct.desk import Desk, Study
from filters.instruct.phrases import Wording
from filters.instruct.record import Answer, Candidate

PASSAGES = 3
_LEAD = 1.25  # the first sentence says what a passage is about


def candidates(desk: Desk) -> Iterator[Candidate]:
    """Return a summary of every second three passages that follow one another."""
    inside = sorted(desk.studies, key=lambda study: study.stretch.start)
    for at in range(0, len(inside) - PASSAGES + 1, PASSAGES):
        if desk.lot("summary", inside[at].lot) % 2:
            yield from _of(desk, inside[at : at + PASSAGES])


def _of(desk: Desk, studies: list[Study]) -> Iterator[Candidate]:
    chosen = [central(study) for study in studies]
    if any(index is None for index in chosen):
        return
    voice = desk.voice(studies[0].lot, "summary")
    draft = Draft(voice, [study.piece() for study in studies], numbered=True)
    draft.ask("q.summary", n=str(PASSAGES))
    for number, (study, index) in enumerate(zip(studies, chosen, strict=True), 1):
        said = study.sentence(index or 0)
        space = "" if desk.language in ("ja", "zh") else " "
        draft.add(Wording(f"{said.text}{space}[{number}]", {"s": (0, len(said.text))}), {"s": said})
    yield draft.done("attribution", "summary_extractive", Answer(draft.reply, "text"))


def central(study: Study) -> int | None:
    """Return the sentence that shares most with its passage; None where none can stand alone.

    Shared are character 4-grams (2-grams without spaces), each as often as the passage has it, by the root of the
    sentence's length: neither the longest nor the shortest wins by that.
    """
    size = 2 if study.language in ("ja", "zh") else 4
    points = np.frombuffer(study.text.encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)
    grams = np.zeros(max(0, len(points) - size + 1), np.uint64)
    for i in range(size):
        grams = grams * np.uint64(0x110000) + points[i : i + len(grams)]
    _, which, counts = np.unique(grams, return_inverse=True, return_counts=True)
    best, found = 0.0, None
    for index, (start, end) in enumerate(study.stretch.sentences):
        if not study.stands_alone(index):
            continue
        at = start - study.stretch.start
        there = np.zeros(len(counts), np.bool_)
        there[which[at : at + end - start - size + 1]] = True
        shared = float(counts[there].sum() - there.sum())
        score = shared / (end - start) ** 0.5 * (_LEAD if index == 0 else 1.0)
        if score > best:
            best, found = score, index
    return found
