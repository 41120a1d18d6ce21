"""What the demo's text job reads beside the crawl: real books, extracted texts, and a dump with an earlier one."""

import bz2
import json
import re

import pytest
from warcio.archiveiterator import ArchiveIterator

from pipelines.demo_texts import BOOKS, quality_examples, text_folders, wiki_folder, word_lists

TITLE = re.compile(rb"<title>(.*?)</title>")


@pytest.fixture(scope="module")
def folders():
    return text_folders("small")


def test_books_are_one_of_each_package_in_the_small_demo(folders):
    assert sorted(path.name for path in folders["books"].iterdir()) == sorted(books[0] for books in BOOKS.values())
    assert all(path.read_bytes().startswith(b"PK\x03\x04") for path in folders["books"].iterdir())


def test_extracted_texts_are_a_wet_file_that_another_reader_reads(folders):
    with (folders["wet"] / "manuals.warc.wet.gz").open("rb") as file:
        read = [
            (
                record.rec_type,
                record.rec_headers.get_header("WARC-Identified-Content-Language"),
                record.raw_stream.read(),
            )
            for record in ArchiveIterator(file)
        ]
    assert [kind for kind, _, _ in read] == ["warcinfo"] + ["conversion"] * (len(read) - 1)
    assert {"eng", "deu", "rus", "zho"} <= {language for _, language, _ in read}
    assert all(len(text.decode()) > 500 for kind, _, text in read if kind == "conversion")


def test_the_earlier_dump_holds_every_second_article_of_the_later_one(folders):
    now, before = (
        bz2.decompress((folder / "enwiki.xml.bz2").read_bytes())
        for folder in (folders["wiki"], wiki_folder(earlier=True))
    )
    assert TITLE.findall(before) == TITLE.findall(now)[::2]
    assert len(TITLE.findall(now)) > 200
    assert before.endswith(b"</page></mediawiki>\n") and now.endswith(b"</page></mediawiki>\n")


def test_a_quality_model_has_examples_of_two_manuals_and_the_words_are_a_list():
    good, poor = ([json.loads(line)["text"] for line in path.open()] for path in quality_examples("small"))
    assert len(good) > 40 and len(poor) > 40 and not set(good) & set(poor)
    assert len((word_lists() / "en.txt").read_text().splitlines()) == 403


def test_made_once_it_is_the_same_folder(folders):
    assert text_folders("small") == folders
