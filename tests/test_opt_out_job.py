"""Opt-out lists of a recipe: whatever stands in one is refused by every job, and its account says so."""

import jobs
import pytest
from corpora import pages
from real_images import small_photographs
from sounds import prompts

from manifests.manifest import load_manifest, newest_version
from manifests.store import open_store
from pipelines.sources.warc_writer import Page, write_warc

HOSTS = ("in.example", "out.example", "below.out.example")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Give a folder with a WARC of a page, a picture and a sound of each of three hosts, and two lists."""
    place = tmp_path_factory.mktemp("opt-out")
    held = []
    for number, host in enumerate(HOSTS):
        page = pages("debian-handbook")[40 + number][1]
        held.append(Page(f"https://{host}/page.html", page, "text/html"))
        held.append(Page(f"https://{host}/picture.jpg", small_photographs()[number], "image/jpeg"))
        held.append(Page(f"https://{host}/sound.gsm", prompts("en")[number][1], "audio/x-gsm"))
    (place / "warc").mkdir()
    write_warc(place / "warc" / "all.warc.gz", "2026-01-01T00:00:00Z", (), held)
    (place / "sites.txt").write_text("# who has asked\nout.example\n")
    (place / "none.txt").write_text("nobody.example\n")
    return place


def run(folder, name, lists, out):
    recipe = folder / f"{name}.yaml"
    recipe.write_text(
        f"corpusmill: 1\ninputs: [{{name: web, uri: warc}}]\n{lists}text: {{rules: []}}\nimages: {{}}\naudio: {{}}\n"
    )
    jobs.run("run", recipe, "--out", out, "--quiet")


def refused(out, job):
    store = open_store(out)
    ledger = load_manifest(store, job, newest_version(store, job))["ledger"]["out"]
    return {reason: count for reason, count in ledger.items() if reason.startswith("refused/")}


def test_what_a_list_names_is_refused_by_every_job(folder, tmp_path):
    run(folder, "lists", "opt_out: [{name: sites, path: sites.txt}]\n", tmp_path / "out")
    assert refused(tmp_path / "out", "text") == {"refused/opt_out": 2}  # the host, and the one below it
    assert refused(tmp_path / "out", "images") == {"refused/opt_out": 2}
    assert refused(tmp_path / "out", "audio") == {"refused/opt_out": 2}
    assert {row["uri"] for row in jobs.rows(tmp_path / "out")} == {"https://in.example/page.html"}


@pytest.mark.long
def test_a_list_that_comes_later_takes_the_site_out_again(folder, tmp_path):
    out = tmp_path / "out"
    run(folder, "before", "opt_out: [{name: sites, path: none.txt}]\n", out)
    assert len(jobs.rows(out)) == 3
    run(folder, "after", "opt_out: [{name: sites, path: sites.txt}]\n", out)
    assert len(jobs.rows(out)) == 1
    assert refused(out, "text") == {"refused/opt_out": 2}


def test_a_list_that_is_not_there_is_named(folder, tmp_path):
    recipe = folder / "missing.yaml"
    recipe.write_text("corpusmill: 1\ninputs: [{name: web, uri: warc}]\nopt_out: [{name: a, path: no.txt}]\n")
    process = jobs.start("run", recipe, "--out", tmp_path / "out")
    assert "opt_out: a: there is no file at" in process.communicate(timeout=120)[1]
    assert process.returncode == 1
