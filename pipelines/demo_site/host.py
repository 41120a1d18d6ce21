"""A host of the site: its paths, its robots.txt and sitemaps, and what its owner expects of a crawler."""

import html
import mimetypes
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote
from zlib import crc32

from pipelines.demo_site.message import Fields, Request, Response
from pipelines.demo_site.resource import Resource
from pipelines.demo_site.sitemaps import sitemap_resources

START_S = 1_767_225_600  # 2026-01-01: when what the site makes itself was last changed
HTML = "text/html; charset=utf-8"
_TYPES = {".xpm": "image/x-xpixmap", ".md": "text/markdown; charset=utf-8", ".gz": "application/gzip"}
_TEXTS = ("text/", "image/svg", "application/javascript", "application/xml", "application/xhtml")

Entry = Resource | Response | Callable[[Request], Response]


@dataclass
class Host:
    """A host by its name. `fates`: what a good crawler of pages makes of each URL, as `state` or `state/reason`."""

    name: str
    entries: dict[str, Entry] = field(default_factory=dict)  # by decoded path
    folders: dict[str, Callable[[Request], Response]] = field(default_factory=dict)  # "/calendar/" -> made on demand
    fates: dict[str, str] = field(default_factory=dict)
    home_links: list[tuple[str, str]] = field(default_factory=list)  # (path or URL, text), on the home page

    @property
    def authority(self) -> str:
        """Return scheme and host."""
        return f"http://{self.name}"

    def url(self, path: str) -> str:
        """Return the URL of a decoded path."""
        return self.authority + quote(path, safe="/?&=:%")

    def add(self, path: str, entry: Entry, fate: str = "", link: str = "") -> None:
        """Serve `entry` at `path`; with a fate it is one of the pages that a crawler finds."""
        if isinstance(entry, Resource):
            entry.turn = crc32(path.encode())
        self.entries[path] = entry
        if fate:
            self.fates[self.url(path)] = fate
        if link:
            self.home_links.append((quote(path), link))

    def respond(self, request: Request) -> Response:
        """Answer a request that names this host."""
        if request.method not in ("GET", "HEAD"):
            return Response(405, (("Allow", "GET, HEAD"),))
        entry = self.entries.get(request.path)
        if entry is None:
            entry = next((made for folder, made in self.folders.items() if request.path.startswith(folder)), None)
        if isinstance(entry, Resource):
            return entry.answer(request)
        if isinstance(entry, Response):
            return entry
        return entry(request) if entry is not None else self._missing(request)

    def _missing(self, request: Request) -> Response:
        if f"{request.path}/index.html" in self.entries:
            return moved(f"{self.url(request.path)}/")
        if request.path.endswith("/") and isinstance(index := self.entries.get(f"{request.path}index.html"), Resource):
            return index.answer(request)
        return page_response(404, "Not found", f"<p>{self.name} has no such page.</p>")

    def add_robots(self, lines: Iterable[str]) -> None:
        """Serve /robots.txt."""
        text = "\n".join((f"# robots.txt of {self.name}", *lines)) + "\n"
        self.add("/robots.txt", resource(text, "text/plain; charset=utf-8"))

    def add_home(self, title: str, introduction: str = "") -> None:
        """Serve / with the home links; call it last."""
        items = "".join(
            f'<li><a href="{html.escape(at)}">{html.escape(text)}</a></li>\n' for at, text in self.home_links
        )
        self.add("/", resource(document(title, f"<p>{introduction}</p>\n<ul>\n{items}</ul>"), HTML), "kept")

    def add_sitemaps(self, groups: Mapping[str, list[str]]) -> None:
        """Serve a sitemap for each group of paths, every second one compressed, and the index at /sitemap.xml."""
        dated = {
            group: [
                (self.url(path), made.modified_s) for path in paths if isinstance(made := self.entries[path], Resource)
            ]
            for group, paths in groups.items()
        }
        for path, data in sitemap_resources(self.authority, dated).items():
            self.add(path, bytes_resource(data, "application/gzip" if path.endswith(".gz") else "application/xml"))


def resource(text: str, media_type: str, *fields: tuple[str, str], modified_s: int = START_S) -> Resource:
    """Return a resource of the site's own text."""
    return Resource(text.encode, media_type, modified_s, fields)


def bytes_resource(data: bytes, media_type: str, *fields: tuple[str, str], modified_s: int = START_S) -> Resource:
    """Return a resource of these bytes; what is no text gets no content coding."""
    return Resource(lambda: data, media_type, modified_s, fields, media_type.startswith(_TEXTS))


def media_type_of_name(name: str) -> str:
    """Return the media type that a server gives a file by its name."""
    suffix = "." + name.rpartition(".")[2]
    return _TYPES.get(suffix) or mimetypes.types_map.get(suffix) or "application/octet-stream"


def is_text(media_type: str) -> bool:
    """Return whether a media type is worth a content coding."""
    return media_type.startswith(_TEXTS)


def document(title: str, body: str) -> str:
    """Return a page of the site's own."""
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title></head>\n'
        f"<body><h1>{html.escape(title)}</h1>\n{body}\n</body></html>\n"
    )


def page_response(status: int, title: str, body: str, *fields: tuple[str, str]) -> Response:
    """Return a small page of the site's own with any status."""
    return Response(status, (("Content-Type", HTML), *fields), document(title, body).encode())


def moved(location: str, status: int = 301) -> Response:
    """Return a redirect."""
    fields: Fields = (("Location", location), ("Content-Type", HTML))
    return Response(status, fields, document("Moved", f'<p><a href="{html.escape(location)}">Here.</a></p>').encode())
