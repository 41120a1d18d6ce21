import json
import re
import subprocess
import sys
from bisect import bisect_right
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import corpora
import numpy as np
import pyarrow as pa
import pytest
import report_preview
from hypothesis import given, settings
from hypothesis import strategies as st

from manifests.keys import record_ids
from manifests.local_store import LocalStore
from manifests.manifest import seal
from manifests.records import document_schema, dropped_schema
from manifests.shards import write_shard
from pipelines.report import build_report
from pipelines.report.bins import COUNTS, FRACTIONS, LENGTHS, bin_counts
from pipelines.report.charts import drawn_bins, round_values, size_groups
from pipelines.report.data import (
    Clusters,
    Funnel,
    Histogram,
    NearDuplicate,
    Pieces,
    ReportData,
    Sample,
    Scorer,
    Threshold,
    TokenizerData,
)
from pipelines.report.formats import data_size, percent, seconds, short
from pipelines.report.language_names import NAMES
from pipelines.report.page import render
from pipelines.report.tags import foreign, tag
from pipelines.report.trained import first_sentences, pieces_by_kind

ROOT = Path(__file__).resolve().parent.parent
VOID = {"meta", "br", "wbr"}
SENTENCE = report_preview.SENTENCE
INLINE = {"wbr", "code", "b", "small", "i", "mark", "strong"}
SMALLEST = ReportData("Nothing yet", Funnel(0, 0))


class Page(HTMLParser):
    """Read a page strictly: every element closed in order, every attribute noted."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.open, self.tags, self.attributes, self.text = [], Counter(), [], []
        self.feed(page.decode())
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.tags[tag] += 1
        self.attributes.extend((tag, name, value) for name, value in attrs)
        if tag not in INLINE:
            self.text.append(" ")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags[tag] += 1
        self.attributes.extend((tag, name, value) for name, value in attrs)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text.append(data)

    @property
    def words(self) -> str:
        return " ".join("".join(self.text).split())

    def values(self, name: str) -> list[str]:
        return [value for _, key, value in self.attributes if key == name]


@pytest.fixture(scope="module")
def data() -> ReportData:
    """A report of 300 real pages of four manuals."""
    pages = corpora.all_pages()
    return report_preview.preview(pages[:: len(pages) // 300])


@pytest.fixture(scope="module")
def page(data) -> bytes:
    return render(data)


def assert_alone(page: bytes) -> Page:
    """Hold that a page loads, runs and sends nothing."""
    read = Page(page)
    assert not read.tags.keys() & {
        "script",
        "link",
        "iframe",
        "object",
        "embed",
        "img",
        "form",
        "base",
        "audio",
        "video",
    }
    assert all(value.startswith("#") for value in read.values("href"))
    assert not read.values("src") and not read.values("srcset") and not read.values("action")
    assert not [name for _, name, _ in read.attributes if name.startswith("on")]
    style = re.search(rb"<style>(.*?)</style>", page, re.S).group(1)
    assert b"url(" not in style and b"@import" not in style
    assert all(
        value.startswith("#") for _, _, text in read.attributes for value in re.findall(r"url\(([^)]*)", text or "")
    )
    assert "default-src 'none'" in " ".join(read.values("content"))
    return read


def test_a_page_is_well_formed_and_needs_nothing_else(page):
    read = assert_alone(page)
    ids = read.values("id")
    assert len(ids) == len(set(ids))
    assert {value[1:] for value in read.values("href")} <= set(ids)
    assert read.tags["svg"] > 20


def test_every_section_is_there_and_named(page):
    words = Page(page).words
    for title in (
        "Funnel",
        "Rules",
        "Signals",
        "Languages",
        "Duplicates",
        "Samples",
        "Tokenizer",
        "Scorers",
        "Provenance",
    ):
        assert title in words


def test_every_number_of_the_funnel_is_shown_and_they_add_up(data, page):
    words = Page(page).words
    for funnel in (data.funnel, *data.sources.values()):
        assert funnel.unaccounted == 0
    for name, counts in data.funnel.losses:
        total = sum(counts.values())
        assert re.search(
            rf"{name}.*? {'− ' if total else ''}{total:,} {re.escape(percent(total, data.funnel.read))}", words
        )
        for reason, count in counts.items():
            shown = rf"{re.escape(reason)}.{{0,60}}? {count:,} {re.escape(percent(count, data.funnel.read))}"
            assert not count or re.search(shown, words)
    assert f"{data.funnel.read:,}" in words and f"{data.funnel.kept:,}" in words
    assert sum(rule.first for rule in data.rules) == sum(data.funnel.dropped.values())
    assert "does not balance" not in words


def test_a_ledger_that_does_not_balance_is_told_in_red(data):
    wrong = replace(data, funnel=replace(data.funnel, kept=data.funnel.kept - 2), histograms=())
    assert "The ledger does not balance" in Page(render(wrong)).words
    assert "all inputs: 2" in Page(render(wrong)).words


def test_each_figure_says_how_it_was_counted(page):
    read = Page(page)
    assert (
        read.tags["figcaption"] >= read.tags["figure"] - 2
    )  # the table of models and the vocabulary explain themselves


@pytest.mark.parametrize("factor", [1, 1000, 1_000_000])
def test_a_page_does_not_grow_with_the_corpus(data, page, factor):
    grown = render(report_preview.at_scale(data, factor))
    assert len(grown) < 1.15 * len(page)
    assert_alone(grown)


def test_ten_thousand_inputs_make_one_short_table(data):
    sources = {f"input-{i}": Funnel(10, 7, dropped={"a/b": 3}) for i in range(10_000)}
    words = Page(render(ReportData("many", Funnel(100_000, 70_000, dropped={"a/b": 30_000}), sources))).words
    assert "9960 more inputs 99,600" in words


def test_nothing_at_all_still_makes_a_page():
    read = assert_alone(render(SMALLEST))
    assert "No record was read." in read.words


def test_one_document_makes_a_page():
    read = assert_alone(render(ReportData("One", Funnel(1, 1))))
    assert "1 record was read" in read.words and "1 document is in the corpus" in read.words


def test_what_stands_beside_pages_in_warc_is_no_loss_in_the_header():
    """A crawl's request and metadata records are skipped: shares at the top are of pages, in the funnel of all."""
    funnel = Funnel(30, 4, {"warc_record_type": 20, "media_type": 1}, dropped={"a/b": 5})
    words = Page(render(ReportData("Crawled", funnel))).words
    assert "10 records were read (and 20 of other types beside them), 4 documents are in the corpus (40.0 %)" in words
    assert re.search(r"kept 4 40.0 % dropped 5 50.0 % skipped 1 10.0 %", words)
    assert re.search(r"read 30 100 % skipped.*? − 21 70.0 % ", words)


def test_an_empty_place_for_a_scorer_says_none():
    filled = replace(SMALLEST, scorers=(Scorer("quality", "x", "own.bin"), Scorer("toxicity", "y")))
    words = Page(render(filled)).words
    assert words.count("scorer: none") == 1 and "own.bin" in words
    assert Page(render(SMALLEST)).words.count("scorer: none") == 2


HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</title></style></blockquote><iframe src=//evil>",
    "--><!--",
    "]]><svg/onload=alert(1)>",
    "&lt;b&gt; &amp;",
    "\x00\x08\x1b[31m\x7f",
    "\ud800 lone \udfff",
    "\u202etxt.exe\u2066",
    "$x_{1}$ \\frac",
]


def hostile_report(text: str) -> ReportData:
    """A report with `text` in every place that takes a string."""
    sample = Sample(text, text, text, text, 0.5, 9, text, (text,))
    bins = Histogram(f"{text} / x", (0.0, 0.5, 1.0), (1, 2, 3), (3, 2, 1), (Threshold(text, 0.1, 0.9),))
    plain = report_preview.PROVENANCE
    return ReportData(
        title=text,
        funnel=Funnel(6, 1, {text: 1}, {text: 1}, {text: 1}, {text: 1}, {text: 1}),
        sources={text: Funnel(1, 1)},
        rules=(report_preview.RuleCount(text, 1, 1, 1, text),),
        languages=(report_preview.LanguageCount(text, 1), report_preview.LanguageCount("en", 1)),
        histograms=(bins,),
        kept_samples=(sample,),
        dropped_samples=(sample,),
        near_duplicates=(NearDuplicate(sample, replace(sample, text=text + " other"), 0.9),),
        clusters=Clusters({2: 1}),
        tokenizer=TokenizerData(text, 1, text, 1, 1, 1, {text: 1}, (), (Pieces(text, text, (text, text)),)),
        scorers=(Scorer(text, text, text),),
        provenance=replace(plain, recipe=text, snapshot=text, version=text, settings={text: text}),
    )


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_text_wherever_it_stands(text):
    page = render(hostile_report(text))
    harmless = Page(render(hostile_report("x/y" if "/" in text else "x")))
    read = assert_alone(page)
    assert read.tags - Counter(wbr=10**6, mark=10**6) == harmless.tags - Counter(wbr=10**6, mark=10**6)
    assert not re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", page)


@given(st.text(max_size=60))
@settings(max_examples=60, deadline=None)
def test_any_text_comes_back_as_it_was(text):
    readable = Page(f"<html>{tag('p', text, title=text)}</html>".encode())
    shown = "".join(chr(0x2400 + ord(c)) if ord(c) < 32 and c not in "\t\n" else c for c in text).replace("\x7f", "␡")
    assert "".join(readable.text).removeprefix("  ") == shown
    assert readable.values("title") == [shown]


@pytest.mark.parametrize(
    ("language", "lang"),
    [("ja", ["ja"]), ("ar", ["ar"]), ("und", [""]), ('x" onclick="y', [""]), ("zh-Hant", ["zh-Hant"])],
)
def test_a_foreign_text_carries_its_language_and_finds_its_own_direction(language, lang):
    read = Page(foreign("p", "日本語", language).encode())
    assert read.values("lang") == lang and read.values("dir") == ["auto"]


def test_japanese_and_arabic_stand_in_the_page_as_they_are(data, page):
    text = page.decode()
    assert 'lang="ja"' in text and 'lang="ar"' in text
    assert all(piece in text for piece in data.tokenizer.samples[0].pieces)


def test_the_same_data_gives_the_same_bytes_in_every_process(data, tmp_path):
    plain = tmp_path / "data.json"
    few = replace(data, histograms=data.histograms[:2])
    plain.write_text(json.dumps(few.to_dict()))
    code = (
        "import sys, json, hashlib\n"
        "from pipelines.report.data import ReportData\nfrom pipelines.report.page import render\n"
        "print(hashlib.sha256(render(ReportData.from_dict(json.load(open(sys.argv[1]))))).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code, plain], cwd=ROOT, env={"PYTHONHASHSEED": seed, "HOME": str(tmp_path)},
            capture_output=True, text=True, check=True,
        ).stdout
        for seed in ("0", "1")
    }  # fmt: skip
    assert len(digests) == 1


def test_data_survives_json(data):
    assert ReportData.from_dict(json.loads(json.dumps(data.to_dict()))).to_dict() == data.to_dict()


def test_data_of_the_wrong_shape_is_refused():
    with pytest.raises(ValueError, match="funnel"):
        ReportData.from_dict({"title": "x", "funnel": {"read": "many"}})
    with pytest.raises(ValueError, match="3 edges need as many counts"):
        Histogram("x", (0.0, 1.0, 2.0), (1, 2), (1, 2, 3))


@given(st.lists(st.floats(0, 3) | st.sampled_from(FRACTIONS)), st.sampled_from([FRACTIONS, LENGTHS, COUNTS]))
def test_values_are_counted_in_the_bin_they_belong_to(values, edges):
    expected = [0] * len(edges)
    for value in values:
        at = bisect_right(edges, value) - 1
        expected[len(edges) - 2 if value == edges[-1] else at] += 1
    assert bin_counts(np.array(values, float), edges).tolist() == expected


@given(
    st.sampled_from([FRACTIONS, LENGTHS, COUNTS]),
    st.data(),
    st.none() | st.floats(0, 12),
    st.none() | st.floats(0, 12),
)
@settings(max_examples=60)
def test_a_drawn_histogram_loses_no_document(edges, data, low, high):
    counts = st.lists(st.integers(0, 9), min_size=len(edges), max_size=len(edges))
    kept, dropped = tuple(data.draw(counts)), tuple(data.draw(counts))
    view = drawn_bins(Histogram("x", edges, kept, dropped, (Threshold("r", low, high),)))
    assert (view.kept.sum(), view.dropped.sum()) == (sum(kept), sum(dropped))
    assert len(view.kept) == len(view.edges) - 1 + view.beyond <= 42
    assert list(view.edges) == sorted(set(view.edges))


def test_a_bound_stays_the_edge_of_a_bin_when_bins_are_drawn_together():
    ones = (1,) * len(FRACTIONS)
    view = drawn_bins(Histogram("a / b", FRACTIONS, ones, ones, (Threshold("r", max=0.67),)))
    assert 0.67 in view.edges


@given(st.sampled_from([FRACTIONS, COUNTS, LENGTHS]), st.integers(0, 60), st.integers(2, 40))
def test_ticks_are_few_and_inside(edges, first, count):
    part = edges[first : first + count]
    if len(part) >= 2:
        ticks = round_values(part)
        assert len(ticks) <= 9
        assert all(part[0] - 1e-9 <= tick <= part[-1] + 1e-9 for tick in ticks)


@given(st.dictionaries(st.integers(2, 10_000), st.integers(1, 100), max_size=20))
def test_cluster_sizes_add_up_in_groups(sizes):
    assert sum(count for _, count in size_groups(sizes)) == sum(sizes.values())


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (percent(0, 10), "0 %"),
        (percent(1, 100_000), "< 0.1 %"),
        (percent(99_999, 100_000), "> 99.9 %"),
        (percent(1, 3), "33.3 %"),
        (percent(3, 3), "100 %"),
        (percent(1, 0), "–"),
        (short(9_999), "9,999"),
        (short(1_234_567), "1.23 M"),
        (short(123_456), "123 k"),
        (data_size(1023), "1,023 bytes"),
        (data_size(1 << 20), "1.0 MiB"),
        (data_size(9 << 50), "9.0 PiB"),
        (seconds(41.23), "41.2 s"),
        (seconds(7260), "2 h 01 min"),
    ],
)
def test_numbers_are_written_so_that_they_can_be_read(given, expected):
    assert given == expected


def test_every_language_of_the_manuals_has_a_name(data):
    assert {each.language for each in data.languages} <= NAMES.keys()


def test_pieces_are_told_apart_by_script():
    kinds = pieces_by_kind(["▁the", "テ", "ひら", "漢字", "да", "▁▁", "\n", "123", "ا", "ﬀ"])
    assert kinds == {
        "Latin": 2, "Katakana": 1, "Hiragana": 1, "Han": 1, "Cyrillic": 1, "Arabic": 1, "white space": 2,
        "digits and signs": 1,
    }  # fmt: skip


def test_sentences_are_whole_where_a_sample_has_one_and_japanese_comes_first():
    texts = {"de": "Inhalt und Überblick der Kapitel\nDies ist ein ganzer Satz.", "ja": SENTENCE, "xx": "no"}
    found = first_sentences(Sample("u", text, language=code) for code, text in texts.items())
    assert found == {"ja": SENTENCE, "de": "Dies ist ein ganzer Satz."}


def test_differences_of_near_duplicates_are_marked():
    a = Sample("a", "one two three four five", language="en")
    pair = NearDuplicate(a, replace(a, text="one two 3 four five"), 0.9)
    html = render(replace(SMALLEST, near_duplicates=(pair,))).decode()
    assert "one two <mark>three</mark> four five" in html and "one two <mark>3</mark> four five" in html


SIGNALS = pa.schema([("word_count", pa.int32())])
RULE = {
    "name": "gopher_v1/word_count", "numerator": "word_count", "per": None, "min": 50, "max": 100_000,
    "languages": None, "overrides": {"ja": [40, 100_000]},
}  # fmt: skip


def committed(store) -> dict:
    """A text snapshot of three records, as the job commits it: one kept, one dropped, one merged."""
    uris = [f"pages:{name}.html" for name in "abc"]
    ids = sorted(record_ids(uris, [bytes(32)] * 3).to_pylist())
    row = {
        "uri": "pages:a.html", "source": "pages", "digest": bytes(32), "media_type": "text/html", "language": "ja",
        "language_score": 0.9, "text": "自由なオペレーティングシステム\n本文", "signals": {"word_count": 60},
    }  # fmt: skip
    gone = {**row, "unit": 1, "ordinal": 1}
    dropped = {
        **gone,
        "id": ids[1],
        "verdict": "dropped",
        "reason": "gopher_v1/word_count<40",
        "reasons": [RULE["name"]],
    }
    merged = {
        **gone,
        "id": ids[2],
        "verdict": "merged",
        "reason": "near_duplicate",
        "kept_id": ids[0],
        "similarity": 0.87,
    }
    kept = pa.Table.from_pylist([{**row, "id": ids[0], "title": "題名"}], document_schema(SIGNALS))
    lost = pa.Table.from_pylist([dropped, merged], dropped_schema(SIGNALS))
    shards = [
        write_shard(store, "text/data/x", "documents", kept),
        write_shard(store, "text/dropped/x", "dropped", lost),
    ]
    out = {"kept": 1, "dropped/gopher_v1/word_count<40": 1, "merged/near_duplicate": 1, "skipped/media_type": 2}
    bins = {"kept": [0] * 70, "gone": [0] * 70}
    return seal(
        {
            "job": "text",
            "settings": {"rules": [RULE], "versions": {"extract": 1}},
            "inputs": [{"unit": "pages/0", "source": "pages"}],
            "shards": [each.as_json() for each in shards],
            "units": [{"unit": "pages/0", "in": 5, "out": out, "lost_bytes": 7}],
            "ledger": {"in": 5, "out": out, "lost_bytes": 7},
            "statistics": {
                "languages": {"ja": {"kept": 1, "kept_bytes": 50, "dropped": 1, "merged": 1}},
                "rules": {RULE["name"]: {"objects": 1, "alone": 1}},
                "histograms": {RULE["name"]: bins},
                "clusters": {"sizes": {"2": 1}, "uncompared": 0},
            },
            "models": {"lid.176.ftz": "ab" * 32},
        }
    )


def test_a_committed_snapshot_becomes_a_page(tmp_path):
    store = LocalStore(tmp_path)
    manifest = committed(store)
    read = assert_alone(build_report(store, {"text": manifest}))
    words = read.words
    assert "5 records were read, 1 document is in the corpus (20.0 %)" in words
    assert "題名" in words and "自由なオペレーティングシステム" in words
    assert "similarity 0.870" in words
    assert "gopher_v1/word_count<40" in words
    assert "does not balance" not in words
    assert manifest["digest"] in words
