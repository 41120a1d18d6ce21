"""WET files, as Common Crawl writes them: text that others extracted, and the languages that they found in it."""

import io

import pytest
import real_texts
from corpora import all_pages, read_bytes
from test_extract import read
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from manifests.records import RAW
from pipelines.sources.warc import languages


def wet(texts: list[str], *, language: str | None = "eng,jpn", gzip: bool = True) -> bytes:
    """Return a WET file by warcio, with the headers of CC-MAIN's: no charset, no HTTP."""
    with io.BytesIO() as file:
        writer = WARCWriter(file, gzip=gzip)
        info = {"Software-Info": "ia-web-commons", "Extracted-Date": "Mon, 01 Jan 2026 00:00:00 GMT"}
        writer.write_record(writer.create_warcinfo_record("CC-MAIN.warc.wet.gz", info))
        for number, text in enumerate(texts):
            said = {"WARC-Identified-Content-Language": language} if language else {}
            record = writer.create_warc_record(
                f"https://a.example/{number}",
                "conversion",
                payload=io.BytesIO(text.encode()),
                warc_content_type="text/plain",
                warc_headers_dict={"WARC-Date": "2026-01-01T00:00:00Z", "WARC-Refers-To": "<urn:uuid:1>", **said},
            )
            assert isinstance(record.rec_headers, StatusAndHeaders)
            writer.write_record(record)
        return file.getvalue()


REAL = [text for text in map(real_texts.extracted, (body for _, body in all_pages()[::300])) if text.strip()]


@pytest.mark.parametrize("gzip", [True, False], ids=["gzip", "plain"])
def test_real_texts_come_back_as_documents(gzip):
    outcome = read_bytes("CC-MAIN.warc.wet.gz" if gzip else "CC-MAIN.warc.wet", wet(REAL, gzip=gzip))
    assert outcome.payloads == [text.encode() for text in REAL]
    assert outcome.skipped == {"warc_record_type": 1}
    assert {(row["media_type"], row["charset"], row["language"]) for row in outcome.rows} == {
        ("text/plain", "utf-8", "eng,jpn")
    }
    import pyarrow as pa

    extracted = read(pa.RecordBatch.from_pylist(outcome.rows, RAW))
    texts = extracted.documents["text"].to_pylist()
    assert [text.split() for text in texts] == [text.replace("\x7f", "").split() for text in REAL]
    (said,) = extracted.documents["markup"].to_pylist()[0]
    assert said == {"kind": "metadata", "content": '{"declared_language":"eng,jpn"}'}


def test_short_texts_of_any_script_are_utf_8_whatever_their_bytes_look_like():
    texts = ["é", "ąćł", "жшю", "日本語", "한국어", "ไทย", "عربي", "हिन्दी", "中文"]
    outcome = read_bytes("a.warc.wet.gz", wet(texts, language=None))
    import pyarrow as pa

    extracted = read(pa.RecordBatch.from_pylist(outcome.rows, RAW))
    assert extracted.documents["text"].to_pylist() == texts
    assert {row["language"] for row in outcome.rows} == {None}


@pytest.mark.parametrize(
    ("stated", "read_as"),
    [
        ("eng", "eng"),
        ("ENG, jpn", "eng,jpn"),
        ("", None),
        (None, None),
        ("<script>", None),
        ("e" * 99, None),
        ("eng,", None),
    ],
)
def test_only_a_list_of_languages_is_one(stated, read_as):
    assert languages(stated) == read_as
