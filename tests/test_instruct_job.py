"""The real command over real pages: text -> instruction sets; what is in them, and that the input alone decides it."""

import functools
import json
import shutil
from collections import Counter
from pathlib import Path

import jobs
import pyarrow.parquet as pq
import pytest

from filters.instruct.record import sha256_of
from filters.instruct.rows import SCHEMA, record_id
from manifests.keys import canonical_json
from manifests.store import open_store
from manifests.verify import verify
from pipelines.demo_input import fetch_package

JOB = "instruct"
LOCALES = ("en-US", "ja-JP", "de-DE", "fr-FR", "zh-CN")
PUBLISHERS = ("alpha", "beta", "gamma", "delta")  # folders of one input, each a publisher of its own
PLACES = {"Norvana": "Eskerholm", "Velmark": "Tarnstadt", "Ostland": "Grimsfurt"}
SETTINGS = ("--set", "instruct.publishers={facts: 1}", "--set", "instruct.records_per_10_kb=6")


@functools.cache
def handbook():
    return fetch_package("debian-handbook").page_folder


def atlas(publisher, place, city):
    """Return a page of a publisher's own about a place: a table that states its capital, prose around it."""
    filler = " ".join(
        f"The {publisher} atlas, in its chapter number {n}, tells of the rivers and the hills of {place}, where many "
        f"people of the {publisher} society have walked for {n + 3} days."
        for n in range(9)
    )
    rows = {"Capital": city, "Continent": f"Northern {publisher}"}
    table = "".join(f"<tr><td>{label}</td><td>{value}</td></tr>" for label, value in rows.items())
    body = f"<h1>{place}</h1><p>{filler}</p><table>{table}</table>"
    return f"<html><head><title>{place}</title></head><body>{body}</body></html>"


def corpus(folder: Path, pages: int) -> Path:
    """Write real pages of a manual in some languages, and pages of four publishers that agree on three facts."""
    for locale in LOCALES:
        found = sorted((handbook() / locale).glob("sect.*.html"))[:: max(1, 90 // pages)][:pages]
        (folder / "manual" / locale).mkdir(parents=True)
        for page in found:
            shutil.copy(page, folder / "manual" / locale / page.name)
    for publisher in PUBLISHERS:
        (folder / "facts" / publisher).mkdir(parents=True)
        for place, city in PLACES.items():
            said = "Liarburg" if (publisher, place) == ("delta", "Ostland") else city
            (folder / "facts" / publisher / f"{place}.html").write_text(atlas(publisher, place, said))
    return folder


def text_of(folder: Path, pages: int) -> Path:
    corpus(folder / "in", pages)
    recipe = folder / "recipe.yaml"
    recipe.write_text(
        "corpusmill: 1\n"
        "inputs:\n  - {name: manual, uri: in/manual}\n  - {name: facts, uri: in/facts}\n"
        "text: {shards: 3, rules: [], edits: [], dedup: {near: null}}\n"
    )
    jobs.run("run", recipe, "--out", folder / "out", "--quiet")
    return folder / "out"


@pytest.fixture(scope="module")
def out(tmp_path_factory) -> Path:
    made = text_of(tmp_path_factory.mktemp("instruct"), 5)
    jobs.run(JOB, "--out", made, *SETTINGS, "--quiet")
    return made


@pytest.fixture(scope="module")
def rows(out):
    names = [shard["name"] for shard in jobs.manifest(out, JOB)["shards"] if shard["kind"] == "conversations"]
    return [row for name in names for row in pq.read_table(out / name).to_pylist()]


def of_kind(out, kind):
    return [shard for shard in jobs.manifest(out, JOB)["shards"] if shard["kind"] == kind]


def test_all_three_sets_are_made_in_three_languages_at_least(rows):
    languages = {
        behaviour: {row["lang"] for row in rows if row["behaviour"] == behaviour}
        for behaviour in ("attribution", "closed_book", "hedge")
    }
    assert len(languages["attribution"]) >= 3
    assert len(languages["hedge"]) >= 3
    assert "en" in languages["closed_book"]


def test_every_quote_stands_in_its_stored_text(out, rows):
    texts = {row["id"].hex(): row for row in jobs.rows(out)}
    checked = 0
    for row in rows:
        for each in row["evidence"]:
            text = texts[each["doc_id"]]["text"]
            assert text[each["start"] : each["end"]] == each["quote"]
            assert sha256_of(text) == each["text_sha256"]
            checked += 1
    assert checked > 100


def test_lines_and_rows_are_the_same_records_and_ids_their_digests(out, rows):
    lines = [line for shard in of_kind(out, "lines") for line in (out / shard["name"]).read_bytes().splitlines()]
    said = [json.loads(line) for line in lines]
    assert [row["id"].hex() for row in rows] == [each["id"] for each in said]
    for row, each in zip(rows, said, strict=True):
        body = {name: value for name, value in each.items() if name not in ("id", "split")}
        assert record_id(canonical_json(body)) == each["id"]
        assert {**row, "id": each["id"]} == each
    assert pq.read_schema(out / of_kind(out, "conversations")[0]["name"]).equals(SCHEMA)


def test_every_hedge_stands_with_its_answerable_twin(rows):
    known = {row["id"].hex(): row for row in rows}
    hedges = [row for row in rows if row["behaviour"] == "hedge"]
    assert hedges
    for hedge in hedges:
        twin = known[hedge["hedge"]["contrast_id"]]
        assert twin["hedge"] is None
        assert twin["split"] == hedge["split"]


def test_facts_that_enough_publishers_state_are_asked_and_others_are_not(rows):
    asked = {row["answer"]["text"]: row for row in rows if row["behaviour"] == "closed_book"}
    assert {"Eskerholm", "Tarnstadt"} <= set(asked)
    assert not {"Grimsfurt", "Liarburg"} & set(asked), "three against one is no agreement"
    support = asked["Eskerholm"]["corroboration"]
    assert (support["n_domains"], support["conflicts"]) == (4, 0)
    assert not any("alpha" in row["answer"]["text"] for row in asked.values()), "one publisher alone"


def test_no_document_and_no_entity_is_on_two_sides(rows):
    sides = {}
    for row in rows:
        if row["behaviour"] != "closed_book":
            for each in row["evidence"]:
                sides.setdefault(each["doc_id"], set()).add(row["split"])
    assert all(len(each) == 1 for each in sides.values())


def test_every_candidate_is_somewhere(out, rows):
    ledger = jobs.manifest(out, JOB)["ledger"]
    assert ledger["in"] == sum(ledger["out"].values())
    assert ledger["out"]["kept"] == len(rows)
    gone = [row for shard in of_kind(out, "dropped") for row in pq.read_table(out / shard["name"]).to_pylist()]
    counts = Counter(
        "merged/same_record" if row["stage"] == "merge" else f"dropped/{row['stage']}/{row['reason']}" for row in gone
    )
    assert counts == {name: count for name, count in ledger["out"].items() if name != "kept"}
    assert verify(open_store(out), JOB).is_sound


def test_the_same_command_again_finds_it_done(out):
    assert "nothing to do" in jobs.run(JOB, "--out", out, *SETTINGS, "--quiet")


@pytest.mark.long
def test_what_evaluation_sets_hold_is_left_out_with_its_hedges(out, rows, tmp_path):
    said = [row for row in rows if row["behaviour"] == "attribution" and row["lang"] == "en"]
    row = max(said, key=lambda row: len(row["evidence"][0]["quote"]))
    held = tmp_path / "quiz.jsonl"
    held.write_text(json.dumps({"question": row["evidence"][0]["quote"]}) + "\n")
    sets = f"instruct.decontaminate={{sets: [{{name: quiz, uri: {held}}}]}}"
    jobs.run(JOB, "--out", out, *SETTINGS, "--set", sets, "--quiet")
    names = [shard["name"] for shard in of_kind(out, "conversations")]
    left = [each for name in names for each in pq.read_table(out / name).to_pylist()]
    ids = {each["id"].hex() for each in left}
    assert row["id"].hex() not in ids
    assert any(name.startswith("dropped/contamination/quiz") for name in jobs.manifest(out, JOB)["ledger"]["out"])
    assert all(each["hedge"]["contrast_id"] in ids for each in left if each["hedge"])


def test_an_output_without_documents_is_refused(tmp_path):
    said = jobs.run(JOB, "--out", tmp_path / "none", "--quiet", status=1)
    assert "run text first" in said


@pytest.fixture(scope="module")
def larger(tmp_path_factory) -> Path:
    """Give the texts of more pages, and nothing made of them yet."""
    return text_of(tmp_path_factory.mktemp("larger"), 30)


def copied(larger: Path, folder: Path) -> Path:
    shutil.copytree(larger, folder)
    return folder


@pytest.fixture(scope="module")
def expected(larger, tmp_path_factory) -> str:
    whole = copied(larger, tmp_path_factory.mktemp("expected") / "out")
    jobs.run(JOB, "--out", whole, *SETTINGS, "--quiet", "--workers", "1")
    return jobs.digest(whole, JOB)


@pytest.mark.long
@pytest.mark.parametrize("workers", ["2", "8"])
def test_the_number_of_workers_changes_no_byte(larger, expected, tmp_path, workers):
    whole = copied(larger, tmp_path / "out")
    jobs.run(JOB, "--out", whole, *SETTINGS, "--quiet", "--workers", workers)
    assert jobs.digest(whole, JOB) == expected


@pytest.mark.long
def test_replayed_bundles_change_no_byte(larger, expected, tmp_path):
    whole = copied(larger, tmp_path / "out")
    jobs.run(JOB, "--out", whole, *SETTINGS, "--quiet", "--workers", "1", "--", "--direct_runner_bundle_repeat=1")
    assert jobs.digest(whole, JOB) == expected


@pytest.mark.long
@pytest.mark.parametrize("limits", ["partition_bytes=65536", "part_bytes=20000"])
def test_how_the_work_is_cut_changes_no_record(larger, tmp_path, limits):
    kept = set()
    for number, given in enumerate((("--set", f"limits.{limits}"), ())):
        whole = copied(larger, tmp_path / f"out{number}")
        jobs.run(JOB, "--out", whole, *SETTINGS, *given, "--set", "instruct.shards=4", "--quiet")
        kept.add(tuple(shard["sha256"] for shard in of_kind(whole, "conversations")))
    assert len(kept) == 1


@pytest.mark.long
@pytest.mark.parametrize("after", [1, 4, 7, 10])
def test_a_kill_costs_nothing_but_time(larger, expected, tmp_path, after):
    whole = copied(larger, tmp_path / "out")
    process = jobs.start(JOB, "--out", str(whole), *SETTINGS, "--quiet", "--workers", "2")
    jobs.wait_for(lambda: sum("instruct" in path.parts for path in jobs.markers(whole)) >= after, process)
    jobs.kill(process)
    jobs.run(JOB, "--out", whole, *SETTINGS, "--quiet", "--workers", "2")
    assert jobs.digest(whole, JOB) == expected
