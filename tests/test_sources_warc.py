"""WARC.

Every record is given on, skipped or quarantined, whatever the units, and whatever happened to the file.
"""

import gzip
import hashlib
import io
import random
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import brotli
import corpora
import pytest
import zstandard
from corpora import LIMITS, MemoryStore, Outcome, read_bytes
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from warcio.archiveiterator import ArchiveIterator
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from manifests.limits import MIB
from pipelines.sources import Unit, read_unit
from pipelines.sources.warc_frames import Frame, frames
from pipelines.sources.warc_gzip import GzipContainer
from pipelines.sources.warc_writer import Page, gzip_member, response_record, warc_records
from pipelines.sources.window import Window

DATE = "2026-01-01T00:00:00Z"
few = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@cache
def real_pages() -> tuple[Page, ...]:
    """A few real pages of several scripts, small ones and one of 100 KB, and bytes that do not compress."""
    chosen = [payload for _, payload in corpora.pages("installation-guide-amd64")[::160]]
    noise = random.Random(1).randbytes(5000)
    return tuple(Page(f"https://a.example/{i}", body) for i, body in enumerate([*chosen, noise, b"", b"\n\r\n" * 9]))


@cache
def records() -> tuple[bytes, ...]:
    return tuple(warc_records("a.warc", DATE, (("software", "test"),), real_pages()))


def stored(kind: str) -> tuple[bytes, ...]:
    """The records as they lie in a file: whole members, or plain."""
    return tuple(map(gzip_member, records())) if kind == ".gz" else records()


def spans(parts: tuple[bytes, ...]) -> list[tuple[int, int]]:
    ends = [sum(map(len, parts[: i + 1])) for i in range(len(parts))]
    return list(zip([0, *ends], ends, strict=False))


def content(outcome: Outcome) -> list[tuple[str, bytes]]:
    return [(row["uri"], row["payload"]) for row in outcome.rows]


def written() -> list[tuple[str, bytes]]:
    return [(page.uri, page.payload) for page in real_pages()]


# ---- real files, and readers that share no code


def of_warcio(path: Path) -> Iterator[tuple[str, bytes, str]]:
    with path.open("rb") as file:
        for record in ArchiveIterator(file):
            if record.rec_type == "response":
                body = record.content_stream().read()
                yield record.rec_headers.get_header("WARC-Target-URI"), body, record.rec_headers.get_header("WARC-Date")


def test_real_files_hold_what_warcio_reads(demo_warcs: list[Path]):
    for path in demo_warcs:
        outcome = read_bytes(path.name, path.read_bytes())
        ours = [(row["uri"], row["payload"], f"{row['fetched_at']:%Y-%m-%dT%H:%M:%SZ}") for row in outcome.rows]
        assert ours == list(of_warcio(path))
        assert [hashlib.sha256(row["payload"]).digest() for row in outcome.rows] == [
            row["digest"] for row in outcome.rows
        ]
        assert outcome.skipped == {"warc_record_type": 1} and not outcome.quarantined and not outcome.lost_bytes


def test_every_page_of_the_demo_is_read_with_the_type_its_server_sent(full_demo_warcs: list[Path], all_pages):
    types: Counter[str] = Counter()
    found: Counter[bytes] = Counter()
    for path in full_demo_warcs:
        outcome = read_bytes(path.name, path.read_bytes())
        types.update(row["media_type"] for row in outcome.rows)
        found.update(row["digest"] for row in outcome.rows)
    assert found == Counter(hashlib.sha256(payload).digest() for _, payload in all_pages)
    xhtml = sum(payload.startswith(b"<?xml") for _, payload in all_pages)
    assert types == {"application/xhtml+xml": xhtml, "text/html": len(all_pages) - xhtml}


def test_fastwarc_and_zlib_read_the_same_frames(demo_warcs: list[Path], monkeypatch: pytest.MonkeyPatch):
    def all_frames(path: Path) -> list[Frame]:
        size = path.stat().st_size
        with path.open("rb") as file:
            return list(frames(GzipContainer(Window(file, size), LIMITS), 0, size))

    fast = [all_frames(path) for path in demo_warcs[:5]]

    def nothing(_self: GzipContainer, position: int, _end: int) -> Iterator[Frame]:
        yield from ()
        return position

    monkeypatch.setattr(GzipContainer, "_fast", nothing)
    assert fast == [all_frames(path) for path in demo_warcs[:5]]


@pytest.mark.parametrize("packed", [True, False])
def test_files_of_another_writer_are_read(packed: bool, pages):
    file = io.BytesIO()
    writer = WARCWriter(file, gzip=packed)
    headers = StatusAndHeaders(
        "200 OK", [("Content-Type", "text/html"), ("X-Robots-Tag", "noindex")], protocol="HTTP/1.0"
    )
    bodies = [body for _, body in pages("apache2-doc")[::400]]
    writer.write_record(writer.create_warcinfo_record("a.warc.gz", {"software": "other"}))
    for i, body in enumerate(bodies):
        uri = f"https://a.example/{i}"
        response = writer.create_warc_record(uri, "response", payload=io.BytesIO(body), http_headers=headers)
        request = StatusAndHeaders("GET / HTTP/1.0", [("Host", "a.example")], is_http_request=True)
        writer.write_request_response_pair(writer.create_warc_record(uri, "request", http_headers=request), response)
    outcome = read_bytes("a.warc.gz" if packed else "a.warc", file.getvalue(), unit_bytes=50_000)
    assert outcome.payloads == bodies
    assert outcome.skipped == {"warc_record_type": 1 + len(bodies)} and not outcome.quarantined


# ---- units and cursors


@pytest.mark.parametrize("kind", ["", ".gz"])
@given(unit_bytes=st.integers(1, 60_000))
@example(unit_bytes=1000)
@few
def test_units_of_any_size_give_the_same_records(kind: str, unit_bytes: int):
    data = b"".join(stored(kind))
    outcome = read_bytes(f"a.warc{kind}", data, unit_bytes=max(unit_bytes, len(data) // 40))
    assert content(outcome) == written()
    assert outcome.skipped == {"warc_record_type": 1} and not outcome.quarantined
    starts = [start for start, _ in spans(stored(kind))][1:]
    assert [row["offset"] for row in outcome.rows] == starts


@pytest.mark.parametrize("kind", ["", ".gz"])
def test_every_cut_between_two_units_around_a_record_start_gives_the_same_records(kind: str):
    data = b"".join(stored(kind))
    for start, _ in spans(stored(kind))[1:4]:
        for at in (start - 1, start, start + 1, start + 5):
            units = [
                Unit(0, "in", f"a.warc{kind}", "warc", 0, at),
                Unit(1, "in", f"a.warc{kind}", "warc", at, len(data)),
            ]
            outcome = Outcome()
            for unit in units:
                for chunk in read_unit(MemoryStore({unit.uri: data}), unit, 0, LIMITS):
                    outcome.add(chunk)
            assert content(outcome) == written()


@pytest.mark.parametrize("kind", ["", ".gz"])
@given(rows=st.integers(1, 5), size=st.sampled_from([1, 3000, 8 * MIB]), damage=st.none() | st.integers(0, 100_000))
@few
def test_reading_again_from_a_cursor_gives_exactly_what_follows(kind: str, rows: int, size: int, damage: int | None):
    data = bytearray(b"".join(stored(kind)))
    if damage is not None:
        data[damage % len(data)] ^= 0x20
    store, limits = MemoryStore({"a.warc": bytes(data)}), replace(LIMITS, batch_rows=rows, batch_bytes=size)
    unit = Unit(0, "in", "a.warc", "warc", 0, len(data))
    chunks = list(read_unit(store, unit, 0, limits))
    assert all(chunk.batch.num_rows <= rows for chunk in chunks)
    assert all(
        chunk.batch.num_rows == 1 or sum(map(len, chunk.batch["payload"].to_pylist())) <= size for chunk in chunks
    )
    for i, chunk in enumerate(chunks):
        again = list(read_unit(store, unit, chunk.cursor, limits))
        assert again == chunks[i + 1 :]


def test_a_warc_that_is_the_payload_of_a_record_is_not_read_as_records(tmp_path: Path):
    inner = b"".join(map(gzip_member, records()))
    outer = [Page("https://a.example/before", b"<p>"), Page("https://a.example/inner.warc.gz", inner), *real_pages()]
    data = b"".join(gzip_member(response_record(page, DATE)) for page in outer)
    for unit_bytes in (len(inner) // 3, len(inner) // 2, len(data)):
        outcome = read_bytes("a.warc.gz", data, unit_bytes=unit_bytes)
        assert content(outcome) == [(page.uri, page.payload) for page in outer]


def test_a_page_about_the_format_is_not_read_as_records():
    example_record = b"WARC/1.0\r\nWARC-Type: response\r\nContent-Length: 99\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"
    pages = [Page(f"https://a.example/{i}", b"<pre>\r\n" + example_record * 20) for i in range(5)]
    data = b"".join(response_record(page, DATE) for page in pages)
    for unit_bytes in (500, 1000, len(data)):
        assert content(read_bytes("a.warc", data, unit_bytes=unit_bytes)) == [
            (page.uri, page.payload) for page in pages
        ]


@pytest.mark.parametrize("unit_bytes", [2000, 1 << 28])
def test_a_file_compressed_as_one_member_is_read_whole(unit_bytes: int):
    data = zlib.compress(b"".join(records()), 6, wbits=31)
    outcome = read_bytes("a.warc.gz", data, unit_bytes=unit_bytes)
    assert content(outcome) == written() and not outcome.quarantined


def test_a_member_larger_than_the_limit_is_read_record_by_record():
    limits = replace(LIMITS, max_record_bytes=200_000, max_header_bytes=1000)
    data = zlib.compress(b"".join(records() * 3), 6, wbits=31)
    assert len(records() * 3) > 3 and sum(map(len, records() * 3)) > 201_000
    outcome = read_bytes("a.warc.gz", data, limits=limits)
    assert content(outcome) == written() * 3 and not outcome.quarantined


# ---- damage


def untouched(parts: tuple[bytes, ...], touched: set[int]) -> list[tuple[str, bytes]]:
    return [page for i, page in enumerate(written(), 1) if i not in touched and i < len(parts)]


@given(
    flips=st.lists(st.tuples(st.floats(0, 0.999999), st.integers(0, 7)), min_size=1, max_size=4), units=st.booleans()
)
@few
def test_flipped_bits_cost_only_the_gzip_members_they_hit_and_these_are_counted(
    flips: list[tuple[float, int]], units: bool
):
    parts = stored(".gz")
    data = bytearray(b"".join(parts))
    touched = set()
    for at, bit in flips:
        position = int(at * len(data))
        data[position] ^= 1 << bit
        touched |= {i for i, (start, end) in enumerate(spans(parts)) if start <= position < end}
    outcome = read_bytes("a.warc.gz", bytes(data), unit_bytes=len(data) // 7 if units else len(data))
    found = content(outcome)
    assert [page for page in written() if page in found] == found, (
        "nothing altered, nothing twice, nothing out of order"
    )
    assert [page for page in untouched(parts, touched) if page not in found] == []
    lost_parts = [i for i in range(1, len(parts)) if written()[i - 1] not in found]
    info_lost = outcome.skipped["warc_record_type"] == 0
    assert outcome.lost_bytes == sum(len(parts[i]) for i in lost_parts) + info_lost * len(parts[0])


@pytest.mark.parametrize("kind", ["", ".gz"])
@given(at=st.floats(0, 1))
@few
def test_a_cut_file_gives_every_whole_record_and_names_the_cut_one(kind: str, at: float):
    parts = stored(kind)
    data = b"".join(parts)[: int(at * sum(map(len, parts)))]
    outcome = read_bytes(f"a.warc{kind}", data)
    found, read = content(outcome), len(outcome.rows) + outcome.skipped["warc_record_type"]
    assert found == written()[: len(found)]
    complete = sum(end <= len(data) for _, end in spans(parts))
    assert read == complete or (kind == "" and read == complete + 1), "the line ends behind a record may be cut off"
    begun = spans(parts)[read][0] if read < len(parts) else len(data)
    assert outcome.lost_bytes == max(0, len(data) - begun)
    assert outcome.reasons == (["damaged_container"] if not data else ["truncated_record"] * (len(data) > begun))


@pytest.mark.parametrize("kind", ["", ".gz"])
@given(first=st.floats(0, 1), length=st.integers(1, 30_000), filler=st.binary(max_size=300), units=st.booleans())
@few
def test_a_hole_or_garbage_in_the_middle_costs_only_what_it_touches(
    kind: str, first: float, length: int, filler: bytes, units: bool
):
    parts = stored(kind)
    whole = b"".join(parts)
    start = int(first * len(whole))
    stop = min(len(whole), start + length)
    data = whole[:start] + filler + whole[stop:]
    touched = {i for i, (begin, end) in enumerate(spans(parts)) if begin < max(stop, start + 1) and end > start}
    # a record whose stated length reaches exactly to the end of another one is whole, as far as anybody can see
    ends, moved = {end for _, end in spans(parts)}, stop - start - len(filler)
    assume(not any(i in touched and moved and end + moved in ends for i, (_, end) in enumerate(spans(parts))))
    outcome = read_bytes(f"a.warc{kind}", data, unit_bytes=max(1, len(data) // 5) if units else 1 << 28)
    found = content(outcome)
    assert [page for page in untouched(parts, touched) if page not in found] == []
    if kind == ".gz":
        assert [page for page in written() if page in found] == found
        kept = sum(len(part) for i, part in enumerate(parts) if i and written()[i - 1] in found)
        kept += outcome.skipped["warc_record_type"] * len(parts[0])
        assert outcome.lost_bytes == len(data) - kept


@given(
    flips=st.lists(st.tuples(st.floats(0, 0.999999), st.integers(0, 7)), min_size=1, max_size=4), units=st.booleans()
)
@few
def test_flipped_bits_in_a_plain_file_cost_only_the_records_they_hit(flips: list[tuple[float, int]], units: bool):
    parts = stored("")
    data = bytearray(b"".join(parts))
    touched = set()
    for at, bit in flips:
        position = int(at * len(data))
        data[position] ^= 1 << bit
        touched |= {i for i, (start, end) in enumerate(spans(parts)) if start <= position < end}
    outcome = read_bytes("a.warc", bytes(data), unit_bytes=len(data) // 7 if units else len(data))
    assert [page for page in untouched(parts, touched) if page not in content(outcome)] == []


def test_one_bad_member_costs_itself_and_no_other():
    parts = list(stored(".gz"))
    parts[2] = parts[2][:100] + bytes([parts[2][100] ^ 1]) + parts[2][101:]
    outcome = read_bytes("a.warc.gz", b"".join(parts))
    assert outcome.reasons == ["damaged_container"]
    assert outcome.lost_bytes == outcome.quarantined[0]["bytes"] == len(parts[2])
    assert outcome.quarantined[0]["offset"] == len(parts[0]) + len(parts[1])
    assert outcome.quarantined[0]["ordinal"] == 2


def test_a_plain_record_that_was_cut_does_not_swallow_the_next():
    parts = list(stored(""))
    parts[2] = parts[2][:-500]
    outcome = read_bytes("a.warc", b"".join(parts))
    assert content(outcome) == [page for i, page in enumerate(written(), 1) if i != 2]
    assert outcome.lost_bytes == len(parts[2])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"", "damaged_container", id="an empty file"),
        pytest.param(b"\0" * 5000, "damaged_container", id="zeros"),
        pytest.param(b"WARC/1.1\r\n", "truncated_record", id="a head that never ends"),
        pytest.param(b"<html>" * 1000, "damaged_container", id="a page with the wrong name"),
        pytest.param(gzip.compress(b"<html>" * 1000, mtime=0), "malformed_record", id="a compressed page"),
    ],
)
def test_a_file_that_is_no_warc_is_one_quarantined_span(data: bytes, reason: str):
    outcome = read_bytes("a.warc.gz", data)
    assert outcome.reasons == [reason]
    assert outcome.lost_bytes == len(data)


# ---- records


NOISE = random.Random(2).randbytes(17 * MIB)


def http(body: bytes, *headers: str, status: str = "200 OK", uri: str = "https://a.example/", warc: str = "") -> bytes:
    head = "".join(f"{line}\r\n" for line in (headers if headers else ("Content-Type: text/html",)))
    block = f"HTTP/1.1 {status}\r\n{head}\r\n".encode("latin-1") + body
    return record("response", block, "application/http; msgtype=response", uri, warc)


def record(kind: str, block: bytes, media_type: str, uri: str = "https://a.example/", warc: str = "") -> bytes:
    head = f"WARC/1.1\r\nWARC-Type: {kind}\r\nWARC-Target-URI: {uri}\r\nWARC-Date: {DATE}\r\n{warc}"
    return f"{head}Content-Type: {media_type}\r\nContent-Length: {len(block)}\r\n\r\n".encode() + block + b"\r\n\r\n"


def read_record(data: bytes, **options: object) -> Outcome:
    """Read one record both plain and compressed: the same comes of it."""
    plain, packed = read_bytes("a.warc", data, **options), read_bytes("a.warc.gz", gzip_member(data), **options)
    assert plain.rows == packed.rows and plain.skipped == packed.skipped and plain.reasons == packed.reasons
    return plain


@pytest.mark.parametrize(
    ("data", "skipped"),
    [
        pytest.param(
            record("request", b"GET / HTTP/1.1\r\n\r\n", "application/http"), "warc_record_type", id="request"
        ),
        pytest.param(record("metadata", b"a: b", "application/warc-fields"), "warc_record_type", id="metadata"),
        pytest.param(record("revisit", b"", "application/http"), "warc_record_type", id="revisit"),
        pytest.param(http(b"<p>", status="404 Not Found"), "http_status", id="an error page"),
        pytest.param(http(b"", status="301 Moved"), "http_status", id="a redirect"),
        pytest.param(http(b"\x89PNG", "Content-Type: image/png"), "media_type", id="an image"),
    ],
)
def test_what_is_no_record_of_this_job_is_counted_by_kind(data: bytes, skipped: str):
    outcome = read_record(data)
    assert outcome.skipped == {skipped: 1} and not outcome.rows and not outcome.quarantined


@pytest.mark.parametrize(
    ("headers", "media_type", "charset"),
    [
        pytest.param(("Content-Type: text/html",), "text/html", None, id="no charset"),
        pytest.param(('content-type:TEXT/HTML;Charset="EUC-JP"; x=y',), "text/html", "EUC-JP", id="quoted, odd case"),
        pytest.param(("Content-Type: text/html", "Content-Type: image/png"), "text/html", None, id="the first counts"),
        pytest.param(("Content-Type: text/html;", " charset=utf-8"), "text/html", "utf-8", id="a folded line"),
        pytest.param(("Content-Type: html",), None, None, id="no media type at all is null"),
        pytest.param(("Server: x",), None, None, id="undeclared is null"),
        pytest.param(
            ("Content-Type: application/xhtml+xml; charset=utf-8",), "application/xhtml+xml", "utf-8", id="XHTML"
        ),
    ],
)
def test_type_and_charset_are_those_that_the_server_declared(headers: tuple[str, ...], media_type: str, charset: str):
    (row,) = read_record(http(b"<p>", *headers)).rows
    assert (row["media_type"], row["charset"]) == (media_type, charset)


def test_the_crawler_names_the_type_where_the_server_did_not():
    data = http(b"<p>", "Server: x", warc="WARC-Identified-Payload-Type: text/html\r\n")
    assert read_record(data).rows[0]["media_type"] == "text/html"


def test_an_extract_is_plain_text():
    data = record("conversion", "Größe".encode(), "text/plain")
    (row,) = read_bytes("CC-MAIN.warc.wet.gz", gzip_member(data)).rows
    assert (row["payload"].decode(), row["media_type"], row["uri"]) == ("Größe", "text/plain", "https://a.example/")


def test_what_the_owner_says_about_use_is_kept_line_by_line():
    headers = ("Content-Type: text/html", "X-Robots-Tag: noai", "x-robots-tag: otherbot: noindex", "TDM-Reservation: 1")
    (row,) = read_record(http(b"<p>", *headers)).rows
    assert row["policy"].split("\n") == ["x-robots-tag: noai", "x-robots-tag: otherbot: noindex", "tdm-reservation: 1"]


def test_a_uri_in_angle_brackets_is_the_uri():
    assert read_record(http(b"<p>", uri="<https://a.example/x>")).rows[0]["uri"] == "https://a.example/x"


def test_a_uri_that_is_no_utf8_is_latin_1_wherever_its_record_stands():
    odd = http(b"<p>").replace(b"https://a.example/", b"https://a.example/\xe9")
    for name, part in (("a.warc", odd), ("a.warc.gz", gzip_member(odd))):
        assert [row["uri"] for row in read_bytes(name, part * 3).rows] == ["https://a.example/é"] * 3


@pytest.mark.parametrize(
    ("date", "micros"),
    [
        ("2026-01-01T00:00:00Z", 0),
        ("2026-01-01T00:00:00.123456789Z", 123456),
        ("2026-01", 0),
        ("2026-13-01T00:00:00Z", None),
        ("yesterday", None),
    ],
)
def test_dates(date: str, micros: int | None):
    (row,) = read_record(http(b"<p>").replace(DATE.encode(), date.encode())).rows
    at = row["fetched_at"]
    assert (None if at is None else (at.year, at.month, at.microsecond)) == (
        None if micros is None else (2026, 1, micros)
    )


BODY = "<p>Die Größe der Wörter</p>".encode() * 50
CODED = {
    "gzip": gzip.compress(BODY),
    "deflate": zlib.compress(BODY),
    "raw deflate": zlib.compress(BODY, wbits=-15),
    "br": brotli.compress(BODY),
    "zstd": zstandard.compress(BODY),
}
CHUNKED = b"5\r\n<p>Di\r\n" + f"{len(BODY) - 6:X};ext=1\r\n".encode() + BODY[6:] + b"\r\n0\r\n\r\n"


def chunked(body: bytes) -> bytes:
    half = len(body) // 2
    return b"".join(f"{len(p):x}\r\n".encode() + p + b"\r\n" for p in (body[:half], body[half:])) + b"0\r\n\r\n"


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        *(pytest.param(body, (f"Content-Encoding: {name.split()[-1]}",), id=name) for name, body in CODED.items()),
        pytest.param(chunked(BODY), ("Transfer-Encoding: chunked",), id="chunked"),
        pytest.param(chunked(CODED["br"]), ("Transfer-Encoding: chunked", "Content-Encoding: br"), id="br in chunks"),
        pytest.param(gzip.compress(CODED["gzip"]), ("Content-Encoding: gzip, gzip",), id="gzip twice"),
        pytest.param(CODED["gzip"] + b"junk", ("Content-Encoding: x-gzip",), id="bytes behind the member"),
        pytest.param(BODY, ("Content-Encoding: gzip",), id="gzip that the crawler has undone"),
        pytest.param(BODY, ("Content-Encoding: br",), id="br that the crawler has undone"),
        pytest.param(BODY, ("Content-Encoding: deflate",), id="deflate that the crawler has undone"),
        pytest.param(BODY, ("Transfer-Encoding: chunked",), id="chunks that the crawler has undone"),
        pytest.param(BODY, ("Content-Encoding: utf-8",), id="a charset where the coding should stand"),
    ],
)
def test_codings_are_undone(body: bytes, headers: tuple[str, ...]):
    outcome = read_record(http(body, "Content-Type: text/html", *headers))
    assert outcome.payloads == [BODY], outcome.quarantined


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(http(CODED["gzip"][:-20], "Content-Encoding: gzip"), "damaged_coding", id="gzip that ends early"),
        pytest.param(http(CODED["br"][:-20], "Content-Encoding: br"), "damaged_coding", id="br that ends early"),
        pytest.param(http(b"\x00\x01\x02" * 9, "Content-Encoding: br"), "damaged_coding", id="br that is none"),
        pytest.param(
            http(CODED["gzip"][:30] + b"x" * 99, "Content-Encoding: gzip"), "damaged_coding", id="broken gzip"
        ),
        pytest.param(
            http(chunked(BODY)[:-30], "Transfer-Encoding: chunked"), "truncated_record", id="chunks that end early"
        ),
        pytest.param(
            http(b"5\r\nhello\r\nxyz\r\n", "Transfer-Encoding: chunked"), "damaged_coding", id="a chunk of no size"
        ),
        pytest.param(
            http(b"<p>", "Content-Length: 99"), "truncated_record", id="a body shorter than its Content-Length"
        ),
        pytest.param(http(b"<p>", warc="WARC-Truncated: length\r\n"), "truncated_record", id="cut by the crawler"),
        pytest.param(http(b"<p>", warc="WARC-Segment-Number: 1\r\n"), "truncated_record", id="a segment"),
        pytest.param(record("response", b"no HTTP", "application/http"), "malformed_record", id="no HTTP in it"),
        pytest.param(
            record("response", b"HTTP/1.1 200 OK\r\nA: b", "application/http"),
            "malformed_record",
            id="a head without an end",
        ),
        pytest.param(http(b"<p>", uri=""), "malformed_record", id="no URI"),
        pytest.param(http(b"<p>", uri="https://a.example/" + "x" * 5000), "malformed_record", id="a URI of 5 KB"),
        pytest.param(http(NOISE), "record_too_large", id="17 MiB"),
    ],
)
def test_a_broken_record_is_quarantined_with_its_reason(data: bytes, reason: str):
    good = http(b"<p>after", uri="https://a.example/after")
    for name, parts in (("a.warc", [data, good]), ("a.warc.gz", [gzip_member(data), gzip_member(good)])):
        outcome = read_bytes(name, b"".join(parts))
        assert outcome.reasons == [reason]
        assert outcome.payloads == [b"<p>after"], "the next record is read"
        assert outcome.quarantined[0]["ordinal"] == 0 and outcome.rows[0]["ordinal"] == 1
        assert not outcome.lost_bytes


@cache
def bombs() -> dict[str, bytes]:
    zeros = bytes(64 * MIB)
    return {
        "gzip": gzip.compress(zeros),
        "gzip, gzip": gzip.compress(gzip.compress(zeros)),
        "deflate": zlib.compress(zeros, 9),
        "br": brotli.compress(zeros, quality=5),
        "zstd": zstandard.compress(zeros),
    }


@pytest.mark.parametrize("coding", ["gzip", "gzip, gzip", "deflate", "br", "zstd"])
def test_a_bomb_is_quarantined_at_a_cap(coding: str):
    outcome = read_record(http(bombs()[coding], "Content-Type: text/html", f"Content-Encoding: {coding}"))
    assert outcome.reasons == ["decoded_too_large"]
    (row,) = outcome.quarantined
    assert row["limit"] in ("max_record_bytes", "max_coding_ratio") and row["observed"] > row["limit_value"]


def test_three_codings_are_too_many():
    body = gzip.compress(gzip.compress(CODED["gzip"]))
    assert read_record(http(body, "Content-Encoding: gzip, gzip, gzip")).reasons == ["decoded_too_large"]


def test_a_record_that_is_a_bomb_costs_only_itself():
    zeros = http(bytes(64 * MIB))
    data = gzip_member(zeros) + gzip_member(http(b"<p>after"))
    outcome = read_bytes("a.warc.gz", data)
    assert outcome.reasons == ["decoded_too_large"] and outcome.payloads == [b"<p>after"]
    assert outcome.lost_bytes == len(gzip_member(zeros))


def test_a_large_record_of_another_type_is_skipped_not_quarantined():
    outcome = read_record(http(NOISE, "Content-Type: video/mp4"))
    assert outcome.skipped == {"media_type": 1} and not outcome.quarantined


@pytest.mark.parametrize("media_types", [frozenset({"text/plain"}), frozenset({"image/png", "text/html"})])
def test_the_job_says_which_types_it_reads(media_types: frozenset[str]):
    data = http(b"<p>") + http(b"\x89PNG", "Content-Type: image/png") + http(b"hi", "Content-Type: text/plain")
    outcome = read_bytes("a.warc", data, media_types=media_types)
    assert {row["media_type"] for row in outcome.rows} == media_types
    assert outcome.skipped == {"media_type": 3 - len(media_types)}
