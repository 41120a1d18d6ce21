"""Films and sounds in a page's bytes: where they are shown or linked to, and what the page calls them.

Their tags are looked for where `filters.prescan.survey` says that there may be one. A mark that lands in a comment, a
script or an attribute never comes out of the extractor, so no tree is needed: what is taken for a tag costs a place.
"""

import html
import re
from collections.abc import Collection
from itertools import islice
from typing import NamedTuple
from urllib.parse import urlsplit

MAX_FILMS = 1000  # of a page
MAX_TAGS = 100_000  # of a page, that are looked at
AUDIO, VIDEO = "audio", "video"
_SUFFIXES = {AUDIO: "mp3 m4a ogg oga opus flac wav", VIDEO: "mp4 m4v webm ogv mov mkv"}
KIND_OF_SUFFIX = {suffix: kind for kind, suffixes in _SUFFIXES.items() for suffix in suffixes.split()}
_ATTRIBUTE = re.compile(rb"""[\s/]([^\s/>][^\s/>=]*)(?:\s*=\s*(?:"([^"]*)"?|'([^']*)'?|([^\s>]*)))?""")
_SOURCES = ("src", "data-src")
_NAMES = ("aria-label", "title")
_TAG = re.compile(rb"<(video|audio|a)(?=[\s/>])[^<>]{0,4096}>", re.IGNORECASE)
_SOURCE = re.compile(rb"<source(?=[\s/>])[^<>]{0,4096}>", re.IGNORECASE)
_END = {b"video": re.compile(rb"</video", re.IGNORECASE), b"audio": re.compile(rb"</audio", re.IGNORECASE)}
_MAX_INSIDE = 1 << 14  # bytes of an element in which its sources are looked for
_SUFFIX = re.compile(rb"\.(?:" + "|".join(KIND_OF_SUFFIX).encode() + rb")(?![a-z0-9])", re.IGNORECASE)


class Named(NamedTuple):
    """What a tag says of a film or a sound."""

    kind: str  # audio | video
    reference: str | None  # as it stands, None where there is none
    alt: str | None


def attributes(tag: bytes, wanted: Collection[bytes]) -> dict[str, str]:
    """Return those attributes of a tag that are wanted (lower case), resolved; of a repeated one the first."""
    found: dict[str, str] = {}
    for name, double, single, bare in _ATTRIBUTE.findall(tag):
        if (known := name.lower()) in wanted:
            value = (double or single or bare).decode("utf-8", "replace")
            found.setdefault(known.decode(), html.unescape(value))
    return found


def film_places(page: bytes) -> list[tuple[int, int]]:
    """Return (begin, end) of <video> and <audio> elements and of links to films and sounds, ascending, no overlap.

    An element ends with its end tag where that is near, so its <source> elements are in it; else with its start tag.
    """
    found: list[tuple[int, int]] = []
    done = 0
    for tag in islice(_TAG.finditer(page), MAX_TAGS):
        name = tag[1].lower()
        if tag.start() < done or (name == b"a" and not (_SUFFIX.search(tag[0]) and named(tag[0]))):
            continue
        if len(found) == MAX_FILMS:
            break
        end = _END[name].search(page, tag.end(), tag.end() + _MAX_INSIDE) if name != b"a" else None
        done = end.start() if end else tag.end()
        found.append((tag.start(), done))
    return found


def named(element: bytes) -> Named | None:
    """Return what an element of `film_places` names: its own source, else its first; None for other links."""
    tag = _TAG.match(element)
    if tag is None:
        return None
    name = tag[1].lower()
    given = attributes(tag[0], _WANTED)
    alt = next((said for each in _NAMES if (said := " ".join(given.get(each, "").split()))), None)
    if name == b"a":
        reference = given.get("href", "").strip()
        kind = kind_of(reference)
        return Named(kind, reference, alt) if kind else None
    offered = [given, *(attributes(each, _WANTED) for each in _SOURCE.findall(element))]
    sources = [each.get(source, "").strip() for each in offered for source in _SOURCES]
    fetched = next((each for each in sources if each and each[:5].lower() not in ("data:", "blob:")), None)
    return Named(name.decode(), fetched, alt)


_WANTED = frozenset(name.encode() for name in ("href", *_SOURCES, *_NAMES))


def kind_of(reference: str) -> str | None:
    """Return audio or video where a reference's path ends like the name of one, else None."""
    try:
        path = urlsplit(reference).path
    except ValueError:
        return None
    _, dot, suffix = path.rpartition(".")
    return KIND_OF_SUFFIX.get(suffix.lower()) if dot else None


def stated(properties: list[tuple[str, str]]) -> tuple[str, str] | None:
    """Return (kind, reference) of the first film or sound that a page's Open Graph properties name (ogp.me).

    properties: (name, content) in the page's order. What is declared as a page ("text/html", a player) is none.
    """
    types = dict(reversed(properties))
    for name, content in properties:
        kind, _, detail = name.removeprefix("og:").partition(":")
        if kind not in (AUDIO, VIDEO) or detail not in ("", "url", "secure_url") or not content.strip():
            continue
        declared = types.get(f"og:{kind}:type", "").strip().lower()
        if declared.startswith(f"{kind}/") or (not declared and kind_of(content.strip())):
            return kind, content.strip()
    return None
