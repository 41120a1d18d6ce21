"""The hosts that serve the manuals of the demo's packages, every page as its package has it."""

import hashlib
from functools import partial
from itertools import groupby

from pipelines.demo_input import Package, in_small, locale_of, media_type_of, page_paths
from pipelines.demo_site.host import Host, is_text, media_type_of_name, moved
from pipelines.demo_site.message import Request, Response
from pipelines.demo_site.resource import Resource

HOSTS = {
    "debian-handbook": "debian-handbook.example",
    "installation-guide-amd64": "amd64.installation-guide.example",
    "installation-guide-arm64": "arm64.installation-guide.example",
    "apache2-doc": "apache.example",
}
TITLES = {
    "debian-handbook": "The Debian Administrator's Handbook",
    "installation-guide-amd64": "Debian Installation Guide, 64-bit PC",
    "installation-guide-arm64": "Debian Installation Guide, 64-bit ARM",
    "apache2-doc": "Apache HTTP Server documentation",
}
CRAWL_DELAY_S = 0.002
DRAFTS = 3
NOAI = ("X-Robots-Tag", "noai, max-image-preview:large")


def manual_host(package: Package, full: bool) -> Host:
    """Return the host of a package: all pages, or those of the small input, with all images and styles."""
    host = Host(HOSTS[package.name])
    pages = [path for path in page_paths(package) if full or in_small(path)]
    opted_out = opted_out_page(pages)
    for path in pages:
        host.add(f"/{path}", _page(package, path, opted_out), "refused/noai" if path == opted_out else "kept")
    _add_files(host, package)
    _add_drafts(host, package, pages)
    _add_home(host, package, pages)
    host.add_sitemaps({name: [f"/{path}" for path in group] for name, group in _by_locale(pages).items()})
    host.add_robots(_robots(host))
    return host


def opted_out_page(pages: list[str]) -> str:
    """Return the page whose owner says `noai` by header: one of the small input, the same in both inputs."""
    return min((path for path in pages if in_small(path)), key=lambda path: hashlib.sha256(path.encode()).digest())


def bare_host(name: str) -> Host:
    """Return www.`name`, which says that everything has moved to `name` for good."""
    host = Host(f"www.{name}")
    host.folders["/"] = partial(_moved_to, name)
    host.fates[host.url("/")] = "redirected"
    return host


def _moved_to(name: str, request: Request) -> Response:
    return moved(f"{Host(name).url(request.path)}{f'?{request.query}' if request.query else ''}")


def _page(package: Package, path: str, opted_out: str) -> Resource:
    file = package.page_folder / path
    fields = (NOAI,) if path == opted_out else ()
    return Resource(file.read_bytes, media_type_of, int(file.stat().st_mtime), fields)


def _add_files(host: Host, package: Package) -> None:
    """Serve images, styles and whatever else lies beside the pages."""
    for file in sorted(package.page_folder.rglob("*.*")):
        if file.suffix != ".html" and file.is_file():
            media_type = media_type_of_name(file.name)
            at = f"/{file.relative_to(package.page_folder).as_posix()}"
            host.add(at, Resource(file.read_bytes, media_type, int(file.stat().st_mtime), (), is_text(media_type)))


def _add_drafts(host: Host, package: Package, pages: list[str]) -> None:
    """Serve a few pages again where robots.txt forbids it: by folder and by query."""
    for path in [path for path in pages if in_small(path)][:DRAFTS]:
        host.add(f"/drafts/{path}", _page(package, path, ""), "refused/robots", f"Draft of {path}")
        printed = host.url(f"/{path}?print=1")
        host.home_links.append((printed, f"{path} for the printer"))
        host.fates[printed] = "refused/robots"


def _add_home(host: Host, package: Package, pages: list[str]) -> None:
    for path in pages if len(pages) < 1000 else [p for p in pages if p.endswith("/index.html")]:
        host.home_links.append((host.url(f"/{path}"), path))
    host.add_home(TITLES[package.name], f"{package.name} {package.version}, served for a demonstration.")


def _by_locale(pages: list[str]) -> dict[str, list[str]]:
    return {name or "top": list(group) for name, group in groupby(pages, key=locale_of)}


def _robots(host: Host) -> list[str]:
    return [
        "User-agent: *",
        "Disallow: /drafts/",
        "Disallow: /*?print=",
        f"Crawl-delay: {CRAWL_DELAY_S}",
        "",
        "User-agent: mirror-bot",
        "User-agent: offline-reader",
        "Disallow: /",
        "",
        f"Sitemap: {host.url('/sitemap.xml')}",
    ]
