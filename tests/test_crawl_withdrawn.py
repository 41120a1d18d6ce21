"""An owner's no that comes later: what an earlier visit kept is withdrawn, and no later snapshot of text holds it."""

import json
import subprocess
import sys
import time
from datetime import UTC, datetime
from urllib.parse import unquote

import jobs
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recording_server import ABSENT, recording, response
from warcio.archiveiterator import ArchiveIterator

from filters import policy
from filters.url import domain_key, location, url_id
from manifests.limits import Limits
from manifests.manifest import load_manifest, newest_version
from manifests.reasons import Refused
from manifests.store import Listed, open_store
from pipelines.crawl.records import FRONTIER, OUTCOME, WITHDRAWN
from pipelines.crawl.withdraw import withdrawals
from pipelines.sources import plan_units, read_unit
from pipelines.sources.withdrawn import with_withdrawn

SITE = "http://a.example"
SENTENCES = {
    "stays": "The harbour of this town was built two hundred years ago, and ships still land there every morning.",
    "goes": "Der Müller erzählte seinen Kindern am Abend lange Geschichten von den Bergen und von dem alten Wald.",
    "雪国": "国境の長いトンネルを抜けると雪国であった。夜の底が白くなった。信号所に汽車が止まった。",
    "ไทย": "ประเทศไทยมีภูเขาและทะเลที่สวยงาม นักท่องเที่ยวจากทั่วโลกมาเยี่ยมชมทุกปี",
}
LATER = {  # what the owner says at the second visit, and the reason that it comes to
    "header": ("noai", {"X-Robots-Tag: noai, max-image-preview:large"}),
    "not modified": ("noai", {"X-Robots-Tag: noai"}),
    "robots": ("robots", set()),
    "tdmrep": ("tdm_reservation", set()),
}


def page(name):
    return f"<html><body><h1>{name}</h1>{f'<p>{SENTENCES[name]}</p>' * 3}</body></html>".encode()


class Owner:
    """A site of four pages whose owner changes his mind about one of them."""

    def __init__(self, how):
        self.how, self.second = how, False

    def __call__(self, host, path):
        name = unquote(path).strip("/")
        if path == "/robots.txt":
            forbids = self.second and self.how == "robots"
            return response(b"User-agent: *\nDisallow: /goes" if forbids else b"", "Cache-Control: max-age=0")
        if path == "/.well-known/tdmrep.json" and self.second and self.how == "tdmrep":
            return response(b'[{"location": "/goes", "tdm-reservation": 1}]', media_type="application/json")
        if name not in SENTENCES:
            return ABSENT
        fields = LATER[self.how][1] if self.second and name == "goes" else set()
        if self.second and (self.how == "not modified" or name != "goes"):
            return response(b"", *fields, status="304 Not Modified")
        return response(page(name), 'ETag: "1"', *fields, media_type="text/html; charset=utf-8")


# robots.txt and tdmrep.json hold for ten minutes at least: here for two seconds, so that a test can be the day after
COMMAND = """
import sys
from pipelines.crawl import site_files
from pipelines.fetch import robots_fetch
robots_fetch.MIN_TTL_S = site_files.MIN_TTL_S = 2.0
from pipelines.cli import main
sys.exit(main())
"""


def run(folder, port, visits, **text):
    """Crawl, for the `visits`-th time, and make the text; return the output."""
    block = {
        "seeds": [f"{SITE}/{name}" for name in SENTENCES], "contact": "tests@example.org", "rounds": visits,
        "visits": visits, "test_only_loopback": port, "delay_s": 0, "delay_factor": 0, "max_delay_s": 0.2,
        "max_pages": 100,
    }  # fmt: skip
    given = {"shards": 1, "rules": [], "edits": [], "dedup": {"near": None}, **text}
    (folder / "recipe.json").write_text(json.dumps({"corpusmill": 1, "crawl": block, "text": given}))
    command = [sys.executable, "-c", COMMAND, "run", folder / "recipe.json", "--out", folder / "out", "--quiet"]
    done = subprocess.run([*map(str, command), "--workers=1"], timeout=120, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "out"


def newest(out):
    store = open_store(out)
    return store, load_manifest(store, "crawl", newest_version(store, "crawl"))


def listed(out):
    manifest = newest(out)[1]
    names = [shard["name"] for shard in manifest["shards"] if shard["kind"] == "withdrawn"]
    return [row for name in names for row in pq.read_table(out / name).to_pylist()]


def sources(out):
    """Return (URI, policy) of every page that a text job reads of the newest snapshot of the crawl."""
    store, manifest = newest(out)
    names = tuple(shard["name"] for shard in manifest["shards"] if shard["kind"] == "warc")
    inputs = Listed(store, names)
    units = with_withdrawn(plan_units(inputs, "crawl", "warc"), inputs, manifest)
    chunks = [chunk for unit in units for chunk in read_unit(inputs, unit, 0, Limits())]
    rows = [row for chunk in chunks for row in chunk.batch.select(["uri", "policy"]).to_pylist()]
    return units, {unquote(row["uri"]).rpartition("/")[2]: row["policy"] for row in rows}


@pytest.fixture(
    params=["not modified", "robots", *(pytest.param(how, marks=pytest.mark.long) for how in ("header", "tdmrep"))],
    scope="module",
)
def changed(request, tmp_path_factory):
    """Return (how, output) after a visit, a change of mind, and another visit."""
    folder, owner = tmp_path_factory.mktemp("withdrawn"), Owner(request.param)
    with recording(owner) as site:
        out = run(folder, site.port, 1)
        before = {row["uri"]: row["text"] for row in jobs.rows(out)}
        assert len(before) == len(SENTENCES)
        owner.second = True
        time.sleep(2.1)
        run(folder, site.port, 2)
    return request.param, out


def test_the_snapshot_says_which_records_are_withdrawn_and_why(changed):
    how, out = changed
    (row,) = listed(out)
    assert (row["uri"], row["reason"], row["round"]) == (f"{SITE}/goes", LATER[how][0], 2)
    assert row["since"] <= datetime.now(UTC)
    store, manifest = newest(out)
    assert manifest["statistics"]["withdrawn"] == 1
    with store.open(row["file"]) as file:
        file.seek(row["offset"])
        record = next(iter(ArchiveIterator(file)))
    assert record.rec_headers.get_header("WARC-Target-URI") == f"{SITE}/goes"
    assert record.rec_type == "response"
    assert "sound" in jobs.run("verify", "--out", out, "--job", "crawl")


def test_whoever_reads_the_snapshot_reads_the_no_with_the_record(changed):
    how, out = changed
    units, policies = sources(out)
    assert {name: bool(lines) for name, lines in policies.items()} == {name: name == "goes" for name in SENTENCES}
    said = policy.directives(policies["goes"].split("\n"))
    assert policy.refusal(said, []) == LATER[how][0]  # whatever the recipe refuses
    assert [unit.identity().get("withdrawn") is not None for unit in units].count(True) == 1


def test_the_next_snapshot_of_the_text_no_longer_holds_it_and_says_why(changed):
    how, out = changed
    assert {unquote(row["uri"]).rpartition("/")[2] for row in jobs.rows(out)} == set(SENTENCES) - {"goes"}
    (refused,) = jobs.rows(out, "refused")
    assert (refused["uri"], refused["reason"]) == (f"{SITE}/goes", LATER[how][0])
    assert jobs.funnel(out)["refused"] == 1
    assert f"refused/{LATER[how][0]}" in jobs.manifest(out)["ledger"]["out"]


@pytest.mark.long
def test_what_is_allowed_again_is_read_again(tmp_path):
    owner = Owner("header")
    with recording(owner) as site:
        for visit, owner.second in ((1, False), (2, True), (3, False)):
            out = run(tmp_path, site.port, visit)
            assert len(listed(out)) == (visit == 2)
    assert {unquote(row["uri"]).rpartition("/")[2] for row in jobs.rows(out)} == set(SENTENCES)


# The list by itself, against a rule that shares no code

STATES = ("kept", "unchanged", "refused", "failed", "redirected", "retry", "later")
visit = st.lists(st.sampled_from(STATES), min_size=1, max_size=6)


def rows_of(urls, states, second):
    """Return the OUTCOME rows of a round."""
    rows = []
    for url, state in zip(urls, states, strict=True):
        row = dict.fromkeys(OUTCOME.names) | {"url": url, "url_id": url_id(url), "state": state, "kind": "page"}
        row |= {"key": domain_key(location(url).domain), "started_s": second, "ended_s": second + 0.5}
        rows.append(row | {"authority": location(url).authority, "reason": "noai" if state == "refused" else None})
    return pa.Table.from_pylist(rows, OUTCOME)


@given(st.lists(visit, min_size=1, max_size=4))
def test_a_url_is_withdrawn_from_a_no_until_it_is_kept_again(histories):
    urls = [f"http://a.example/{n}" for n in range(len(histories))]
    rounds = max(map(len, histories))
    frontier, listed_now = pa.Table.from_pylist([], FRONTIER), WITHDRAWN.empty_table()
    had, expected = {}, {}
    for number in range(rounds):
        now = [(url, states[number]) for url, states in zip(urls, histories, strict=True) if number < len(states)]
        last = rows_of([url for url, _ in now], [state for _, state in now], 1000.0 * number)
        listed_now = withdrawals(listed_now, frontier, last, number)
        for url, state in now:
            if state in ("kept", "unchanged"):
                expected.pop(url, None)
            elif state == "refused" and url in had:
                expected.setdefault(url, number)
            if state == "kept":
                had[url] = 1000.0 * number
        rows = [
            dict.fromkeys(FRONTIER.names) | {"url": url, "url_id": url_id(url), "fetched_s": at, "key": 0}
            for url, at in had.items()
        ]
        frontier = pa.Table.from_pylist(rows, FRONTIER)
        found = dict(zip(listed_now["url"].to_pylist(), listed_now["round"].to_pylist(), strict=True))
        assert found == expected


@pytest.mark.parametrize("reason", list(Refused))
def test_a_later_no_is_heard_as_the_reason_it_was(reason):
    line = policy.withdrawn(str(reason), "Disallow: /雪国/\nmeta robots: noai")
    assert "\n" not in line
    assert policy.refusal(policy.directives([line]), []) is reason


@pytest.mark.parametrize("line", ["meta robots: withdrawn noai", "x-robots-tag: withdrawn:noai", "withdrawn nobody: x"])
def test_nobody_else_can_say_so(line):
    assert policy.refusal(policy.directives([line]), []) is None
