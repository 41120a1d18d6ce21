"""`make demo`, as it is: a crawl on loopback only, then documents, media of every kind, a tokenizer and a report."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import unquote, urlsplit

import jobs
import pyarrow.parquet as pq
import pytest
import webdataset

from pipelines.demo_media import PROMPTS
from pipelines.demo_site.site import demo_site
from pipelines.demo_texts import text_folders, word_lists
from pipelines.recipe import load_recipe

ROOT = Path(__file__).parent.parent
SECONDS_TO_SEE_THAT_ALL_IS_DONE = 30
JOBS = (  # in their order
    *("crawl", "text", "images", "audio", "video", "code", "interleave", "instruct"),
    *("tokenizer", "tokens", "mixture"),
)
WITHOUT_A_LEDGER = {"tokenizer", "mixture"}  # they count words and tokens of what others account for
# Notes every connection and every look-up of a name that a Python process of the demo makes, in all of its children.
WITNESS = """
import os, socket
def noting(kind, real, where):
    def call(*arguments, **named):
        with open(os.environ["WITNESS"], "a") as notes:
            notes.write(f"{kind} {where(arguments)}\\n")
        return real(*arguments, **named)
    return call
address = lambda arguments: arguments[1][0] if isinstance(arguments[1], tuple) else "unix"
socket.socket.connect = noting("connect", socket.socket.connect, address)
socket.socket.connect_ex = noting("connect", socket.socket.connect_ex, address)
socket.getaddrinfo = noting("name", socket.getaddrinfo, lambda arguments: arguments[0])
"""
LOOPBACK = re.compile(r"connect (127(\.[0-9]+){3}|::1|unix)|name (127(\.[0-9]+){3}|localhost|None|::1?)")


def demo(*arguments, status=0, **env):
    """Run the demo to its end and return what it printed."""
    command = [sys.executable, "-m", "pipelines.demo", *map(str, arguments)]
    ended = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **env}, capture_output=True, text=True, timeout=900, check=False
    )
    assert ended.returncode == status, ended.stdout[-3000:] + ended.stderr[-3000:]
    return ended.stdout + ended.stderr


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """The small demo: (output, what it printed, what its processes connected to)."""
    folder = tmp_path_factory.mktemp("demo")
    (folder / "sitecustomize.py").write_text(WITNESS)
    (folder / "notes").touch()
    text_folders("small"), word_lists()  # what comes from the package index is no matter of the demo's connections
    said = demo("--small", "--out", folder / "out", PYTHONPATH=f"{folder}:{ROOT}", WITNESS=str(folder / "notes"))
    return folder / "out", said, (folder / "notes").read_text().splitlines()


def test_it_crawls_and_makes_documents_a_tokenizer_and_a_report_of_all(ran):
    out, said, _ = ran
    crawled = jobs.manifest(out, "crawl")
    assert crawled["ledger"]["out"]["kept"] > 300
    assert jobs.manifest(out)["ledger"]["out"]["kept"] > 100
    (report,) = (out / "report").glob("*.html")
    assert f"report: {report}" in said
    assert all(jobs.digest(out, job)[:8] in report.name.split(".")[0].split("-") for job in JOBS)
    page = report.read_text()
    assert "Text corpus of 5 inputs" in page
    assert all(jobs.digest(out, job) in page for job in ("crawl", "text", "tokenizer"))


def test_the_crawl_s_funnel_stands_before_the_text_s_and_knows_no_duplicates(ran):
    crawl, _, text = ran[1][ran[1].index("crawl: committed") :].partition("text: committed")
    assert re.search(r"\n  in +[0-9,]+ +100.0%\n  kept .*\n  refused .*\n      robots ", crawl)
    assert "  dropped " not in crawl and "  merged " not in crawl
    assert re.search(r"\n  in .*\n  kept .*\n  dropped .*\n", text) and "\n  merged " in text


def test_it_meets_everything_that_the_site_has_in_store(ran):
    counts = jobs.manifest(ran[0], "crawl")
    found = set(counts["ledger"]["out"])
    refused = {"robots", "noai", "noindex", "tdm_reservation", "content_usage", "content_signal", "ai_txt"}
    failed = {"delay_too_long", "robots_unreachable", "redirect_loop", "decoded_too_large", "blocked_scheme"}
    assert {f"refused/{reason}" for reason in refused} <= found
    assert {f"quarantined/{reason}" for reason in failed} <= found
    assert {"skipped/sitemap", "skipped/redirected"} <= found
    assert {"trap_calendar", "trap_session", "trap_path"} <= set(counts["statistics"]["links_skipped"])
    assert counts["progress"]["finished"]


def test_nothing_is_asked_but_this_machine(ran):
    notes = ran[2]
    assert sum(note == "connect 127.0.0.1" for note in notes) > 10
    assert not {note for note in notes if not LOOPBACK.fullmatch(note)}


def test_a_second_time_it_sees_that_all_is_done(ran):
    out, first, _ = ran
    before, start = sorted(out.rglob("*")), time.monotonic()
    said = demo("--small", "--out", out)
    assert time.monotonic() - start < SECONDS_TO_SEE_THAT_ALL_IS_DONE
    assert said.count("all done before: nothing to do") == first.count(": committed, snapshot ") > len(JOBS)
    assert sorted(out.rglob("*")) == before
    assert re.search(r"--set crawl.test_only_loopback=([0-9]+)", said)[1] not in first  # another port, no other key


def rows(out, job, kind):
    names = [shard["name"] for shard in jobs.manifest(out, job)["shards"] if shard["kind"] == kind]
    return [row for name in names for row in pq.read_table(out / name).to_pylist()]


@pytest.mark.parametrize("job", [job for job in JOBS if job not in WITHOUT_A_LEDGER])
def test_every_job_keeps_something_and_accounts_for_all_that_it_read(ran, job):
    ledger = jobs.manifest(ran[0], job)["ledger"]
    assert ledger["out"]["kept"] > 0
    expanded = ledger.get("expanded", {"in": 0, "out": 0})
    assert ledger["in"] - expanded["in"] + expanded["out"] == sum(ledger["out"].values())


def test_all_that_is_published_is_what_the_manifests_say(ran):
    said = jobs.run("verify", "--out", ran[0])
    assert all(re.search(rf"/{job}/manifests/v[0-9]+\.json: sound ", said) for job in JOBS)


def test_text_reads_the_crawl_books_extracted_texts_a_dump_and_pages_of_projects(ran):
    assert {each["source"] for each in jobs.manifest(ran[0])["inputs"]} == {"crawl", "books", "wet", "wiki", "projects"}
    kept = {row["source"] for row in rows(ran[0], "text", "documents")}
    assert {"crawl", "wet", "wiki", "projects"} <= kept


def test_every_slot_of_the_text_job_is_filled_and_told_in_the_report(ran):
    out = ran[0]
    made, counts = jobs.manifest(out), jobs.manifest(out)["ledger"]["out"]
    assert counts["refused/opt_out"] > 0 and counts["dropped/blocked_url/demo>0"] > 0
    elsewhere = [row for row in rows(out, "text", "dropped") if row["kept_in"]]
    assert {row["kept_in"] for row in elsewhere} == {jobs.digest(Path(f"{out}-earlier"))} == set(made["parents"])
    kept = rows(out, "text", "documents")
    assert {row["source"] for row in elsewhere} == {"wiki"}
    assert not {row["uri"] for row in elsewhere} & {row["uri"] for row in kept}
    assert all(0 <= row["signals"]["quality_score"] <= 1 for row in kept)
    assert any(row["signals"]["listed_word_count"] == 0 for row in kept if row["language"] == "en")
    assert sum(sum(each.values()) for each in made["statistics"]["licenses"].values()) == sum(
        n for name, n in counts.items() if name.startswith(("kept", "dropped", "merged"))
    )
    page = next((out / "report").glob("*.html")).read_text()
    for told in (
        "Licences",
        "Lists of addresses",
        "Repeated passages",
        "Evaluation sets",
        "Personal data",
        "Other snapshots",
    ):
        assert told in page, told


def test_pictures_come_from_the_crawl_and_from_the_stamps(ran):
    kept = rows(ran[0], "images", "records")
    assert {row["source"] for row in kept} == {"crawl", "stamps"}
    assert all(row["caption"] for row in kept if row["source"] == "stamps")


def test_speech_in_five_languages_is_kept_and_music_is_not(ran):
    kept, dropped = rows(ran[0], "audio", "records"), rows(ran[0], "audio", "dropped")
    spoken = {f"prompts-{language}" for language in PROMPTS}
    assert {row["source"] for row in kept} == spoken | {"stamps"}
    assert len({row["stated_language"] for row in kept} - {None}) >= 3
    assert all(row["transcript"] for row in kept if row["stated_language"])
    music = [row["reason"] for row in dropped if row["source"] == "hold-music"]
    assert music and all(reason.startswith("speech_v1/") for reason in music)


def test_of_a_film_in_several_formats_one_clip_stays(ran):
    (clip,) = rows(ran[0], "video", "records")
    merged = rows(ran[0], "video", "dropped")
    assert len(merged) == 2 and {row["verdict"] for row in merged} == {"merged"}
    assert {row["kept_id"] for row in merged} == {clip["id"]}
    kinds = {part["kind"] for part in clip["parts"]}
    assert {"frame", "audio"} <= kinds and clip["speech_s"] > 1


def test_interleaved_documents_have_their_pictures_where_the_page_has_them(ran, site):
    tars = [str(ran[0] / each["name"]) for each in jobs.manifest(ran[0], "interleave")["shards"] if is_tar(each)]
    illustrated, films = 0, []
    for sample in webdataset.WebDataset(tars, shardshuffle=False):
        told = json.loads(sample["json"])
        at = urlsplit(told["uri"])
        if at.netloc not in site.hosts:  # articles of the dump and books, whose pictures nobody has; and films
            films += [told] if told["uri"].startswith("films:") else []
            continue
        page = site.hosts[at.netloc].entries[unquote(at.path)].load().decode("utf-8", "replace")
        names = [unquote(part["uri"].rpartition("/")[2]) for part in told["parts"] if part["kind"] == "image"]
        shown = [src.rpartition("/")[2] for src in re.findall(r"<img[^>]* src=[\"']([^\"']*)", page)]
        left = iter(shown)
        assert all(name in left for name in names), told["uri"]  # a subsequence of the page's own
        stored = [part["member"] for part in told["parts"] if part.get("member")]
        assert all(member.removeprefix(f"{sample['__key__']}.") in sample for member in stored)
        illustrated += bool(stored)
    assert illustrated > 20
    (film,) = films
    assert {"image", "audio"} <= {part["kind"] for part in film["parts"] if part.get("member")}


def is_tar(shard):
    return shard["kind"] == "interleaved"


def test_inspect_tells_of_records_of_every_job(ran):
    of_jobs = {"text": "documents", "images": "records", "audio": "dropped", "code": "documents", "interleave": "parts"}
    for job, kind in of_jobs.items():
        row = rows_of(ran[0], job, kind)[0]
        for asked in (("--id", row["id"].hex()), ("--uri", row["uri"])):
            told = told_by_inspect(ran[0], job, *asked)
            assert any(each["verdict"] and each["shard_kind"] == kind for each in told)
    conversation = rows_of(ran[0], "instruct", "conversations")[0]
    (told,) = told_by_inspect(ran[0], "instruct", "--id", conversation["id"].hex())
    cited = told["evidence"][0]
    assert told["messages"] == conversation["messages"] and told["verdict"] == "kept"
    ids = {each["id"] for each in told_by_inspect(ran[0], "instruct", "--uri", cited["url"])}
    assert conversation["id"].hex() in ids
    assert told_by_inspect(ran[0], "text", "--id", cited["doc_id"])[0]["uri"] == cited["url"]
    jobs.run("inspect", "--out", ran[0], "--job", "tokenizer", "--uri", "http://a.example/", status=1)
    jobs.run("inspect", "--out", ran[0], "--id", "xyz", status=2)
    jobs.run("instruct", "--out", ran[0], "--recipe", "none.yaml", status=2)


def rows_of(out, job, kind):
    names = [shard["name"] for shard in jobs.manifest(out, job)["shards"] if shard["kind"] == kind]
    return [row for name in names for row in pq.read_table(out / name).to_pylist()]


def told_by_inspect(out, job, *asked):
    """Return the JSON objects that inspect prints one after another."""
    said, found = jobs.run("inspect", "--out", out, "--job", job, *asked), []
    while said.strip():
        one, end = json.JSONDecoder().raw_decode(said.lstrip())
        found.append(one)
        said = said.lstrip()[end:]
    return found


@pytest.mark.long
def test_killed_after_the_crawl_it_goes_on_to_the_same_digests(ran, tmp_path):
    shutil.copytree(ran[0] / "crawl", tmp_path / "crawl")
    command = re.search(r"^corpusmill (run .*)$", ran[1], re.M)[1].split()
    command[command.index("--out") + 1] = str(tmp_path)
    for marker in ("images/staged/*/done.json", "audio/staged/*/done.json"):
        process = jobs.start(*command, "--quiet")
        assert jobs.wait_for(lambda marker=marker: list(tmp_path.glob(marker)), process, timeout_s=600)
        jobs.kill(process)
    jobs.run(*command, "--quiet", timeout_s=900)
    assert [jobs.digest(tmp_path, job) for job in JOBS] == [jobs.digest(ran[0], job) for job in JOBS]


def test_a_crawl_alone_has_a_report_too(ran, tmp_path):
    shutil.copytree(ran[0] / "crawl", tmp_path / "crawl")
    name = jobs.run("report", "--out", tmp_path).strip()
    assert Path(name).name == f"report-{jobs.digest(tmp_path, 'crawl')[:8]}.html"
    page = Path(name).read_text()
    assert "Crawl of 18 hosts" in page and "No record was read" not in page


def test_a_report_of_nothing_says_what_to_run_first(tmp_path):
    assert "holds no snapshot of a crawl or a text job" in jobs.run("report", "--out", tmp_path, status=1)


def test_an_input_of_one_s_own_stands_in_the_place_of_the_crawl(demo_input_dir, tmp_path):
    said = demo("--input", demo_input_dir, "--out", tmp_path, PATH="/nowhere")  # no apt is asked for
    assert not (tmp_path / "crawl").exists() and "crawl:" not in said
    assert jobs.manifest(tmp_path)["ledger"]["out"]["kept"] > 100
    assert all(f"{job}: committed" in said for job in JOBS if job not in ("crawl", "code"))  # it holds no repositories


def test_without_apt_it_says_so_and_stops(tmp_path):
    said = demo("--out", tmp_path / "out", status=1, PATH=str(tmp_path), CORPUSMILL_CACHE=str(tmp_path))
    assert "no apt-get" in said and "INPUT=folder-or-warc" in said
    assert not (tmp_path / "out").exists()


def test_the_recipe_starts_at_every_host_of_the_site_and_asks_loopback_only():
    crawl = load_recipe(ROOT / "recipes" / "demo.yaml").crawl
    assert sorted(crawl.seeds) == sorted(demo_site(full=True).seeds)
    assert crawl.test_only_loopback
    assert all(seed.endswith(".example/") for seed in crawl.seeds)
