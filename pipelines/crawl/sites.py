"""What a worker knows of its sites (authorities): their robots.txt, their other files, and the HOST rows to commit."""

import hashlib
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from filters.robots import ALLOW_ALL, DISALLOW_ALL, Robots, without_comments
from pipelines.crawl.fetched import Decision, Kind
from pipelines.crawl.records import HOST

PATHS: dict[Kind, str] = {"robots": "/robots.txt", "tdmrep": "/.well-known/tdmrep.json", "ai_txt": "/ai.txt"}
_FIXED = {"allow_all": ALLOW_ALL, "disallow_all": DISALLOW_ALL}
_KEPT = (
    "robots_state",
    "robots",
    "robots_digest",
    "robots_until_s",
    "tdmrep",
    "ai_txt",
    "next_s",
    "failures",
    "pages",
    "bytes",
)

_Body = bytes  # in Site, `bytes` is HOST's column
_PLAIN_BYTES = 4096  # a longer file is held packed
_LONG_RULES = 8  # parsed ones that are held at once: half a megabyte of rules makes some 20 MB of objects
_PACKED = b"\0zlib\0"
_UNREAD = b"\0unread\0"
MAX_HELD_BYTES = 32 << 10  # of a site's files, packed, that outlive its turn; where there is more, they are asked again


def pack(body: bytes) -> bytes:
    """Return a file as it is held: a long one compressed."""
    if len(body) <= _PLAIN_BYTES and not body.startswith((_PACKED, _UNREAD)):
        return body
    return _PACKED + zlib.compress(body, 1)


def unpack(held: bytes) -> bytes:
    """Return what `pack` was given."""
    return zlib.decompress(held.removeprefix(_PACKED)) if held.startswith(_PACKED) else held


def held(body: bytes, unread: str | None) -> bytes:
    """Return a tdmrep.json or ai.txt as it is held; of one that cannot be read only why."""
    return _UNREAD + unread.encode() if unread else pack(body)


def read_held(kept: bytes) -> tuple[bytes, str | None]:
    """Return what `held` was given: the file, and why it cannot be read."""
    if kept.startswith(_UNREAD):
        return b"", kept.removeprefix(_UNREAD).decode()
    return unpack(kept), None


@lru_cache(_LONG_RULES)
def _long_rules(robots: bytes, agent: str) -> Robots:
    return Robots.parse(unpack(robots), agent)


@dataclass(slots=True, eq=False)
class Site:
    """An authority; the fields are HOST's. The three files are packed."""

    key: int
    authority: str
    robots_state: str | None = None  # None: not asked for
    robots: _Body | None = None
    robots_digest: _Body | None = None
    robots_until_s: float = 0.0
    tdmrep: _Body | None = None  # None: not asked for; b"": there is none
    ai_txt: _Body | None = None
    next_s: float = 0.0
    failures: int = 0
    pages: int = 0
    bytes: int = 0  # of these, as sent
    rules: Robots | None = None  # parsed when first needed
    barred: Decision | None = None  # no request may be made: a private address, a port
    is_awaited: bool = False  # its robots.txt redirects, and the next hop has not been asked for yet

    def understand(self, agent: str) -> Robots:
        """Return what its robots.txt says to `agent`; what is not known disallows all."""
        if self.rules is None:
            fixed = _FIXED.get(self.robots_state or "disallow_all")
            if fixed is None and len(self.robots or b"") > MAX_HELD_BYTES:
                return _long_rules(self.robots or b"", agent)
            self.rules = Robots.parse(unpack(self.robots or b""), agent) if fixed is None else fixed
        return self.rules

    def robots_known(self, state: str, body: _Body, until_s: float) -> None:
        """Note a robots.txt; the site's other files are asked for again together with it."""
        self.robots_state, self.robots_until_s = state, until_s
        long = len(body) > _PLAIN_BYTES
        self.robots = pack(without_comments(body) if long else body) if state == "parsed" else None
        self.robots_digest = hashlib.sha256(body).digest() if state == "parsed" else None
        self.rules = self.tdmrep = self.ai_txt = None

    @property
    def is_too_long(self) -> bool:
        """Say whether its files are too long to be held beyond its turn."""
        return sum(len(each or b"") for each in (self.robots, self.tdmrep, self.ai_txt)) > MAX_HELD_BYTES

    def forget(self) -> None:
        """Forget what is parsed of its files; and the files where they are too long: then they are asked for again."""
        self.rules = None
        if self.is_too_long:
            self.robots_state = self.robots = self.tdmrep = self.ai_txt = None
            self.robots_until_s = 0.0


_UNKNOWN: dict[str, Any] = {"robots": None, "robots_until_s": 0.0, "tdmrep": None, "ai_txt": None}


class Sites:
    """The sites of a worker, by authority; those that HOST rows speak of are read when first needed."""

    def __init__(self, hosts: pa.Table) -> None:
        self._hosts = hosts
        self._rows = {authority: row for row, authority in enumerate(hosts["authority"].to_pylist())}
        self._sites: dict[str, Site] = {}
        self._changed: dict[str, Site] = {}
        self._carried: list[pa.Table] = []

    def __contains__(self, authority: str) -> bool:
        return authority in self._sites

    def get(self, authority: str, key: int) -> Site:
        """Return a site, with what was known of it before."""
        site = self._sites.get(authority)
        if site is None:
            site = self._sites[authority] = Site(key, authority)
            row = self._rows.get(authority)
            if row is not None:
                known: dict[str, Any] = self._hosts.slice(row, 1).select(_KEPT).to_pylist()[0]
                for name, value in known.items():
                    if value is not None:
                        setattr(site, name, value)
        return site

    def note(self, site: Site, next_s: float, failures: int) -> None:
        """Note a request to a site: its row is among those that the next checkpoint commits."""
        site.next_s, site.failures = next_s, failures
        self._changed[site.authority] = site

    def carry(self, rows: Iterable[pa.Table]) -> None:
        """Let the next checkpoint commit HOST rows of others too."""
        self._carried += rows

    def changed(self) -> pa.Table:
        """Return the rows that changed since the last call, HOST sorted by (key, authority)."""
        changed = sorted(self._changed.values(), key=lambda site: (site.key, site.authority))
        sites = [replace(site, **_UNKNOWN) if site.is_too_long else site for site in changed]
        self._changed.clear()
        columns = [pa.array([getattr(site, name) for site in sites], HOST.field(name).type) for name in HOST.names]
        rows, self._carried = pa.concat_tables([pa.table(columns, schema=HOST), *self._carried]), []
        return rows.take(pc.sort_indices(rows, sort_keys=[("key", "ascending"), ("authority", "ascending")]))
