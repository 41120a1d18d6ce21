"""What a page itself says about its use, as the lines that `filters.policy` reads ("meta robots: noai")."""

import html
import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any

POLICY_NAMES = ("robots", "x-robots-tag", "tdm-reservation", "tdm-policy", "content-usage", "content-signal")

_SPACE = re.compile(r"\s+")
_META = re.compile(rb"<meta[\s/]([^>]{1,4096})", re.IGNORECASE)
_ATTRIBUTE = re.compile(rb"""(?<![^\s/>="'])([^\s/>=]++)\s*+=\s*(?:"([^"]*)"?|'([^']*)'?|([^\s>]*))""")


def policy_lines(tree: Any, agent: str = "corpusmill") -> list[str]:
    """Return the lines of a parsed page, in its order; `agent` is our product token."""
    metas = tree.document.query_selector_all("meta[content]").values()
    said = ((meta.getattr("name") or meta.getattr("http-equiv") or "", meta.getattr("content")) for meta in metas)
    return list(_lines(said, (*POLICY_NAMES, agent.lower())))


def policy_lines_unparsed(page: bytes, agent: str = "corpusmill") -> list[str]:
    """Return the lines of a page that no parser may see: every meta tag counts, wherever it stands.

    So an owner's no is heard on a page that is beyond a limit. `page` is UTF-8.
    """
    return list(_lines(map(_name_and_content, _META.findall(page)), (*POLICY_NAMES, agent.lower())))


def _name_and_content(tag: bytes) -> tuple[str, str]:
    found: dict[str, str] = {}
    for name, double, single, bare in _ATTRIBUTE.findall(tag):
        value = (double or single or bare).decode("utf-8", "replace")
        found.setdefault(name.decode("utf-8", "replace").lower(), html.unescape(value))
    return found.get("name") or found.get("http-equiv") or "", found.get("content", "")


def _lines(said: Iterable[tuple[str, str]], names: Collection[str]) -> Iterator[str]:
    for name, content in said:
        known = name.strip().lower()
        if known in names and content.strip():
            yield f"meta {known}: {_SPACE.sub(' ', content).strip()}"
