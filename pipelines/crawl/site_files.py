"""The files that speak for a site: how they are asked for, what their answers come to, and what they say of a URL.

A tdmrep.json or ai.txt that is there and cannot be read as a whole is a no: its owner said something, and we do not
know what. What is not there says nothing.
"""

from collections.abc import Callable

from filters import policy
from filters.robots import robots_state
from manifests.limits import CrawlLimits
from manifests.reasons import FetchFailed
from pipelines.crawl.answers import FINAL, HOST_FAILURES
from pipelines.crawl.block import Crawl
from pipelines.crawl.client import Fetch, bare
from pipelines.crawl.fetched import Decision, Kind, SiteFile
from pipelines.crawl.schedule import Item, Schedule
from pipelines.crawl.sites import Site, held, read_held
from pipelines.fetch.exchange import Exchange, FetchError
from pipelines.fetch.robots_fetch import MIN_TTL_S
from pipelines.sources.warc import POLICY_HEADERS

Asked = tuple[SiteFile, FetchFailed | None]  # the second where the host is in trouble

_FORBIDDEN = (401, 403)
_UNDECODABLE = frozenset({FetchFailed.DAMAGED_CODING, FetchFailed.DECODED_TOO_LARGE, FetchFailed.TOO_MANY_CODINGS})


def files_wanted(block: Crawl) -> tuple[Kind, ...]:
    """Return what a site is asked for beside robots.txt: only what the recipe would heed."""
    wanted: dict[str, Kind] = {"tdm_reservation": "tdmrep", "ai_txt": "ai_txt"}
    return tuple(kind for refusal, kind in wanted.items() if refusal in block.refuse)


class SiteFiles:
    """Asks for the files of the sites of a schedule."""

    def __init__(
        self, fetcher: Fetch, schedule: Schedule, clock: Callable[[], float], block: Crawl, limits: CrawlLimits
    ) -> None:
        self.fetcher, self.schedule, self.clock = fetcher, schedule, clock
        self.block, self.limits = block, limits

    async def ask(self, item: Item) -> Asked:
        """Ask for the file that an item names, once, and tell the schedule what is known now."""
        return await (self._robots(item) if item.kind == "robots" else self._other(item))

    async def _robots(self, item: Item) -> Asked:
        """Ask for robots.txt, or the next hop of one that redirects."""
        site = item.speaks_for
        found = await self.fetcher.fetch_robots(item.chain)
        file = SiteFile(site.key, site.authority, "robots", found.exchange, bare(found.error), found.chain)
        if found.error and found.error.reason in FINAL and not item.hop:
            site.barred = Decision("failed", found.error.reason, found.error.detail)
            return file, None
        if found.following is not None:
            self.schedule.redirected(item, found.following, self.clock())
            return file, None
        state = robots_state(found.status, self.block.robots_forbidden)
        if state == "disallow_all" and found.status not in _FORBIDDEN:
            return file, FetchFailed.ROBOTS_UNREACHABLE
        until_s = max(found.until_s, self.clock() + MIN_TTL_S)
        self.schedule.robots_known(item, state, found.body if state == "parsed" else b"", until_s)
        return file, None

    async def _other(self, item: Item) -> Asked:
        """Ask for tdmrep.json or ai.txt: anything but 200 means that there is none, unless the host is in trouble."""
        site, kind = item.site, item.kind
        assert kind in ("tdmrep", "ai_txt")
        exchange, error = None, None
        try:
            exchange = await self.fetcher.fetch(item.url, max_bytes=self.limits.max_site_file_bytes)
        except FetchError as failed:
            exchange, error = failed.exchange, bare(failed)
        file = SiteFile(site.key, site.authority, kind, exchange, error)
        if error and error.reason in HOST_FAILURES:
            return file, error.reason
        if exchange and (exchange.status == 429 or exchange.status >= 500):  # what the owner says is not known
            return file, FetchFailed.TOO_MANY_REQUESTS if exchange.status in (429, 503) else FetchFailed.SERVER_ERROR
        setattr(site, kind, self._said(kind, exchange, error))
        return file, None

    def _said(self, kind: Kind, exchange: Exchange | None, error: FetchError | None) -> bytes:
        """Return a tdmrep.json or ai.txt as a site holds it."""
        if exchange is None or exchange.status != 200:
            return b""
        if error is not None:
            return held(b"", str(error.reason)) if error.reason in _UNDECODABLE else b""
        body, agent = exchange.payload, self.schedule.agent
        if policy.is_web_page(body):  # the answer of many sites to whatever is not there
            return b""
        if exchange.truncated:
            return held(b"", "truncated")
        return held(body, policy.tdmrep_defect(body) if kind == "tdmrep" else policy.ai_txt_defect(body, agent))

    def policy(self, site: Site, url: str, exchange: Exchange | None) -> tuple[str, ...]:
        """Return the owner's signals for a URL, raw, as filters.policy reads them."""
        headers = exchange.headers if exchange else ()
        agent = self.schedule.agent
        lines = [f"{name}: {value}" for name, value in headers if name in POLICY_HEADERS]
        lines += site.understand(agent).usage(url)
        if site.tdmrep:
            body, why = read_held(site.tdmrep)
            lines += [policy.unreadable("tdmrep.json", why)] if why else policy.tdmrep_lines(body, url)
        if site.ai_txt:
            body, why = read_held(site.ai_txt)
            lines += [policy.unreadable("ai.txt", why)] if why else policy.ai_txt_lines(body, url, agent)
        return tuple(lines)
