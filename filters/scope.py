"""How far a crawl goes: what the scope of its seeds allows, and (filters/traps.py) the traps that it stays out of."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, Self, get_args

from filters.traps import DuplicateWatch, trap
from filters.url import canonical_url, location
from manifests.reasons import LinkSkipped

__all__ = ["DuplicateWatch", "Kind", "Scope", "trap"]

Kind = Literal["host", "domain", "prefix", "any"]


@dataclass(frozen=True)
class Scope:
    """What links may lead to. http and https are one; `seeds` and `exclude` are without a scheme.

    kind     a URL is in scope if ...
      host     its host is a seed's host
      domain   its registrable domain is a seed's
      prefix   it lies in a seed's folder (all up to the last "/" of the path) or below, on the same host and port
      any      always
    """

    kind: Kind
    seeds: frozenset[str]
    exclude: tuple[str, ...]
    max_depth: int

    @classmethod
    def of(cls, kind: Kind, seed_urls: Iterable[str], exclude: Iterable[str], max_depth: int) -> Self:
        """Return the scope of canonical seed URLs; `exclude` are URL prefixes as people write them.

        A prefix without a path is the whole host; one that ends in "?" means the path with any query.

        Raises ValueError (UrlError) for a prefix that is no http(s) URL, and for an unknown kind.
        """
        if kind not in get_args(Kind):
            raise ValueError(f"scope {kind!r} is none of {', '.join(get_args(Kind))}")
        names = {
            "host": lambda url: location(url).host,
            "domain": lambda url: location(url).domain,
            "prefix": _folder,
        }
        seeds = frozenset(map(names[kind], seed_urls)) if kind in names else frozenset()
        return cls(kind, seeds, tuple(_excluded(prefix) for prefix in exclude), max_depth)

    def objection(self, url: str, depth: int) -> LinkSkipped | None:
        """Return why a canonical URL found `depth` links away from a seed is not ours, or None."""
        if self.exclude and _without_scheme(url).startswith(self.exclude):
            return LinkSkipped.EXCLUDED
        if depth > self.max_depth:
            return LinkSkipped.TOO_DEEP
        return None if self._holds(url) else LinkSkipped.OUT_OF_SCOPE

    def _holds(self, url: str) -> bool:
        if self.kind == "host":
            return location(url).host in self.seeds
        if self.kind == "domain":
            return location(url).domain in self.seeds
        return self.kind == "any" or any(folder in self.seeds for folder in _folders(url))


def _without_scheme(url: str) -> str:
    return url.partition("://")[2]


def _excluded(prefix: str) -> str:
    question = "?" if prefix.endswith("?") else ""
    return _without_scheme(canonical_url(prefix)) + question


def _folder(url: str) -> str:
    """Return host, port and path up to the last slash: "a.example/b/" of "https://a.example/b/c?d=/e"."""
    return _without_scheme(url).partition("?")[0].rpartition("/")[0] + "/"


def _folders(url: str) -> Iterator[str]:
    """Yield the folder of a URL and all above it, as `_folder` spells them."""
    folder = _folder(url)
    while folder:
        yield folder
        folder = folder[: folder.rfind("/", 0, -1) + 1]
