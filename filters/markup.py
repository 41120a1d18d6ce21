"""Machine-readable mark-up of a page, kept as it stood: JSON-LD, FAQ pages in microdata, details with a summary."""

from collections.abc import Iterator
from typing import Any

from manifests.limits import KIB

MAX_MARKUP_BYTES = 256 * KIB  # of one page; a block that would go beyond is left out


def find_markup(tree: Any, *, json_ld: bool, faq_page: bool, details: bool) -> list[tuple[str, str]]:
    """Return (kind, content): "json_ld" with the script's text, "faq" with the element's HTML, each in page order.

    The flags say what there may be in the page. An FAQ inside another is part of it.
    """
    blocks: list[tuple[str, str]] = []
    if json_ld:
        blocks += _json_ld(tree)
    selectors = ['[itemtype*="FAQPage"]'] * faq_page + ["details"] * details
    if selectors:
        blocks += _faq(tree, ", ".join(selectors))
    return list(_within_limit(blocks))


def _json_ld(tree: Any) -> Iterator[tuple[str, str]]:
    for script in tree.document.query_selector_all("script[type]").values():
        declared = script.getattr("type").partition(";")[0].strip().lower()
        if declared == "application/ld+json" and (content := script.text.strip()):
            yield "json_ld", content


def _faq(tree: Any, selector: str) -> Iterator[tuple[str, str]]:
    end = None  # the last element taken; those inside it come right after it in document order
    for element in tree.document.query_selector_all(selector).values():
        if end is not None and end.contains(element):
            continue
        if element.tag == "details" and element.query_selector("summary") is None:
            continue
        end = element
        yield "faq", element.html


def _within_limit(blocks: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    room = MAX_MARKUP_BYTES
    for kind, content in blocks:
        size = len(content.encode())
        if size <= room:
            room -= size
            yield kind, content
