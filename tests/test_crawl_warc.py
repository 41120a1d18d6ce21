"""The crawl's WARC records.

Two readers that share no code find every record, every byte and every digest; what an owner refuses is not there.
"""

import base64
import gzip
import hashlib
import io
import json
import re
import tracemalloc
import zlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import brotli
import corpora
import pytest
from corpora import read_bytes
from fastwarc.warc import ArchiveIterator as FastIterator
from fastwarc.warc import WarcRecordType
from hypothesis import given
from hypothesis import strategies as st
from warcio.archiveiterator import ArchiveIterator

from pipelines.crawl.warc import Capture, warc_date, warcinfo_id, warcinfo_member, write_captures
from pipelines.fetch.exchange import Exchange

INFO = {"date": "2026-01-01T00:00:00Z", "software": "corpusmill/0.1.0", "operator": "https://contact.example/"}
URL = "http://a.example/%E6%97%A5%E6%9C%AC%E8%AA%9E?q=%E6%9C%AC"
HTML = "<html><title>日本語</title><p>さくら".encode()
STARTED_S = 1_790_000_000.25  # 2026-09-21T14:13:20.25Z
EARLIER = ("http://a.example/old", "2026-01-01T00:00:00.000000Z")


def exchange(
    body: bytes = HTML,
    fields: tuple[tuple[str, str], ...] = (("Content-Type", "text/html; charset=utf-8"),),
    status: int = 200,
    **others: Any,
) -> Exchange:
    """An exchange as the fetcher gives it; header values are Latin-1."""
    head = f"HTTP/1.1 {status} Reason\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields) + "\r\n"
    given_ = {
        "url": URL,
        "request_head": b"GET / HTTP/1.1\r\nHost: a.example\r\nUser-Agent: corpusmill/0.1.0 (+x@y.example)\r\n\r\n",
        "response_head": head.encode("latin-1"),
        "headers": tuple((name.lower(), value) for name, value in fields),
        "payload": body,
        "ip": "192.0.2.7",
        "started_s": STARTED_S,
        "ended_s": STARTED_S + 0.125,
    }
    return Exchange(status=status, body=body, **{**given_, **others})


TYPE = ("Content-Type", "text/html")
GZIPPED = gzip.compress(HTML, mtime=0)
CODED = exchange(GZIPPED, (TYPE, ("Content-Encoding", "gzip")), payload=HTML)
BROTLI = exchange(brotli.compress(HTML), (TYPE, ("Content-Encoding", "br")), payload=HTML)
CUT = exchange(HTML[:20], (TYPE, ("Content-Length", "4000")), truncated="length")
LOST = exchange(HTML[:20], (TYPE, ("Content-Length", "4000")), truncated="disconnect")
LATIN = exchange(HTML, (TYPE, ("X-Name", "Bj\xf6rk \xff\x80"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")))
MOVED = exchange(b"", (("Location", "/new"), ("Content-Length", "0")), status=301)
SAME = exchange(b"", (("ETag", '"x"'),), status=304)
NOAI = exchange(HTML, (TYPE, ("X-Robots-Tag", "noai, max-image-preview:large")))

WHOLE, ALONE = ["request", "response", "metadata"], ["metadata"]
AGAIN = ["request", "revisit", "metadata"]
CASES = {
    "a page is asked for, answered and described": (Capture(exchange(), "kept"), WHOLE),
    "a gzip-coded body stays coded": (Capture(CODED, "kept"), WHOLE),
    "a br-coded body stays coded": (Capture(BROTLI, "kept"), WHOLE),
    "an empty body": (Capture(exchange(b""), "kept"), WHOLE),
    "a body of 3 MB": (Capture(exchange(HTML * 50_000), "kept"), WHOLE),
    "an image": (Capture(exchange(b"\xff\xd8" * 999, (("Content-Type", "image/jpeg"),)), "kept"), WHOLE),
    "no header field but the status line": (Capture(exchange(HTML, ()), "kept"), WHOLE),
    "a body that was cut at our limit": (Capture(CUT, "kept"), WHOLE),
    "a body whose connection was lost": (Capture(LOST, "failed", "disconnected"), WHOLE),
    "bytes in the head that are no ASCII": (Capture(LATIN, "kept"), WHOLE),
    "an address of version 6": (Capture(exchange(ip="2001:db8::7"), "kept"), WHOLE),
    "no address at all": (Capture(exchange(ip=""), "kept"), WHOLE),
    "a redirect": (Capture(MOVED, "redirected"), WHOLE),
    "a page that is not found": (Capture(exchange(HTML, status=404), "failed", "client_error"), WHOLE),
    "nothing came back": (Capture(exchange(b"", status=0, response_head=b""), "failed"), ["request", "metadata"]),
    "not modified since an earlier visit": (Capture(SAME, "unchanged", revisit_of=EARLIER), AGAIN),
    "not modified, and nobody knows since when": (Capture(SAME, "unchanged"), AGAIN),
    "the same bytes as earlier": (Capture(exchange(), "unchanged", revisit_of=EARLIER), AGAIN),
    "its owner refuses": (Capture(NOAI, "refused", "noai", policy=("x-robots-tag: noai",)), ALONE),
}
every_case = pytest.mark.parametrize(("capture", "types"), CASES.values(), ids=CASES)


class Record(NamedTuple):
    type: str
    fields: dict[str, str]
    block: bytes


def by_warcio(data: bytes) -> Iterator[Record]:
    """Read blocks untouched, then again with every digest held against the bytes."""
    for record in ArchiveIterator(io.BytesIO(data), no_record_parse=True):
        yield Record(record.rec_type, dict(record.rec_headers.headers), record.raw_stream.read())
    for record in ArchiveIterator(io.BytesIO(data), check_digests="raise"):
        record.raw_stream.read()
        assert record.digest_checker.passed or record.rec_type == "revisit"


def by_fastwarc(data: bytes) -> Iterator[Record]:
    for record in FastIterator(io.BytesIO(data), parse_http=False):
        assert record.verify_block_digest()
        yield Record(record.headers["WARC-Type"], record.headers.to_dict(), record.reader.read())
    for record in FastIterator(io.BytesIO(data), parse_http=True):
        if record.record_type == WarcRecordType.response:
            assert record.verify_payload_digest()


def records(*captures: Capture) -> list[Record]:
    """What both readers find."""
    data, _ = write_captures(captures, INFO)
    found = list(by_warcio(data))
    assert list(by_fastwarc(data)) == found
    return found


def one(kind: str, capture: Capture) -> Record:
    (record,) = [record for record in records(capture) if record.type == kind]
    return record


def described(capture: Capture) -> list[tuple[str, str]]:
    """The fields of the metadata record, in order."""
    lines = one("metadata", capture).block.decode().split("\r\n")
    assert lines.pop() == ""
    return [tuple(line.split(": ", 1)) for line in lines]


# ---- every record, byte for byte


@every_case
def test_both_readers_find_the_records_and_their_bytes(capture: Capture, types: list[str]):
    found = records(capture)
    sent = capture.exchange
    blocks = {
        "request": sent.request_head,
        "response": sent.response_head + sent.body,
        "revisit": sent.response_head,
    }
    assert [record.type for record in found] == types
    assert all(record.block == blocks[record.type] for record in found if record.type != "metadata")


@every_case
def test_every_record_says_what_when_whence_and_of_which_crawl(capture: Capture, types: list[str]):
    for record in records(capture):
        assert record.fields["WARC-Target-URI"] == URL
        assert record.fields["WARC-Date"] == "2026-09-21T14:13:20.250000Z"
        assert record.fields.get("WARC-IP-Address", "") == capture.exchange.ip
        assert record.fields["WARC-Warcinfo-ID"] == warcinfo_id(INFO)
        assert record.fields["Content-Length"] == str(len(record.block))


@every_case
def test_the_records_of_a_capture_name_each_other(capture: Capture, types: list[str]):
    found = records(capture)
    answers = [record for record in found if record.type in ("response", "revisit")]
    target = (answers or found)[0].fields["WARC-Record-ID"]
    for record in found:
        expected = None if record.fields["WARC-Record-ID"] == target else target
        assert record.fields.get("WARC-Concurrent-To") == expected


@every_case
def test_every_record_is_a_gzip_member_without_a_time(capture: Capture, types: list[str]):
    data, _ = write_captures([capture, capture], INFO)
    members = []
    while data:
        assert data[:4] == b"\x1f\x8b\x08\x00" and data[4:8] == bytes(4)
        inflater = zlib.decompressobj(31)
        members.append(inflater.decompress(data))
        data = inflater.unused_data
    assert len(members) == 2 * len(types)
    assert all(member.startswith(b"WARC/1.1\r\nWARC-Type: ") and member.endswith(b"\r\n\r\n") for member in members)


def test_many_captures_are_read_in_their_order():
    found = records(*[capture for capture, _ in CASES.values()])
    assert [record.type for record in found] == [kind for _, types in CASES.values() for kind in types]


def test_real_pages_come_back():
    pages = corpora.pages("installation-guide-amd64")[::15]
    captures = [
        Capture(exchange(body, url=f"http://guide.example/{number}", started_s=STARTED_S + number), "kept")
        for number, (_, body) in enumerate(pages)
    ]
    found = [record for record in records(*captures) if record.type == "response"]
    assert [record.block.split(b"\r\n\r\n", 1)[1] for record in found] == [body for _, body in pages]
    assert len(found) > 100


tokens = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,12}", fullmatch=True)
values = st.text(st.characters(min_codepoint=0x21, max_codepoint=0xFF, exclude_characters="\x7f\x85\xa0"), max_size=40)
names = tokens.filter(lambda name: name.lower() not in ("transfer-encoding", "content-encoding"))


@given(
    body=st.binary(max_size=300),
    fields=st.lists(st.tuples(names, values), max_size=6),
    status=st.integers(200, 599),
    texts=st.lists(st.text(max_size=30), min_size=3, max_size=3),
    truncated=st.sampled_from([None, "length", "time", "disconnect"]),
    state=st.sampled_from(["kept", "failed", "redirected", "unchanged", "refused"]),
)
def test_any_exchange_is_read_as_it_was_sent(body, fields, status, texts, truncated, state):
    sent = exchange(body, tuple(fields), status=status, truncated=truncated)
    capture = Capture(sent, state, policy=texts[:1], referrer=texts[1], caption=texts[2], verdict={"said": texts})
    for record in records(capture):
        assert record.type == "metadata" or record.block in (
            sent.request_head,
            sent.response_head,
            sent.response_head + body,
        )
    assert dict(described(capture))["state"] == state
    assert json.loads(dict(described(capture))["verdict"]) == {"said": texts}


# ---- what the fields say


@pytest.mark.parametrize(
    ("capture", "truncated"),
    [
        pytest.param(Capture(exchange(), "kept"), None, id="a whole body is not truncated"),
        pytest.param(Capture(CUT, "kept"), "length", id="our limit"),
        pytest.param(Capture(LOST, "failed"), "disconnect", id="a lost connection"),
        pytest.param(Capture(replace(CUT, truncated="time"), "failed"), "time", id="our patience"),
    ],
)
def test_a_response_says_why_it_is_cut(capture: Capture, truncated: str | None):
    assert one("response", capture).fields.get("WARC-Truncated") == truncated


def test_the_payload_digest_is_of_the_body_as_sent():
    expected = "sha256:" + base64.b32encode(hashlib.sha256(GZIPPED).digest()).decode()
    assert one("response", Capture(CODED, "kept")).fields["WARC-Payload-Digest"] == expected


def test_a_media_type_that_was_looked_into_is_stated_apart_from_the_declared_one():
    fields = one("response", Capture(exchange(), "kept", media_type="application/xhtml+xml")).fields
    assert fields["WARC-Identified-Payload-Type"] == "application/xhtml+xml"
    for media_type in (None, "text/html"):
        fields = one("response", Capture(exchange(), "kept", media_type=media_type)).fields
        assert "WARC-Identified-Payload-Type" not in fields


def test_a_revisit_that_the_server_asserts_refers_to_the_record_before():
    fields = one("revisit", Capture(SAME, "unchanged", revisit_of=EARLIER)).fields
    assert fields["WARC-Profile"] == "http://netpreserve.org/warc/1.1/revisit/server-not-modified"
    assert (fields["WARC-Refers-To-Target-URI"], fields["WARC-Refers-To-Date"]) == EARLIER
    assert "WARC-Truncated" not in fields and "WARC-Payload-Digest" not in fields


def test_a_revisit_that_we_found_has_the_digest_and_leaves_the_payload_out():
    first = one("response", Capture(exchange(), "kept")).fields
    again = one(
        "revisit", Capture(exchange(started_s=STARTED_S + 9), "unchanged", revisit_of=(URL, first["WARC-Date"]))
    )
    assert again.fields["WARC-Profile"] == "http://netpreserve.org/warc/1.1/revisit/identical-payload-digest"
    assert again.fields["WARC-Payload-Digest"] == first["WARC-Payload-Digest"]
    assert again.fields["WARC-Truncated"] == "length"  # ISO 28500, 6.7.2
    assert again.fields["WARC-Refers-To-Date"] == first["WARC-Date"] == warc_date(STARTED_S)


def test_the_metadata_record_tells_how_we_came_and_what_it_came_to():
    capture = Capture(
        exchange(),
        "kept",
        verdict={"noai": False, "行": "訓練"},
        policy=("x-robots-tag: nofollow", "content-usage: train-ai=y"),
        robots_digest=b"\xab" * 32,
        referrer="http://a.example/from",
        caption="桜の写真",
        media_type="text/html",
    )
    assert described(capture) == [
        ("via", "http://a.example/from"),
        ("fetchTimeMs", "125"),
        ("state", "kept"),
        ("http-status", "200"),
        ("media-type", "text/html"),
        ("caption", "桜の写真"),
        ("robots-sha256", "ab" * 32),
        ("policy", "x-robots-tag: nofollow"),
        ("policy", "content-usage: train-ai=y"),
        ("verdict", '{"noai": false, "行": "訓練"}'),
    ]


def test_nothing_of_a_refused_page_is_stored_but_what_its_owner_said():
    capture = Capture(NOAI, "refused", "noai", {"refused": "noai"}, ("x-robots-tag: noai, max-image-preview:large",))
    data, lines = write_captures([capture], INFO)
    stored = gzip.decompress(data)
    assert lines == []
    assert not any(secret in stored for secret in (HTML, "さくら".encode(), NOAI.response_head, NOAI.request_head))
    said = dict(described(capture))
    assert said["policy"] == "x-robots-tag: noai, max-image-preview:large"
    assert (said["state"], said["reason"], said["verdict"]) == ("refused", "noai", '{"refused": "noai"}')


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r", "\0\r\n\r\n"])
def test_no_text_from_outside_ends_a_header_line(end: str):
    evil = f"a{end}WARC-Type: warcinfo{end}{end}b"
    capture = Capture(
        exchange(ip=evil), "kept", evil, policy=[evil], referrer=evil, caption=evil, media_type=evil, revisit_of=None
    )
    again = replace(capture, revisit_of=(evil, evil))
    found = records(capture, again)
    assert [record.type for record in found] == [*WHOLE, *AGAIN]
    for record in found:
        assert record.type != "metadata" or b"\nWARC-Type" not in record.block


def test_a_lone_surrogate_is_written_as_an_escape():
    assert ("caption", "a\\udce9b") in described(Capture(exchange(), "kept", caption="a\udce9b"))
    assert json.loads(dict(described(Capture(exchange(), "kept", verdict={"a": "\udce9"})))["verdict"]) == {
        "a": "\udce9"
    }


# ---- ids


def test_the_same_captures_give_the_same_bytes():
    captures = [capture for capture, _ in CASES.values()]
    assert write_captures(captures, INFO) == write_captures(iter(captures), dict(INFO))


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(exchange(url="http://b.example/"), id="another URL"),
        pytest.param(exchange(started_s=STARTED_S + 1e-6), id="a microsecond later"),
        pytest.param(exchange(HTML + b" "), id="another body"),
    ],
)
def test_record_ids_are_unique_and_differ_with(other: Exchange):
    found = records(Capture(exchange(), "kept"), Capture(other, "kept"))
    responses = {record.fields["WARC-Record-ID"] for record in found if record.type == "response"}
    assert len(responses) == 2
    assert len({record.fields["WARC-Record-ID"] for record in found[:3]}) == 3
    assert all(re.fullmatch(r"<urn:uuid:[0-9a-f-]{36}>", record_id) for record_id in responses)


# ---- the record that opens a file


def test_the_warcinfo_record_holds_the_fields_in_order():
    data = warcinfo_member(INFO)
    (record,) = by_warcio(data)
    assert list(by_fastwarc(data)) == [record]
    assert record.type == "warcinfo" and record.fields["WARC-Date"] == INFO["date"]
    assert record.fields["WARC-Record-ID"] == warcinfo_id(INFO)
    expected = "format: WARC File Format 1.1\r\nsoftware: corpusmill/0.1.0\r\noperator: https://contact.example/\r\n"
    assert record.block.decode() == expected


def test_a_crawl_without_a_date_is_refused_before_anything_is_written():
    with pytest.raises(ValueError, match="date"):
        write_captures([Capture(exchange(), "kept")], {"software": "x"})


# ---- cost


def test_a_large_body_is_not_copied_on_its_way():
    body = hashlib.shake_256(b"x").digest(32 << 20)
    capture = Capture(exchange(body, (("Content-Type", "video/mp4"),)), "kept")
    write_captures([Capture(exchange(), "kept")], INFO)  # imports what it needs
    tracemalloc.start()
    try:
        data, _ = write_captures([capture], INFO)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(body) < len(data) < 1.001 * len(body)
    assert peak < 1.3 * len(data)  # what is given back, and room to grow


# ---- our own reader


def test_our_reader_takes_the_responses_decoded_with_charset_policy_and_date():
    japanese = "<p>日本語".encode("euc-jp")
    fields = (("Content-Type", "text/html; charset=EUC-JP"), ("X-Robots-Tag", "otherbot: noai"))
    captures = [
        Capture(exchange(japanese, fields), "kept"),
        Capture(replace(CODED, url="http://a.example/gz"), "kept"),
        Capture(replace(BROTLI, url="http://a.example/br"), "kept"),
    ]
    rows = read_bytes("a.warc.gz", write_captures(captures, INFO)[0]).rows
    assert [row["payload"] for row in rows] == [japanese, HTML, HTML]
    assert [row["uri"] for row in rows] == [URL, "http://a.example/gz", "http://a.example/br"]
    assert (rows[0]["charset"], rows[0]["policy"]) == ("EUC-JP", "x-robots-tag: otherbot: noai")
    assert {f"{row['fetched_at']:%Y-%m-%dT%H:%M:%S.%f}" for row in rows} == {"2026-09-21T14:13:20.250000"}


def test_our_reader_accounts_for_everything_else():
    outcome = read_bytes("a.warc.gz", write_captures([capture for capture, _ in CASES.values()], INFO)[0])
    types = [kind for _, types in CASES.values() for kind in types]
    assert outcome.reasons.count("truncated_record") == 2
    assert outcome.skipped["warc_record_type"] == sum(kind != "response" for kind in types)
    assert outcome.events == len(types) and outcome.lost_bytes == 0
