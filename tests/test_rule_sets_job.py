"""Every rule set that is not of the usual three, through `corpusmill run` on real pages in 40 locales."""

import json
from collections import Counter

import jobs
import pytest

from filters.rule_sets import RULE_SETS
from pipelines.launcher import Launcher
from pipelines.recipe import load_recipe
from pipelines.text import job as text_job

USUAL = ("gopher_v1", "c4_v1", "fineweb_v1")
OTHERS = tuple(name for name in RULE_SETS if name not in USUAL)
WEB = ("refinedweb_lines_v1", "mc4_v1")
TOGETHER = (
    "refinedweb_lines_v1",
    "mc4_v1",
    "madlad_v1",
    "c4@paper",
    "c4@code",
    "gopher@datatrove",
    "fineweb@datatrove",
)
# these manuals have hardly a questionable sentence: a stricter bound finds the few that there are
STRICTER = {"madlad_v1": "  thresholds: {madlad_v1/questionable_sentence_fraction: {max: 0.02}}\n"}


def write_recipe(folder, inputs, rules=None, more=""):
    path = folder / "recipe.yaml"
    named = "" if rules is None else f"  rules: [{', '.join(rules)}]\n"
    path.write_text(
        f"corpusmill: 1\ninputs: [{{name: manuals, uri: {inputs}}}]\ntext:\n  shards: 2\n{named}{more}", "utf-8"
    )
    return path


def assert_accounted_for(out, rules):
    """Hold the funnel to its balance, and each dropped row to a rule of these sets that it fails."""
    counts = jobs.funnel(out)
    assert counts["in"] == sum(count for name, count in counts.items() if name != "in")
    assert len(jobs.rows(out)) == counts["kept"] > 0
    dropped = [row for row in jobs.rows(out, "dropped") if row["verdict"] == "dropped"]
    assert len(dropped) == counts["dropped"]
    known = {rule.name for name in rules for rule in RULE_SETS[name]}
    for row in dropped:
        assert row["reasons"]
        assert set(row["reasons"]) <= known
        assert row["reason"].startswith(row["reasons"][0])
    return Counter(row["reasons"][0].split("/")[0] for row in dropped), dropped


def assert_inspect_names_the_rule(out, row):
    told = json.loads(jobs.run("inspect", "--out", out, "--id", row["id"].hex()))
    assert told["verdict"] == "dropped"
    assert told["reason"] == row["reason"]
    assert told["uri"] == row["uri"]


@pytest.mark.long
def test_sets_of_two_families_in_one_job(demo_input_dir, tmp_path):
    jobs.run("run", write_recipe(tmp_path, demo_input_dir, WEB), "--out", tmp_path / "out", "--quiet")
    objecting, dropped = assert_accounted_for(tmp_path / "out", WEB)
    assert set(objecting) == set(WEB)
    assert_inspect_names_the_rule(tmp_path / "out", dropped[0])


@pytest.mark.long
def test_sets_of_several_families_in_one_job(demo_input_dir, tmp_path):
    jobs.run("run", write_recipe(tmp_path, demo_input_dir, TOGETHER), "--out", tmp_path / "out", "--quiet")
    objecting, dropped = assert_accounted_for(tmp_path / "out", TOGETHER)
    assert set(objecting) >= {"refinedweb_lines_v1", "mc4_v1", "c4@paper", "gopher@datatrove", "fineweb@datatrove"}
    assert "c4@code/sentence_count" in {name for row in dropped for name in row["reasons"]}
    assert_inspect_names_the_rule(tmp_path / "out", dropped[0])


@pytest.mark.long
@pytest.mark.parametrize("name", OTHERS)
def test_each_set_alone(name, demo_input_dir, tmp_path):
    recipe = write_recipe(tmp_path, demo_input_dir, [name], STRICTER.get(name, ""))
    jobs.run("run", recipe, "--out", tmp_path / "out", "--quiet")
    objecting, dropped = assert_accounted_for(tmp_path / "out", [name])
    assert objecting[name] > 0
    assert_inspect_names_the_rule(tmp_path / "out", dropped[-1])


def prefixes(folder, inputs, rules=None, more=""):
    recipe = load_recipe(write_recipe(folder, inputs, rules, more))
    return [planned.prefix for planned in text_job.TextJob(recipe, Launcher(str(folder / "out"))).plan()]


@pytest.mark.parametrize(
    ("rules", "more"),
    [
        pytest.param(None, "", id="the usual sets"),
        pytest.param(["c4_v1"], "", id="one of them"),
        pytest.param([], "", id="no set at all"),
        pytest.param(None, "  edits: []\n", id="another edit"),
    ],
)
def test_stage_keys_of_the_usual_sets_know_of_no_families(rules, more, demo_input_dir, tmp_path, monkeypatch):
    own = prefixes(tmp_path, demo_input_dir, rules, more)
    monkeypatch.setattr(text_job, "families_of", lambda rules: ())
    assert prefixes(tmp_path, demo_input_dir, rules, more) == own
    keep = text_job._without_running_limits

    def without(settings):
        kept = keep({**settings, "families": ()})
        assert "families" not in kept
        return kept

    monkeypatch.setattr(text_job, "_without_running_limits", without)
    assert prefixes(tmp_path, demo_input_dir, rules, more) == own


@pytest.mark.parametrize("name", OTHERS)
def test_a_family_is_part_of_the_stage_key(name, demo_input_dir, tmp_path, monkeypatch):
    usual = prefixes(tmp_path, demo_input_dir)
    own = prefixes(tmp_path, demo_input_dir, [name])
    assert set(usual).isdisjoint(own)
    assert own == prefixes(tmp_path, demo_input_dir, [*USUAL[1:], name])
    monkeypatch.setattr(text_job, "families_of", lambda rules: ())
    assert prefixes(tmp_path, demo_input_dir, [name]) == usual
