"""Bad input: what is broken is quarantined with its reason, and costs nothing but itself."""

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import broken_input
import jobs
import pyarrow as pa
import pytest
from broken_input import BROKEN, DISGUISES, UNSAFE_TAR_MEMBERS, Broken
from resiliparse.parse.html import HTMLParserException

from filters import extract, html
from manifests.limits import Limits
from manifests.reasons import Merged, Quarantine, Refused, Skipped
from manifests.records import RAW

SETTINGS = (
    "--set", "text.shards=2",
    "--set", "text.dropped_text_sample=1.0",
    "--set", "limits.parse_cpu_s=1.0",
)  # fmt: skip
ALL_ALLOWED = ("--set", "text.max_quarantined_fraction=0.5")


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> Path:
    """Give the output of the good pages alone."""
    folder = tmp_path_factory.mktemp("sound")
    broken_input.write(folder / "in", broken=False)
    jobs.run("text", folder / "in", "--out", folder / "out", "--quiet", "--workers", "2", *SETTINGS)
    return folder / "out"


class Refusal:
    """What the job left and said when it met more broken records than it may."""

    def __init__(self, out: Path, said: str, cpu_s: float) -> None:
        self.out, self.said, self.cpu_s = out, said, cpu_s
        self.left = sorted(path.relative_to(out).parts[:2] for path in out.rglob("*") if path.is_file())
        self.stamps = stamps(out / "text" / "staged")


@pytest.fixture(scope="module")
def refusal(tmp_path_factory, sound) -> Refusal:
    """Give the outcome of the broken input under the default limit of 5 %, run when all kernels are compiled."""
    assert sound
    folder = tmp_path_factory.mktemp("broken")
    broken_input.write(folder / "in", broken=True)
    before = cpu_s()
    said = jobs.run("text", folder / "in", "--out", folder / "out", "--quiet", "--workers", "2", *SETTINGS, status=1)
    return Refusal(folder / "out", said, cpu_s() - before)


def cpu_s() -> float:
    """Return the CPU seconds of all processes that this one has started and that have ended."""
    times = os.times()
    return times.children_user + times.children_system


@pytest.fixture(scope="module")
def out(refusal) -> Path:
    """Give the output of the broken input where the recipe allows as much."""
    source = refusal.out.parent / "in"
    jobs.run("text", source, "--out", refusal.out, "--quiet", "--workers", "2", *SETTINGS, *ALL_ALLOWED)
    return refusal.out


def stamps(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def units(out: Path) -> dict[str, dict[str, Any]]:
    """Return file or first member -> the unit's account."""
    return {unit["unit"].removeprefix("in:").partition("[")[0]: unit for unit in jobs.manifest(out)["units"]}


def found(out: Path, broken: Broken) -> list[dict[str, Any]]:
    """Return the quarantined rows of a broken record, by its URI or else by the file that it stood in."""
    keys = {unit["unit_key"]: name for name, unit in units(out).items()}
    where = broken_input.place(broken)
    return [row for row in jobs.quarantined(out) if (row["uri"] or keys[str(row["unit"])]) == where]


def verdicts(out: Path) -> dict[str, tuple[bytes, str, str | None]]:
    """Return URI -> (id, verdict, reason) of every document."""
    kept = {row["uri"]: (row["id"], "kept", None) for row in jobs.rows(out)}
    return kept | {row["uri"]: (row["id"], row["verdict"], row["reason"]) for row in jobs.rows(out, "dropped")}


# ---- too much of it


def test_a_job_with_too_many_broken_records_says_how_many_why_and_which_limit(refusal):
    broken = len(BROKEN) + UNSAFE_TAR_MEMBERS
    assert f"{broken} of " in refusal.said
    assert "max_quarantined_fraction = 0.05" in refusal.said
    for reason, count in Counter(each.reason for each in BROKEN).most_common(1):
        assert f"{reason} {count}" in refusal.said
    assert "text/quarantine/" in refusal.said
    assert "Traceback" not in refusal.said


def test_a_job_with_too_many_broken_records_commits_nothing(refusal):
    assert {parts[1] for parts in refusal.left} <= {"staged", "quarantine", "refused", "plans"}


def test_a_recipe_that_allows_them_goes_on_from_what_is_staged(refusal, out):
    assert stamps(out / "text" / "staged") == refusal.stamps
    assert jobs.manifest(out)["digest"]


def test_broken_records_cost_seconds_and_not_the_minutes_that_they_ask_for(refusal):
    assert refusal.cpu_s < 180  # of which up to 100 compile kernels where no cache has them


# ---- each of it


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.id)
def test_is_quarantined_alone_with_its_reason(out, broken):
    rows = found(out, broken)
    assert [row["reason"] for row in rows] == [broken.reason]
    (row,) = rows
    assert row["limit"] == broken.limit
    if row["observed"] is not None:
        assert row["observed"] > row["limit_value"]
    assert len(row["detail"].encode()) <= 512
    assert row["uri"] not in verdicts(out)


def test_members_that_would_leave_their_folder_are_quarantined(out):
    (key,) = [unit["unit_key"] for name, unit in units(out).items() if name == "a.tar"]
    rows = [row for row in jobs.quarantined(out) if str(row["unit"]) == key]
    assert [row["reason"] for row in rows] == ["unsafe_member_name"] * UNSAFE_TAR_MEMBERS


def test_nothing_else_is_quarantined(out):
    expected = Counter(each.reason for each in BROKEN) + Counter(unsafe_member_name=UNSAFE_TAR_MEMBERS)
    assert Counter(row["reason"] for row in jobs.quarantined(out)) == expected


@pytest.mark.parametrize(
    ("name", "lost"),
    [
        pytest.param("damaged.warc.gz", broken_input.bad_member, id="a bad gzip member in the middle"),
        pytest.param("cut.warc.gz", broken_input.cut_member, id="a cut gzip member"),
        pytest.param("cut.warc", broken_input.cut_record, id="a cut plain record"),
        pytest.param("head.warc", broken_input.huge_head, id="a head that is too long"),
        pytest.param("stump.parquet", broken_input.stump, id="a file without its end"),
        pytest.param("web.warc.gz", bytes, id="sound members"),
        pytest.param("a.tar", bytes, id="a sound archive"),
    ],
)
def test_lost_bytes_are_counted_exactly(out, name, lost):
    assert units(out)[name]["lost_bytes"] == len(lost())


def test_the_total_of_lost_bytes_is_that_of_the_units(out):
    assert jobs.manifest(out)["ledger"]["lost_bytes"] == sum(unit["lost_bytes"] for unit in units(out).values())


# ---- and the rest of it


def test_every_good_page_is_there_with_the_same_id_verdict_and_reason(sound, out):
    alone = verdicts(sound)
    assert len(alone) == len(broken_input.good_pages())
    assert {uri: verdict for uri, verdict in verdicts(out).items() if uri in alone} == alone


def test_good_pages_are_published_with_the_same_text(sound, out):
    texts = {row["uri"]: row["text"] for row in jobs.rows(out)}
    assert all(texts[row["uri"]] == row["text"] for row in jobs.rows(sound))


@pytest.mark.parametrize("name", DISGUISES)
def test_is_read_as_the_same_page_in_utf_8(out, name):
    assert_twins(out, f"in:files/{name}.html")


def test_a_page_whose_server_names_a_wrong_character_set_is_read(out):
    assert_twins(out, broken_input.bad_uri("lying-header"))


def assert_twins(out: Path, uri: str) -> None:
    """Hold a page to be an exact duplicate of its twin: of its cluster one stays, the others name it."""
    rows = {row["uri"]: row for row in jobs.rows(out, "dropped")}
    kept = {row["uri"]: row["id"] for row in jobs.rows(out)}
    stays = {rows[each]["kept_id"] if each in rows else kept[each] for each in (uri, "in:files/twin.html")}
    assert len(stays) == 1
    for each in {uri, "in:files/twin.html"} & set(rows):
        assert (rows[each]["reason"], rows[each]["similarity"]) == ("exact_duplicate", 1.0)


def test_every_record_is_in_one_place(out):
    counts = jobs.funnel(out)
    assert counts["in"] == sum(count for name, count in counts.items() if name != "in")
    assert counts["kept"] == len(jobs.rows(out))
    assert counts["dropped"] + counts["merged"] == len(jobs.rows(out, "dropped"))
    assert counts["quarantined"] == len(jobs.quarantined(out))
    assert counts["refused"] == len(jobs.rows(out, "refused")) == 5


def test_verify_finds_a_sound_corpus(out):
    jobs.run("verify", "--out", out)


def test_a_quarantined_record_is_told_by_inspect(out):
    told = json.loads(jobs.run("inspect", "--out", out, "--uri", "in:files/burn.html"))
    assert (told["verdict"], told["reason"]) == ("quarantined", "parse_timeout")


# ---- the closed lists of reasons

ELSEWHERE = {  # raised by other tests: the test's file, and what is in it
    Quarantine.PARSE_CRASH: ("test_guard.py", "Quarantine.PARSE_CRASH"),
    Quarantine.OUT_OF_MEMORY: ("test_guard.py", "Quarantine.OUT_OF_MEMORY"),
    Quarantine.PARSE_ERROR: ("test_bad_input.py", "test_a_page_that_the_parser_refuses_is_quarantined"),
    Quarantine.ENCRYPTED: ("test_epub.py", "encrypted"),
    Quarantine.TOO_MANY_PARTS: ("test_epub.py", "too_many_parts"),
    Skipped.SCANNED: ("test_inputs_job.py", "skipped/scanned"),
    Skipped.WIKI_REDIRECT: ("test_inputs_job.py", "skipped/wiki_redirect"),
    Skipped.WIKI_NAMESPACE: ("test_inputs_job.py", "skipped/wiki_namespace"),
    Skipped.POST_TYPE: ("test_inputs_job.py", "skipped/post_type"),
    Merged.SAME_IMAGES: ("test_interleave_job.py", "test_of_two_documents_with_the_same_images_the_longer_stays"),
    # these speak in files of the site, which the crawl reads
    Refused.AI_TXT: ("test_crawl_job.py", "test_every_url_of_the_site_has_the_fate_that_it_should"),
    Refused.OPT_OUT: ("test_opt_out_job.py", "test_what_a_list_names_is_refused_by_every_job"),
    Refused.ROBOTS: ("test_crawl_job.py", "test_nothing_that_robots_txt_disallows_was_asked_for"),
}


@pytest.mark.parametrize(
    "reason", [*Quarantine, *Skipped, *Refused, *Merged], ids=lambda reason: f"{type(reason).__name__} {reason}"
)
def test_every_reason_of_the_closed_lists_is_met(out, reason):
    if reason in ELSEWHERE:
        file, text = ELSEWHERE[reason]
        assert text in (Path(__file__).parent / file).read_text()
        return
    verdict = {Quarantine: "quarantined", Skipped: "skipped", Refused: "refused", Merged: "merged"}[type(reason)]
    assert f"{verdict}/{reason}" in jobs.manifest(out)["ledger"]["out"]


def test_no_reason_outside_of_the_closed_lists_is_met(out):
    known = {f"quarantined/{reason}" for reason in Quarantine} | {f"skipped/{reason}" for reason in Skipped}
    known |= {f"refused/{reason}" for reason in Refused} | {f"merged/{reason}" for reason in Merged} | {"kept"}
    assert {name for name in jobs.manifest(out)["ledger"]["out"] if not name.startswith("dropped/")} <= known


def test_a_page_that_the_parser_refuses_is_quarantined(monkeypatch):
    def refuse(*_: Any, **__: Any) -> None:
        raise HTMLParserException

    monkeypatch.setattr(html, "read_page", refuse)
    row = {"uri": "https://a.example/", "media_type": "text/html", "payload": b"<p>x", "digest": bytes(32)}
    raw = pa.RecordBatch.from_pylist([row], RAW)
    extracted = extract.extract(raw, Limits(), lambda row: None, source="in", unit=0)
    assert [each["reason"] for each in extracted.quarantined] == ["parse_error"]
    assert extracted.documents.num_rows == 0
