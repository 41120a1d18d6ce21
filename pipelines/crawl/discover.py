"""From what the guarded children read in pages and sitemaps to rows of the frontier."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from filters import policy
from filters.guard import GuardedPool
from filters.links import BODIES
from filters.robots import Robots
from filters.scope import Scope, trap
from filters.url import UrlError, canonical_url, domain_key, location, url_id
from manifests.limits import CrawlLimits
from manifests.reasons import LinkSkipped
from pipelines.crawl.block import Crawl
from pipelines.crawl.fetched import Fetched, SiteFile, Target, pending_rows

MAX_CAPTION_CHARS = 4096
READ_KINDS = ("page", "sitemap")


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

    def __init__(self, pool: GuardedPool, block: Crawl, limits: CrawlLimits, scope: Scope) -> None:
        self.pool, self.block, self.limits, self.scope = pool, block, limits, scope

    def __call__(self, fetched: Sequence[Fetched]) -> Read:
        """Return what the kept pages and sitemaps of a batch say and lead to; rows are places in `fetched`."""
        read = Read()
        rows = [row for row, each in enumerate(fetched) if each.state == "kept" and each.target.kind in READ_KINDS]
        if not rows:
            return read
        done = self.pool.run(_bodies([fetched[row] for row in rows]))
        for failure in done.failures:
            read.crashed[rows[failure.row]] = str(failure.reason)
        places = [rows[row] for row in done.rows.tolist()]
        pages, links = done.outputs["pages"], done.outputs["links"]
        assert isinstance(pages, pa.RecordBatch)
        assert isinstance(links, pa.RecordBatch)
        self._pages(pages, places, read)
        self._links(links, places, fetched, read)
        return read

    def sitemaps(self, file: SiteFile) -> list[Target]:
        """Return the sitemaps that a robots.txt names, as far as this crawl may read them."""
        if file.kind != "robots" or file.exchange is None or not 200 <= file.exchange.status <= 299:
            return []
        if not self.block.sitemaps:
            return []
        body = file.exchange.payload[: self.limits.max_robots_bytes]
        found = []
        for named in Robots.parse(body, self.block.agent).sitemaps[: self.limits.max_sitemaps_per_host]:
            url = self._canonical(named)
            if not isinstance(url, LinkSkipped):
                found.append(self._target(url, "sitemap", "sitemap", None, _robots_txt(file)))
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
        canonical: dict[str, str | LinkSkipped] = {}
        barren = {row for row in places if self._forbids_following(fetched[row])}
        columns = [links[name].to_pylist() for name in ("row", "url", "kind", "origin", "text", "nofollow")]
        for number, url, kind, origin, text, nofollow in zip(*columns, strict=True):
            if not self._is_asked_for(kind):
                continue
            row = places[number]
            if nofollow or row in barren:
                read.skipped[str(LinkSkipped.NOFOLLOW)] += 1
                continue
            if (spelled := canonical.get(url)) is None:
                spelled = canonical[url] = self._canonical(url)
            if isinstance(spelled, LinkSkipped):
                read.skipped[str(spelled)] += 1
                continue
            parent = fetched[row].target
            if origin == "canonical" and location(spelled).domain != location(parent.url).domain:
                read.skipped[str(LinkSkipped.OUT_OF_SCOPE)] += 1  # RFC 6596: a hint, and not for others
                continue
            target = self._target(spelled, kind, origin, text, parent)
            if isinstance(target, Target):
                read.links.setdefault(row, []).append(target)
            else:
                read.skipped[str(target)] += 1

    def _is_asked_for(self, kind: str) -> bool:
        return kind in self.block.kinds or (kind == "sitemap" and self.block.sitemaps)

    def _forbids_following(self, fetched: Fetched) -> bool:
        """Say whether a page's header (X-Robots-Tag) forbids to follow its links; meta elements are heard before."""
        return bool(fetched.policy) and "nofollow" in policy.directives(fetched.policy, self.block.agent)

    def _canonical(self, url: str) -> str | LinkSkipped:
        try:
            return canonical_url(
                url,
                strip=self.block.strip_parameters,
                sort_query=self.block.sort_query,
                max_chars=self.limits.max_url_chars,
            )
        except UrlError as error:
            return error.reason

    def objection(self, url: str, depth: int) -> LinkSkipped | None:
        """Return why a canonical URL is not for this crawl: out of scope, too deep, a trap."""
        return self.scope.objection(url, depth) or trap(url, self.limits)

    def _target(self, url: str, kind: str, origin: str, text: str | None, parent: Target) -> Target | LinkSkipped:
        """Return the frontier's row for a link; embedded media may lie on any host."""
        depth = depth_of(kind, origin, parent)
        if kind == "sitemap" and depth > self.limits.max_sitemap_depth:
            return LinkSkipped.TOO_DEEP
        objection = self.objection(url, depth)
        if objection is not None and not (objection is LinkSkipped.OUT_OF_SCOPE and kind not in READ_KINDS):
            return objection
        place = location(url)
        caption = text[:MAX_CAPTION_CHARS] if text and kind not in READ_KINDS else None
        return Target(
            domain_key(place.domain),
            url_id(url),
            url,
            place.authority,
            kind,
            origin,
            parent.url,
            caption,
            depth,
            0,
            0,
            0,
            None,
            None,
            None,
        )


def _robots_txt(file: SiteFile) -> Target:
    """Return a robots.txt as what its sitemaps were found in."""
    url = f"{file.authority}/robots.txt"
    return Target(file.key, b"", url, file.authority, "robots", "seed", None, None, 0, 0, 0, 0, None, None, None)


def depth_of(kind: str, origin: str, parent: Target) -> int:
    """Return how many links a reference is away from a seed.

    A page that a sitemap names is as good as a seed; a sitemap counts the sitemaps above it.
    """
    if parent.kind == "sitemap":
        return parent.depth + 1 if kind == "sitemap" else 0
    return parent.depth + (1 if origin == "link" and kind == "page" else 0)


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
