"""Asking for robots.txt: its redirects, its size, its time (RFC 9309, sections 2.3 to 2.5)."""

import asyncio
import time

import pytest
from hostile_server import hostile, ok, then_close

from filters.robots import robots_state
from manifests.limits import CrawlLimits
from pipelines.fetch.client import Fetcher
from pipelines.fetch.robots_fetch import whole_lines

RULES = b"User-agent: *\nDisallow: /private/\n"
LIMITS = CrawlLimits(fetch_s=2.0, slow_window_s=0.5, max_robots_bytes=1000)


def redirect(target, status=302):
    return f"HTTP/1.1 {status} There\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n".encode()


def ask(scripts, limits=LIMITS):
    async def main(port):
        fetcher = Fetcher("corpusmill/0 (+https://c.example/)", limits, loopback_port=port)
        try:
            chain = ("http://www.example/robots.txt",)
            while (found := await fetcher.fetch_robots(chain)).following:
                assert found.chain == chain
                chain = (*chain, found.following)
            return found
        finally:
            await fetcher.close()

    with hostile(scripts) as server:
        return asyncio.run(main(server.port)), server


def test_rules_come_back_with_the_exchange_that_brought_them():
    robots, server = ask({"/robots.txt": ok(RULES)})
    assert (robots.status, robots.body, robots.error) == (200, RULES, None)
    assert robots.chain == ("http://www.example/robots.txt",) and robots.exchange.body == RULES
    assert server.targets() == ["/robots.txt"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_five_redirects_are_followed_across_hosts(status):
    scripts = {f"/{n}": redirect(f"http://host{n}.example/{n - 1}", status) for n in range(1, 5)}
    robots, server = ask({"/robots.txt": redirect("/4", status), **scripts, "/0": ok(RULES)})
    assert (robots.status, robots.body, len(robots.chain)) == (200, RULES, 6)
    assert robots.chain[-1] == "http://host1.example/0"
    assert [head.split(b"\r\n")[1] for head in server.heads][2:] == [b"Host: host%d.example" % n for n in (4, 3, 2, 1)]


def test_a_sixth_redirect_means_that_there_is_no_robots_txt():
    scripts = {f"/{n}": redirect(f"/{n - 1}") for n in range(1, 9)}
    robots, server = ask({"/robots.txt": redirect("/8"), **scripts})
    assert (robots.status, robots.body, len(server.heads)) == (302, b"", 6)
    assert robots_state(robots.status) == "allow_all"


def test_a_loop_of_redirects_ends_when_it_closes():
    robots, server = ask({"/robots.txt": redirect("/a"), "/a": redirect("/robots.txt")})
    assert (robots.status, robots.body, len(server.heads)) == (302, b"", 2)


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://www.example/robots.txt", "http://[", ""])
def test_a_redirect_to_nowhere_is_no_robots_txt(target):
    robots, server = ask({"/robots.txt": redirect(target)})
    assert (robots.status, robots.body, len(server.heads)) == (302, b"", 1)


def test_a_redirect_inward_is_unreachable():
    robots, server = ask({"/robots.txt": redirect("http://169.254.169.254/robots.txt")})
    assert (robots.status, robots.body, len(server.heads)) == (None, b"", 1)
    assert robots.error.reason == "blocked_address" and robots.chain[-1] == "http://169.254.169.254/robots.txt"
    assert robots_state(robots.status) == "disallow_all"


@pytest.mark.parametrize(
    ("script", "status", "state"),
    [
        pytest.param(b"HTTP/1.1 404 No\r\nContent-Length: 4\r\n\r\nrule", 404, "allow_all", id="C04 not found"),
        pytest.param(
            b"HTTP/1.1 429 Wait\r\nContent-Length: 0\r\n\r\n", 429, "disallow_all", id="C04 too many requests"
        ),
        pytest.param(b"HTTP/1.1 503 No\r\nContent-Length: 4\r\n\r\nrule", 503, "disallow_all", id="C05 server error"),
        pytest.param(then_close(b""), None, "disallow_all", id="C05 disconnected"),
        pytest.param(
            then_close(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n" + RULES),
            None,
            "disallow_all",
            id="C05 cut short",
        ),
        pytest.param(then_close(b"gopher"), None, "disallow_all", id="C05 no HTTP"),
        pytest.param(ok(b"\x1f\x8bx", "Content-Encoding: gzip"), None, "disallow_all", id="C05 undecodable"),
    ],
)
def test_without_a_success_there_are_no_rules(script, status, state):
    robots, _ = ask({"/robots.txt": script})
    assert (robots.status, robots.body, robots_state(robots.status)) == (status, b"", state)
    assert (robots.error is None) == (status is not None)


def test_beyond_the_limit_it_ends_at_a_line():
    line = b"Disallow: /a-path-which-the-limit-cuts-off\n"
    robots, _ = ask({"/robots.txt": ok(line * 40)})
    assert robots.body == line * (1000 // len(line)) and 1000 % len(line) and robots.exchange.truncated == "length"


def test_at_the_limit_nothing_is_dropped():
    robots, _ = ask({"/robots.txt": ok(b"D" * 1000)})
    assert robots.body == b"D" * 1000


@pytest.mark.parametrize(
    ("cut", "whole"),
    [(b"a\nb", b"a\n"), (b"a\rb", b"a\r"), (b"a\r\n", b"a\r\n"), (b"one line without an end", b""), (b"", b"")],
)
def test_the_cut_line_goes(cut, whole):
    assert whole_lines(cut) == whole


@pytest.mark.parametrize(
    ("fields", "ttl_s"),
    [
        pytest.param([], 86_400, id="C06 a day"),
        pytest.param(["Cache-Control: public, max-age=7200"], 7200, id="C06 less by Cache-Control"),
        pytest.param(['Cache-Control: max-age="7200"'], 7200, id="quoted"),
        pytest.param(["Cache-Control: max-age=7200", "Age: 3000"], 4200, id="old already"),
        pytest.param(["Cache-Control: max-age=9999999999999999999"], 86_400, id="never more than a day"),
        pytest.param(["Cache-Control: max-age=0"], 600, id="but not before each page"),
        pytest.param(["Cache-Control: no-store"], 600, id="nor when it may not be kept"),
        pytest.param(["Cache-Control: max-age=7200", "Cache-Control: no-cache"], 600, id="on two lines"),
        pytest.param(["Cache-Control: max-age=soon"], 86_400, id="nonsense"),
        pytest.param(["Cache-Control: max-age=-5"], 86_400, id="negative nonsense"),
        pytest.param(["Cache-Control: s-maxage=60"], 86_400, id="what shared caches are told"),
    ],
)
def test_how_long_it_holds(fields, ttl_s):
    robots, _ = ask({"/robots.txt": ok(RULES, *fields)})
    assert robots.until_s - robots.exchange.ended_s == pytest.approx(ttl_s)


@pytest.mark.parametrize("script", [then_close(b""), b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"])
def test_the_unreachable_is_asked_again_in_minutes(script):
    robots, _ = ask({"/robots.txt": script})
    assert 200 < robots.until_s - time.time() <= 300
