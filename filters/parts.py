"""The ordered parts of a document: stretches of its text, and media that stand between them."""

from collections.abc import Sequence
from typing import NamedTuple

import pyarrow as pa

from manifests.records import PART


class Block(NamedTuple):
    """A stretch of text that is not prose: bytes [start, end) of the text."""

    kind: str  # table | code
    start: int
    end: int


class Image(NamedTuple):
    """An image; `at` is the byte offset in the text where it stands."""

    at: int
    uri: str
    alt: str | None


class Part(NamedTuple):
    """One part, as it is stored (manifests.records.PART)."""

    kind: str
    start: int
    end: int
    uri: str | None = None
    alt: str | None = None


def order_parts(text: bytes, blocks: Sequence[Block], images: Sequence[Image]) -> list[Part]:
    """Return the parts in reading order.

    Text, table and code parts cover the text without gap or overlap; none is blank. An image cuts the text part that
    it stands in; one inside a table or code follows it. Blank text between two parts belongs to the first, or, after
    an image, to the second. `blocks` don't overlap; both are in the text's order.
    """
    parts: list[Part] = []
    at = 0
    waiting = list(images)
    for block in blocks:
        while waiting and waiting[0].at <= block.start:
            at = _text(parts, text, at, waiting[0].at)
            parts.append(_image(waiting.pop(0), at))
        at = _text(parts, text, at, block.start)
        parts.append(Part(block.kind, at, block.end))
        at = block.end
        while waiting and waiting[0].at < block.end:
            parts.append(_image(waiting[0], waiting.pop(0).at))
    for image in waiting:
        at = _text(parts, text, at, image.at)
        parts.append(_image(image, at))
    _text(parts, text, at, len(text))
    return parts


def _text(parts: list[Part], text: bytes, start: int, end: int) -> int:
    """Account for text [start, end); return the offset from which the next part begins."""
    if text[start:end].strip():
        parts.append(Part("text", start, end))
        return end
    if start < end and parts and parts[-1].kind != "image":
        parts[-1] = parts[-1]._replace(end=end)
        return end
    return start


def _image(image: Image, at: int) -> Part:
    return Part("image", at, at, image.uri, image.alt)


def parts_array(documents: Sequence[Sequence[Part]]) -> pa.ListArray:
    """Return one list of parts a document, as Arrow stores it."""
    offsets, columns = [0], ([], [], [], [], [])  # type: tuple[list[int], tuple[list, ...]]
    for parts in documents:
        for part in parts:
            for column, value in zip(columns, part, strict=True):
                column.append(value)
        offsets.append(len(columns[0]))
    arrays = [pa.array(column, field.type) for column, field in zip(columns, PART, strict=True)]
    return pa.ListArray.from_arrays(
        pa.array(offsets, pa.int32()), pa.StructArray.from_arrays(arrays, fields=list(PART))
    )
