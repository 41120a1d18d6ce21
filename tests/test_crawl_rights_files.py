"""tdmrep.json and ai.txt that cannot be read: somebody said something, and what we cannot read counts as a no."""

import gzip
import json

import jobs
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from recording_server import ABSENT, recording, response

from filters import policy
from filters.url import location
from manifests.reasons import Refused

TDMREP, AI_TXT = "/.well-known/tdmrep.json", "/ai.txt"
RULE = {"location": "/nothing", "tdm-reservation": 0}
PLENTY = [{"location": f"/{n:040d}", "tdm-reservation": 0} for n in range(900)]  # 64 KiB and more
SOFT_404 = b"\n<!DOCTYPE html><html><body><p>Not found</p></body></html>"


def tdmrep(body, *fields):
    return {TDMREP: response(body, *fields, media_type="application/json")}


def ai_txt(body):
    return {AI_TXT: response(body, media_type="text/plain")}


UNREADABLE = {  # host -> (its files, the reason, why)
    "cut-tdmrep.example": (tdmrep(json.dumps(PLENTY).encode()), "tdm_reservation", "truncated"),
    "cut-ai.example": (ai_txt(b"User-Agent: *\n" + "# 雪\n".encode() * 20_000), "ai_txt", "truncated"),
    "no-gzip.example": (
        tdmrep(b"\x1f\x8bnot gzip", "Content-Encoding: gzip"), "tdm_reservation", "damaged_coding"
    ),
    "bomb.example": (
        tdmrep(gzip.compress(b" " * 50_000_000), "Content-Encoding: gzip"), "tdm_reservation", "truncated"
    ),
    "no-json.example": (tdmrep(b'[{"location": "/", '), "tdm_reservation", "no JSON"),
    "words.example": (tdmrep("すべて禁止".encode()), "tdm_reservation", "no JSON"),
    "prose.example": (ai_txt("ห้ามใช้ฝึก AI".encode()), "ai_txt", "no rules"),
    "many-rules.example": (tdmrep(json.dumps([{"location": "/x"}] * 1001).encode()), "tdm_reservation",
                           "more than 1000 rules"),
}  # fmt: skip
SILENT = {
    "none.example": {},
    "page-instead.example": {TDMREP: response(SOFT_404), AI_TXT: response(SOFT_404)},
    "long-page-instead.example": {TDMREP: response(SOFT_404 + b" " * 100_000)},
    "other-pages.example": tdmrep(json.dumps([RULE]).encode()),
    "no-rules.example": tdmrep(b"[]"),
    "empty.example": {TDMREP: response(b""), AI_TXT: response(b"")},
    "comments.example": ai_txt("# コメントのみ\n\n".encode()),
    "gone.example": {TDMREP: response(b"no", status="410 Gone")},
}


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """Return host -> the row of its one page in the log of requests, of one crawl of all."""
    folder = tmp_path_factory.mktemp("rights")
    files = {host: case[0] for host, case in UNREADABLE.items()} | SILENT

    def answer(host, path):
        is_file = path in (TDMREP, AI_TXT, "/robots.txt")
        return files[host].get(path, ABSENT) if is_file else response(b"<p>A page</p>")

    with recording(answer) as site:
        given = {"test_only_loopback": site.port, "delay_s": 0, "delay_factor": 0, "max_delay_s": 0.2, "rounds": 1}
        settings = [f"--set=crawl.{name}={value}" for name, value in given.items()]
        seeds = [f"http://{host}/1" for host in files]
        jobs.run("crawl", *seeds, "--contact", "t@example.org", "--out", folder, "--quiet", *settings, timeout_s=90)
    names = [shard["name"] for shard in jobs.manifest(folder, "crawl")["shards"] if shard["kind"] == "requests"]
    rows = pa.concat_tables([pq.read_table(folder / name) for name in names]).to_pylist()
    return {location(row["uri"]).host: row for row in rows}


@pytest.mark.parametrize("host", UNREADABLE)
def test_what_cannot_be_read_as_a_whole_is_a_no_and_the_log_says_why(log, host):
    files, reason, why = UNREADABLE[host]
    said = f"{'ai.txt' if AI_TXT in files else 'tdmrep.json'} unreadable: {why}"
    row = log[host]
    assert (row["verdict"], row["reason"], row["detail"], row["policy"]) == ("refused", reason, said, said)


@pytest.mark.parametrize("host", SILENT)
def test_what_is_not_there_says_nothing(log, host):
    assert log[host]["verdict"] == "kept"


@pytest.mark.parametrize(
    ("body", "defect"),
    [
        pytest.param(b"", None, id="empty"),
        pytest.param(b" \n", None, id="blank"),
        pytest.param(b"\xef\xbb\xbf[]", None, id="a mark and no rules"),
        pytest.param(json.dumps(RULE).encode(), None, id="the brackets forgotten"),
        pytest.param(json.dumps([RULE] * 1000).encode(), None, id="as many rules as are heard"),
        pytest.param(json.dumps([RULE] * 1001).encode(), "more than 1000 rules", id="one more"),
        pytest.param(b"[1]", "no list of rules", id="a list of numbers"),
        pytest.param(b'"tdm-reservation: 1"', "no list of rules", id="a word"),
        pytest.param(b"null", "no JSON", id="null"),
        pytest.param(b"\xff\xfe[\x00]\x00", None, id="UTF-16, which JSON once was"),
        pytest.param(b"[" * 100_000, "no JSON", id="nested without end"),
        pytest.param("予約済み".encode("euc_jp"), "no JSON", id="EUC-JP"),
    ],
)
def test_which_tdmrep_json_can_be_read(body, defect):
    assert policy.tdmrep_defect(body) == defect


@pytest.mark.parametrize(
    ("body", "defect"),
    [
        pytest.param(b"", None, id="empty"),
        pytest.param(b"User-Agent: *\nDisallow: /", None, id="rules"),
        pytest.param("# 雪国\n".encode(), None, id="comments"),
        pytest.param("AIの学習に使わないでください".encode(), "no rules", id="prose, in Japanese"),
        pytest.param(b"No training!", "no rules", id="prose"),
        pytest.param(b"User-Agent: *\n" + b"Disallow: /x\n" * 1000, None, id="as many rules as are heard"),
        pytest.param(b"User-Agent: *\n" + b"Disallow: /x\n" * 1001, "more than 1000 rules", id="one more"),
    ],
)
def test_which_ai_txt_can_be_read(body, defect):
    assert policy.ai_txt_defect(body) == defect


@pytest.mark.parametrize(("name", "refused"), [("tdmrep.json", Refused.TDM_RESERVATION), ("ai.txt", Refused.AI_TXT)])
def test_the_line_of_an_unreadable_file_is_heard_as_its_no(name, refused):
    assert policy.refusal(policy.directives([policy.unreadable(name, "truncated")])) is refused


def test_what_the_page_itself_allows_counts_for_more_than_an_unreadable_file():
    lines = [policy.unreadable("tdmrep.json", "truncated"), "meta tdm-reservation: 0"]
    assert policy.refusal(policy.directives(lines)) is None
