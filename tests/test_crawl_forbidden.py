"""The whole crawl job is led to forbidden addresses by links, images, sitemaps and redirects, and connects to none.

`connect` is faked as in test_fetch_guard: it writes down whom it was asked for and goes to a server on loopback only.
"""

import functools
import html

import pytest
from hostile_server import hostile, ok
from test_crawl_job import frontier
from test_fetch_guard import FORBIDDEN_HOSTS, PUBLIC, Connects, inner_lookup, redirect_to

from pipelines import cli
from pipelines.crawl import block, fetch
from pipelines.fetch.client import Fetcher

HOME = "http://www.example"
NEVER = {"blocked_address", "blocked_port", "dns_failed", "malformed_url", "robots_unreachable"}
PORTS = [22, 25, 6379, 8000, 11211]


def served():
    """Return the site that leads inside: {path: response}."""
    hosts = [*FORBIDDEN_HOSTS, *(f"{PUBLIC}:{port}" for port in PORTS)]
    links = "".join(f'<a href="http://{html.escape(host)}/link">x</a>' for host in hosts)
    images = "".join(f'<img src="http://{html.escape(host)}/image.png" alt="x">' for host in hosts)
    hops = "".join(f'<a href="/hop/{number}">x</a>' for number in range(len(hosts)))
    locs = "".join(f"<url><loc>http://{html.escape(host)}/map</loc></url>" for host in hosts)
    xmlns = "http://www.sitemaps.org/schemas/sitemap/0.9"
    sitemap = f'<?xml version="1.0"?><urlset xmlns="{xmlns}">{locs}</urlset>'
    robots = "User-agent: *\n" + "".join(f"Sitemap: http://{host}/sitemap.xml\n" for host in hosts)
    return {
        "/": ok(f"<html><body>{links}{images}{hops}</body></html>".encode(), "Content-Type: text/html"),
        "/robots.txt": ok(f"{robots}Sitemap: {HOME}/map.xml\n".encode()),
        "/map.xml": ok(sitemap.encode(), "Content-Type: application/xml"),
        **{f"/hop/{number}": redirect_to(f"http://{host}/hop") for number, host in enumerate(hosts)},
    }


async def lookup(host):
    return [PUBLIC] if host == "www.example" else await inner_lookup(host)


@pytest.fixture
def led_inside(monkeypatch, tmp_path):
    """Crawl the site; return (its frontier, the connects)."""
    monkeypatch.setattr(block, "MIN_DELAY_S", 0.0)
    monkeypatch.setattr(fetch, "Fetcher", functools.partial(Fetcher, lookup=lookup))
    with hostile(served()) as server:
        connects = Connects(monkeypatch, server.port)
        fields = {"delay_s": 0, "delay_factor": 0, "scope": "any", "kinds": "[page, image]", "rounds": 4}
        arguments = [f"--set=crawl.{name}={value}" for name, value in fields.items()]
        command = ["crawl", f"{HOME}/", "--contact", "a@b.example", "--out", str(tmp_path), "--quiet", "--workers=1"]
        assert cli.main([*command, *arguments, "--set=limits.max_attempts=1"]) == 0
        yield frontier(tmp_path), connects


def test_no_forbidden_address_or_port_is_connected_to_whatever_led_there(led_inside):
    found, connects = led_inside
    assert set(connects.asked) == {(PUBLIC, 80)}
    assert not connects.inside()
    assert {row["state"] for url, row in found.items() if url.startswith(HOME + "/")} <= {
        "kept",
        "redirected",
        "failed",
    }


def test_every_way_in_was_tried_and_failed_for_its_address(led_inside):
    found, _ = led_inside
    outside = {url: row for url, row in found.items() if not url.startswith(HOME + "/")}
    for way in ("/link", "/image.png", "/map", "/hop", "/sitemap.xml"):
        tried = [row for url, row in outside.items() if url.endswith(way)]
        assert len(tried) >= 40, way  # many spellings are one canonical URL
    assert {row["state"] for row in outside.values()} == {"failed"}
    assert {row["reason"] for row in outside.values()} <= NEVER
