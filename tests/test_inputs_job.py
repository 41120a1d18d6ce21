"""Books, PDFs, dumps and WET files through the whole text job: one input, every record accounted for."""

import bz2
import json
from pathlib import Path

import jobs
import pytest
import real_books
from test_sources_dumps import rows as posts
from test_sources_wet import REAL, wet

RECIPE = """
corpusmill: 1
inputs: [{name: in, uri: input}]
text:
  rules: []
  edits: []
  max_quarantined_fraction: 0.5
  shards: 2
"""
AES = (
    '<encryption><EncryptedData><EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#aes128-cbc"/>'
    "</EncryptedData></encryption>"
)


@pytest.fixture(scope="module")
def out(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    source = folder / "input"
    source.mkdir()
    books = real_books.epubs()
    for name in ("debmake-doc/debmake-doc.ja.epub", "developers-reference/developers-reference.epub"):
        (source / name.rpartition("/")[2]).write_bytes(books[name])
    (source / "manual.pdf").write_bytes(real_books.pdf("developers-reference-ja.pdf"))
    (source / "scan.pdf").write_bytes(real_books.scanned_pdf(2))
    (source / "drm.epub").write_bytes(real_books.book("<p>x", **{"META-INF/encryption.xml": AES}))
    (source / "cut.pdf").write_bytes(b"%PDF-1.4\nnothing")
    data = real_books.dump(real_books.ENGLISH)
    (source / "enwiki.xml.bz2").write_bytes(
        b"".join(bz2.compress(data[at : at + 500_000]) for at in range(0, len(data), 500_000))
    )
    (source / "Posts.xml").write_bytes(posts(30, body="&lt;p&gt;Why is the sky blue, and not green? I asked&lt;/p&gt;"))
    (source / "CC-MAIN.warc.wet.gz").write_bytes(wet(REAL[:10]))
    (folder / "recipe.yaml").write_text(RECIPE)
    jobs.run("run", folder / "recipe.yaml", "--out", folder / "out", "--workers", "2")
    return folder / "out"


@pytest.mark.long
def test_every_record_is_in_one_place_under_its_reason(out):
    counts = jobs.manifest(out)["ledger"]["out"]
    assert counts["skipped/scanned"] == 1
    assert counts["skipped/wiki_redirect"] == 99 and counts["skipped/wiki_namespace"] == 1
    assert counts["skipped/post_type"] == 10
    assert counts["quarantined/encrypted"] == counts["quarantined/parse_error"] == 1
    found = {row["uri"] for row in jobs.quarantined(out)}
    assert found == {"in:drm.epub", "in:cut.pdf"}


@pytest.mark.long
def test_books_pages_posts_and_texts_are_documents_with_what_their_containers_say(out):
    kept = {row["uri"]: row for row in jobs.rows(out)}
    said = {uri: json.loads(row["markup"][-1]["content"]) for uri, row in kept.items() if row["markup"]}
    book = kept["in:debmake-doc.ja.epub"]
    assert (book["media_type"], book["title"]) == ("application/epub+zip", "Debian メンテナー用ガイド")
    named = {part["uri"] for part in book["parts"] if part["kind"] != "image"}
    assert named <= {section["uri"] for section in said["in:debmake-doc.ja.epub"]["sections"]}
    assert kept["in:manual.pdf"]["language"] == "ja" and said["in:manual.pdf"]["pages"] == 130
    autism = kept["https://en.wikipedia.org/wiki/Autism"]
    assert autism["text"].startswith("Autism is a neurodevelopmental disorder")
    assert said["in:Posts.xml#0"]["type"] == "question"
    assert any(one.get("declared_language") == "eng,jpn" for one in said.values())
    for row in (book, autism, kept["in:manual.pdf"]):
        pieces = [row["text"][part["start"] : part["end"]] for part in row["parts"] if part["kind"] != "image"]
        assert "".join(pieces) == row["text"]
