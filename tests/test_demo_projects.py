"""The demo's pages of many projects: a host each, and a history with dates in nine languages."""

from urllib.parse import urlsplit

import pytest
from warcio.archiveiterator import ArchiveIterator

from filters.html import read_within
from filters.instruct.abbreviations import abbreviations
from filters.instruct.publishers import publisher_of
from filters.instruct_audit.dates import dates_of
from manifests.limits import Limits
from pipelines.demo_projects import HISTORY, HISTORY_LANGUAGES, PAGES, project_packages, write_projects


def read(folder, size):
    write_projects(folder, size, project_packages(size))
    with (folder / "projects.warc.gz").open("rb") as file:
        return {
            each.rec_headers.get_header("WARC-Target-URI"): each.content_stream().read()
            for each in ArchiveIterator(file)
            if each.rec_type == "response"
        }


def text_of(payload, uri):
    return read_within(payload, uri, Limits(), xml=payload.startswith(b"<?xml")).text.decode()


def test_the_small_demo_reads_dated_pages_in_nine_languages(tmp_path):
    pages = read(tmp_path, "small")
    assert len(pages) == 2 * len(HISTORY_LANGUAGES)
    for language in ("de", "en", "es", "fr", "it", "ja", "pt", "ru"):
        (uri,) = [each for each in pages if each.endswith(f"releases.{language}.html")]
        days = {each.readings for each in dates_of(text_of(pages[uri], uri))}
        assert len(days) >= 5, language


@pytest.mark.long
def test_every_project_is_a_publisher_and_spells_something_out(tmp_path):
    pages = read(tmp_path, "sample")
    assert len(pages) == 3 * len(HISTORY_LANGUAGES) + sum(len(names) for _, names in PAGES.values())
    spelt = {}
    for uri, payload in pages.items():
        who = publisher_of(uri, {}).publisher
        assert who == urlsplit(uri).hostname
        spelt.setdefault(who, set()).update(each.short for each in abbreviations(text_of(payload, uri)))
    assert len(spelt) == len(PAGES) + 1
    assert [who for who, found in spelt.items() if not found] in ([], [f"{HISTORY}.example"])
    assert sum("TLS" in each for each in spelt.values()) >= 3
