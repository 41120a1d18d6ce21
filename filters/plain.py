"""Plain text and Markdown: line ends made one, control characters out, and in Markdown the parts that it names."""

import re

from filters.parts import Block, Image

_LINE_END = re.compile(rb"\r\n?")
_CONTROLS = bytes(c for c in range(32) if c not in b"\t\n") + b"\x7f"
_FENCE = re.compile(rb"^ {0,3}(`{3,}|~{3,})[^\n]*\n", re.MULTILINE)
_ROW = re.compile(rb"^[^\n]*\|[^\n]*\n[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*\n", re.MULTILINE)
_TITLE = re.compile(rb"\A\s*(?:#[ \t]+([^\n]+?)[ \t]*#*[ \t]*$|([^\n]+)\n=+[ \t]*$)", re.MULTILINE)
_IMAGE = re.compile(rb"!\[([^\]\n]*)\]\(\s*<?([^\s)>]+)>?[^)\n]*\)")


def clean(text: bytes) -> bytes:
    """Return UTF-8 text with \\n as its only line end, without control characters other than tab, stripped at the ends."""
    return _LINE_END.sub(b"\n", text).translate(None, _CONTROLS).strip()


def markdown_title(text: bytes) -> str | None:
    """Return the heading of level 1 that the text begins with, or None."""
    found = _TITLE.match(text)
    return (found[1] or found[2]).decode().strip() if found else None


def markdown_blocks(text: bytes) -> tuple[list[Block], list[Image]]:
    """Return fenced code and tables (GitHub's), and the images outside of both (CommonMark 4.5, 6.4).

    Addresses are as they stand in the text.
    """
    blocks = _fenced(text)
    for found in _ROW.finditer(text):
        if not _inside(blocks, found.start()):
            blocks.append(Block("table", found.start(), _table_end(text, found.end())))
    blocks.sort(key=lambda block: block.start)
    images = [
        Image(found.start(), found[2].decode(), found[1].decode() or None)
        for found in _IMAGE.finditer(text)
        if not _inside(blocks, found.start())
    ]
    return blocks, images


def _fenced(text: bytes) -> list[Block]:
    blocks: list[Block] = []
    at = 0
    while opening := _FENCE.search(text, at):
        fence = opening[1]
        closing = re.compile(rb"^ {0,3}" + re.escape(fence[:1]) + rb"{%d,}[ \t]*$" % len(fence), re.MULTILINE)
        closed = closing.search(text, opening.end())
        at = min(closed.end() + 1, len(text)) if closed else len(text)
        blocks.append(Block("code", opening.start(), at))
    return blocks


def _table_end(text: bytes, at: int) -> int:
    while at < len(text):
        end = text.find(b"\n", at)
        end = len(text) if end < 0 else end + 1
        if b"|" not in text[at:end]:
            break
        at = end
    return at


def _inside(blocks: list[Block], at: int) -> bool:
    return any(block.start <= at < block.end for block in blocks)
