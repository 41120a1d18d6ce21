"""From what the guarded children read in pages and sitemaps to rows of the frontier."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

import pyarrow as pa

from filters import policy
from filters.guard import GuardedPool
from filters.link_batches import BODIES
from filters.robots import Robots
from filters.scope import Scope, trap
from filters.url import UrlError, canonical_url, domain_key, location, url_id
from manifests.limits import MIB, CrawlLimits
from manifests.reasons import LinkSkipped
from pipelines.crawl.block import Crawl
from pipelines.crawl.fetched import Fetched, SiteFile, Target, pending_rows

MAX_CAPTION_CHARS = 4096
READ_KINDS = ("page", "sitemap")
SLICE_BYTES = 8 * MIB  # of payloads that a child gets at once; a larger one goes alone
URLS_REMEMBERED = 1 << 13  # the pages of a site lead to the same places; at most 64 MiB, of the longest URLs


class Place(NamedTuple):
    """What follows from a URL alone."""

    key: int
    url_id: bytes
    url: str  # canonical
    authority: str
    domain: str


@dataclass
class Read:
    """What was found in the bodies of a batch."""

    policy: dict[int, tuple[str, ...]] = field(default_factory=dict)  # row of the batch -> lines of its meta elements
    links: dict[int, list[Target]] = field(default_factory=dict)  # row -> what it leads to, in scope
    skipped: Counter[str] = field(default_factory=Counter)  # LinkSkipped -> references
    crashed: dict[int, str] = field(default_factory=dict)  # row -> Quarantine: no parser survived it

    def found(self, rows: Sequence[int]) -> pa.Table:
        """Return the links of these rows as FRONTIER rows, each URL once."""
        first: dict[bytes, Target] = {}
        for row in rows:
            for target in self.links.get(row, ()):
                first.setdefault(target.url_id, target)
        return pending_rows(list(first.values()))


class Discover:
    """Reads bodies in guarded children and keeps the links that this crawl may follow."""

    def __init__(
        self,
        pool: GuardedPool,
        block: Crawl,
        limits: CrawlLimits,
        scope: Scope,
        sitemaps: Iterable[tuple[str, bytes]] = (),
    ) -> None:
        """`sitemaps` are those that are known, as (authority, url_id): they count as well."""
        self.pool, self.block, self.limits, self.scope = pool, block, limits, scope
        self._sitemaps: defaultdict[str, set[bytes]] = defaultdict(set)
        for authority, known_id in sitemaps:
            self._sitemaps[authority].add(known_id)
        self.place = lru_cache(URLS_REMEMBERED)(self._place)
        self.objection = lru_cache(URLS_REMEMBERED)(self._objection)

    def __call__(self, fetched: Sequence[Fetched]) -> Read:
        """Return what the kept pages and sitemaps of a batch say and lead to; rows are places in `fetched`."""
        read = Read()
        rows = [row for row, each in enumerate(fetched) if each.state == "kept" and each.target.kind in READ_KINDS]
        for some in _slices(rows, fetched):
            self._read(some, fetched, read)
        return read

    def _read(self, rows: list[int], fetched: Sequence[Fetched], read: Read) -> None:
        done = self.pool.run(_bodies([fetched[row] for row in rows]))
        for failure in done.failures:
            read.crashed[rows[failure.row]] = str(failure.reason)
        places = [rows[row] for row in done.rows.tolist()]
        pages, links = done.outputs["pages"], done.outputs["links"]
        assert isinstance(pages, pa.RecordBatch)
        assert isinstance(links, pa.RecordBatch)
        self._pages(pages, places, read)
        self._links(links, places, fetched, read)

    def sitemaps(self, file: SiteFile) -> list[Target]:
        """Return the sitemaps that a robots.txt names, as far as this crawl may read them."""
        if file.kind != "robots" or file.exchange is None or not 200 <= file.exchange.status <= 299:
            return []
        if not self.block.sitemaps:
            return []
        body = file.exchange.payload[: self.limits.max_robots_bytes]
        found = []
        for named in Robots.parse(body, self.block.agent).sitemaps[: self.limits.max_sitemaps_per_host]:
            place = self.place(named)
            if isinstance(place, Place):
                found.append(self._target(place, "sitemap", "sitemap", None, _robots_txt(file)))
        return [target for target in found if isinstance(target, Target)]

    def _pages(self, pages: pa.RecordBatch, places: list[int], read: Read) -> None:
        for page in pages.to_pylist():
            row = places[page["row"]]
            if page["policy"]:
                read.policy[row] = tuple(page["policy"].split("\n"))
            for reason in (LinkSkipped.MALFORMED, LinkSkipped.SCHEME, LinkSkipped.TOO_LONG):
                if page[str(reason)]:
                    read.skipped[str(reason)] += page[str(reason)]

    def _links(self, links: pa.RecordBatch, places: list[int], fetched: Sequence[Fetched], read: Read) -> None:
        barren = {row for row in places if self._forbids_following(fetched[row])}
        asked = asked_for(self.block)
        columns = [links[name].to_pylist() for name in ("row", "url", "kind", "origin", "text", "nofollow")]
        for number, url, kind, origin, text, nofollow in zip(*columns, strict=True):
            if kind not in asked:
                continue
            row = places[number]
            if nofollow or row in barren:
                found: Target | LinkSkipped = LinkSkipped.NOFOLLOW
            else:
                found = self._found(url, kind, origin, text, fetched[row].target)
            if isinstance(found, Target):
                read.links.setdefault(row, []).append(found)
            else:
                read.skipped[str(found)] += 1

    def _found(self, url: str, kind: str, origin: str, text: str | None, parent: Target) -> Target | LinkSkipped:
        """Return the frontier's row for what a page calls `url`, or why there is none."""
        place = self.place(url)
        if isinstance(place, LinkSkipped):
            return place
        if origin == "canonical" and place.domain != location(parent.url).domain:
            return LinkSkipped.OUT_OF_SCOPE  # RFC 6596: a hint, and not for others
        return self._target(place, kind, origin, text, parent)

    def _forbids_following(self, fetched: Fetched) -> bool:
        """Say whether a page's header (X-Robots-Tag) forbids to follow its links; meta elements are heard before."""
        return bool(fetched.policy) and "nofollow" in policy.directives(fetched.policy, self.block.agent)

    def _place(self, url: str) -> Place | LinkSkipped:
        """Return what a URL means to this crawl, or why it is none; `place` remembers it."""
        try:
            spelled = canonical_url(
                url,
                strip=self.block.strip_parameters,
                sort_query=self.block.sort_query,
                max_chars=self.limits.max_url_chars,
            )
        except UrlError as error:
            return error.reason
        at = location(spelled)
        return Place(domain_key(at.domain), url_id(spelled), spelled, at.authority, at.domain)

    def _objection(self, url: str, depth: int) -> LinkSkipped | None:
        """Return why a canonical URL is not for this crawl: out of scope, too deep, a trap; remembered too."""
        return self.scope.objection(url, depth) or trap(url, self.limits)

    def _target(self, place: Place, kind: str, origin: str, text: str | None, parent: Target) -> Target | LinkSkipped:
        """Return the frontier's row for a link; embedded media may lie on any host."""
        depth = depth_of(kind, origin, parent)
        if kind == "sitemap" and depth > self.limits.max_sitemap_depth:
            return LinkSkipped.TOO_DEEP
        objection = self.objection(place.url, depth)
        if objection is not None and not (objection is LinkSkipped.OUT_OF_SCOPE and kind not in READ_KINDS):
            return objection
        if kind == "sitemap" and not self._has_room(place):
            return LinkSkipped.HOST_FULL
        caption = text[:MAX_CAPTION_CHARS] if text and kind not in READ_KINDS else None
        key, url_id, url, authority, _ = place
        return Target(key, url_id, url, authority, kind, origin, parent.url, caption, depth, 0, 0, 0, None, None, None)

    def _has_room(self, place: Place) -> bool:
        """Count a sitemap of an authority; say whether it is among the first limits.max_sitemaps_per_host."""
        known = self._sitemaps[place.authority]
        if len(known) < self.limits.max_sitemaps_per_host:
            known.add(place.url_id)
        return place.url_id in known


def _robots_txt(file: SiteFile) -> Target:
    """Return a robots.txt as what its sitemaps were found in."""
    url = f"{file.authority}/robots.txt"
    return Target(file.key, b"", url, file.authority, "robots", "seed", None, None, 0, 0, 0, 0, None, None, None)


def asked_for(block: Crawl) -> frozenset[str]:
    """Return the kinds of links that a crawl follows."""
    return frozenset([*block.kinds, *(["sitemap"] if block.sitemaps else [])])


def depth_of(kind: str, origin: str, parent: Target) -> int:
    """Return how many links a reference is away from a seed.

    A page that a sitemap names is as good as a seed; a sitemap counts the sitemaps above it.
    """
    if parent.kind == "sitemap":
        return parent.depth + 1 if kind == "sitemap" else 0
    return parent.depth + (1 if origin == "link" and kind == "page" else 0)


def _slices(rows: Iterable[int], fetched: Sequence[Fetched]) -> Iterator[list[int]]:
    """Yield the rows in slices of at most SLICE_BYTES, or of one."""
    some: list[int] = []
    held = 0
    for row in rows:
        exchange = fetched[row].exchange
        size = len(exchange.payload) if exchange else 0
        if some and held + size > SLICE_BYTES:
            yield some
            some, held = [], 0
        some.append(row)
        held += size
    if some:
        yield some


def _bodies(fetched: Sequence[Fetched]) -> pa.RecordBatch:
    exchanges = [each.exchange for each in fetched if each.exchange is not None]
    types = [exchange.content_type for exchange in exchanges]
    columns = {
        "url": [exchange.url for exchange in exchanges],
        "kind": [each.target.kind for each in fetched],
        "media_type": [media_type for media_type, _ in types],
        "charset": [charset for _, charset in types],
        "payload": [exchange.payload for exchange in exchanges],
    }
    return pa.RecordBatch.from_pydict(columns, BODIES)
