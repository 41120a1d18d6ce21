"""Sitemaps by the protocol of sitemaps.org (0.90): files of at most 50,000 URLs and an index of them."""

import gzip
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from xml.sax.saxutils import escape

MAX_URLS = 50_000
_DECLARED = '<?xml version="1.0" encoding="UTF-8"?>\n'
_NAMESPACE = "http://www.sitemaps.org/schemas/sitemap/0.9"

Dated = tuple[str, int]  # URL, and when it was changed, seconds since 1970


def sitemap_resources(authority: str, groups: Mapping[str, Sequence[Dated]]) -> dict[str, bytes]:
    """Return path -> bytes: /sitemap.xml, which is an index, and a file for each group, every second one gzipped."""
    files: dict[str, bytes] = {}
    index: list[Dated] = []
    for number, (group, urls) in enumerate(sorted(groups.items())):
        for start in range(0, max(len(urls), 1), MAX_URLS):
            part = urls[start : start + MAX_URLS]
            path = f"/sitemaps/{group}{f'-{start // MAX_URLS}' if start else ''}.xml"
            data = listing("urlset", "url", part).encode()
            if number % 2:
                path, data = f"{path}.gz", gzip.compress(data, 6, mtime=0)
            files[path] = data
            index.append((authority + path, max((changed for _, changed in part), default=0)))
    return {"/sitemap.xml": listing("sitemapindex", "sitemap", index).encode(), **files}


def listing(outer: str, inner: str, urls: Sequence[Dated]) -> str:
    """Return the XML of a `urlset` or a `sitemapindex`."""
    rows = "".join(f"<{inner}><loc>{escape(url)}</loc><lastmod>{_w3c(at)}</lastmod></{inner}>\n" for url, at in urls)
    return f'{_DECLARED}<{outer} xmlns="{_NAMESPACE}">\n{rows}</{outer}>\n'


def _w3c(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
