"""Extraction: every record comes out exactly once, real pages are all read, bad pages cost only themselves."""

import hashlib
from collections import Counter
from dataclasses import asdict

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.extract import DOCUMENTS, EPUB, HTML, MARKDOWN, PDF, PLAIN, XHTML, extract, kind_of, warm_up
from filters.guard import GuardedPool
from filters.guard_child import WHOLE_BATCH
from manifests.limits import KIB, MIB, Limits
from manifests.reasons import Quarantine, Refused, Skipped
from manifests.records import PART, QUARANTINED, RAW

PAGE = b"<html><head><title>T</title></head><body><p>Enough prose for a page to be a page at all.</p></body></html>"


def raw(*records):
    """Return a RAW batch; a record is its payload, or (payload, fields that differ)."""
    rows = []
    for number, record in enumerate(records):
        payload, other = record if isinstance(record, tuple) else (record, {})
        digest = hashlib.sha256(payload).digest()
        row = {"uri": f"in:{number}.html", "ordinal": number, "offset": -1, "media_type": "text/html"}
        rows.append({**row, "digest": digest, "payload": payload, **other})
    return pa.RecordBatch.from_pylist(rows, RAW)


def read(batch, limits=None, **options):
    return extract(batch, limits or Limits(), lambda row: None, source="in", unit=7, **options)


def reasons(extracted):
    return {row["row"]: row["reason"] for row in extracted.quarantined}


def test_a_document_has_what_the_page_has():
    extracted = read(raw((PAGE, {"policy": "max-snippet:5", "fetched_at": 0})))
    assert extracted.documents.schema == DOCUMENTS
    (document,) = extracted.documents.to_pylist()
    text = "Enough prose for a page to be a page at all."
    assert document["text"] == text
    assert document["parts"] == [{"kind": "text", "start": 0, "end": len(text), "uri": None, "alt": None}]
    assert (document["title"], document["media_type"], document["row"]) == ("T", HTML, 0)
    assert (document["policy"], document["digest"]) == ("max-snippet:5", hashlib.sha256(PAGE).digest())


@pytest.mark.parametrize(
    ("declared", "payload", "kind"),
    [
        pytest.param("text/html", b"<p>x", HTML, id="HTML"),
        pytest.param("text/html", b"\xef\xbb\xbf <?xml version='1.0'?><html>", XHTML, id="XHTML served as HTML"),
        pytest.param("application/xhtml+xml", b"<html>", XHTML, id="XHTML"),
        pytest.param("application/xml", b"<?xml?><!DOCTYPE html><html xmlns=''>", XHTML, id="XHTML served as XML"),
        pytest.param("text/xml", b"<?xml?><rss>", None, id="a feed"),
        pytest.param(None, b"<?xml version='1.0'?>\n<!DOCTYPE html>\n<HTML>", XHTML, id="XHTML that nobody declared"),
        pytest.param(None, b"<?xml version='1.0'?><svg>", None, id="a drawing"),
        pytest.param(None, b"\n <!DocType HTML><p>", HTML, id="HTML that nobody declared"),
        pytest.param("application/octet-stream", "<html>".encode("utf-16"), HTML, id="HTML in UTF-16"),
        pytest.param("application/octet-stream", "<html>".encode("utf-16-le") * 9, HTML, id="UTF-16 without a mark"),
        pytest.param(None, b"Just words.", PLAIN, id="text that nobody declared"),
        pytest.param(None, "Nur Wörter.".encode("latin1"), PLAIN, id="text with accents"),
        pytest.param(None, bytes(range(256)), None, id="binary"),
        pytest.param("text/plain", b"<html>", PLAIN, id="a declared type counts"),
        pytest.param("text/markdown", b"# x", MARKDOWN, id="Markdown"),
        pytest.param("image/png", b"x", None, id="another type"),
        pytest.param("text/html", b"%PDF-1.4", PDF, id="a PDF served as HTML"),
        pytest.param("application/pdf", b"junk\n%PDF-1.4", PDF, id="a PDF behind junk"),
        pytest.param("application/pdf", b"<html>", None, id="a page served as a PDF"),
        pytest.param(None, b"PK\x03\x04" + bytes(26) + b"mimetypeapplication/epub+zip", EPUB, id="an EPUB"),
        pytest.param("application/zip", b"PK\x03\x04" + bytes(40), None, id="another zip"),
        pytest.param("text/html", b"\x89PNG\r\n", None, id="an image served as HTML"),
    ],
)
def test_kinds(declared, payload, kind):
    assert kind_of(declared, payload) == kind


LIMITS = Limits(max_record_bytes=MIB, max_text_bytes=64 * KIB, max_line_bytes=32 * KIB)


@pytest.mark.parametrize(
    ("payload", "fields", "reason", "limit"),
    [
        pytest.param(b"", {}, Quarantine.EMPTY_PAYLOAD, None, id="empty file"),
        pytest.param(b"x" * (MIB + 1), {}, Quarantine.RECORD_TOO_LARGE, "max_record_bytes", id="too large"),
        pytest.param(b"<div>" * 20_000, {}, Quarantine.NESTING_TOO_DEEP, "max_nesting_depth", id="100 KB of div"),
        pytest.param(
            b"<a" + b" b='c'" * 50_000, {}, Quarantine.TOO_MANY_ATTRIBUTES, "max_attributes", id="50,000 attributes"
        ),
        pytest.param(b"<p>" + b"ab " * 30_000, {}, Quarantine.TEXT_TOO_LARGE, "max_text_bytes", id="too much text"),
        pytest.param(b"<p>" + b"ab " * 15_000, {}, Quarantine.LINE_TOO_LONG, "max_line_bytes", id="one line"),
        pytest.param(
            b"a\0" * 99 + b"\0b" * 99,
            {"media_type": "text/plain"},
            Quarantine.UNDECODABLE_TEXT,
            "max_replaced_fraction",
            id="NULs",
        ),
        pytest.param(
            b"\x1b$B!!" * 9 + b"\xff\xed\xa0\x80" * 99,
            {"charset": "utf-8"},
            None,
            None,
            id="lone surrogates",
        ),
    ],
)
def test_broken_records_are_quarantined_alone(payload, fields, reason, limit):
    extracted = read(raw(PAGE, (payload, fields), PAGE), LIMITS)
    if reason is None:  # it may be read in another charset; it must come out once
        assert accounted(extracted) == 3
        return
    assert reasons(extracted) == {1: reason}
    assert extracted.documents["row"].to_pylist() == [0, 2]
    (row,) = extracted.quarantined
    assert (row["limit"], row["bytes"], row["unit"], row["source"]) == (limit, len(payload), 7, "in")
    assert limit is None or row["observed"] > row["limit_value"]
    assert pa.RecordBatch.from_pylist([row], QUARANTINED).num_rows == 1


def test_fifty_megabytes_on_one_line_cost_nothing():
    assert reasons(read(raw(b"x" * (50 * MIB), PAGE))) == {0: Quarantine.RECORD_TOO_LARGE}


@pytest.mark.parametrize(
    ("payload", "fields", "reason"),
    [
        pytest.param(PAGE, {"policy": "x-robots-tag: noai"}, Refused.NOAI, id="header"),
        pytest.param(PAGE, {"policy": "nofollow\ntdm-reservation: 1"}, Refused.TDM_RESERVATION, id="second header"),
        pytest.param(PAGE.replace(b"<p>", b"<meta name=robots content='all, noai'><p>"), {}, Refused.NOAI, id="page"),
    ],
)
def test_owners_are_heard(payload, fields, reason):
    extracted = read(raw((payload, fields), PAGE))
    assert [(row.row, row.reason) for row in extracted.refused] == [(0, reason)]
    assert read(raw((payload, fields), PAGE), refuse=()).documents.num_rows == 2


def test_noindex_is_refused_only_where_the_recipe_says_so():
    batch = raw((PAGE, {"policy": "noindex"}))
    assert read(batch, refuse=[Refused.NOAI]).documents.num_rows == 1
    assert read(batch, refuse=[Refused.NOINDEX]).refused[0].reason is Refused.NOINDEX


def test_other_types_and_pages_without_text_are_skipped_and_counted():
    batch = raw((PAGE, {"media_type": "image/png"}), b"<html><body><img src=x></body></html>", b" \n ")
    extracted = read(batch)
    assert extracted.skipped == Counter({Skipped.NO_TEXT: 2, Skipped.MEDIA_TYPE: 1})


def test_progress_is_told_before_each_record_and_after_the_last():
    seen = []
    extract(raw(PAGE, b"", PAGE), Limits(), seen.append, source="", unit=0)
    assert seen == [0, 1, 2, WHOLE_BATCH]


def test_a_slice_of_a_batch_gives_its_own_rows():
    extracted = read(raw(b"", PAGE, PAGE.replace(b"T<", b"U<")).slice(1))
    assert extracted.documents["title"].to_pylist() == ["T", "U"]
    assert extracted.quarantined == []


def accounted(extracted):
    return (
        extracted.documents.num_rows + len(extracted.quarantined) + len(extracted.refused) + extracted.skipped.total()
    )


KINDS = st.sampled_from([None, "text/html", "application/xhtml+xml", "text/plain", "text/markdown", "image/png"])
BYTES = st.one_of(
    st.binary(max_size=80), st.text(max_size=60).map(lambda text: f"<p>{text}<pre>x".encode("utf-8", "replace"))
)


@given(st.lists(st.tuples(BYTES, st.fixed_dictionaries({"media_type": KINDS})), max_size=6))
def test_every_record_comes_out_exactly_once(records):
    batch = raw(*records)
    extracted = read(batch)
    assert accounted(extracted) == batch.num_rows
    for document in extracted.documents.to_pylist():
        text = document["text"].encode()
        parts = [part for part in document["parts"] if part["kind"] != "image"]
        assert "\0" not in document["text"]
        assert b"".join(text[part["start"] : part["end"]] for part in parts) == text


def test_no_real_page_is_lost_in_any_script(all_pages):
    sample = [payload for _, payload in all_pages[3::6]]
    declared = [None, "text/html", "application/xhtml+xml"]
    batch = raw(*((payload, {"media_type": declared[i % 3]}) for i, payload in enumerate(sample)))
    extracted = read(batch)
    assert len(sample) >= 1500
    assert extracted.documents.num_rows == len(sample)
    kinds = pa.compute.value_counts(pa.compute.list_flatten(extracted.documents["parts"]).field("kind")).to_pylist()
    assert {kind["values"] for kind in kinds if kind["counts"] > 1000} == {"text", "image", "table", "code"}
    assert extracted.documents.schema.field("parts").type == pa.list_(PART)


def test_no_xhtml_page_is_lost_though_nothing_is_declared(pages):
    records = [(payload, {"media_type": None}) for _, payload in pages("debian-handbook")[::3]]
    extracted = read(raw(*records))
    assert len(records) >= 1000
    assert extracted.documents["media_type"].to_pylist() == [XHTML] * len(records)


def test_the_same_bytes_give_the_same_documents(pages):
    batch = raw(*(payload for _, payload in pages("apache2-doc")[:60]))
    assert read(batch).documents.equals(read(batch).documents)


def worker(config):
    """Entry point of the guarded children of these tests."""
    warm_up()

    def work(batch, progress):
        extracted = extract(batch, Limits(**config), progress, source="in", unit=0)
        return {
            "documents": extracted.documents,
            "quarantined": pa.RecordBatch.from_pylist(extracted.quarantined, QUARANTINED),
        }

    return work


def test_pages_that_hang_the_parser_cost_only_themselves():
    """The deterministic limits are switched off, so that the clock has to find them."""
    off = {**asdict(Limits()), "max_nesting_depth": 1 << 20, "max_attributes": 1 << 30}
    hanging = [b"<div>" * 60_000 + b"x", b"<a" + b"".join(b" b%d=c" % n for n in range(300_000)) + b">x</a>"]
    with GuardedPool("test_extract:worker", off, Limits(parse_cpu_s=1.0)) as pool:
        guarded = pool.run(raw(PAGE, hanging[0], PAGE, hanging[1], PAGE))
    assert guarded.outputs["documents"].num_rows == 3
    assert [(failure.row, failure.reason) for failure in guarded.failures] == [
        (1, Quarantine.PARSE_TIMEOUT),
        (3, Quarantine.PARSE_TIMEOUT),
    ]
