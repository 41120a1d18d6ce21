"""Clients of the demo's site that share no code with it, for its tests."""

import gzip
import http.client
import socket
import time
import urllib.error
import urllib.request
import urllib.robotparser
import zlib
from contextlib import contextmanager
from html.parser import HTMLParser
from urllib.parse import urlsplit

import brotli
import zstandard

from pipelines.demo_input import fetch_package, in_small, page_paths

SITEMAP = "{http://www.sitemaps.org/schemas/sitemap/0.9}"
APACHE = "apache.example"
CORNERS = "corners.example"
PAGE = "/en/caching.html"
DECODE = {
    "identity": bytes,
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
    "br": brotli.decompress,
    "zstd": lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data),
}


@contextmanager
def asking(port):
    """Give `ask(url, method, **fields)` -> (response, body): one connection for the whole test."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)

    def ask(url, method="GET", **fields):
        parts = urlsplit(url)
        named = {name.replace("_", "-"): value for name, value in fields.items()}
        target = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
        connection.request(method, target, headers={"Host": parts.hostname, **named})
        response = connection.getresponse()
        return response, response.read()

    try:
        yield ask
    finally:
        connection.close()


def opener(port):
    """Return urllib's own client, with every host led to the site."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({"http": f"http://127.0.0.1:{port}"}))


def raw(port, *parts, pause_s=0.0):
    """Send bytes, return all that comes until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        for part in parts:
            connection.sendall(part)
            time.sleep(pause_s)
        received = b""
        while data := connection.recv(1 << 16):
            received += data
    return received


def package_pages(name):
    package = fetch_package(name)
    return {path: package.page_folder / path for path in page_paths(package) if in_small(path)}


class Tags(HTMLParser):
    """The links and named meta tags of a page."""

    def __init__(self, page):
        super().__init__()
        self.links, self.meta = [], {}
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        if tag == "meta" and "name" in given:
            self.meta.setdefault(given["name"].lower(), given.get("content", "").lower())
