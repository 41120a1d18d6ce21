"""Machine-readable mark-up of a page: JSON-LD, FAQ pages and details as they stood, and microdata as JSON.

What is left out because of a limit is named in its place: the kind "left_out", with what it was, the limit, its value
and how much there was, as JSON.
"""

import json
from collections.abc import Iterator
from typing import Any

from filters.microdata import items_of
from manifests.limits import Limits

LEFT_OUT = "left_out"


def find_markup(
    tree: Any, limits: Limits, *, json_ld: bool, faq_page: bool, details: bool, items: bool
) -> list[tuple[str, str]]:
    """Return (kind, content): "json_ld" with the script's text, "faq" with the element's HTML, "microdata" with an item
    as JSON (filters.microdata), each in page order; then "left_out" for each kind and limit.

    The flags say what there may be in the page. An FAQ inside another is part of it.
    """
    blocks: list[tuple[str, str]] = []
    if json_ld:
        blocks += _json_ld(tree)
    selectors = ['[itemtype*="FAQPage"]'] * faq_page + ["details"] * details
    if selectors:
        blocks += _faq(tree, ", ".join(selectors))
    left_out = []
    if items:
        found = items_of(tree, limits)
        blocks += (("microdata", item) for item in found.items)
        left_out += [_left_out("microdata", *each) for each in found.beyond]
    return [*_within_limit(blocks, limits.max_markup_bytes, left_out), *left_out]


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


def _within_limit(
    blocks: list[tuple[str, str]], max_markup_bytes: int, left_out: list[tuple[str, str]]
) -> Iterator[tuple[str, str]]:
    """Yield the blocks for which there is room, in order; add to `left_out` those of each kind for which there is not.

    Of a kind the limit is named once, with the bytes of all blocks up to the last that had no room.
    """
    taken = seen = 0
    beyond: dict[str, int] = {}
    for kind, content in blocks:
        size = len(content.encode())
        seen += size
        if taken + size <= max_markup_bytes:
            taken += size
            yield kind, content
        else:
            beyond[kind] = seen
    left_out += [_left_out(kind, "max_markup_bytes", max_markup_bytes, seen) for kind, seen in beyond.items()]


def _left_out(kind: str, limit: str, limit_value: int, observed: int) -> tuple[str, str]:
    return LEFT_OUT, json.dumps({"kind": kind, "limit": limit, "limit_value": limit_value, "observed": observed})
