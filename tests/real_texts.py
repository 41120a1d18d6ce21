"""Texts of real pages for the tests of signals, and their words and lines."""

from functools import cache
from itertools import pairwise

import corpora
import pyarrow as pa
from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree

from filters.lines import Lines, split_lines
from filters.segmentation import Segmentation, segment

EVERY = 29  # pages; of 9,141 in 40 locales


def extracted(page: bytes) -> str:
    """Return the main content of a UTF-8 page."""
    tree = HTMLTree.parse_from_bytes(page, "utf-8")
    return str(extract_plain_text(tree, main_content=True, alt_texts=False, links=False))


@cache
def sample() -> tuple[str, ...]:
    """Return the texts of about 300 pages in all locales."""
    return tuple(extracted(page) for _, page in corpora.all_pages()[::EVERY])


def measured(texts: list[str] | tuple[str, ...]) -> tuple[pa.StringArray, Segmentation, Lines]:
    """Return the texts as Arrow, their words and their lines."""
    text = pa.array(list(texts), pa.string())
    return text, segment(text), split_lines(text)


def spans_of(text: pa.StringArray, cut: Segmentation | Lines) -> list[list[str]]:
    """Return the words, or lines, of each text as strings."""
    body = b"".join(value.as_py().encode() for value in text)
    bounds = cut.doc_offsets.tolist()
    pieces = [body[a:b].decode() for a, b in zip(cut.starts.tolist(), cut.ends.tolist(), strict=True)]
    return [pieces[a:b] for a, b in pairwise(bounds)]
