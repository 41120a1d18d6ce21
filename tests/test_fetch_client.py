"""The fetcher against a server that misbehaves: each fault ends in a reason of the closed list, in time."""

import asyncio
import gzip
import itertools
import time
from asyncio import selector_events

import brotli
import pytest
from hostile_server import endless, hostile, ok, then_close
from hypothesis import given, settings
from hypothesis import strategies as st

from manifests.limits import KIB, MIB, CrawlLimits
from manifests.reasons import FetchFailed
from pipelines.fetch import client, connector
from pipelines.fetch.client import Fetcher
from pipelines.fetch.connector import system_lookup
from pipelines.fetch.decode import decode
from pipelines.fetch.exchange import FetchError

AGENT = "corpusmill/0 (+https://crawler.example/)"
QUICK = CrawlLimits(fetch_s=2.0, connect_s=1.0, slow_window_s=0.4, min_bytes_per_s=1024)
PAGE = "http://www.example/page?q=%E3%81%82"


def run(server, work, limits=QUICK):
    """Return what `work(fetcher)` returns; every name is the server."""

    async def main():
        fetcher = Fetcher(AGENT, limits, loopback_port=server.port)
        try:
            return await work(fetcher)
        finally:
            await fetcher.close()

    return asyncio.run(main())


def get(script, limits=QUICK, max_bytes=MIB, headers=None):
    """Return (exchange or error, server) of one request for a page that `script` serves."""

    async def one(fetcher):
        try:
            return await fetcher.fetch(PAGE, max_bytes=max_bytes, headers=headers or {})
        except FetchError as error:
            return error

    with hostile({"/page?q=%E3%81%82": script}) as server:
        return run(server, one, limits), server


def test_an_exchange_holds_both_sides_as_they_stood_on_the_wire():
    before_s = time.time()
    response = b'HTTP/1.1 200 Alles gut\r\nContent-Type: text/HTML; charset="UTF-8"\r\nx-Odd:  a\r\nX-Odd: b\r\n'
    exchange, server = get(response + b"Content-Length: 5\r\n\r\nhello", headers={"If-None-Match": '"x"'})
    assert [exchange.request_head] == server.heads
    assert exchange.request_head.startswith(b"GET /page?q=%E3%81%82 HTTP/1.1\r\nHost: www.example\r\n")
    assert f"User-Agent: {AGENT}\r\n".encode() in exchange.request_head
    assert b'If-None-Match: "x"\r\n' in exchange.request_head
    assert exchange.response_head == response.replace(b":  a", b": a") + b"Content-Length: 5\r\n\r\n"
    assert (exchange.status, exchange.body, exchange.payload, exchange.truncated) == (200, b"hello", b"hello", None)
    assert exchange.header_lines("x-odd") == ["a", "b"] and exchange.content_type == ("text/html", "utf-8")
    assert exchange.ip == "127.0.0.1" and exchange.url == PAGE
    assert before_s <= exchange.started_s <= exchange.ended_s <= time.time()


@settings(max_examples=25)
@given(
    st.dictionaries(
        st.from_regex(r"X-[A-Za-z0-9-]{1,20}", fullmatch=True),
        st.binary(max_size=40).map(lambda value: bytes(byte for byte in value if byte > 31 and byte != 127).strip()),
        max_size=6,
    ),
    st.binary(max_size=3000),
    st.booleans(),
)
def test_header_bytes_and_bodies_come_through_unchanged(fields, body, chunked):
    head = b"HTTP/1.1 200 OK\r\n" + b"".join(b"%b: %b\r\n" % (name.encode(), value) for name, value in fields.items())
    if chunked:
        chunks = b"".join(
            b"%x\r\n%b\r\n" % (len(body[at : at + 700]), body[at : at + 700]) for at in range(0, len(body), 700)
        )
        exchange, _ = get(head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n")
        assert exchange.response_head == head + b"\r\n"
    else:
        exchange, _ = get(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        assert exchange.response_head == head + b"Content-Length: %d\r\n\r\n" % len(body)
    assert exchange.body == exchange.payload == body
    "".join(value for _, value in exchange.headers).encode()  # no lone surrogates: Arrow could not hold them


@pytest.mark.parametrize("status", [204, 301, 302, 304, 307, 308, 400, 403, 404, 410, 418, 429, 500, 503, 599, 999])
def test_every_status_is_an_answer_and_nothing_is_followed(status):
    head = f"HTTP/1.1 {status} So\r\nLocation: http://other.example/\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n"
    exchange, server = get(head.encode())
    assert (exchange.status, exchange.header("retry-after"), len(server.heads)) == (status, "7", 1)


FAULTS = [
    pytest.param(then_close(b""), FetchFailed.DISCONNECTED, id="F10 the server hangs up at once"),
    pytest.param(then_close(b"HTTP/1.1 200 OK\r\nContent-T"), FetchFailed.DISCONNECTED, id="F10 ... in the head"),
    pytest.param(
        then_close(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nshort"),
        FetchFailed.DISCONNECTED,
        id="F14 less than Content-Length",
    ),
    pytest.param(
        then_close(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nshort"),
        FetchFailed.DISCONNECTED,
        id="F14 a chunk is cut",
    ),
    pytest.param(
        then_close(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n"),
        FetchFailed.DISCONNECTED,
        id="F14 the last chunk is missing",
    ),
    pytest.param(
        then_close(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nshort\r\n"),
        FetchFailed.MALFORMED_RESPONSE,
        id="no chunk size",
    ),
    pytest.param(then_close(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), FetchFailed.MALFORMED_RESPONSE, id="no HTTP"),
    pytest.param(then_close(b"<html>an answer of HTTP/0.9"), FetchFailed.MALFORMED_RESPONSE, id="HTTP/0.9"),
    pytest.param(b"HTTP/1.1 abc OK\r\n\r\n", FetchFailed.MALFORMED_RESPONSE, id="no status"),
    pytest.param(b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", FetchFailed.MALFORMED_RESPONSE, id="no header field"),
    pytest.param(
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        FetchFailed.MALFORMED_RESPONSE,
        id="two lengths",
    ),
    pytest.param(
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", FetchFailed.MALFORMED_RESPONSE, id="a negative length"
    ),
    pytest.param(
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
        FetchFailed.MALFORMED_RESPONSE,
        id="another protocol",
    ),
    pytest.param(
        endless(b"HTTP/1.1 200 OK\r\nX-Long: ", b"a" * 4000), FetchFailed.MALFORMED_RESPONSE, id="an endless field"
    ),
    pytest.param(
        endless(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n" * 200), FetchFailed.MALFORMED_RESPONSE, id="endless fields"
    ),
    pytest.param(endless(b"HTTP/1.1 200 ", b"a" * 4000), FetchFailed.MALFORMED_RESPONSE, id="an endless reason"),
    pytest.param(
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: %b\r\n" % (n, b"a" * 30_000) for n in range(10)) + b"\r\n",
        FetchFailed.MALFORMED_RESPONSE,
        id="more headers than max_header_bytes",
    ),
    pytest.param(
        endless(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n", 0.001), FetchFailed.TIMED_OUT, id="early hints forever"
    ),
    pytest.param(endless(b"", b"", 0.1), FetchFailed.TOO_SLOW, id="F11 no byte at all"),
    pytest.param(endless(b"HTTP/1.1 200 OK\r\nX: ", b"a", 0.05), FetchFailed.TIMED_OUT, id="F11 a head by drops"),
    pytest.param(endless(b"HTTP/1.1 200 OK\r\n\r\n", b"a", 0.05), FetchFailed.TOO_SLOW, id="F11 a body by drops"),
    pytest.param(endless(b"HTTP/1.1 200 OK\r\n\r\nabc", b"", 0.05), FetchFailed.TOO_SLOW, id="F11 a body that stops"),
    pytest.param(
        endless(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n", 0.05),
        FetchFailed.TOO_SLOW,
        id="F11 chunks by drops",
    ),
    pytest.param(
        endless(b"HTTP/1.1 200 OK\r\n\r\n", b"a" * 200, 0.05), FetchFailed.TIMED_OUT, id="F11 fast enough, but endless"
    ),
    pytest.param(
        ok(b"\x1f\x8b" + b"\x00" * 50, "Content-Encoding: gzip"), FetchFailed.DAMAGED_CODING, id="F13 no gzip"
    ),
    pytest.param(
        ok(gzip.compress(b"x" * 5000)[:-9], "Content-Encoding: gzip"), FetchFailed.DAMAGED_CODING, id="F13 gzip, cut"
    ),
    pytest.param(
        ok(gzip.compress(bytes(9 * MIB)), "Content-Encoding: gzip"), FetchFailed.DECODED_TOO_LARGE, id="F13 a bomb"
    ),
    pytest.param(ok(b"x", "Content-Encoding: gzip, gzip, br"), FetchFailed.TOO_MANY_CODINGS, id="F13 three codings"),
    pytest.param(
        ok(b"x", "Content-Encoding: gzip, br", "Content-Encoding: gzip"),
        FetchFailed.TOO_MANY_CODINGS,
        id="F13 three codings on two lines",
    ),
]


@pytest.mark.parametrize(("script", "reason"), FAULTS)
def test_a_fault_has_a_reason(script, reason):
    began_s = time.monotonic()
    error, server = get(script, max_bytes=100 * MIB)
    assert isinstance(error, FetchError) and error.reason is reason, error
    assert time.monotonic() - began_s < 3.5
    assert len(server.heads) == server.connections == 1  # no hidden second request
    assert "example" not in error.detail and "OK" not in error.detail


@pytest.mark.parametrize(
    ("script", "truncated", "body"),
    [
        pytest.param(
            then_close(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nshort"), "disconnect", b"short", id="F14"
        ),
        pytest.param(
            endless(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nslow", b"", 0.1), "time", b"slow", id="F11"
        ),
    ],
)
def test_what_arrived_before_the_fault_is_kept_with_it_and_is_not_called_whole(script, truncated, body):
    error, _ = get(script)
    assert (error.exchange.truncated, error.exchange.body, error.exchange.payload) == (truncated, body, body)
    assert error.ip == error.exchange.ip == "127.0.0.1"


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(endless(b"HTTP/1.1 200 OK\r\n\r\n", b"a" * 5000), id="F12 an endless body"),
        pytest.param(
            endless(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1f40\r\n" + b"a" * 8000 + b"\r\n"),
            id="F12 endless chunks",
        ),
        pytest.param(ok(b"a" * 300_000), id="F12 a large body"),
    ],
)
def test_too_large_a_body_is_cut_and_its_connection_closed(script):
    exchange, _ = get(script, max_bytes=100_000)
    assert (exchange.body, exchange.payload, exchange.truncated) == (b"a" * 100_000, b"a" * 100_000, "length")


@pytest.mark.parametrize("size", [99_999, 100_000])
def test_a_body_of_just_the_limit_is_whole(size):
    exchange, _ = get(ok(b"a" * size), max_bytes=100_000)
    assert (len(exchange.body), exchange.truncated) == (size, None)


@pytest.mark.parametrize("coding", ["gzip", "br"])
def test_a_coded_body_is_kept_as_sent_and_its_payload_is_cut_at_the_limit(coding):
    text = b"".join(b"line %d\n" % n for n in range(50_000))
    coded = gzip.compress(text) if coding == "gzip" else brotli.compress(text, quality=3)
    exchange, _ = get(ok(coded, f"Content-Encoding: {coding}"), max_bytes=400_000)
    assert (exchange.body, exchange.payload, exchange.truncated) == (coded, text[:400_000], "length")


def test_a_server_whose_body_was_cut_is_left_at_once():
    left = []

    async def script(writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"a" * 2000)
        try:
            while True:  # until the client resets the connection
                await asyncio.sleep(0.02)
                writer.write(b"a")
                await writer.drain()
        finally:
            left.append(time.monotonic())

    async def work(fetcher):
        exchange = await fetcher.fetch("http://www.example/", max_bytes=1000)
        cut_s = time.monotonic()
        await asyncio.sleep(0.3)
        return exchange.truncated, left and left[0] - cut_s < 0.25

    with hostile({"/": script}) as server:
        assert run(server, work, CrawlLimits()) == ("length", True)


def test_no_address_is_asked_by_more_than_its_connections_at_once(monkeypatch):
    present, most = [], []

    async def slowly(writer):
        present.append(writer)
        most.append(len(present))
        await asyncio.sleep(0.05)
        present.remove(writer)
        writer.write(ok(b"x"))

    async def public(host):
        return ["93.184.215.14", "93.184.215.15"] if host < "c" else ["93.184.215.15", "93.184.215.14"]

    async def main(port):
        connect = selector_events.BaseSelectorEventLoop.sock_connect
        fake = lambda loop, sock, address: connect(loop, sock, ("127.0.0.1", port))  # noqa: E731
        monkeypatch.setattr(selector_events.BaseSelectorEventLoop, "sock_connect", fake)
        fetcher = Fetcher(AGENT, QUICK, connections_per_address=2, lookup=public)
        await asyncio.gather(*[fetcher.fetch(f"http://{name}.example/", max_bytes=9) for name in "abcdef"])
        await fetcher.close()

    with hostile({"/": slowly}) as server:
        asyncio.run(main(server.port))
    assert max(most) == 2 and len(most) == 6


def test_while_a_large_body_is_decoded_the_loop_goes_on(monkeypatch):
    coded = gzip.compress(b"".join(b"%d " % (n * n) for n in range(200_000)), 1)
    assert len(coded) > 256 * KIB
    monkeypatch.setattr(client, "decode", lambda *arguments, **more: (time.sleep(0.3), decode(*arguments, **more))[1])
    ticks = []

    async def tick():
        while True:
            ticks.append(time.monotonic())
            await asyncio.sleep(0.01)

    async def work(fetcher):
        clock = asyncio.create_task(tick())
        await fetcher.fetch("http://www.example/", max_bytes=8 * MIB)
        clock.cancel()
        return max(later - earlier for earlier, later in itertools.pairwise(ticks))

    with hostile({"/": ok(coded, "Content-Encoding: gzip")}) as server:
        assert run(server, work) < 0.25


@settings(max_examples=30)
@given(st.binary(min_size=1, max_size=20).map(lambda tag: bytes(byte for byte in tag if byte > 32 and byte != 127)))
def test_whatever_etag_a_server_may_send_can_be_sent_back(tag):
    async def work(fetcher):
        first = await fetcher.fetch("http://www.example/", max_bytes=9)
        return await fetcher.fetch(
            "http://www.example/", max_bytes=9, headers={"If-None-Match": first.header("etag") or '""'}
        )

    with hostile({"/": b"HTTP/1.1 200 OK\r\nETag: %b\r\nContent-Length: 0\r\n\r\n" % tag}) as server:
        assert run(server, work).request_head == server.heads[1]


def test_the_system_s_own_answers_are_numeric():
    assert "127.0.0.1" in asyncio.run(system_lookup("127.0.0.1"))
    with pytest.raises((OSError, UnicodeError)):
        asyncio.run(system_lookup("a" * 70 + ".example"))  # no label of DNS; nobody is asked


def several(count, urls=(PAGE,)):
    async def work(fetcher):
        return [await fetcher.fetch(url, max_bytes=MIB) for _ in range(count) for url in urls]

    return work


def test_one_connection_serves_a_host_and_no_cookie_comes_back():
    with hostile({"/page?q=%E3%81%82": ok(b"x", "Set-Cookie: id=1; Path=/")}) as server:
        run(server, several(5))
        assert server.connections == 1 and len(server.heads) == 5
        assert not any(b"cookie" in head.lower() for head in server.heads)


def test_only_so_many_idle_connections_are_kept(monkeypatch):
    monkeypatch.setattr(connector, "MAX_IDLE", 2)
    hosts = [f"http://h{number}.example/" for number in range(5)]
    with hostile({"/": ok(b"x")}) as server:
        run(server, several(3, hosts))
    assert len(server.heads) == 15
    assert server.connections == 2 + 3 * 3  # the first two hosts keep theirs, the others open one each time


def test_hosts_share_no_connection_though_they_share_an_address():
    with hostile({"/": ok(b"x")}) as server:
        run(server, several(3, ("http://a.example/", "http://b.example/", "http://b.example:8080/")))
        assert server.connections == 3
        hosts = {head.split(b"\r\n")[1] for head in server.heads}
        assert hosts == {b"Host: a.example", b"Host: b.example", b"Host: b.example:8080"}


@pytest.mark.parametrize("pause_s", [0.0, 0.1])
def test_a_response_nobody_asked_for_is_never_taken_for_an_answer(pause_s):
    """F14: more than Content-Length. The rest would be the answer to the next request on that connection."""

    async def twice(writer):
        writer.write(ok(b"asked for"))
        await asyncio.sleep(pause_s)
        writer.write(ok(b"smuggled"))

    async def work(fetcher):
        first = await fetcher.fetch("http://www.example/twice", max_bytes=MIB)
        await asyncio.sleep(0.2)
        return first.body, (await fetcher.fetch("http://www.example/next", max_bytes=MIB)).body

    with hostile({"/twice": twice, "/next": ok(b"next")}) as server:
        assert run(server, work) == (b"asked for", b"next")
        assert server.targets() == ["/twice", "/next"]


def test_a_kept_connection_that_dies_costs_a_failure_but_no_hidden_request():
    answers = [ok(b"first"), None]

    async def script(writer):
        answer = answers.pop(0)
        writer.write(answer) if answer else writer.close()

    async def work(fetcher):
        await fetcher.fetch("http://www.example/", max_bytes=MIB)
        with pytest.raises(FetchError) as caught:
            await fetcher.fetch("http://www.example/", max_bytes=MIB)
        return caught.value.reason

    with hostile({"/": script}) as server:
        assert run(server, work) is FetchFailed.DISCONNECTED
        assert len(server.heads) == 2


def test_nobody_listens():
    with hostile({}) as server:
        pass

    async def work(fetcher):
        with pytest.raises(FetchError) as caught:
            await fetcher.fetch(PAGE, max_bytes=MIB)
        return caught.value.reason

    assert run(server, work) is FetchFailed.CONNECT_FAILED


@pytest.mark.parametrize("error", [OSError("no such name"), UnicodeError("label too long"), TimeoutError()])
def test_a_name_that_can_t_be_found(error):
    async def lookup(host):
        raise error

    async def main():
        fetcher = Fetcher(AGENT, QUICK, lookup=lookup)
        try:
            await fetcher.fetch("http://nowhere.example/", max_bytes=1)
        finally:
            await fetcher.close()

    with pytest.raises(FetchError) as caught:
        asyncio.run(main())
    assert caught.value.reason is FetchFailed.DNS_FAILED


def test_names_are_looked_up_in_a_bounded_time():
    async def lookup(host):
        await asyncio.sleep(60)

    async def main():
        fetcher = Fetcher(AGENT, CrawlLimits(connect_s=0.2), lookup=lookup)
        try:
            await fetcher.fetch("http://nowhere.example/", max_bytes=1)
        finally:
            await fetcher.close()

    with pytest.raises(FetchError, match="connect_s") as caught:
        asyncio.run(main())
    assert caught.value.reason is FetchFailed.DNS_FAILED


def test_even_behind_the_test_only_switch_other_ports_are_blocked():
    async def work(fetcher):
        with pytest.raises(FetchError) as caught:
            await fetcher.fetch("http://www.example:81/", max_bytes=1)
        return caught.value.reason

    with hostile({}) as server:
        assert run(server, work) is FetchFailed.BLOCKED_PORT
        assert server.connections == 0


def test_a_url_beyond_the_limit_is_not_asked_for():
    async def work(fetcher):
        with pytest.raises(FetchError) as caught:
            await fetcher.fetch("http://www.example/" + "a" * 5000, max_bytes=1)
        return caught.value.reason

    with hostile({}) as server:
        assert run(server, work) is FetchFailed.URL_TOO_LONG
        assert server.connections == 0
