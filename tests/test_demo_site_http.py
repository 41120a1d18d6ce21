"""The demo's site as a web server: messages, codings, validators, asked by http.client and plain sockets."""

import asyncio
import email.utils
import re
import socket
import time
from collections import Counter
from urllib.parse import quote

import pytest
from demo_site_client import APACHE, DECODE, PAGE, asking, package_pages, raw
from hypothesis import given
from hypothesis import strategies as st

from pipelines.demo_site.resource import CODINGS, acceptable, chosen_coding, encode
from pipelines.demo_site.server import Connection


@pytest.fixture
def ask(site_port):
    with asking(site_port) as ask:
        yield ask


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        pytest.param(b"GET /\r\nHost: apache.example\r\n\r\n", 400, id="no version"),
        pytest.param(b"GET / HTTP/2.0\r\nHost: apache.example\r\n\r\n", 505, id="another version"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", 400, id="1.1 without a host"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a.example\r\nHost: b.example\r\n\r\n", 400, id="two hosts"),
        pytest.param(b"GET / HTTP/1.1\r\nHost : apache.example\r\n\r\n", 400, id="a blank before the colon"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: apache.example\r\nA: b\r\n c\r\n\r\n", 400, id="a folded line"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: apache.example\r\nnonsense\r\n\r\n", 400, id="a line that is no field"),
        pytest.param(b"GET x HTTP/1.1\r\nHost: apache.example\r\n\r\n", 400, id="a target that is no path"),
        pytest.param(b"POST / HTTP/1.1\r\nHost: apache.example\r\nContent-Length: 3\r\n\r\nabc", 501, id="a body"),
        pytest.param(b"GET / HTTP/1.1\r\nA: " + b"b" * 70_000, 431, id="a head without end"),
    ],
)
def test_a_malformed_request_gets_its_status_and_the_connection_ends(site_port, request_bytes, status):
    answer = raw(site_port, request_bytes)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert b"\r\nConnection: close\r\n" in answer


def test_a_hundred_requests_share_one_connection(ask):
    first, _ = ask(f"http://{APACHE}{PAGE}")
    assert first.version == 11
    for _ in range(100):
        response, body = ask(f"http://{APACHE}{PAGE}")
        assert (response.status, response.getheader("Connection")) == (200, None)
        assert int(response.getheader("Content-Length")) == len(body)


def test_requests_sent_at_once_are_answered_in_order(site_port):
    paths = ["/robots.txt", "/no/such/page", "/sitemap.xml"]
    asked = b"".join(b"GET %s HTTP/1.1\r\nHost: apache.example\r\n\r\n" % path.encode() for path in paths)
    last = b"HEAD / HTTP/1.1\r\nHost: apache.example\r\nConnection: close\r\n\r\n"
    answer = raw(site_port, asked + last)
    assert re.findall(rb"HTTP/1\.1 (\d+) ", answer) == [b"200", b"404", b"200", b"200"]
    assert answer.index(b"robots.txt of") < answer.index(b"no such page") < answer.index(b"<sitemapindex")


def test_a_request_sent_after_a_slow_one_waits_for_its_end(site_port):
    asked = b"GET /slow.html HTTP/1.1\r\nHost: corners.example\r\n\r\n"
    answer = raw(site_port, asked + b"GET /robots.txt HTTP/1.1\r\nHost: corners.example\r\nConnection: close\r\n\r\n")
    slow, end, rest = answer.partition(b"\r\n0\r\n\r\n")
    assert end
    assert slow.count(b"HTTP/1.1 200 ") == 1
    assert rest.startswith(b"HTTP/1.1 200 ")


def test_a_head_may_come_in_small_parts(site_port):
    asked = b"\r\nGET /robots.txt HTTP/1.1\r\nHost: APACHE.example:80\r\nConnection: close\r\n\r\n"
    parts = [asked[at : at + 7] for at in range(0, len(asked), 7)]
    assert b"robots.txt of apache.example" in raw(site_port, *parts, pause_s=0.005)


@pytest.mark.parametrize(
    ("head", "stays"),
    [
        pytest.param(b"HTTP/1.1\r\nHost: apache.example", True, id="1.1 stays"),
        pytest.param(b"HTTP/1.1\r\nHost: apache.example\r\nConnection: Close", False, id="1.1 with close ends"),
        pytest.param(b"HTTP/1.0\r\nHost: apache.example", False, id="1.0 ends"),
        pytest.param(b"HTTP/1.0\r\nHost: apache.example\r\nConnection: keep-alive", True, id="1.0 stays if asked"),
    ],
)
def test_a_connection_stays_as_its_client_asks(site_port, head, stays):
    with socket.create_connection(("127.0.0.1", site_port), timeout=20) as connection:
        connection.sendall(b"GET /robots.txt " + head + b"\r\n\r\n")
        received = b""
        while b"sitemap.xml\n" not in received:
            received += connection.recv(1 << 16)
        assert (b"\r\nConnection: close\r\n" in received) is not stays
        connection.settimeout(0.2 if stays else 20)
        if stays:
            with pytest.raises(TimeoutError):
                connection.recv(1)
        else:
            assert connection.recv(1) == b""


def test_a_client_without_chunks_gets_the_slow_page_until_the_end(site_port):
    answer = raw(site_port, b"GET /slow.html HTTP/1.0\r\nHost: corners.example\r\n\r\n")
    assert b"Transfer-Encoding" not in answer
    assert answer.rstrip().endswith(b"</html>")


@pytest.mark.parametrize("path", [PAGE, "/", "/images/feather.png", "/none"])
def test_head_has_the_fields_of_get_and_no_body(ask, path):
    got, _ = ask(f"http://{APACHE}{path}", Accept_Encoding="gzip")
    head, body = ask(f"http://{APACHE}{path}", "HEAD", Accept_Encoding="gzip")
    assert body == b""
    without_date = [[field for field in r.getheaders() if field[0] != "Date"] for r in (got, head)]
    assert without_date[0] == without_date[1]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "BREW"])
def test_other_methods_are_named_as_not_allowed(ask, method):
    response, _ = ask(f"http://{APACHE}/", method)
    assert (response.status, response.getheader("Allow")) == (405, "GET, HEAD")


def test_a_target_in_absolute_form_names_the_host(site_port):
    answer = raw(site_port, b"GET http://apache.example/robots.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert b"robots.txt of apache.example" in answer


def test_an_unknown_host_is_misdirected(ask):
    assert ask("http://nobody.example/")[0].status == 421


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        pytest.param({"If_None_Match": "{tag}"}, 304, id="the tag"),
        pytest.param({"If_None_Match": "W/{tag}"}, 304, id="the tag, compared weakly"),
        pytest.param({"If_None_Match": '"other", {tag}'}, 304, id="one of a list"),
        pytest.param({"If_None_Match": "*"}, 304, id="any"),
        pytest.param({"If_None_Match": '"other"'}, 200, id="another tag"),
        pytest.param({"If_None_Match": '"other"', "If_Modified_Since": "{date}"}, 200, id="a tag outweighs a date"),
        pytest.param({"If_None_Match": "{tag}", "If_Modified_Since": "{before}"}, 304, id="an old date is not asked"),
        pytest.param({"If_Modified_Since": "{date}"}, 304, id="the date"),
        pytest.param({"If_Modified_Since": "{before}"}, 200, id="changed since"),
        pytest.param({"If_Modified_Since": "{after}"}, 304, id="a later date"),
        pytest.param({"If_Modified_Since": "{asctime}"}, 304, id="the oldest form of a date"),
        pytest.param({"If_Modified_Since": "yesterday"}, 200, id="no date at all"),
        pytest.param({"If_Match": '"other"'}, 412, id="a precondition that fails"),
        pytest.param({"If_Match": "{tag}"}, 200, id="a precondition that holds"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_conditional_requests(ask, fields, status, method):
    url = f"http://{APACHE}{PAGE}"
    first, page = ask(url, Accept_Encoding="gzip")
    date = email.utils.parsedate_to_datetime(first.getheader("Last-Modified")).timestamp()
    known = {
        "tag": first.getheader("ETag"),
        "date": first.getheader("Last-Modified"),
        "before": email.utils.formatdate(date - 1, usegmt=True),
        "after": email.utils.formatdate(date + 1, usegmt=True),
        "asctime": time.asctime(time.gmtime(date)),
    }
    stated = {name: value.format(**known) for name, value in fields.items()}
    response, body = ask(url, method, Accept_Encoding="gzip", **stated)
    assert response.status == status
    assert body == (page if status == 200 and method == "GET" else b"")
    if status == 304:
        assert response.getheader("ETag") == known["tag"]
        assert {"Content-Length", "Content-Type", "Content-Encoding"}.isdisjoint(dict(response.getheaders()))
    assert ask(url)[0].status == 200  # the connection is still good


def test_a_tag_of_one_coding_does_not_stand_for_another(ask):
    tag = ask(f"http://{APACHE}{PAGE}", Accept_Encoding="gzip")[0].getheader("ETag")
    assert ask(f"http://{APACHE}{PAGE}", Accept_Encoding="br", If_None_Match=tag)[0].status == 200


@pytest.mark.parametrize("coding", CODINGS)
def test_each_coding_decodes_to_the_page_and_has_a_tag_of_its_own(ask, coding):
    plain, page = ask(f"http://{APACHE}{PAGE}", Accept_Encoding="identity")
    coded, body = ask(f"http://{APACHE}{PAGE}", Accept_Encoding=coding)
    assert DECODE[coding](body) == page
    assert coded.getheader("Content-Encoding", "identity") == coding
    assert coded.getheader("Vary") == "Accept-Encoding"
    assert (coded.getheader("ETag") == plain.getheader("ETag")) is (coding == "identity")


def test_a_client_that_likes_all_codings_sees_all_of_them(ask):
    used = Counter()
    for path, file in package_pages("apache2-doc").items():
        response, body = ask(f"http://{APACHE}/{quote(path)}", Accept_Encoding="gzip, deflate, br, zstd")
        coding = response.getheader("Content-Encoding")
        used[coding] += 1
        assert DECODE[coding](body) == file.read_bytes()
    assert set(used) == {"gzip", "deflate", "br", "zstd"}


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        pytest.param(None, ("identity",), id="no field: as it stands"),
        pytest.param("", ("identity",), id="an empty field: as it stands"),
        pytest.param("gzip", ("gzip",), id="a coding is better than none"),
        pytest.param("x-gzip", ("gzip",), id="the old name"),
        pytest.param("GZIP;q=0.5, br;q=0.9", ("br",), id="the heavier weight"),
        pytest.param("gzip;q=0.5, identity", ("identity",), id="identity may be liked best"),
        pytest.param("*", ("br", "gzip", "zstd", "deflate"), id="a star stands for all codings"),
        pytest.param("gzip, *;q=0", ("gzip",), id="a star may refuse the rest"),
        pytest.param("br;q=0, gzip;q=0", ("identity",), id="refused codings"),
        pytest.param("unknown", ("identity",), id="an unknown coding"),
        pytest.param("identity;q=0", (), id="nothing is left"),
        pytest.param("*;q=0", (), id="a star refuses identity too"),
    ],
)
def test_what_a_client_accepts(accept, expected):
    assert acceptable(accept) == expected


@given(st.dictionaries(st.sampled_from(CODINGS), st.sampled_from(["0", "0.0", "0.5", "1"])), st.integers(0))
def test_no_coding_is_chosen_that_the_client_refuses(weights, turn):
    coding = chosen_coding(", ".join(f"{name};q={q}" for name, q in weights.items()), turn)
    if coding is not None:
        assert float(weights.get(coding, 1)) > 0
    else:
        assert float(weights["identity"]) == 0


@given(st.binary(max_size=4096), st.sampled_from(CODINGS))
def test_coded_bytes_decode_and_are_the_same_each_time(data, coding):
    assert DECODE[coding](encode(data, coding)) == data
    assert encode(data, coding) == encode(data, coding)


def test_a_client_that_refuses_every_coding_gets_none(ask):
    assert ask(f"http://{APACHE}{PAGE}", Accept_Encoding="identity;q=0")[0].status == 406


class Held(asyncio.Transport):
    """A transport that notes what is written."""

    def __init__(self):
        super().__init__()
        self.written = b""

    def write(self, data):
        self.written += data

    def is_closing(self):
        return False


def test_a_client_that_does_not_read_is_answered_when_it_does(site):
    """Many requests at once and no reading: each answer waits until the ones before are sent."""
    one = b"GET /robots.txt HTTP/1.1\r\nHost: apache.example\r\n\r\n"

    async def counts():
        connection, transport = Connection(site.respond), Held()
        connection.connection_made(transport)
        connection.data_received(one)
        yield transport.written.count(b"HTTP/1.1 200")
        connection.pause_writing()
        connection.data_received(one * 9)
        yield transport.written.count(b"HTTP/1.1 200")
        connection.resume_writing()
        yield transport.written.count(b"HTTP/1.1 200")
        connection.connection_lost(None)

    async def collected():
        return [count async for count in counts()]

    assert asyncio.run(collected()) == [1, 1, 10]
