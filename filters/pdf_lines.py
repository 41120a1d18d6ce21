"""Lines of a page with their places, put into reading order and into paragraphs.

Lengths are points (1/72 inch), y grows upwards, as in PDF. A page's lines come in the order in which the file draws
them, which is the reading order of nearly all typesetters; `in_reading_order` mends what is drawn row by
row across columns, and vertical text, whose lines go from right to left.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

HYPHEN = "\ufffe"  # what PDFium gives for a hyphen at a line's end
MIN_COLUMN_LINES = 6
MIN_COLUMN_CHARS = 15.0  # of the median line on both sides: cells of tables are shorter
MAX_GAP = 2000.0  # a wider one is no gutter of a page
MIN_COLUMN_FRACTION = 0.5  # of a page's lines cross the gutter
EDGE_LINES = 2  # at each end of a page that may be a running head
MIN_EDGE_PAGES = 3
MIN_EDGE_REPEATED = 0.6  # of the lines in a place that are repeated there
_WIDE = re.compile(
    r"[\u0e00-\u0eff\u1780-\u17ff\u2e80-\u303f\u3040-\u30ff\u3100-\u33ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef]"
)
_BULLET = re.compile(r"[\u2022\u25cf\u25aa\u25e6\u2023\u2043\u30fb\u2013\u2014*-]\s?\S|\(?(?:\d{1,3}|[a-zA-Z])[.)]\s")
_ENDS = tuple(".!?:;。！？：؟۔।…\u201d\u300d")
_ROMAN = re.compile(r"\b[ivxlcdm]+\b")
_NUMBER = re.compile(r"\d+")
_BROKEN_WORD = re.compile(rf"(\w+){HYPHEN}(\w+)")


class Line(NamedTuple):
    """A line of text, or the piece of one between two wide gaps."""

    text: str
    left: float
    right: float
    bottom: float  # of its first character
    top: float
    last_bottom: float  # of its last one: where a hyphen joined two lines it lies lower
    is_fixed: bool = False  # in a font of fixed pitch
    gaps: tuple[tuple[int, float, float], ...] = ()  # wide gaps: index in text behind it, its left and right end

    @property
    def height(self) -> float:
        return max(self.top - self.bottom, 1.0)


def is_vertical(line: Line) -> bool:
    """Return whether the characters of a line stand below each other."""
    tall = line.bottom - line.last_bottom > 2 * line.height
    return tall and len(line.text) > 3 and line.right - line.left < 2 * line.height


def is_set_vertically(lines: Sequence[Line]) -> bool:
    """Return whether most characters of a page stand in vertical lines."""
    return 2 * sum(len(line.text) for line in lines if is_vertical(line)) > sum(len(line.text) for line in lines)


def in_reading_order(lines: Sequence[Line]) -> list[Line]:
    """Return the lines of a page in the order in which they are read."""
    return _tiers(lines) if is_set_vertically(lines) else in_columns(lines)


def _tiers(lines: Sequence[Line]) -> list[Line]:
    """Return vertical lines from right to left, tier by tier from the top; what is set across comes behind them."""
    ordered: list[Line] = []
    tier: list[Line] = []
    lowest = 0.0
    for line in sorted((line for line in lines if is_vertical(line)), key=lambda line: -line.top):
        if tier and line.top <= lowest:
            ordered += sorted(tier, key=lambda each: -each.left)
            tier = []
        lowest = min(lowest, line.last_bottom) if tier else line.last_bottom
        tier.append(line)
    ordered += sorted(tier, key=lambda each: -each.left)
    return [*ordered, *(line for line in lines if not is_vertical(line))]


def _turned(line: Line) -> Line:
    """Return a vertical line with the places that it would have if it were set from left to right."""
    return line._replace(
        left=-line.top, right=-line.last_bottom, bottom=line.left, top=line.right, last_bottom=line.left, gaps=()
    )


def in_columns(lines: Sequence[Line]) -> list[Line]:
    """Return the lines of a page, those that cross a gutter cut there and put column by column.

    A gutter is an x that lies in wide gaps of at least half of the lines, with running text on both sides of it.
    """
    split = [line for line in lines if line.gaps]
    gutter = _gutter(split) if len(split) >= max(MIN_COLUMN_LINES, MIN_COLUMN_FRACTION * len(lines)) else None
    if gutter is None:
        return list(lines)
    ordered: list[Line] = []
    left: list[Line] = []
    right: list[Line] = []
    for line in lines:
        pieces = _cut(line, gutter)
        if pieces is None and line.left < gutter < line.right:  # a heading over both columns ends what stood above
            ordered += [*left, *right, line]
            left, right = [], []
        elif pieces is None:
            (left if line.left < gutter else right).append(line)
        else:
            left.append(pieces[0])
            right.append(pieces[1])
    return [*ordered, *left, *right]


def _gutter(split: Sequence[Line]) -> float | None:
    places: Counter[int] = Counter()
    for line in split:
        places.update(
            {x for _, begin, end in line.gaps if end - begin < MAX_GAP for x in range(round(begin) + 1, round(end))}
        )
    if not places:
        return None
    most = max(places.values())
    best = [x for x, count in places.items() if count == most]
    gutter = (min(best) + max(best)) / 2
    pieces = [found for line in split if (found := _cut(line, gutter))]
    enough = len(pieces) >= MIN_COLUMN_LINES and all(
        float(np.median([len(each[side].text) for each in pieces])) >= MIN_COLUMN_CHARS for side in (0, 1)
    )
    return gutter if enough else None


def _cut(line: Line, gutter: float) -> tuple[Line, Line] | None:
    for at, begin, end in line.gaps:
        if begin <= gutter <= end:
            first = line._replace(text=line.text[:at].rstrip(), right=begin, last_bottom=line.bottom, gaps=())
            return first, line._replace(text=line.text[at:], left=end, gaps=())
    return None


def without_running_heads(pages: Sequence[Sequence[Line]]) -> tuple[list[list[Line]], int]:
    """Return the pages without running heads, feet and page numbers, and how many lines were left out.

    Such a line stands among the first or last two of its page, at a height where, over all pages, most lines are
    repeated but for their numbers.
    """
    places: defaultdict[tuple[bool, int], list[tuple[int, int, str]]] = defaultdict(list)
    for page, lines in enumerate(pages):
        for is_top, at in _edges(lines):
            places[is_top, round(lines[at].bottom / 2)].append((page, at, _key(lines[at].text)))
    gone: set[tuple[int, int]] = set()
    for found in places.values():
        counts = Counter(key for _, _, key in found)
        repeated = sum(count for count in counts.values() if count > 1)
        if len(found) >= MIN_EDGE_PAGES and repeated >= MIN_EDGE_REPEATED * len(found):
            gone.update((page, at) for page, at, _ in found)
    kept = [[line for at, line in enumerate(lines) if (page, at) not in gone] for page, lines in enumerate(pages)]
    return kept, len(gone)


def _edges(lines: Sequence[Line]) -> Iterator[tuple[bool, int]]:
    order = sorted(range(len(lines)), key=lambda at: (-lines[at].bottom, lines[at].left))
    heights = list(dict.fromkeys(round(lines[at].bottom) for at in order))
    places = {height: place for place, height in enumerate(heights)}
    for at in order:
        place = places[round(lines[at].bottom)]
        if place < EDGE_LINES or place >= len(heights) - EDGE_LINES:
            yield place < EDGE_LINES, at


def _key(text: str) -> str:
    return _ROMAN.sub("#", _NUMBER.sub("#", text.strip()))


class Paragraph(NamedTuple):
    """Text that belongs together; code keeps its lines and their indentation."""

    text: str
    is_code: bool
    is_open: bool  # may go on on the next page


def paragraphs(lines: Sequence[Line]) -> list[Paragraph]:
    """Return the paragraphs of a page whose lines are in reading order."""
    if is_set_vertically(lines):
        lines = [_turned(line) if is_vertical(line) else line for line in lines]
    found: list[Paragraph] = []
    for block in _blocks(lines):
        if all(line.is_fixed for line in block):
            found.append(Paragraph(_code(block), is_code=len(block) > 1, is_open=False))
        else:
            text = ""
            for line in block:
                text = joined(text, line.text.strip())
            found.append(Paragraph(text, is_code=False, is_open=False))
    if found and not found[-1].is_code:
        found[-1] = found[-1]._replace(is_open=not found[-1].text.endswith(_ENDS) and len(found[-1].text) > 40)
    return [each for each in found if each.text.strip()]


def _blocks(lines: Sequence[Line]) -> Iterator[list[Line]]:
    """Yield the lines of each paragraph."""
    pitch = _pitch(lines)
    right = _column_edges(lines)
    block: list[Line] = []
    for line in lines:
        if block and _breaks(block, line, pitch, right[round(block[-1].left / 20)]):
            yield block
            block = []
        block.append(line)
    if block:
        yield block


def _pitch(lines: Sequence[Line]) -> float:
    """Return the usual distance of two lines of a paragraph: the median of what is positive and below three heights."""
    steps = [a.last_bottom - b.bottom for a, b in pairwise(lines)]
    usual = [step for step, line in zip(steps, lines, strict=False) if 0 < step < 3 * line.height]
    return float(np.median(usual)) if usual else 12.0


def _column_edges(lines: Sequence[Line]) -> defaultdict[int, float]:
    """Return where lines that begin near a left edge (in steps of 20 points) usually end."""
    ends: defaultdict[int, list[float]] = defaultdict(list)
    for line in lines:
        ends[round(line.left / 20)].append(line.right)
    edges: defaultdict[int, float] = defaultdict(float)
    edges.update({left: float(np.quantile(right, 0.8)) for left, right in ends.items()})
    return edges


def _breaks(block: Sequence[Line], line: Line, pitch: float, edge: float) -> bool:
    """Return whether `line` begins a new paragraph after `block`."""
    last = block[-1]
    if last.is_fixed != line.is_fixed and (line.is_fixed or all(each.is_fixed for each in block)):
        return True
    step = last.last_bottom - line.bottom
    if last.is_fixed:
        return not 0 <= step < 2.2 * pitch
    if last.text.endswith(HYPHEN):
        return False
    if abs(line.height - last.height) > 0.25 * last.height or _BULLET.match(line.text):
        return True
    is_short = last.right < edge - 4 * last.height
    if step < -0.5 * last.height:  # the next column
        return is_short and last.text.endswith(_ENDS)
    is_indented = line.left > block[-1].left + 0.8 * line.height and len(block) > 1
    return step > 1.35 * pitch or is_short or is_indented


def joined(before: str, after: str) -> str:
    """Return two lines as one text: a space between them, but none where the script has none or at a hyphen."""
    if not before or not after or before.endswith(HYPHEN):
        return before + after
    if before.endswith("\u00ad"):
        return before[:-1] + after
    if before[-1] == "-" and len(before) > 1 and before[-2].isalpha() and after[0].islower():
        return before[:-1] + HYPHEN + after
    if _WIDE.match(before[-1]) and _WIDE.match(after[0]):
        return before + after
    return f"{before} {after}"


def _code(block: Sequence[Line]) -> str:
    """Return lines of fixed pitch as they are set: indentation by their left edge, one empty line for a gap."""
    widths = [(line.right - line.left) / max(1, len(line.text)) for line in block]
    width, edge = max(float(np.median(widths)), 1.0), min(line.left for line in block)
    return "\n".join(" " * min(round((line.left - edge) / width), 80) + line.text.rstrip() for line in block)


def mend_hyphens(texts: Sequence[str]) -> list[str]:
    """Return texts whose words broken at line ends are whole.

    The document itself votes: where the word stands elsewhere with its hyphen, and not without, the hyphen stays.
    """
    wanted = {found.groups() for text in texts for found in _BROKEN_WORD.finditer(text)}
    if not wanted:
        return [text.replace(HYPHEN, "") for text in texts]
    solid, hyphened = _votes(texts, wanted)

    def mended(found: re.Match[str]) -> str:
        first, second = found.groups()
        keeps = f"{first}-{second}" in hyphened and f"{first}{second}" not in solid
        return f"{first}-{second}" if keeps else f"{first}{second}"

    return [_BROKEN_WORD.sub(mended, text).replace(HYPHEN, "") for text in texts]


def _votes(texts: Iterable[str], wanted: set[tuple[str, ...]]) -> tuple[set[str], set[str]]:
    solid = {first + second for first, second in wanted}
    hyphened = {f"{first}-{second}" for first, second in wanted}
    seen_solid: set[str] = set()
    seen_hyphened: set[str] = set()
    for text in texts:
        seen_solid.update(word for word in re.findall(r"\w+", text) if word in solid)
        seen_hyphened.update(word for word in re.findall(r"\w+-\w+", text) if word in hyphened)
    return seen_solid, seen_hyphened
