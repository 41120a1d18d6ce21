"""Who publishes a document: independent publishers are what a fact is counted by."""

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import NamedTuple
from urllib.parse import urlsplit

from filters.url import registrable_domain

PUBLISHERS_VERSION = 2
_LOCAL = re.compile(r"(?P<input>[a-z0-9][a-z0-9_-]{0,62}):(?!//)(?P<path>.*)")


class Publisher(NamedTuple):
    """Where a document stands: the registrable domain (or the input's name), and who is behind it there."""

    domain: str
    publisher: str


@cache
def shared_hosts() -> Mapping[str, int]:
    """Return host -> how many segments of the path name a project there: hosts that carry many publishers."""
    lines = files(__package__).joinpath("publishers.tsv").read_text("utf-8").splitlines()[1:]
    return {host: int(segments) for host, segments in (line.split("\t") for line in lines)}


def publisher_of(uri: str, more: Mapping[str, int | str]) -> Publisher:
    """Return the publisher of a document by its canonical URI.

    A host is its registrable domain; of hosts that carry many projects (`shared_hosts`, and `more`: by host or by the
    name of an input) the first segments of the path are added. A file of a local input belongs to the input. Where
    `more` has a name and no number, that is the publisher: of another edition of the same work, or of a mirror.
    """
    segments: int | str
    if "://" in uri:
        parts = urlsplit(uri)
        host = (parts.hostname or "").lower()
        domain, path = registrable_domain(host), parts.path
        segments = more.get(host, more.get(domain, shared_hosts().get(host, 0)))
    elif local := _LOCAL.fullmatch(uri):
        domain, path = local["input"], local["path"]
        segments = more.get(domain, 0)
    else:
        return Publisher(uri, uri)
    if isinstance(segments, str):
        return Publisher(domain, segments)
    named = [segment.lower() for segment in path.split("/") if segment][:segments]
    return Publisher(domain, "/".join([domain, *named]))
