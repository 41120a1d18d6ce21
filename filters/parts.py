"""The ordered parts of a document: stretches of its text, and media that stand between them.

`cut` takes the marks (filters.prescan) out of an extracted text and remembers where they stood; `order_parts` makes
parts of that. Both are numeric: a part is a row of int64, and names and addresses are put to it a batch at a time.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters.native import kernel
from filters.prescan import (
    CODE_BEGINS,
    CODE_ENDS,
    FIRST_SENTINEL,
    IMAGE_HERE,
    TABLE_BEGINS,
    TABLE_ENDS,
)
from manifests.records import PART

TEXT, TABLE, CODE, IMAGE = range(4)
KIND_NAMES = ("text", "table", "code", "image")

# Columns of a row.
KIND, START, END, INDEX = range(4)  # a part; INDEX: of its address among the document's `images`, else -1


class Cut(NamedTuple):
    """A text without marks, and where they stood."""

    text: bytes
    blocks: np.ndarray  # int64[n, 3]: TABLE or CODE, start, end; bytes of text; ascending, without overlap
    images: np.ndarray  # int64[n, 2]: byte offset in text, row of the image in `places`; ascending


class ImageAddress(NamedTuple):
    """What an image part says of its image."""

    uri: str | None
    alt: str | None

    @property
    def kind(self) -> str:
        """Return what it is: to the numeric rows films and sounds are images too."""
        return "image"


class FilmAddress(NamedTuple):
    """What a part says of its film or sound."""

    uri: str | None
    alt: str | None
    kind: str  # audio | video


class DocumentParts(NamedTuple):
    """The parts of one document."""

    rows: np.ndarray  # int64[n, 4]
    images: Sequence[ImageAddress | FilmAddress]


MARK_BYTES = 4  # characters beyond plane 0 in UTF-8
# Handed to the kernel, since a compiled kernel would keep another file's numbers when they change.
_CODES = np.array([FIRST_SENTINEL, IMAGE_HERE, TABLE_BEGINS, TABLE_ENDS, CODE_BEGINS, CODE_ENDS])

NO_BLOCKS = np.zeros((0, 3), np.int64)
NO_IMAGES = np.zeros(0, np.int64)


def cut(marked: bytes, places: np.ndarray) -> Cut:
    """Take the marks out of a text (UTF-8); `places` are what they stand for.

    Of nested tables and code the innermost are blocks: a table that holds another is there for layout. White space on
    both sides of a mark is joined: the longer run of newlines stays, or one space.
    """
    text, length, blocks, images = _cut(np.frombuffer(marked, np.uint8), places, _CODES)
    return Cut(text[:length].tobytes(), blocks, images)


def order_parts(text: bytes, blocks: np.ndarray, images: np.ndarray) -> np.ndarray:
    """Return the parts in reading order, int64[n, 4]; blocks as in `Cut`, images: their offsets in the text, ascending.

    Text, table and code parts cover the text without gap or overlap; none is blank. An image cuts the text part that
    it stands in; one inside a table or code follows it. Blank text between two parts belongs to the first, or, after
    an image, to the second.
    """
    rows: np.ndarray = _order(np.frombuffer(text, np.uint8), blocks, images)
    return rows


def parts_array(documents: Sequence[DocumentParts]) -> pa.ListArray:
    """Return one list of parts a document, as Arrow stores it (manifests.records.PART)."""
    rows = np.concatenate([one.rows for one in documents]) if documents else np.zeros((0, 4), np.int64)
    sizes = [len(one.rows) for one in documents]
    first_image = np.cumsum([0, *(len(one.images) for one in documents)])[: len(documents)]
    index = rows[:, INDEX] + np.repeat(first_image, sizes)
    which = pa.array(index, pa.int64(), mask=rows[:, INDEX] < 0)
    images = [image for one in documents for image in one.images]
    is_media = pa.array(index, pa.int64(), mask=rows[:, KIND] != IMAGE)  # the text of a chapter has an address too
    media = pa.array([image.kind for image in images], pa.string()).take(is_media)
    columns = [
        pc.coalesce(media, pa.array(KIND_NAMES).take(pa.array(rows[:, KIND]))),
        pa.array(rows[:, START].astype(np.int32)),
        pa.array(rows[:, END].astype(np.int32)),
        pa.array([image.uri for image in images], pa.string()).take(which),
        pa.array([image.alt for image in images], pa.string()).take(which),
    ]
    offsets = pa.array(np.cumsum([0, *sizes]), pa.int32())
    return pa.ListArray.from_arrays(offsets, pa.StructArray.from_arrays(columns, fields=list(PART)))


@kernel
def _mark_at(data: Any, i: int, first: int) -> int:
    """Return the place that the mark at data[i] stands for, counted from `first`; -1 where there is no mark."""
    if data[i] < 0xF3 or i + MARK_BYTES > len(data):
        return -1
    c = (data[i] & 7) << 18 | (data[i + 1] & 63) << 12 | (data[i + 2] & 63) << 6 | (data[i + 3] & 63)
    return c - first if c >= first else -1


@kernel
def _is_blank(c: int) -> bool:
    return c == 32 or 9 <= c <= 13


@kernel
def _join(out: Any, o: int, data: Any, i: int) -> tuple[int, int]:
    """Settle the white space around the mark before data[i]; return (length of out, offset to go on from)."""
    n = i
    while n < len(data) and data[n] == 10:
        n += 1
    if o == 0:
        return 0, n
    if n == i:
        if i < len(data) and data[i] == 32 and (out[o - 1] == 32 or out[o - 1] == 10):
            return o, i + 1
        return o, i
    has = 0
    while has < o and out[o - 1 - has] == 10:
        has += 1
    for _ in range(n - i - has):
        out[o] = 10
        o += 1
    return o, n


@kernel
def _close(opened: Any, depth: int, kind: int, at: int, blocks: Any, count: int) -> tuple[int, int]:
    """End the innermost open block of a kind; it counts unless it holds another. Return (depth, blocks)."""
    top = depth - 1
    while top >= 0 and opened[top, 0] != kind:
        top -= 1
    if top < 0:
        return depth, count
    start = opened[top, 1]
    if not (count > 0 and blocks[count - 1, 1] >= start and blocks[count - 1, 2] > start):
        blocks[count, 0], blocks[count, 1], blocks[count, 2] = kind, start, at
        count += 1
    return top, count


@kernel
def _trim(text: Any, length: int, blocks: Any, count: int) -> int:
    """Leave out blank lines at both ends of blocks, and blank blocks; return how many are left."""
    left = 0
    for b in range(count):
        start, end = blocks[b, 1], min(blocks[b, 2], length)
        while start < end and text[start] == 10:
            start += 1
        while start < end and _is_blank(text[end - 1]):
            end -= 1
        if start < end:
            blocks[left, 0], blocks[left, 1], blocks[left, 2] = blocks[b, 0], start, end
            left += 1
    return left


@kernel
def _cut(data: Any, places: Any, codes: Any) -> tuple[Any, int, Any, Any]:
    n, room = len(data), len(places)
    out, o, i = np.empty(n, np.uint8), 0, 0
    blocks, images = np.empty((room, 3), np.int64), np.empty((room, 2), np.int64)
    opened = np.empty((room, 2), np.int64)
    depth = block_count = image_count = 0
    while True:
        while i < n and data[i] < 0xF3:
            out[o] = data[i]
            i, o = i + 1, o + 1
        if i >= n:
            break
        place = _mark_at(data, i, codes[0])
        if place < 0:
            out[o] = data[i]
            i, o = i + 1, o + 1
            continue
        i += MARK_BYTES
        while o > 0 and out[o - 1] == 32 and i < n and data[i] == 10:
            o -= 1  # no spaces at a line's end
        kind = places[place, 0] if place < room else -1
        if kind == codes[1]:
            images[image_count, 0], images[image_count, 1] = o, place
            image_count += 1
        elif kind == codes[2] or kind == codes[4]:
            opened[depth, 0], opened[depth, 1] = TABLE if kind == codes[2] else CODE, o
            depth += 1
        elif kind == codes[3] or kind == codes[5]:
            ends = TABLE if kind == codes[3] else CODE
            depth, block_count = _close(opened, depth, ends, o, blocks, block_count)
        o, i = _join(out, o, data, i)
    while depth > 0:
        depth, block_count = _close(opened, depth, opened[depth - 1, 0], o, blocks, block_count)
    while o > 0 and _is_blank(out[o - 1]):
        o -= 1
    for k in range(image_count):
        images[k, 0] = min(images[k, 0], o)
    return out, o, blocks[: _trim(out, o, blocks, block_count)], images[:image_count]


@kernel
def _cover(rows: Any, count: int, text: Any, start: int, end: int) -> tuple[int, int]:
    """Account for text [start, end); return (parts, offset from which the next part begins)."""
    first = start
    while first < end and _is_blank(text[first]):
        first += 1
    if count > 0 and rows[count - 1, KIND] != IMAGE:
        rows[count - 1, END] = start = first
    if first < end:
        return _put(rows, count, TEXT, start, end, -1), end
    return count, start


@kernel
def _put(rows: Any, count: int, kind: int, start: int, end: int, index: int) -> int:
    rows[count, KIND], rows[count, START], rows[count, END], rows[count, INDEX] = kind, start, end, index
    return count + 1


@kernel
def _order(text: Any, blocks: Any, images: Any) -> Any:
    rows = np.empty((2 * (len(blocks) + len(images)) + 1, 4), np.int64)
    count = at = image = 0
    for b in range(len(blocks)):
        start, end = blocks[b, 1], blocks[b, 2]
        while image < len(images) and images[image] <= start:
            count, at = _cover(rows, count, text, at, images[image])
            count = _put(rows, count, IMAGE, at, at, image)
            image += 1
        count, at = _cover(rows, count, text, at, start)
        count, at = _put(rows, count, blocks[b, 0], at, end, -1), end
        while image < len(images) and images[image] < end:
            count = _put(rows, count, IMAGE, images[image], images[image], image)
            image += 1
    while image < len(images):
        count, at = _cover(rows, count, text, at, images[image])
        count = _put(rows, count, IMAGE, at, at, image)
        image += 1
    count, at = _cover(rows, count, text, at, len(text))
    return rows[:count].copy()
