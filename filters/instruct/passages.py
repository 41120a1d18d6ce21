"""The passages of a document that may stand in a prompt: runs of whole sentences, from one place of its text.

A passage is prose: lines that end as sentences do, without tables, lists, code and headings between them. It is short
enough to be read and, in bytes, about as long in every script.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from filters.instruct.record import Passage, Settings, Source, draw
from filters.instruct.spans import goes_on, sentences

MIN_BYTES, MAX_BYTES = 260, 1500
MIN_LINE_BYTES = 60  # a shorter line is a heading, a menu or an item
MIN_SENTENCES = 2
MAX_SENTENCE_BYTES = 700
_OPENS = re.compile("[(（「『“«]")
_END_MARKS = frozenset(".!?。！？．।؟…")
_NOT_PROSE = re.compile(r"[\t{}•|]|==|->|  ")
_LISTED = ("#", "$", "*", "-", "<", "[", "(", "•", "·", "，", ",", "。", "、", "；", ";", ")", "）", "」", "”", ".")

Span = tuple[int, int]


@dataclass(frozen=True)
class Stretch:
    """A passage of `source` with its sentences, in code points of the source's text."""

    source: Source
    start: int
    end: int
    sentences: tuple[Span, ...]

    @property
    def text(self) -> str:
        """Return the passage."""
        return self.source.text[self.start : self.end]

    def said(self, index: int) -> str:
        """Return a sentence."""
        start, end = self.sentences[index]
        return self.source.text[start:end]


def stretches(source: Source, settings: Settings) -> list[Stretch]:
    """Return the passages of a document, in order; none overlaps another or a table."""
    found = []
    for block in _blocks(source):
        found += [_stretch(source, part) for part in _packed(source.text, block, settings)]
    return found


def passages_of(source: Source, settings: Settings, most: int = 2) -> tuple[Passage, ...]:
    """Return up to `most` passages of a document, chosen by hash: what may stand in other documents' prompts."""
    return some_of(stretches(source, settings), settings, most)


def some_of(found: Sequence[Stretch], settings: Settings, most: int = 2) -> tuple[Passage, ...]:
    """Return up to `most` of a document's passages, chosen by hash."""
    order = sorted(found, key=lambda one: draw(settings.seed, "near", one.source.doc_id, one.start))
    return tuple(as_passage(one) for one in order[:most])


def as_passage(stretch: Stretch) -> Passage:
    """Return a stretch as what may stand in other documents' prompts."""
    of = stretch.source
    fixed = (of.doc_id, of.text_sha256, of.url, of.domain, of.licence, of.language, of.cluster, of.title)
    return Passage(*fixed, stretch.start, stretch.end, stretch.text, of.modality)


def _stretch(source: Source, spans: Sequence[Span]) -> Stretch:
    return Stretch(source, spans[0][0], spans[-1][1], tuple(spans))


def _packed(text: str, block: Sequence[Span], settings: Settings) -> Iterator[list[Span]]:
    """Cut the sentences of a block into passages of at most MAX_BYTES, as even as can be."""
    sizes = [_size(text, span) for span in block]
    count = -(-sum(sizes) // MAX_BYTES)
    aim = min(sum(sizes) / max(count, 1), MAX_BYTES)
    part: list[Span] = []
    filled = 0
    for span, size in zip(block, sizes, strict=True):
        if part and (filled + size / 2 > aim or span[1] - part[0][0] > settings.max_passage_chars):
            yield from _kept(part, filled)
            part, filled = [], 0
        part.append(span)
        filled += size
    yield from _kept(part, filled)


def _kept(part: list[Span], filled: int) -> Iterator[list[Span]]:
    if len(part) >= MIN_SENTENCES and filled >= MIN_BYTES:
        yield part


def _size(text: str, span: Span) -> int:
    return len(text[span[0] : span[1]].encode("utf-8", "surrogatepass"))


def _blocks(source: Source) -> Iterator[list[Span]]:
    """Return runs of sentences between which nothing stands but white space."""
    run: list[Span] = []
    for line in _prose_lines(source):
        if run and source.text[run[-1][1] : line[0][0]].strip():
            yield run
            run = []
        run += line
    if run:
        yield run


def _prose_lines(source: Source) -> Iterator[list[Span]]:
    """Return the sentences of each line of prose."""
    found = sentences(source.text)
    barred = sorted((table.start, table.end) for table in source.tables)
    line: list[Span] = []
    number = -1
    for start, end, of, _ in zip(*(column.tolist() for column in found), strict=True):
        if of != number:
            yield from _if_prose(source.text, line, barred)
            line, number = [], of
        line.append(_before_name(source.text, line, (start, end)))
    yield from _if_prose(source.text, line, barred)


def _before_name(text: str, line: list[Span], span: Span) -> Span:
    """Return a sentence with its full stops where they belong: behind 。 one begins what follows (。| .DEF)."""
    start, end = span
    if line and text[line[-1][1] : start] == ".":
        start -= 1
    return (start, end - 1) if text[start:end].endswith("。.") else (start, end)


def _if_prose(text: str, line: list[Span], barred: Sequence[Span]) -> Iterator[list[Span]]:
    if not line:
        return
    start, end = line[0][0], line[-1][1]
    body = text[start:end]
    if end - start < MIN_LINE_BYTES and _size(text, (start, end)) < MIN_LINE_BYTES:
        return
    if not _ends(body) or body.startswith(_LISTED) or _NOT_PROSE.search(body):
        return
    if any(start < barrier[1] and barrier[0] < end for barrier in barred):
        return
    joined = _joined(text, line)
    if all(_size(text, span) <= MAX_SENTENCE_BYTES for span in joined):
        yield joined


def _ends(body: str) -> bool:
    return body.rstrip("\"'”’»)」』）] ")[-1:] in _END_MARKS


def _joined(text: str, line: list[Span]) -> list[Span]:
    """Join sentences that an abbreviation cut, and what stands behind the last end with the sentence before."""
    out = [line[0]]
    for before, after in pairwise(line):
        is_cut = goes_on(text[before[0] : before[1]], text[after[0] : after[1]])
        if is_cut or after[1] - after[0] < 4 or _open(text, out[-1]):
            out[-1] = (out[-1][0], after[1])
        else:
            out.append(after)
    return out


def _open(text: str, span: Span) -> bool:
    """Say whether a bracket or quotation mark is open at the end of a sentence."""
    if not _OPENS.search(text, *span):
        return False
    body = text[span[0] : span[1]]
    return any(body.count(left) > body.count(right) for left, right in ("()", "（）", "「」", "『』", "“”", "«»"))
