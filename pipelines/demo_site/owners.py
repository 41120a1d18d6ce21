"""Hosts whose owners say something about robots or about the use of their pages, each in another way."""

from collections.abc import Callable, Iterable

from pipelines.demo_input import Package, media_type_of
from pipelines.demo_site.host import Host, moved, page_response, resource
from pipelines.demo_site.resource import Resource

PAGES = ("de/pr01.html", "de/ch02.html", "de/ch06s02.html")
_PLAIN = "text/plain; charset=utf-8"


def _open(host: Host) -> None:
    """No robots.txt at all: everything is allowed (RFC 9309, 2.3.1.3)."""


def _closed(host: Host) -> None:
    host.add_robots(["User-agent: *", "Disallow: /"])


def _named(host: Host) -> None:
    host.add_robots(["User-agent: *", "Allow: /", "", "User-agent: corpusmill", "Disallow: /"])


def _down(host: Host) -> None:
    host.add("/robots.txt", page_response(503, "Down", "<p>Later.</p>"))


def _moved(host: Host) -> None:
    host.add("/robots.txt", moved("http://closed.robots.example/robots.txt"))


def _slow(host: Host) -> None:
    host.add_robots(["User-agent: *", "Crawl-delay: 3600"])


def _tdmrep(host: Host) -> None:
    rules = '[{"location": "/de/*", "tdm-reservation": 1, "tdm-policy": "http://tdmrep.owners.example/policy.json"}]'
    host.add("/.well-known/tdmrep.json", resource(rules, "application/json"))


def _ai_txt(host: Host) -> None:
    host.add("/ai.txt", resource("User-Agent: *\nDisallow: /\nDisallow: *\n", _PLAIN))


def _usage(host: Host) -> None:
    host.add_robots(["User-agent: *", "Allow: /", "Content-Usage: train-ai=n"])


def _signal(host: Host) -> None:
    host.add_robots(["User-agent: *", "Content-Signal: search=yes, ai-train=no", "Allow: /"])


# name: (what it does, what becomes of its three manual pages, what becomes of its home page)
OWNERS: dict[str, tuple[Callable[[Host], None], str, str]] = {
    "open.robots.example": (_open, "kept", "kept"),
    "closed.robots.example": (_closed, "refused/robots", "refused/robots"),
    "named.robots.example": (_named, "refused/robots", "refused/robots"),
    "down.robots.example": (_down, "failed/robots_unreachable", "failed/robots_unreachable"),
    "moved.robots.example": (_moved, "refused/robots", "refused/robots"),
    "slow.robots.example": (_slow, "failed/delay_too_long", "failed/delay_too_long"),
    "tdmrep.owners.example": (_tdmrep, "refused/tdm_reservation", "kept"),
    "ai-txt.owners.example": (_ai_txt, "refused/ai_txt", "refused/ai_txt"),
    "usage.owners.example": (_usage, "refused/content_usage", "refused/content_usage"),
    "signal.owners.example": (_signal, "refused/content_signal", "refused/content_signal"),
}


def owner_hosts(packages: Iterable[Package]) -> list[Host]:
    """Return a host for each way to say something; each has a home page and three real pages."""
    guide = next(package for package in packages if package.name == "installation-guide-amd64")
    return [_owner(name, guide) for name in OWNERS]


def _owner(name: str, guide: Package) -> Host:
    host = Host(name)
    habit, fate, home_fate = OWNERS[name]
    for path in PAGES:
        file = guide.page_folder / path
        host.add(f"/{path}", Resource(file.read_bytes, media_type_of, int(file.stat().st_mtime)), "", path)
        if home_fate == "kept":  # else nobody gets to see the links to them
            host.fates[host.url(f"/{path}")] = fate
    host.add_home(name)
    host.fates[host.url("/")] = home_fate
    habit(host)
    return host
