"""The index of a crawl: keys that sort by site, and lines that lead any reader to the very record."""

import io
import json
import re

import pytest
from fastwarc.warc import ArchiveIterator as FastIterator
from hypothesis import example, given
from hypothesis import strategies as st
from test_crawl_warc import CASES, INFO, URL, exchange
from warcio.archiveiterator import ArchiveIterator

from pipelines.crawl.cdxj import CdxLine, decode_lines, encode_lines, surt
from pipelines.crawl.warc import Capture, write_captures

NAME = "part-00000-01234567.warc.gz"


@pytest.mark.parametrize(
    ("url", "key"),
    [
        pytest.param("http://example.com/", "com,example)/", id="a host is turned round"),
        pytest.param("https://example.com/", "com,example)/", id="the scheme makes no difference"),
        pytest.param("http://www.archive.org/", "org,archive)/", id="www does not"),
        pytest.param("http://www2.example.com/x/", "com,example)/x", id="nor does its number, nor a last slash"),
        pytest.param("http://wwwx.example.com/", "com,example,wwwx)/", id="a name that begins like www stays"),
        pytest.param("http://www.com/", "com)/", id="www is dropped even from a short name"),
        pytest.param("http://www1.www2.com/", "com,www2)/", id="and only once"),
        pytest.param("http://e.www.example/", "example,www,e)/", id="www elsewhere in a name stays"),
        pytest.param("https://example.com:8080/A/B?b=2&a=1", "com,example:8080)/a/b?a=1&b=2", id="a port stays"),
        pytest.param("http://e.example/a?x&y=1&x=", "example,e)/a?x&x=&y=1", id="parameters are sorted"),
        pytest.param("http://e.example/?", "example,e)/", id="an empty query is none"),
        pytest.param("http://e.example//a//b", "example,e)/a/b", id="slashes are one slash"),
        pytest.param("http://1.2.3.4/a", "4,3,2,1)/a", id="an address of version 4"),
        pytest.param("http://[2001:db8::1]:8080/a", "2001:db8::1:8080)/a", id="an address of version 6"),
        pytest.param("http://xn--wgv71a119e.jp/", "jp,xn--wgv71a119e)/", id="a Japanese domain"),
        pytest.param(URL, "example,a)/%e6%97%a5%e6%9c%ac%e8%aa%9e?q=%e6%9c%ac", id="a Japanese path"),
    ],
)
def test_the_key_of_a_url_is_the_one_that_archives_use(url: str, key: str):
    assert surt(url) == key


labels = st.from_regex(r"[a-v][a-z0-9-]{0,8}", fullmatch=True)


@given(st.lists(labels, min_size=2, max_size=4), st.lists(labels, max_size=4), st.lists(labels, max_size=3))
def test_what_makes_no_other_page_makes_no_other_key(host, path, query):
    name, rest = ".".join(host), "/".join(path)
    key = surt(f"http://{name}/{rest}?{'&'.join(query)}")
    again = surt(f"https://www.{name.upper()}:443/{rest.upper()}/?{'&'.join(reversed(query))}")
    assert again == key and " " not in key


@example(CdxLine("k", "1" * 14, "\x85\u2028", "text/html", 200, "", 0, 1), 0)  # ends a line for str.splitlines
@given(
    st.builds(
        CdxLine,
        key=st.from_regex(r"[!-~]{1,20}", fullmatch=True),
        timestamp=st.from_regex(r"[0-9]{14}", fullmatch=True),
        url=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30),
        mime=st.just("text/html"),
        status=st.integers(0, 999),
        digest=st.sampled_from(["", "sha256:ABC===="]),
        offset=st.integers(0, 1 << 40),
        length=st.integers(0, 1 << 40),
        truncated=st.sampled_from(["", "length"]),
    ),
    st.integers(0, 1 << 40),
)
def test_a_line_is_read_as_it_was_written(line: CdxLine, shift: int):
    read, name = CdxLine.parse(line.text(NAME, shift))
    assert name == NAME and read.offset == line.offset + shift
    assert CdxLine.parse(line.text(""))[0] == line
    assert decode_lines(encode_lines([line.text("")] * 2)) == [line, line]


def test_lines_lie_in_the_order_of_their_bytes():
    texts = ["b)/ 2", "b)/ 1", "\U00010000)/ 1", "\uff21)/ 1", "B)/ 1"]
    lines = encode_lines(texts).split(b"\n")
    assert lines.pop() == b""
    assert lines == sorted(text.encode() for text in texts) and len(lines) == 5


def test_a_line_holds_strings_by_the_names_that_other_tools_read():
    _, (line,) = write_captures([Capture(exchange(), "kept")], INFO)
    key, timestamp, body = line.text(NAME, 1000).split(" ", 2)
    fields = json.loads(body)
    assert (key, timestamp) == (surt(URL), "20260921141320")
    assert fields["offset"] == str(line.offset + 1000) and fields["length"] == str(line.length)
    assert re.fullmatch(r"sha256:[A-Z2-7]{52}====", fields["digest"])
    del fields["offset"], fields["length"], fields["digest"]
    assert fields == {"url": URL, "mime": "text/html", "status": "200", "filename": NAME}


@pytest.mark.parametrize(
    ("name", "mime", "truncated"),
    [
        pytest.param("an image", "image/jpeg", "", id="the declared type"),
        pytest.param("no header field but the status line", "unk", "", id="no type is declared"),
        pytest.param("a body that was cut at our limit", "text/html", "length", id="a cut body"),
        pytest.param("not modified since an earlier visit", "warc/revisit", "", id="a revisit by 304"),
        pytest.param("the same bytes as earlier", "warc/revisit", "", id="a revisit by digest is not a cut body"),
    ],
)
def test_a_line_says_what_the_record_holds(name: str, mime: str, truncated: str):
    _, (line,) = write_captures([CASES[name][0]], INFO)
    assert (line.mime, line.truncated) == (mime, truncated)


def test_every_line_leads_both_readers_to_its_record():
    data, lines = write_captures([capture for capture, _ in CASES.values()], INFO)
    expected = [capture for capture, types in CASES.values() if {"response", "revisit"} & set(types)]
    assert len(lines) == len(expected) > 10
    for line, capture in zip(lines, expected, strict=True):
        member = data[line.offset : line.offset + line.length]
        (record,) = ArchiveIterator(io.BytesIO(member))
        fast = next(FastIterator(io.BytesIO(member), parse_http=False))
        assert record.rec_headers.get_header("WARC-Record-ID") == fast.record_id
        assert record.rec_type == ("revisit" if line.mime == "warc/revisit" else "response")
        assert record.rec_headers.get_header("WARC-Payload-Digest") == (line.digest or None)
        assert record.http_headers.get_statuscode() == str(capture.exchange.status) == str(line.status)
        assert fast.reader.read().endswith(b"" if capture.is_revisit else capture.exchange.body)


def test_offsets_and_lengths_are_those_that_warcio_measures():
    data, lines = write_captures([capture for capture, _ in CASES.values()], INFO)
    measured = []
    records = ArchiveIterator(io.BytesIO(data))
    for record in records:
        if record.rec_type in ("response", "revisit"):
            measured.append((records.get_record_offset(), records.get_record_length()))
    assert [(line.offset, line.length) for line in lines] == measured
