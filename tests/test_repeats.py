"""The same record met twice: once in the corpus, accounted for twice, and never lost with a copy that a rule drops."""

import html
import re
import shutil
from pathlib import Path

import jobs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.sources.warc_writer import Page, write_warc
from pipelines.stages.judges import repeated

ROWS = st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=12).map(
    lambda rows: sorted(rows, key=lambda r: r[0])
)


@given(ROWS)
def test_of_the_copies_that_no_rule_drops_all_but_the_first_are_repeated(rows):
    ids = np.array([[id_, 0] for id_, _ in rows], np.uint64).reshape(-1, 2)
    found = repeated(ids, np.array([alive for _, alive in rows], bool))
    seen: set[int] = set()
    for (id_, alive), is_repeated in zip(rows, found.tolist(), strict=True):
        assert is_repeated == (alive and id_ in seen)
        if alive:
            seen.add(id_)


@pytest.fixture(scope="module")
def twice(demo_warcs, tmp_path_factory) -> Path:
    """Give the output of a job that meets some WARC files twice."""
    folder = tmp_path_factory.mktemp("twice")
    (folder / "in").mkdir()
    for path in demo_warcs:
        shutil.copyfile(path, folder / "in" / path.name)
    for path in demo_warcs[::3]:
        shutil.copyfile(path, folder / "in" / f"again-{path.name}")
    jobs.run("text", folder / "in", "--out", folder / "out", "--quiet", "--set", "text.shards=2")
    return folder / "out"


def test_a_record_met_twice_is_in_the_corpus_once(twice):
    ids = [row["id"] for row in jobs.rows(twice)]
    assert len(ids) == len(set(ids))
    same = [row for row in jobs.rows(twice, "dropped") if row["reason"] == "same_record"]
    assert same
    assert jobs.funnel(twice)["in"] == sum(n for name, n in jobs.funnel(twice).items() if name != "in")


def test_whatever_is_merged_points_at_a_record_that_stays(twice):
    kept = {row["id"] for row in jobs.rows(twice)}
    for row in jobs.rows(twice, "dropped"):
        assert (row["verdict"] == "merged") == (row["kept_id"] is not None)
        assert row["kept_id"] is None or row["kept_id"] in kept


def test_a_good_copy_stays_where_another_reading_of_the_same_bytes_is_dropped(pages, tmp_path):
    page = next(body for path, body in pages("debian-handbook") if "fr-FR" in path and len(body) > 20_000)
    prose = html.unescape(re.sub("<[^>]+>", " ", page.decode().partition("<body")[2]))
    latin = prose.encode("iso-8859-1", "ignore")
    written = [
        Page("https://a.example/page", latin, f"text/plain; charset={charset}") for charset in ("koi8-r", "iso-8859-1")
    ]
    write_warc(tmp_path / "in.warc.gz", "2026-01-01T00:00:00Z", {}, written)
    rules = ("--set", "text.languages=[fr]", "--set", "text.rules=[]", "--set", "text.edits=[]")
    jobs.run("text", tmp_path / "in.warc.gz", "--out", tmp_path / "out", "--quiet", *rules)
    assert jobs.funnel(tmp_path / "out")["kept"] == 1
