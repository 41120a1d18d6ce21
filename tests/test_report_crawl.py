"""The report's part about a crawl: every count of the manifest is shown, nothing foreign is ever mark-up."""

import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests.ledger import Account
from manifests.local_store import LocalStore
from manifests.manifest import seal
from manifests.reasons import FetchFailed, LinkSkipped, Refused
from pipelines.report import build_report
from pipelines.report.crawl import HOSTS_SHOWN, REASONS_SHOWN, REFUSALS_SHOWN, SAID_CHARACTERS, crawl_section
from pipelines.report.crawl_data import CrawlData, CrawlHost, RefusalSample, crawl_data
from pipelines.report.crawl_reasons import words_for

VERDICTS = {"kept": "kept", "redirected": "skipped", "refused": "refused", "failed": "quarantined"}
SAID = "x-robots-tag: noai, max-image-preview:large\nmeta robots: noai"


class Words(HTMLParser):
    """The text of a piece of mark-up, which must be well formed; `rows` are the tables' rows as text."""

    def __init__(self, markup):
        super().__init__()
        self.open, self.tags, self.attributes, self.text, self.rows, self.links = [], Counter(), [], [], [], []
        self.feed(markup)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags[tag] += 1
        self.attributes += attrs
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th") and self.rows:
            self.rows[-1].append("")
        if tag not in ("br", "wbr"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)
        if self.open[-1:] == ["a"]:
            self.links.append(data)
        if ("td" in self.open or "th" in self.open) and self.rows:
            self.rows[-1][-1] += data

    @property
    def words(self):
        return " ".join("".join(self.text).split())

    def row(self, first):
        found = [row for row in self.rows if row and row[0].startswith(first)]
        assert len(found) == 1, (first, self.rows)
        return found[0]


@pytest.fixture(scope="module")
def manifest(site):
    """A manifest that states what the demo's small site should come to."""
    account, hosts, refused, failed = Account("total"), {}, Counter(), Counter()
    for url, fate in site.fates.items():
        state, _, reason = fate.partition("/")
        parts = urlsplit(url)
        host = hosts.setdefault(f"http://{parts.hostname}", Counter())
        host[state] += 1
        account.read += 1
        account.add(VERDICTS[state], reason, 1)
        refused[reason] += state == "refused"
        failed[reason] += state == "failed"
    rows = [
        {"authority": name, **states, "bytes": 4000 * states["kept"], "robots": "parsed"}
        for name, states in hosts.items()
    ]
    states = sum((Counter(each) for each in hosts.values()), Counter())
    statistics = {
        "rounds": 3,
        "host_count": len(rows),
        "hosts": rows,
        "urls": {**states, "pending": 7},
        "statuses": {"200": states["kept"] + 9, "301": 6, "404": 2, "299": 1},
        "media_types": {"text/html": states["kept"] - 78, "application/xhtml+xml": 78},
        "refused": {reason: n for reason, n in refused.items() if n},
        "failed": {reason: n for reason, n in failed.items() if n},
        "links_skipped": {"known": 12_345, "trap_calendar": 6},
        "requests": 450,
        "bytes": 2 << 20,
        "payload_bytes": 6 << 20,
        "fetch_s": 9.0,
        "refusal_samples": [{"url": "http://corners.example/choice/noai.html", "reason": "noai", "said": SAID}],
        "of_a_later_version": {"x": 1},
    }
    return {"job": "crawl", "statistics": statistics, "ledger": account.as_json()}


@pytest.fixture(scope="module")
def crawl(manifest):
    return crawl_data(manifest)


@pytest.fixture(scope="module")
def read(crawl):
    return Words(crawl_section(crawl))


def test_every_host_stands_in_a_row_with_its_counts(manifest, read):
    assert len(manifest["statistics"]["hosts"]) > 15
    for host in manifest["statistics"]["hosts"]:
        [row] = [row for row in read.rows if row[0] == host["authority"]]
        counts = [host.get(state, 0) for state in ("kept", "refused", "failed", "redirected", "pending")]
        assert row[1:6] == [f"{count:,}" for count in counts]
        assert row[7] == "read"


@pytest.mark.parametrize("kind", ["refused", "failed", "links_skipped", "statuses", "media_types"])
def test_every_reason_stands_in_a_row_with_its_count_and_share(manifest, read, kind):
    counts = manifest["statistics"][kind]
    assert counts
    shares = []
    for reason, count in counts.items():
        [row] = [row for row in read.rows if row[0].startswith(reason) and row[1] == f"{count:,}"]
        shares.append(float(re.search(r"[0-9.]+", row[2])[0]))
    assert sum(shares) == pytest.approx(100, abs=0.1 * len(shares))


def test_the_largest_count_comes_first(read):
    known, trap = (next(n for n, row in enumerate(read.rows) if row[0].startswith(r)) for r in ("known", "trap_c"))
    assert known < trap


def test_an_owners_own_words_are_shown_line_by_line(read):
    [row] = [row for row in read.rows if "corners.example/choice/noai.html" in row[0]]
    assert row[1] == "noai"
    assert row[2] == SAID.replace("\n", "")
    assert read.tags["br"] == 1


def test_the_figures_are_those_of_the_manifest(crawl, read):
    assert f"{crawl.kept:,} responses from {crawl.host_count} hosts in 3 rounds." in read.words
    assert f"Of {crawl.read:,} URLs" in read.words
    for figure in ("2.0 MiB", "6.0 MiB decoded", "450", "20 ms", "9.0 s in all", "228 KiB/s", "50 requests/s"):
        assert figure in read.words
    assert "pending 7" in read.words


def test_known_statuses_are_named_and_others_left_alone(read):
    assert read.row("404")[0] == "404Not Found"
    assert read.row("299")[0] == "299"


def test_a_crawl_that_balances_raises_no_alarm(crawl, read):
    assert crawl.unaccounted == 0
    assert "does not balance" not in read.words
    wrong = Words(crawl_section(replace(crawl, read=crawl.read + 2)))
    assert "does not balance: 2 URLs" in wrong.words


def test_where_there_was_no_crawl_there_is_no_section():
    assert crawl_section(None) is None


@pytest.mark.parametrize(
    ("statistics", "words"),
    [
        pytest.param({}, "0 responses from 0 hosts in 0 rounds.", id="nothing yet"),
        pytest.param({"rounds": 1, "host_count": 1, "requests": 3}, "1 host in 1 round.", id="nothing kept, no time"),
        pytest.param({"hosts": [{"authority": "http://a.example", "robots": None}]}, "not known", id="robots unknown"),
        pytest.param(
            {"refusal_samples": [{"url": "http://a.example/", "reason": "ai_txt", "said": None}]}, "–", id="no words"
        ),
    ],
)
def test_a_crawl_that_has_hardly_begun_makes_a_section(statistics, words):
    empty = {"statistics": statistics, "ledger": Account("total").as_json()}
    assert words in Words(crawl_section(crawl_data(empty))).words


def test_every_reason_has_words_and_no_others_do():
    for reason in (*Refused, *FetchFailed, *LinkSkipped):
        assert words_for(str(reason)), reason
    assert words_for("of_a_later_version") == ""


def test_of_many_refusals_every_reason_is_shown_before_any_a_second_time():
    samples = [RefusalSample(f"http://a.example/{n}", "noai", "noai") for n in range(30)]
    samples += [RefusalSample("http://b.example/", "ai_txt", "ai.txt Disallow: /")]
    read = Words(crawl_section(CrawlData(refusal_samples=tuple(samples))))
    shown = [row[0] for row in read.rows if row and row[0].startswith("http")]
    assert shown == ["http://a.example/0", "http://b.example/", *(f"http://a.example/{n}" for n in range(1, 11))]
    assert len(shown) == REFUSALS_SHOWN


def sealed(manifest, **more):
    """The manifest as a crawl commits it, with two WARC files."""
    warc = {"kind": "warc", "bytes": 3 << 20, "records": 10}
    shards = [{"name": f"crawl/data/r0001/part-{n:05d}.warc.gz", **warc} for n in range(2)]
    return seal({**manifest, "settings": {"block": {"contact": "x@y.example"}}, "shards": shards, **more})


def test_a_crawl_that_no_text_job_has_read_has_a_report_of_its_own(manifest, tmp_path):
    made = sealed(manifest)
    page = build_report(LocalStore(tmp_path), {"crawl": made}).decode()
    read = Words(page.partition("<body>")[2].partition("</body>")[0])
    assert "Crawl of 18 hosts" in read.words
    assert "no text job has read what it brought" in read.words
    assert "No record was read" not in read.words and "does not balance" not in read.words
    assert f"pages crawled{made['ledger']['out']['kept']:,}of {made['ledger']['in']:,} URLs taken up" in read.words
    assert "WARC files26.0 MiB" in read.words
    assert made["digest"] in read.words
    assert read.links == ["Crawl", "Provenance"]
    assert "another one has another digest" in read.words


def test_the_title_names_a_single_host(manifest, tmp_path):
    alone = [{"authority": "http://a.example", "kept": 1}]
    one = sealed({**manifest, "statistics": {**manifest["statistics"], "host_count": 1, "hosts": alone}})
    assert b'<h1 dir="auto">Crawl of http://a.example</h1>' in build_report(LocalStore(tmp_path), {"crawl": one})


def test_a_section_does_not_grow_with_the_crawl(crawl):
    many = replace(
        crawl,
        host_count=1_000_000,
        hosts=tuple(CrawlHost(f"http://h{n}.example", kept=n) for n in range(100)),
        media_types={f"x/{n}": n + 1 for n in range(500)},
    )
    read = Words(crawl_section(many))
    assert sum(row[0].startswith("http://h") for row in read.rows) == HOSTS_SHOWN
    assert "The 40 largest of 1,000,000 hosts are shown." in read.words
    rest = sum(range(1, 501 - REASONS_SHOWN))
    assert read.row(f"{500 - REASONS_SHOWN} more")[1] == f"{rest:,}"


HOSTILE = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</td></table><iframe>", "\x00\x1b", "\ud800"]


def hostile(text):
    host = CrawlHost(text, 1, 1, 1, 1, 1, 1, text)
    counts = {text: 3}
    samples = (RefusalSample(text, text, text),)
    return CrawlData(1, 1, (host,), *[counts] * 6, 1, 1, 1, 1.0, samples, 1, {"kept": 1})


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_text_wherever_it_stands(text):
    read, harmless = Words(crawl_section(hostile(text))), Words(crawl_section(hostile("x")))
    assert read.tags - Counter(wbr=99) == harmless.tags - Counter(wbr=99)
    assert not [key for key, _ in read.attributes if key.startswith("on") or key in ("src", "href")]


@given(st.text("aé日 <&\"'\n", max_size=400))
def test_what_an_owner_said_is_shown_or_cut_never_changed(said):
    samples = (RefusalSample("http://a.example/", "noai", said),)
    shown = Words(crawl_section(CrawlData(refusal_samples=samples))).row("http://a.example/")[2]
    lines = "".join(line for line in said.split("\n") if line.strip())
    if len(said) <= SAID_CHARACTERS:
        assert shown == (lines or "–")
    else:
        assert lines.startswith(shown.removesuffix(" …")) and shown.endswith(" …")


def test_the_same_crawl_gives_the_same_bytes(manifest):
    backwards = {**manifest, "statistics": {**manifest["statistics"]}}
    backwards["statistics"]["hosts"] = manifest["statistics"]["hosts"][::-1]
    backwards["statistics"]["refused"] = dict(reversed(manifest["statistics"]["refused"].items()))
    assert crawl_section(crawl_data(backwards)) == crawl_section(crawl_data(manifest))
