"""No spelling of a forbidden address is ever connected to, whichever way it comes in.

`connect` is faked: it writes down whom it was asked for, and leads every public address to a server on loopback.
"""

import asyncio
import socket
from asyncio import selector_events

import pytest
from hostile_server import hostile, ok

from manifests.limits import CrawlLimits
from manifests.reasons import FetchFailed
from pipelines.fetch import connector
from pipelines.fetch.addresses import forbidden
from pipelines.fetch.client import Fetcher
from pipelines.fetch.exchange import FetchError

AGENT = "corpusmill/0 (+https://crawler.example/)"
PUBLIC = "93.184.215.14"
FORBIDDEN_HOSTS = [
    # loopback, in every way that some parser takes
    "127.0.0.1", "127.0.0.1.", "127.1", "127.0.1", "127.255.255.254", "2130706433", "0x7f000001", "0x7f.0.0.1",
    "0x7F.1", "017700000001", "0177.0.0.1", "0177.0.0.01", "127.0x0.0.1", "127.000.000.001", "00000177.0.0.1",
    "0", "0.0.0.0", "0x0", "localhost", "localhost.", "LOCALHOST", "foo.localhost", "ip6-localhost",
    "①②⑦.⓪.⓪.①", "１２７.0.0.1", "127。0。0。1", "127．0．0．1", "%31%32%37.0.0.1", "127.0.0.1%00", "127.0.0.1%2e",
    "[::1]", "[0:0:0:0:0:0:0:1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]",
    "[::127.0.0.1]", "[::ffff:0:127.0.0.1]", "[64:ff9b::127.0.0.1]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]",
    "[2001:0:7f00:1::]", "[::1%25lo]", "[fe80::1%25eth0]",
    # metadata
    "169.254.169.254", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "169.254.43518", "[::ffff:169.254.169.254]",
    "[64:ff9b::a9fe:a9fe]", "[2002:a9fe:a9fe::]", "[fd00:ec2::254]", "[fd20:ce::254]", "100.100.100.200",
    "168.63.129.16", "192.0.0.192", "169.254.170.2", "metadata.google.internal", "metadata",
    # inside
    "10.0.0.1", "0xa000001", "172.16.0.1", "192.168.1.1", "3232235777", "100.64.0.1", "198.18.0.1", "224.0.0.1",
    "255.255.255.255", "240.0.0.1", "[fc00::1]", "[fe80::1]", "[fec0::1]", "[ff02::1]", "[2001:db8::1]",
    "[2a00:1450:4001:800::5efe:a00:1]", "intranet.example", "printer.local",
]  # fmt: skip
REFUSALS = {FetchFailed.BLOCKED_ADDRESS, FetchFailed.MALFORMED_URL, FetchFailed.DNS_FAILED}


async def inner_lookup(host):
    """Answer as a system does whose owner is careless: numbers in any notation, and names for what lies inside."""
    try:
        return [socket.inet_ntoa(socket.inet_aton(host.rstrip(".")))]
    except OSError:
        return ["10.11.12.13", "127.0.0.1", "::1", "169.254.169.254"]


class Connects:
    """A `connect` that goes to loopback only, whatever it is asked for."""

    def __init__(self, monkeypatch, port):
        self.asked, self.port = [], port
        self._connect = selector_events.BaseSelectorEventLoop.sock_connect
        fake = self
        monkeypatch.setattr(
            selector_events.BaseSelectorEventLoop,
            "sock_connect",
            lambda loop, sock, address: fake.connect(loop, sock, address),  # noqa: PLW0108 - it must bind the loop
        )

    async def connect(self, loop, sock, address):
        self.asked.append(address[:2])
        if sock.family != socket.AF_INET:
            raise ConnectionRefusedError
        await self._connect(loop, sock, ("127.0.0.1", self.port))

    def inside(self):
        return [(host, port) for host, port in self.asked if forbidden(host, port)]


async def trying(fetcher, url):
    """Return what came of a fetch: its reason, or None."""
    try:
        await fetcher.fetch(url, max_bytes=1000)
    except FetchError as error:
        assert "secret" not in str(error)
        return error.reason
    return None


def redirect_to(target):
    return f"HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n".encode()


def run(coroutine_of, lookup):
    async def main():
        fetcher = Fetcher(AGENT, CrawlLimits(fetch_s=5, connect_s=2), lookup=lookup)
        try:
            return await coroutine_of(fetcher)
        finally:
            await fetcher.close()

    return asyncio.run(main())


@pytest.fixture
def connects(monkeypatch):
    scripts = {"/": ok(b"inside: secret"), "/robots.txt": ok(b"User-agent: *\n")}
    with hostile(scripts) as server:
        connects = Connects(monkeypatch, server.port)
        connects.server = server
        yield connects


async def public_lookup(host):
    return [PUBLIC]


def test_a_public_host_is_connected_to_so_the_rest_of_this_file_can_fail(connects):
    assert run(lambda fetcher: trying(fetcher, "http://www.example/"), public_lookup) is None
    assert run(lambda fetcher: trying(fetcher, f"http://{PUBLIC}/"), inner_lookup) is None
    assert connects.asked == [(PUBLIC, 80)] * 2


def test_there_are_spellings_enough():
    assert len(set(FORBIDDEN_HOSTS)) >= 60


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("host", FORBIDDEN_HOSTS)
def test_asked_for_directly(connects, host, scheme):
    assert run(lambda fetcher: trying(fetcher, f"{scheme}://{host}/"), inner_lookup) in REFUSALS
    assert connects.asked == []


@pytest.mark.parametrize("host", FORBIDDEN_HOSTS)
def test_as_the_target_of_a_redirect(connects, host):
    connects.server.scripts["/"] = redirect_to(f"http://{host}/")

    async def follow(fetcher):
        exchange = await fetcher.fetch("http://www.example/", max_bytes=1000)
        return exchange.status, await trying(fetcher, f"http://{host}/")

    status, reason = run(follow, lookup_by_name({"www.example": [PUBLIC]}))
    assert status == 302 and reason in REFUSALS
    assert connects.asked == [(PUBLIC, 80)]  # the redirect was not followed, and its target was refused


@pytest.mark.parametrize("host", FORBIDDEN_HOSTS)
def test_as_the_target_of_a_redirect_of_robots_txt(connects, host):
    connects.server.scripts["/robots.txt"] = redirect_to(f"http://{host}/robots.txt")
    lookup = lookup_by_name({"www.example": [PUBLIC]})

    async def follow(fetcher):
        first = await fetcher.fetch_robots(("http://www.example/robots.txt",))
        return await fetcher.fetch_robots((*first.chain, first.following)) if first.following else first

    robots = run(follow, lookup)
    assert connects.inside() == []
    assert connects.asked == [(PUBLIC, 80)]
    assert robots.body == b""


@pytest.mark.parametrize("host", FORBIDDEN_HOSTS)
def test_by_a_name_that_answers_otherwise_the_second_time(connects, host, monkeypatch):
    monkeypatch.setattr(connector, "NAME_TTL_S", -1.0)
    answers = [[PUBLIC], [host.strip("[]")]]

    async def rebinding(name):
        return answers.pop(0)

    assert run(lambda fetcher: trying(fetcher, "http://rebinding.example/"), rebinding) in REFUSALS
    assert answers == [] and connects.asked == []


@pytest.mark.parametrize("host", FORBIDDEN_HOSTS)
def test_by_a_resolver_that_checks_nothing(connects, host, monkeypatch):
    """The guard at the socket stands alone here."""
    monkeypatch.setattr(connector, "_permitted", lambda addresses, port, loopback_port: tuple(addresses))
    assert run(lambda fetcher: trying(fetcher, f"http://{host}/"), inner_lookup) in REFUSALS
    assert connects.asked == []


def lookup_by_name(public):
    async def lookup(host):
        return public.get(host) or await inner_lookup(host)

    return lookup


@pytest.mark.parametrize("port", [0, 22, 25, 81, 6379, 9200, 65535])
def test_a_port_of_another_service_is_never_connected_to(connects, port):
    reason = run(lambda fetcher: trying(fetcher, f"http://www.example:{port}/"), public_lookup)
    assert reason is FetchFailed.BLOCKED_PORT and connects.asked == []


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://www.example/", "gopher://www.example/", "javascript:0",
                                 "data:text/html,x", "HTTP://www.example/", "//www.example/", "www.example", ""]
)  # fmt: skip
def test_only_http_and_https_are_spoken(connects, url):
    assert run(lambda fetcher: trying(fetcher, url), public_lookup) is FetchFailed.BLOCKED_SCHEME
    assert connects.asked == []


@pytest.mark.parametrize("url", ["http://user:secret@www.example/", "http://secret@www.example/", "http://:secret@w.e/",
                                 "http://w.e/\r\nX: y", "http://w.e/ b", "http://w.e/\u3042", "http://", "http:///x",
                                 "http://[::1/", "http://w.e:99999/", "http://w.e:x/", "http://w.e/\x00"])  # fmt: skip
def test_what_is_no_canonical_url_is_refused_without_being_repeated(connects, url):
    assert run(lambda fetcher: trying(fetcher, url), public_lookup) is FetchFailed.MALFORMED_URL
    assert connects.asked == []


def test_of_mixed_answers_only_the_public_address_is_used(connects):
    async def mixed(host):
        return ["10.0.0.1", PUBLIC, "::1"]

    assert run(lambda fetcher: trying(fetcher, "http://www.example/"), mixed) is None
    assert connects.asked == [(PUBLIC, 80)]


def test_the_error_names_the_address(connects):
    async def named(fetcher):
        with pytest.raises(FetchError) as caught:
            await fetcher.fetch("http://intranet.example/", max_bytes=1)
        return caught.value

    error = run(named, inner_lookup)
    assert error.reason is FetchFailed.BLOCKED_ADDRESS and "10.11.12.13" in error.detail
