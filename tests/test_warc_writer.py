"""The WARC writer.

What it writes is read by others, with every digest right, and depends on nothing but its input.
"""

import gzip
import io
import re
from pathlib import Path

import pytest
from warcio.archiveiterator import ArchiveIterator

from pipelines.sources.warc_writer import Page, gzip_member, record_id, response_record, warcinfo_record, write_warc

DATE = "2026-01-01T00:00:00Z"
INFO = (("software", "test"), ("format", "WARC File Format 1.1"))


def test_warcio_reads_every_demo_record_with_its_digests_verified(demo_warcs: list[Path]):
    records = 0
    for path in demo_warcs:
        with path.open("rb") as file:
            for record in ArchiveIterator(file, check_digests="raise"):
                record.content_stream().read()
                assert record.digest_checker.passed is not False
                records += record.rec_type == "response"
    assert records >= 250


def test_warcio_gives_back_the_pages_that_were_written(pages, tmp_path: Path):
    chosen = [Page(f"https://a.example/{path}", body) for path, body in pages("installation-guide-amd64")[:84]]
    written = write_warc(tmp_path / "a.warc.gz", DATE, INFO, chosen)
    with (tmp_path / "a.warc.gz").open("rb") as file:
        read = [
            (record.rec_headers.get_header("WARC-Target-URI"), record.content_stream().read())
            for record in ArchiveIterator(file, check_digests="raise")
            if record.rec_type == "response"
        ]
    assert read == [(page.uri, page.payload) for page in chosen]
    assert written == len(chosen)


@pytest.mark.parametrize("name", ["a.warc.gz", "a.warc"])
def test_the_same_pages_give_the_same_bytes(name: str, tmp_path: Path):
    pages = [Page("https://a.example/1", b"<p>one"), Page("https://a.example/2", b"", "text/plain; charset=utf-8")]
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        write_warc(tmp_path / folder / name, DATE, INFO, pages)
    assert (tmp_path / "x" / name).read_bytes() == (tmp_path / "y" / name).read_bytes()


def test_a_member_holds_one_record_and_no_time():
    record = response_record(Page("https://a.example/", b"<p>"), DATE)
    member = gzip_member(record)
    assert member[:3] == b"\x1f\x8b\x08" and member[4:8] == bytes(4)
    assert gzip.decompress(member) == record


def test_record_ids_are_uuids_of_version_8_that_differ_with_every_part():
    ids = {record_id("a", "b"), record_id("a", "c"), record_id("ab"), record_id("a", "b", "")}
    assert len(ids) == 4
    assert all(
        re.fullmatch(r"<urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}>", i) for i in ids
    )


def test_http_headers_status_and_charset_are_sent_as_given():
    page = Page(
        "https://a.example/", b"\xff", "text/html; charset=latin-1", (("X-Robots-Tag", "noai"),), "404 Not Found"
    )
    (record,) = ArchiveIterator(io.BytesIO(response_record(page, DATE)), check_digests="raise")
    assert record.http_headers.statusline == "404 Not Found"
    assert record.http_headers.get_header("Content-Type") == "text/html; charset=latin-1"
    assert record.http_headers.get_header("X-Robots-Tag") == "noai"


def test_the_first_record_names_its_file():
    record = next(ArchiveIterator(io.BytesIO(warcinfo_record("a.warc.gz", DATE, INFO)), check_digests="raise"))
    assert record.rec_type == "warcinfo"
    assert record.rec_headers.get_header("WARC-Filename") == "a.warc.gz"
    assert record.content_stream().read() == b"software: test\r\nformat: WARC File Format 1.1\r\n"
