"""A host of odd corners: redirects, traps, refusals, codings, slowness and failures, each linked from its home page."""

import gzip
import hashlib
import re
from collections.abc import Iterable
from datetime import date, timedelta

from pipelines.demo_input import Package
from pipelines.demo_site.host import HTML, Host, bytes_resource, document, moved, page_response, resource
from pipelines.demo_site.message import Piece, Request, Response
from pipelines.demo_site.resource import encode

NAME = "corners.example"
PORTAL = "installation-guide.example"
CHAIN = (301, 302, 303, 307, 308)
FAR = 12  # hops, more than anybody follows
SLOW_PIECES, SLOW_WAIT_S = 20, 0.1
BOMB_BYTES = 64 << 20
BUSY_TIMES = 2
_HEAD_END = re.compile(rb"<head[^>]*>", re.IGNORECASE)


def corner_hosts(packages: Iterable[Package]) -> list[Host]:
    """Return the host of corners, and the bare domain of the installation guides."""
    apache = next(package for package in packages if package.name == "apache2-doc")
    return [_corners(apache), _portal()]


def _portal() -> Host:
    host = Host(PORTAL)
    host.home_links = [(f"http://{arch}.{PORTAL}/", f"Installation guide for {arch}") for arch in ("amd64", "arm64")]
    host.add_home("Installation guides")
    return host


def _corners(apache: Package) -> Host:
    host = Host(NAME)
    real = {name: _read(apache, name) for name in ("en/caching.html", "ja/handler.html")}
    article, japanese = real["en/caching.html"], real["ja/handler.html"]
    host.add("/articles/caching.html", bytes_resource(article, "text/html"), "kept", "An article")
    host.add("/記事/ハンドラ.html", bytes_resource(japanese, "text/html; charset=utf-8"), "kept", "日本語の記事")
    _redirects(host)
    _traps(host)
    _refusals(host, article)
    _codings(host, article, japanese)
    _failures(host, article)
    host.add_robots(["User-agent: *", "Disallow: /private/", "Crawl-delay: 0.01"])
    host.add("/private/notes.html", bytes_resource(article, "text/html"), "refused/robots", "Private notes")
    host.add_home("Odd corners", "Every link leads to something that a crawler meets on the web.")
    return host


def _read(package: Package, path: str) -> bytes:
    return (package.page_folder / path).read_bytes()


def _redirects(host: Host) -> None:
    host.add("/old.html", moved("/articles/caching.html"), "redirected", "Moved for good")
    for hop, status in enumerate(CHAIN, 1):
        target = f"/chain/{hop + 1}" if hop < len(CHAIN) else "/chain/end.html"
        host.add(f"/chain/{hop}", moved(target, status), "redirected", "A chain" if hop == 1 else "")
    host.add("/chain/end.html", resource(document("The end of the chain", "<p>Here it is.</p>"), HTML), "kept")
    host.add("/loop/a", moved("/loop/b", 302), "", "A loop")
    host.add("/loop/b", moved("/loop/a", 302))
    for hop in range(FAR):
        host.add(f"/far/{hop}", moved(f"/far/{hop + 1}", 302), "", "Too far" if not hop else "")
    host.add(f"/far/{FAR}", resource(document("Too far", "<p>Nobody comes here.</p>"), HTML))
    host.add("/away", moved("http://apache.example/en/caching.html"), "redirected", "On another host")
    host.add("/file", moved("file:///etc/hostname", 302), "failed/blocked_scheme", "To a file")
    host.home_links.append((f"http://someone:secret@{NAME}/chain/end.html", "A link with a password"))
    host.home_links.append((f"http://{NAME}:80/articles/caching.html#top", "The article again"))
    host.home_links.append((f"http://{NAME}/articles/caching.html?utm_source=home", "The article, followed about"))


def _traps(host: Host) -> None:
    host.folders["/calendar/"] = calendar
    host.folders["/shop/"] = session
    host.folders["/deep/"] = deep
    host.home_links += [("/calendar/2026/11/22/", "Calendar"), ("/shop/", "Shop"), ("/deep/a/", "Deeper and deeper")]


def calendar(request: Request) -> Response:
    """Return a day of a calendar without end: it links to the days and months around it."""
    numbers = re.fullmatch(r"/calendar/([0-9]{4})/([0-9]{2})/([0-9]{2})/", request.path)
    try:
        day = date(*(int(number) for number in numbers.groups())) if numbers else None
        near = [day + timedelta(days=n) for n in (-365, -31, -1, 1, 31, 365)] if day else []
    except (ValueError, OverflowError):
        day = None
    if day is None:
        return page_response(404, "No such day", "")
    links = "".join(
        f'<li><a href="/calendar/{each.isoformat().replace("-", "/")}/">{each:%d %B %Y}</a></li>' for each in near
    )
    body = document(f"{day:%d %B %Y}", f"<p>Nothing planned.</p><ul>{links}</ul>").encode()
    return Response(200, (("Content-Type", HTML),), pieces=(Piece(0.0, body),))


def session(request: Request) -> Response:
    """Return a shop that gives every visitor a new address for the same page."""
    number = hashlib.md5(request.target.encode(), usedforsecurity=False).hexdigest()
    links = f'<a href="/shop/?PHPSESSID={number}">Cart</a> <a href="/shop/item.html;jsessionid={number}">Item</a>'
    return page_response(200, "Shop", f"<p>Sold out.</p>{links}")


def deep(request: Request) -> Response:
    """Return a folder that always holds two more."""
    return page_response(200, "Deep", '<a href="a/">a</a> <a href="b/">b</a>')


def _refusals(host: Host, article: bytes) -> None:
    by_header = {
        "noai": ("refused/noai", ("X-Robots-Tag", "noai, max-image-preview:large")),
        "named": ("refused/noindex", ("X-Robots-Tag", "corpusmill: noindex")),
        "named-other": ("kept", ("X-Robots-Tag", "otherbot: noindex, nofollow")),
        "images-only": ("kept", ("X-Robots-Tag", "noimageai")),
        "tdm": ("refused/tdm_reservation", ("TDM-Reservation", "1")),
        "tdm-none": ("kept", ("TDM-Reservation", "0")),
        "usage": ("refused/content_usage", ("Content-Usage", "train-ai=n")),
        "usage-yes": ("kept", ("Content-Usage", "train-ai=y")),
    }
    for name, (fate, line) in by_header.items():
        host.add(f"/choice/{name}.html", bytes_resource(article, "text/html", line), fate, f"By header: {name}")
    lines = (("X-Robots-Tag", "max-snippet:20"), ("X-Robots-Tag", "unavailable_after: 1 Jan 2030, noai"))
    host.add("/choice/lines.html", bytes_resource(article, "text/html", *lines), "refused/noai", "By header: two lines")
    for name, fate, tag in (
        ("meta-noai", "refused/noai", b'<meta name="robots" content="noai, noimageai">'),
        ("meta-noindex", "refused/noindex", b"<META NAME='ROBOTS' CONTENT='NOINDEX'>"),
        ("meta-tdm", "refused/tdm_reservation", b'<meta name="tdm-reservation" content="1">'),
    ):
        host.add(f"/choice/{name}.html", bytes_resource(with_head(article, tag), "text/html"), fate, f"By tag: {name}")


def with_head(page: bytes, tag: bytes) -> bytes:
    """Return the page with `tag` as the first thing in its head."""
    return _HEAD_END.sub(lambda found: found[0] + tag, page, count=1)


def _codings(host: Host, article: bytes, japanese: bytes) -> None:
    for charset in ("Shift_JIS", "EUC-JP", "ISO-2022-JP"):
        text = japanese.decode().replace("charset=UTF-8", f"charset={charset}")
        coded = text.encode(charset, "xmlcharrefreplace")
        host.add(f"/charset/{charset}.html", bytes_resource(coded, "text/html"), "kept", f"日本語 {charset}")
    twice = gzip.compress(gzip.compress(article, 6, mtime=0), 6, mtime=0)
    thrice = gzip.compress(twice, 6, mtime=0)
    bomb = encode(bytes(BOMB_BYTES), "br")
    for name, codings, body, fate in (
        ("twice", "gzip, gzip", twice, "kept"),
        ("thrice", "gzip, gzip, gzip", thrice, "failed/too_many_codings"),
        ("bomb", "br", bomb, "failed/decoded_too_large"),
        ("damaged", "gzip", twice[:200] + twice[300:], "failed/damaged_coding"),
    ):
        fields = (("Content-Type", "text/html"), ("Content-Encoding", codings))
        host.add(f"/coding/{name}.html", Response(200, fields, body), fate, f"Coding: {name}")


def _failures(host: Host, article: bytes) -> None:
    step = -(-len(article) // SLOW_PIECES)
    slow = [Piece(SLOW_WAIT_S, article[at : at + step]) for at in range(0, len(article), step)]
    html_type = (("Content-Type", "text/html"),)
    host.add("/slow.html", Response(200, html_type, pieces=slow), "kept", "A slow page")
    host.add("/cut.html", Response(200, html_type, article, cut=True), "failed/disconnected", "A page that breaks off")
    for status, title in ((401, "Log in"), (403, "Forbidden"), (410, "Gone")):
        host.add(f"/status/{status}.html", page_response(status, title, ""), "failed/client_error", title)
    host.add("/status/500.html", page_response(500, "Broken", ""), "failed/server_error", "Broken")
    host.add("/status/busy.html", Busy(), "kept", "Busy at first")
    host.add("/dump.tar.gz", bytes_resource(gzip.compress(article, mtime=0), "application/gzip"), "", "An archive")
    host.fates[host.url("/dump.tar.gz")] = "failed/media_type"


class Busy:
    """A page that asks the first BUSY_TIMES callers to come back after a second."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, request: Request) -> Response:
        """Return 503 with Retry-After, later the page."""
        self.asked += 1
        if self.asked <= BUSY_TIMES:
            return page_response(503, "Busy", "<p>Come back.</p>", ("Retry-After", "1"))
        return page_response(200, "Not busy any more", "<p>Thank you for waiting.</p>")
