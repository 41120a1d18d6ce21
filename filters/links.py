"""What the crawl's bodies lead to: the links of pages and sitemaps, and what pages say of their own use.

`factory` is the entry of a guarded child ("filters.links:factory"); `find_links` and
`filters.sitemap.read_sitemap` are its pure twins.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pyarrow as pa
from resiliparse.parse.html import HTMLParserException, HTMLTree

from filters import charset, policy, prescan
from filters.extract import HTML, XHTML, kind_of
from filters.guard_child import WHOLE_BATCH, Outputs, Progress, Worker
from filters.link_batches import BODIES, LINKS, PAGES
from filters.link_reader import ALL_KINDS, PAGE, SITEMAP, Link, LinkReader
from filters.page_policy import policy_lines, policy_lines_unparsed
from filters.references import Resolver
from filters.sitemap import FROM_SITEMAP, read_sitemap
from manifests.limits import CrawlLimits, Limits
from manifests.reasons import LinkSkipped, Quarantine

TEXT_BUDGET = 4  # characters of link texts, in bytes of the page: links inside links would repeat theirs
LIMITS, CRAWL_LIMITS = Limits(), CrawlLimits()


@dataclass
class Links:
    """What a page leads to. Links are unique by (url, kind), in the order in which they stand first."""

    links: list[Link] = field(default_factory=list)
    policy: list[str] = field(default_factory=list)  # lines as filters.policy reads them
    skipped: Counter[LinkSkipped] = field(default_factory=Counter)  # references: MALFORMED, SCHEME, TOO_LONG
    left_out: int = 0  # beyond MAX_LINKS
    failed: Quarantine | None = None


class Wanted(NamedTuple):
    """What is looked for in pages, and how far."""

    agent: str = policy.OUR_AGENT
    limits: Limits = LIMITS
    crawl_limits: CrawlLimits = CRAWL_LIMITS
    kinds: frozenset[str] = ALL_KINDS  # of links
    told: frozenset[str] = ALL_KINDS  # those of them whose texts are looked for in anchors


def find_links(
    payload: bytes, url: str, transport: str | None = None, *, media_type: str | None = None, **wanted: Any
) -> Links:
    """Return the links of an HTML or XHTML page that was fetched from `url`.

    transport: the charset of its Content-Type; wanted: fields of `Wanted`. A link is nofollow where all places that
    give it say so, by rel=nofollow or by the page's own meta robots. A page that links to itself doesn't lead there.
    """
    return _find_links(payload, url, transport, media_type, Wanted(**wanted))


def _find_links(payload: bytes, url: str, transport: str | None, media_type: str | None, wanted: Wanted) -> Links:
    agent, limits = wanted.agent, wanted.limits
    decoded = charset.decode(payload, transport, is_markup=True)
    page, xml = decoded.text, kind_of(media_type or "text/html", payload) == XHTML
    scan = prescan.scan(page, limits.max_nesting_depth, limits.max_attributes, xml=xml)
    if scan.verdict != prescan.OK:
        return Links(policy=policy_lines_unparsed(page, agent), failed=_REASONS[scan.verdict])
    if xml:
        page = prescan.mark(page, scan.places[scan.places[:, prescan.KIND] == prescan.CLOSE_TAG_MISSING])
    try:
        tree = HTMLTree.parse(page.decode())
    except HTMLParserException:
        return Links(policy=policy_lines_unparsed(page, agent), failed=Quarantine.PARSE_ERROR)
    lowered = page.lower()  # what does not stand in the bytes needs no look at the elements
    said = policy_lines(tree, agent) if b"<meta" in lowered and b"content" in lowered else []
    resolver = Resolver(url, decoded.encoding, wanted.crawl_limits.max_url_chars)
    is_nofollow = "nofollow" in policy.directives(said, agent)
    reader = LinkReader(url, resolver, is_nofollow=is_nofollow, budget=TEXT_BUDGET * len(page))
    reader.look_for(wanted.kinds, wanted.told)
    reader.read(tree, lowered)
    return Links(list(reader.found.values()), said, resolver.skipped, reader.left_out)


_REASONS = {
    prescan.TOO_DEEP: Quarantine.NESTING_TOO_DEEP,
    prescan.TOO_MANY_ATTRIBUTES: Quarantine.TOO_MANY_ATTRIBUTES,
}


def factory(config: Mapping[str, Any]) -> Worker:
    """Return the worker of a guarded child: BODIES in; "links" (LINKS) and "pages" (PAGES, a row each) out.

    config: {"agent": product token, "limits": fields of Limits, "crawl_limits": fields of CrawlLimits, "kinds": what
    is looked for in pages, "told": the kinds whose texts are}; each may be missing. Bodies that are neither pages nor
    sitemaps lead nowhere.
    """
    wanted = Wanted(
        config.get("agent", policy.OUR_AGENT),
        Limits(**config.get("limits", {})),
        CrawlLimits(**config.get("crawl_limits", {})),
        *(frozenset(config.get(name, ALL_KINDS)) for name in ("kinds", "told")),
    )
    find_links(b"<?xml version='1.0'?><html><p/><meta name='robots'/></html>", "http://warm.example/")

    def read(body: dict[str, Any], payload: bytes) -> Links:
        url, declared, media_type = body["url"], body["charset"], body["media_type"]
        if body["kind"] == SITEMAP:
            return _links_of_sitemap(payload, url, declared, wanted.crawl_limits)
        if body["kind"] != PAGE or kind_of(media_type, payload) not in (HTML, XHTML):
            return Links()
        return _find_links(payload, url, declared, media_type, wanted)

    def work(bodies: pa.RecordBatch, progress: Progress) -> Outputs:
        payloads = bodies.column("payload")
        found = []
        for row, body in enumerate(bodies.select(BODIES.names[:-1]).to_pylist()):
            progress(row)
            found.append(read(body, payloads[row].as_buffer().to_pybytes()))
        progress(WHOLE_BATCH)
        return {"links": _links_batch(found), "pages": _pages_batch(found)}

    return work


def _links_of_sitemap(payload: bytes, url: str, declared: str | None, limits: CrawlLimits) -> Links:
    found = read_sitemap(payload, url, limits, declared)
    plain = [(found.urls, PAGE), (found.sitemaps, SITEMAP)]
    links = [Link(one, kind, FROM_SITEMAP, None, False) for urls, kind in plain for one in urls]
    links += [Link(one.url, one.kind, FROM_SITEMAP, one.caption, False) for one in found.media]
    return Links(links, [], found.skipped, int(found.truncated), found.failed)


def _links_batch(found: list[Links]) -> pa.RecordBatch:
    rows = [row for row, one in enumerate(found) for _ in one.links]
    columns = list(zip(*(link for one in found for link in one.links), strict=True)) or [()] * (len(LINKS) - 1)
    return pa.record_batch([rows, *map(list, columns)], schema=LINKS)


def _pages_batch(found: list[Links]) -> pa.RecordBatch:
    columns: list[list[Any]] = [
        list(range(len(found))),
        ["\n".join(one.policy) or None for one in found],
        [str(one.failed) if one.failed else None for one in found],
        *([one.skipped[kind] for one in found] for kind in _COUNTED),
        [one.left_out for one in found],
    ]
    return pa.record_batch(columns, schema=PAGES)


_COUNTED = (LinkSkipped.MALFORMED, LinkSkipped.SCHEME, LinkSkipped.TOO_LONG)
