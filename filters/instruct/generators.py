"""All generators that need no model, in the order in which their candidates come (mode a).

A generator looks at a desk, one document with what may stand beside it, and gives `Made`: an answerable candidate, or a
hedge with its answerable twin. It is pure: the same source, neighbours, facts and settings give the same candidates in
the same order. What of it becomes a record, `filters.instruct.balance` decides.
"""

from collections.abc import Callable, Iterator, Sequence

from filters.instruct import cited, cloze, media, quotes, span_qa, summaries, table_qa, transforms
from filters.instruct.desk import Desk, Made, desk_of
from filters.instruct.hedge import choose
from filters.instruct.phrases import languages
from filters.instruct.record import FactTable, Passage, Settings, Source

GENERATORS_VERSION = 3  # raise when the same input gives other candidates
Generator = Callable[[Desk], Iterator[Made]]

GENERATORS: tuple[Generator, ...] = (
    span_qa.candidates,
    quotes.candidates,
    cloze.candidates,
    cited.candidates,
    summaries.candidates,
    transforms.candidates,
    table_qa.candidates,
    media.candidates,
    choose.pairs,
)


def made(source: Source, near: Sequence[Passage], facts: FactTable | None, settings: Settings) -> Iterator[Made]:
    """Return what all generators make of a document; nothing where its language has no phrases.

    near: passages (`filters.instruct.passages.passages_of`) of other documents in the same language and, if it can be,
    on the same subject, about 8 of them: distractors, and names for swaps, are taken from these.
    """
    if source.language not in languages() or (settings.languages and source.language not in settings.languages):
        return
    desk = desk_of(source, near, facts, settings)
    for generator in GENERATORS:
        yield from generator(desk)
