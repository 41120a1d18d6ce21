"""Under which licence a page says that it stands: where it says so decides whether the page is meant.

A link to Creative Commons in a page is no licence of the page: it may be that of one picture, of a quotation, or what
an article is about. So places are asked in this order, and the first that says anything decides:

  head     <link rel="license">, <meta> of Dublin Core or Creative Commons
  json-ld  "license" of the page's own node: not of an ImageObject and the like, nor of what is embedded in a node
  rel      <a rel="license">: by the HTML standard (section 4.6.7) it covers the main content of the document
  footer   a plain link to Creative Commons in the page's footer, or in a notice that is marked as the legal one

Pictures are left out everywhere: what stands in a figure, a caption, a gallery or an element whose itemtype is a media
object. Any other link to Creative Commons is `mentioned`, and decides nothing. Where one place names two licences, the
page is `contradictory`: nobody can tell which text stands under which.

That order is the one of the Creative Commons sets of Common Crawl (Vanroy 2025: meta, JSON-LD, link, a; head and footer
before the body) without the plain links of the body, which they name as the source of false alarms; C4Corpus (Habernal
et al. 2016) took any link. https://html.spec.whatwg.org/#link-type-license, http://microformats.org/wiki/rel-license
"""

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters.policy import LICENSE_LINE
from filters.rules import Rule

VERSION = 1
COMMONS = b"creativecommons.org/"
PLACES = ("head", "json-ld", "rel", "footer")
MENTIONED = "mentioned"
MAX_LINES = 8  # of one page; all of them decide
MAX_ADDRESS_CHARS = 300

# What a licence allows, the freest first; then another licence, two that differ, and none.
CREATIVE_COMMONS = (
    "public_domain",  # CC0, the public domain mark
    "cc_by",
    "cc_by_sa",
    "cc_by_nd",
    "cc_by_nc",
    "cc_by_nc_sa",
    "cc_by_nc_nd",
)
OTHER, CONTRADICTORY, UNSTATED = "other", "contradictory", "unstated"
CLASSES = (*CREATIVE_COMMONS, OTHER, CONTRADICTORY, UNSTATED)

_ADDRESS = re.compile(
    r"(?:(?:https?:)?//)?(?:www\.)?creativecommons\.org/(?:licen[cs]es|publicdomain)/([a-z+-]+)(?![a-z+.-])",
    re.IGNORECASE,
)
_NAME = re.compile(
    r"(?:cc|creative commons)[\s:_-]*((?:by|nc|nd|sa|0|zero|pdm|[\s_-])+)(?:[1-4]\.\d[\sa-z_-]*)?", re.IGNORECASE
)
_SPELLED = re.compile(
    r"creative\s+commons\s+(attribution(?:[\s-]*(?:non-?commercial|share-?alike|no-?deriv[a-z]*))*)", re.IGNORECASE
)
_SHORT = (("attribution", "by "), ("non-?commercial", "nc "), ("share-?alike", "sa "), ("no-?deriv[a-z]*", "nd "))
_PUBLIC = ("zero", "mark", "publicdomain", "0", "pdm", "certification")
_STATES = re.compile(rf"(?m)^{LICENSE_LINE}(?:{'|'.join(PLACES)}): ").pattern
_METAS = frozenset(
    {"license", "licence", "copyright", "rights", "dc.license", "dc.rights", "dc.rights.license", "dcterms.license"}
    | {"dcterms.rights", "dcterms:license", "dcterms:rights", "dc:rights", "cc:license", "schema:license", "og:license"}
)
_RELATIONS = frozenset({"license", "cc:license", "dct:license", "dcterms:license", "xhv:license", "schema:license"})
_PICTURE = (
    'figure, figcaption, picture, [class*="gallery"], [class*="thumb"], [class*="caption"], [class*="image-credit"], '
    '[class*="photo-credit"], [itemtype*="ImageObject"], [itemtype*="VideoObject"], [itemtype*="AudioObject"], '
    '[itemtype*="MediaObject"], [itemtype*="Photograph"], [typeof*="Image"]'
)
_FOOTER = (
    'footer, [role="contentinfo"], [id*="footer"], [class*="footer"], [id="copyright"], [class~="copyright"], '
    '[class~="legalnotice"]'  # DocBook's
)
_NOT_THE_PAGE = re.compile(
    r"(?:Image|Video|Audio|Media|3DModel)Object|Photograph|Painting|MusicRecording|Movie|Dataset"
)
_SAME_PAGE = ("@graph", "mainEntity", "mainEntityOfPage")
_MAX_NODES = 1000
Resolve = Callable[[str], str | None]


class Statement(NamedTuple):
    """What a page says in one place; `license` is an address, or the words of a meta element."""

    place: str
    license: str

    @property
    def line(self) -> str:
        return f"{LICENSE_LINE}{self.place}: {self.license}"


class Licensed(NamedTuple):
    """The licence of a page, None where it states none or contradicts itself, and the lines that tell why."""

    license: str | None
    lines: list[str]


def class_of(stated: str | None) -> str:
    """Return the class of a licence: an address, an SPDX name, "CC BY-SA 4.0", or the name in full within words."""
    if not stated:
        return UNSTATED
    if found := _ADDRESS.match(stated.strip()) or _NAME.fullmatch(stated.strip()):
        return _class_of_terms(found[1].lower())
    if spelled := _SPELLED.search(stated):
        terms = spelled[1].lower()
        for words, short in _SHORT:
            terms = re.sub(words, short, terms)
        return _class_of_terms(terms)
    return OTHER


def _class_of_terms(terms: str) -> str:
    words = set(filter(None, re.split(r"[^a-z0-9]+", terms)))
    if words & set(_PUBLIC):
        return "public_domain"
    name = "_".join(["cc", *(word for word in ("by", "nc", "sa", "nd") if word in words)])
    return name if name in CREATIVE_COMMONS else OTHER


def settle(found: Iterable[Statement]) -> Licensed:
    """Return what the statements of a page come to; their order is that of the page."""
    once = list(dict.fromkeys(found))
    lines = [each.line for each in once[:MAX_LINES]]
    for place in PLACES:
        said = [each.license for each in once if each.place == place]
        if said:
            return Licensed(said[0] if len(set(map(_kind, said))) == 1 else None, lines)
    return Licensed(None, lines)


def _kind(stated: str) -> str:
    """Return what two statements share that are no contradiction: versions and languages of a licence are none."""
    kind = class_of(stated)
    return stated.partition("://")[2].rstrip("/") if kind == OTHER else kind


def page_statements(tree: Any, json_ld: Sequence[str], resolve: Resolve) -> Iterator[Statement]:
    """Yield what a parsed page says, in its order; resolve(address) gives an address in full, or None."""
    for element in tree.document.query_selector_all("link[rel][href], meta[content], a[href], area[href]").values():
        if element.tag == "meta":
            yield from _of_meta(element)
        elif (place := _place_of(element)) and (address := resolve(element.getattr("href"))):
            yield Statement(place, address[:MAX_ADDRESS_CHARS])
    for block in json_ld:
        for stated in _of_json_ld(block):
            if class_of(stated) in CREATIVE_COMMONS or stated.startswith(("http://", "https://")):
                yield Statement("json-ld", " ".join(stated.split())[:MAX_ADDRESS_CHARS])


def _of_meta(element: Any) -> Iterator[Statement]:
    name = (element.getattr("name") or element.getattr("property") or "").strip().lower()
    content = " ".join((element.getattr("content") or "").split())
    if name not in _METAS:
        return
    is_address = "licen" in name and content.startswith(("http://", "https://"))
    if is_address or class_of(content) in CREATIVE_COMMONS:  # a copyright notice and an owner's name are no licence
        yield Statement("head", content[:MAX_ADDRESS_CHARS])


def _place_of(element: Any) -> str | None:
    """Return the place of a link that names a licence, None for any other link."""
    related = set((element.getattr("rel") or "").lower().split()) & _RELATIONS
    commons = class_of(element.getattr("href")) in CREATIVE_COMMONS
    if element.tag == "link":
        return "head" if related else None
    if not related and not commons:
        return None
    if element.closest(_PICTURE) is not None:
        return MENTIONED
    if related:
        return "rel"
    return "footer" if element.closest(_FOOTER) is not None else MENTIONED


def _of_json_ld(block: str) -> Iterator[str]:
    try:
        nodes = [json.loads(block)]
    except (ValueError, RecursionError):
        return
    for seen, node in enumerate(nodes):
        if seen >= _MAX_NODES:
            return
        if isinstance(node, list):
            nodes += node
        elif isinstance(node, dict) and not _NOT_THE_PAGE.search(str(node.get("@type"))):
            nodes += [node[name] for name in _SAME_PAGE if name in node]
            stated = node.get("license")
            for each in stated if isinstance(stated, list) else [stated]:
                named = each.get("@id") or each.get("url") if isinstance(each, dict) else each
                if isinstance(named, str):
                    yield named


def may_state(page: bytes, has_license: bool, has_json_ld: bool) -> bool:
    """Return whether a page is worth asking; `has_license` and `has_json_ld` are hints of `filters.prescan`."""
    return has_license or COMMONS in page or (has_json_ld and b'"license"' in page)


def classes(license: pa.StringArray, policy: pa.StringArray) -> pa.StringArray:
    """Return the class of each record by what it states and its lines of policy, shape (len(license),)."""
    coded = license.dictionary_encode()
    names = pa.array([class_of(each) for each in coded.dictionary.to_pylist()], pa.string())
    stated = names.take(coded.indices)
    differing = pc.fill_null(pc.match_substring_regex(policy, _STATES), False)
    return pc.coalesce(stated, pc.if_else(differing, CONTRADICTORY, UNSTATED))


def license_signals(license: pa.StringArray, policy: pa.StringArray) -> pa.RecordBatch:
    """Return `license_<class>`, int8, 1 in the column of a record's class, else 0, shape (len(license),) each."""
    code = pc.index_in(classes(license, policy), pa.array(CLASSES)).to_numpy(zero_copy_only=False)
    columns = [pa.array((code == number).astype(np.int8)) for number in range(len(CLASSES))]
    return pa.RecordBatch.from_arrays(columns, [column_of(name) for name in CLASSES])


def license_rules(keep: Collection[str]) -> tuple[Rule, ...]:
    """Return `license/<class>` for every class that is not kept: it drops what is of that class."""
    return tuple(Rule(f"license/{name}", column_of(name), max=0) for name in CLASSES if name not in keep)


def column_of(name: str) -> str:
    """Return the signal of a class."""
    return f"license_{name}"
