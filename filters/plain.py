"""Plain text and Markdown: line ends made one, control characters out, and in Markdown the parts that it names."""

import re

import numpy as np

from filters.html import resolve
from filters.parts import CODE, NO_BLOCKS, NO_IMAGES, TABLE, DocumentParts, ImageAddress, order_parts

_LINE_END = re.compile(rb"\r\n?")
_CONTROLS = bytes(c for c in range(32) if c not in b"\t\n") + b"\x7f"
_FENCE = re.compile(rb"^ {0,3}(`{3,}|~{3,})[^\n]*\n", re.MULTILINE)
_ROW = re.compile(rb"^[^\n]*\|[^\n]*\n[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*\n", re.MULTILINE)
_TITLE = re.compile(rb"\A\s*(?:#[ \t]+([^\n]+?)[ \t]*#*[ \t]*$|([^\n]+)\n=+[ \t]*$)", re.MULTILINE)
_IMAGE = re.compile(rb"!\[([^\]\n]*)\]\(\s*<?([^\s)>]+)>?[^)\n]*\)")


def clean(text: bytes) -> bytes:
    """Return UTF-8 text with \\n as its only line end, without other control characters but tab, stripped."""
    return _LINE_END.sub(b"\n", text).translate(None, _CONTROLS).strip()


def markdown_title(text: bytes) -> str | None:
    """Return the heading of level 1 that the text begins with, or None."""
    found = _TITLE.match(text)
    return (found[1] or found[2]).decode().strip() if found else None


def plain_parts(text: bytes) -> DocumentParts:
    """Return one text part, or none for an empty text."""
    return DocumentParts(order_parts(text, NO_BLOCKS, NO_IMAGES), ())


def markdown_parts(text: bytes, uri: str) -> DocumentParts:
    """Return fenced code, tables (GitHub's) and images outside of both (CommonMark 4.5, 6.4), and the text between.

    Indented code is text: it can't be told from a list's continuation without a parser of the whole language.
    """
    blocks = _fenced(text)
    for found in _ROW.finditer(text):
        if not _inside(blocks, found.start()):
            blocks.append((TABLE, found.start(), _table_end(text, found.end())))
    blocks.sort(key=lambda block: block[1])
    images = [found for found in _IMAGE.finditer(text) if not _inside(blocks, found.start())]
    rows = order_parts(
        text,
        np.array(blocks, np.int64).reshape(-1, 3),
        np.array([found.start() for found in images], np.int64),
    )
    return DocumentParts(
        rows, [ImageAddress(resolve(uri, found[2].decode()), found[1].decode() or None) for found in images]
    )


def _fenced(text: bytes) -> list[tuple[int, int, int]]:
    blocks: list[tuple[int, int, int]] = []
    at = 0
    while opening := _FENCE.search(text, at):
        fence = opening[1]
        closing = re.compile(rb"^ {0,3}" + re.escape(fence[:1]) + rb"{%d,}[ \t]*$" % len(fence), re.MULTILINE)
        closed = closing.search(text, opening.end())
        at = min(closed.end() + 1, len(text)) if closed else len(text)
        blocks.append((CODE, opening.start(), at))
    return blocks


def _table_end(text: bytes, at: int) -> int:
    while at < len(text):
        end = text.find(b"\n", at)
        end = len(text) if end < 0 else end + 1
        if b"|" not in text[at:end]:
            break
        at = end
    return at


def _inside(blocks: list[tuple[int, int, int]], at: int) -> bool:
    return any(start <= at < end for _, start, end in blocks)
