import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.policy import DEFAULT_REFUSALS
from manifests.limits import Limits
from manifests.reasons import Refused
from pipelines.recipe import (
    Recipe,
    RecipeError,
    Tokenizer,
    default_recipe,
    load_recipe,
    recipe_schema,
    rule_names,
)
from pipelines.recipe_errors import read_yaml
from pipelines.text.block import Policy, Text
from tokenizer.settings import TrainSettings

ROOT = Path(__file__).resolve().parent.parent
SMALLEST = "corpusmill: 1\ninputs:\n  - {name: pages, uri: pages}\n"
RULE = "gopher_v1/duplicate_line_fraction"
CRAWL = "crawl:\n  seeds: ['http://a.example/']\n"


@pytest.fixture
def written(tmp_path):
    def write(text: str) -> Path:
        path = tmp_path / "recipe.yaml"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write


def problems(path, overrides=None):
    with pytest.raises(RecipeError) as caught:
        load_recipe(path, overrides)
    return [(each.line, each.field, each.message) for each in caught.value.problems]


@pytest.mark.parametrize("name", ["demo.yaml", "gemini.yaml"])
def test_a_recipe_that_ships_is_valid_and_tells_editors_its_schema(name):
    path = ROOT / "recipes" / name
    assert load_recipe(path).corpusmill == 1
    line = path.read_text().splitlines()[0]
    assert line.startswith("# yaml-language-server: $schema=")
    assert (path.parent / line.partition("$schema=")[2]).resolve() == ROOT / "docs" / "recipe.schema.json"


def test_the_published_schema_is_the_one_of_this_program():
    published = json.loads((ROOT / "docs" / "recipe.schema.json").read_text())
    assert published == recipe_schema(), "write it again: python -m pipelines.recipe > docs/recipe.schema.json"


def test_editors_and_the_program_agree_on_the_recipes_that_ship():
    import jsonschema

    for path in sorted((ROOT / "recipes").glob("*.yaml")):
        jsonschema.validate(yaml.safe_load(path.read_text()), recipe_schema())


@pytest.mark.parametrize(
    ("body", "line", "field", "message"),
    [
        pytest.param("text:\n  shard: 8\n", 5, "text.shard", "did you mean shards?", id="a misspelt key"),
        pytest.param(
            "text:\n  bands: 8\n",
            5,
            "text.bands",
            "it belongs at text.dedup.near.bands",
            id="a key in the wrong block",
        ),
        pytest.param("txet: {}\n", 4, "txet", "did you mean text?", id="a misspelt block"),
        pytest.param(
            'text:\n  shards: "8"\n',
            5,
            "text.shards",
            'must be auto or a number; got "8"',
            id="a number in quotes",
        ),
        pytest.param("text:\n  dedup:\n    exact: yes\n", 6, "text.dedup.exact", "boolean", id="yes is a word"),
        pytest.param("text:\n  shards: 0\n", 5, "text.shards", "greater than or equal to 1; got 0", id="no shards"),
        pytest.param("text:\n  shards: 2.0\n", 5, "text.shards", "auto", id="a whole number of shards"),
        pytest.param("text:\n  shards: true\n", 5, "text.shards", "auto", id="true is not 1"),
        pytest.param(
            "text:\n  dropped_text_sample: 2\n",
            5,
            "text.dropped_text_sample",
            "less than or equal to 1",
            id="percent",
        ),
        pytest.param("text:\n  dedup:\n    near: 5\n", 6, "text.dedup.near", "a block", id="a number for a block"),
        pytest.param(
            "text:\n  dedup:\n    near:\n      bands: 14\n      rows: 0\n",
            8,
            "text.dedup.near.rows",
            "got 0",
            id="deep inside",
        ),
        pytest.param("text:\n  languages: en\n", 5, "text.languages", "a list of codes", id="a bare language"),
        pytest.param("text:\n  languages:\n    - en\n    - EN\n", 7, "text.languages[1]", "'EN'", id="a list item"),
        pytest.param("text:\n  languages: []\n", 5, "text.languages", "must not be empty", id="no language at all"),
        pytest.param(
            "text:\n  rules: [c4_v1, goper_v1]\n",
            5,
            "text.rules[1]",
            "did you mean gopher_v1?",
            id="a misspelt set",
        ),
        pytest.param("text:\n  rules: [c4_v1, c4_v1]\n", 5, "text.rules[1]", "twice", id="a set given twice"),
        pytest.param(
            "text:\n  languages: [en]\n  rules: [gopher_v1, fineweb2_v1, gopher@datatrove]\n",
            6,
            "text.rules",
            "65 rules are more than the 64 that a job may have: gopher_v1 has 21, fineweb2_v1 has 21, gopher@data",
            id="more rules than a mask has bits",
        ),
        pytest.param(
            "text:\n  thresholds:\n    gopher_v1/duplicate_line_fracton: {max: 1}\n",
            6,
            "text.thresholds.gopher_v1/duplicate_line_fracton",
            f"did you mean {RULE}?",
            id="a misspelt rule",
        ),
        pytest.param(
            "text:\n  thresholds:\n    duplicate_line_fraction: {max: 1}\n",
            6,
            "text.thresholds.duplicate_line_fraction",
            f"did you mean {RULE}?",
            id="a rule without its set",
        ),
        pytest.param(
            f"text:\n  rules: [c4_v1]\n  thresholds:\n    {RULE}: {{max: 1}}\n",
            7,
            f"text.thresholds.{RULE}",
            "no rule in use",
            id="a threshold of a set that is not in use",
        ),
        pytest.param(
            f"text:\n  thresholds:\n    {RULE}:\n      min: 3\n      max: 1\n",
            8,
            f"text.thresholds.{RULE}.max",
            "less than min",
            id="bounds the wrong way round",
        ),
        pytest.param(
            "text:\n  policy: {refuse: [noia]}\n",
            5,
            "text.policy.refuse[0]",
            "did you mean noai?",
            id="a policy",
        ),
        pytest.param("limits:\n  parse_cpu: 1\n", 5, "limits.parse_cpu", "did you mean parse_cpu_s?", id="a limit"),
        pytest.param("limits:\n  batch_rows: 1.5\n", 5, "limits.batch_rows", "integer", id="half a row"),
        pytest.param("limits:\n  batch_rows: -1\n", 5, "limits.batch_rows", "got -1", id="a negative limit"),
        pytest.param(
            "limits:\n  max_quarantined_fraction: 0.1\n",
            5,
            "limits.max_quarantined_fraction",
            "it belongs at text.max_quarantined_fraction",
            id="the one limit that is set with the text",
        ),
        pytest.param("tokenizer:\n  vocabulary: 10\n", 5, "tokenizer.vocabulary", "300", id="a tiny vocabulary"),
        pytest.param(
            'tokenizer:\n  vocabulary: 500\n  user_symbols: ["a b"]\n',
            4,
            "tokenizer",
            "'a b'",
            id="a symbol with a space",
        ),
        pytest.param("limits:\n  max_redirects: 40000\n", 5, "limits.max_redirects", "1000", id="more than 16 bits"),
        pytest.param(
            f'{CRAWL}  contact: "a@b.example\\t"\n', 6, "crawl.contact", "printable", id="a contact with a tab"
        ),
        pytest.param(
            f"{CRAWL}  contact: a@b.example\n  exclude: ['http://a.example/x', foo]\n",
            7,
            "crawl.exclude[1]",
            "'foo' is no http(s) URL",
            id="an exclude that is no URL",
        ),
        pytest.param(
            f"{CRAWL}  contact: a@b.example\n  exclude: ['ftp://bob:pw@a.example/']\n",
            7,
            "crawl.exclude[0]",
            "'ftp://...@a.example/' is no",
            id="credentials are not repeated",
        ),
        pytest.param(
            "crawl:\n  seeds: http://bob:pw@a.example/\n  contact: a@b.example\n",
            5,
            "crawl.seeds",
            'got "http://...@a.example/"',
            id="a seed that is no list",
        ),
        pytest.param("text:\n  shards: 1\n  shards: 2\n", 6, "text.shards", "first on line 5", id="a key given twice"),
        pytest.param("text: {}\nlimits: {}\ntext: {}\n", 6, "text", "first on line 4", id="a block given twice"),
        pytest.param("text: &a {}\n", 4, "", "anchors", id="an anchor"),
        pytest.param("text: [\n", 5, "", "not readable as YAML", id="an open bracket"),
        pytest.param("text:\n\tshards: 1\n", 5, "", "not readable as YAML", id="a tab"),
        pytest.param("text: !!python/object:os.system x\n", 4, "text", "is not read", id="a tag of Python's own"),
        pytest.param("text: {shards: !!int x}\n", 4, "text.shards", "not a number", id="a number that is none"),
        pytest.param("---\ntext: {}\n", 4, "", "not readable as YAML", id="two documents"),
    ],
)
def test_an_error_names_line_and_field(written, body, line, field, message):
    found = problems(written(SMALLEST + body))
    assert [(each[0], each[1]) for each in found] == [(line, field)]
    assert message in found[0][2]


@pytest.mark.parametrize(
    ("whole", "line", "field", "message"),
    [
        pytest.param("", 1, "corpusmill", "is missing", id="an empty file"),
        pytest.param("- a\n", 1, "", "list of blocks", id="a list"),
        pytest.param("corpusmill: 2\n", 1, "corpusmill", "newer", id="a later format"),
        pytest.param("corpusmill: 1\ninputs: []\n", 2, "inputs", "must not be empty", id="no input"),
        pytest.param("corpusmill: 1\ninputs:\n  - {name: a}\n", 3, "inputs[0].uri", "is missing", id="no uri"),
        pytest.param(
            "corpusmill: 1\ninputs:\n  - {name: a, uri: b}\n  - name: a\n    uri: c\n",
            4,
            "inputs[1].name",
            "two inputs",
            id="equal names",
        ),
        pytest.param("corpusmill: 1\ninputs: [{name: A b, uri: b}]\n", 2, "inputs[0].name", "'A b'", id="a bad name"),
        pytest.param("corpusmill: 1\ninputs: [{name: http, uri: b}]\n", 2, "inputs[0].name", "scheme", id="a scheme"),
    ],
)
def test_an_error_of_the_head_names_line_and_field(written, whole, line, field, message):
    found = problems(written(whole))
    assert (line, field) in [(each[0], each[1]) for each in found]
    assert any(message in each[2] for each in found)


def test_all_errors_are_told_at_once_in_the_order_of_the_file(written):
    path = written(SMALLEST + "text:\n  shard: 1\n  min_language_score: 7\nlimits: {batch_rows: 0}\n")
    assert [line for line, _, _ in problems(path)] == [5, 6, 7]
    with pytest.raises(RecipeError, match=r"recipe.yaml:5: text.shard: unknown key; did you mean shards\?"):
        load_recipe(path)


def test_a_file_that_is_not_text_is_told_with_its_line(written):
    assert problems(written(SMALLEST.encode() + b"text: \xff\n")) == [(4, "", "the file is not UTF-8 text")]


def test_norwegian_is_a_language_and_scalars_are_those_of_yaml_1_2():
    content = b"a: no\nb: 1e3\nc: 010\nd: 1:30\ne: 2026-01-01\nf: ~\ng: .5\nh: True\n"
    assert read_yaml("x", content).data == {
        "a": "no", "b": 1000.0, "c": 10, "d": "1:30", "e": "2026-01-01", "f": None, "g": 0.5, "h": "True"
    }  # fmt: skip


@given(st.integers(0, 20), st.sampled_from(["", "# comment", "   "]))
@settings(max_examples=20, deadline=None)
def test_the_line_follows_whatever_stands_above(count, filler):
    content = SMALLEST + f"{filler}\n" * count + "text: {shard: 1}\n"
    source = read_yaml("x", content.encode())
    assert source.line(("text", "shard")) == 4 + count


yaml_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*Text.model_fields, "x"]), inner, max_size=4)
    ),
    max_leaves=8,
)


@given(st.sampled_from(["text", "inputs", "limits", "tokenizer", "text.dedup", "text.thresholds"]), yaml_values)
@settings(max_examples=150, deadline=None)
def test_whatever_stands_in_a_block_is_read_or_refused_by_name(tmp_path_factory, block, value):
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    data: dict = {"corpusmill": 1, "inputs": [{"name": "a", "uri": "b"}]}
    place = data
    for step in block.split(".")[:-1]:
        place = place.setdefault(step, {})
    place[block.split(".")[-1]] = value
    path.write_text(yaml.safe_dump(data, allow_unicode=True), encoding="utf-8")
    try:
        assert isinstance(load_recipe(path), Recipe)
    except RecipeError as error:
        lines = len(path.read_text(encoding="utf-8").splitlines())  # YAML breaks lines at U+0085 and its like too
        assert error.problems
        assert all(1 <= each.line <= lines and each.message for each in error.problems)


def test_local_inputs_are_found_beside_the_recipe_and_others_as_they_stand(written):
    path = written(
        "corpusmill: 1\ninputs:\n"
        "  - {name: a, uri: pages/*.html}\n  - {name: b, uri: /data}\n  - {name: c, uri: s3://bucket/x}\n"
    )
    uris = [each.uri for each in load_recipe(path).inputs]
    assert uris == [str(path.parent / "pages/*.html"), "/data", "s3://bucket/x"]


def test_overrides_win_and_keep_the_rest(written):
    path = written(SMALLEST + "text: {shards: 8, dedup: {near: {bands: 20}}}\n")
    changed = load_recipe(
        path,
        {"text.shards": 3, "text.dedup.near.rows": 4, "inputs.pages.uri": "x", "tokenizer.vocabulary": 500},
    )
    assert changed.text.shards == 3
    assert (changed.text.dedup.near.bands, changed.text.dedup.near.rows) == (20, 4)
    assert changed.inputs[0].uri == "x"
    assert changed.tokenizer.vocabulary == 500
    assert load_recipe(path, {"text.dedup.near": None}).text.dedup.near is None


@pytest.mark.parametrize(
    ("overrides", "field"),
    [
        pytest.param({"text.shards": 0}, "text.shards", id="a wrong value"),
        pytest.param({"text.shard": 1}, "text.shard", id="an unknown field"),
        pytest.param({"txt.shards": 1}, "txt", id="an unknown block"),
        pytest.param({"inputs.books.uri": "x"}, "inputs.books.uri", id="an unknown input"),
        pytest.param({"inputs.pages": 5}, "inputs[0]", id="an input that is a number"),
    ],
)
def test_an_error_of_the_command_line_says_so(written, overrides, field):
    path = written(SMALLEST)
    assert [(line, name) for line, name, _ in problems(path, overrides)] == [(0, field)]
    with pytest.raises(RecipeError, match=rf"^command line: {field.replace('[', '.').replace(']', '.')}"):
        load_recipe(path, overrides)


def test_a_bare_text_verb_has_a_recipe_of_defaults_with_a_name_for_each_input():
    recipe = default_recipe(["a/Crawl 1.warc.gz", "b/crawl-1.jsonl", "s3://x/", "http"], {"text.shards": 2})
    assert [each.name for each in recipe.inputs] == ["crawl-1", "crawl-1-2", "x", "http-files"]
    assert [each.uri for each in recipe.inputs] == ["a/Crawl 1.warc.gz", "b/crawl-1.jsonl", "s3://x/", "http"]
    assert recipe.text == Text(shards=2)


def test_defaults_are_themselves_valid(written):
    recipe = load_recipe(written(SMALLEST))
    assert recipe.text == Text()
    assert recipe.limits() == Limits()
    assert recipe.tokenizer is None


def test_limits_are_the_defaults_changed_by_name(written):
    recipe = load_recipe(
        written(SMALLEST + "text: {max_quarantined_fraction: 0.2}\nlimits: {parse_cpu_s: 3, batch_rows: 7}\n")
    )
    assert recipe.limits() == Limits(parse_cpu_s=3.0, batch_rows=7, max_quarantined_fraction=0.2)


def test_thresholds_keep_what_is_not_given_apart_from_what_is_taken_away(written):
    recipe = load_recipe(written(SMALLEST + f"text: {{thresholds: {{{RULE}: {{max: null}}}}}}\n"))
    assert recipe.text.threshold_bounds() == {RULE: {"max": None}}


def test_a_tokenizer_block_has_every_setting_of_the_trainer_that_changes_the_model():
    fields = {each.name for each in dataclasses.fields(TrainSettings)} - {"vocab_size", "num_threads"}
    assert fields == set(Tokenizer.model_fields) - {
        "engine",
        "mix",
        "parity",
        "preset",
        "vocabulary",
    }  # how, and of what
    assert Tokenizer().train_settings() == TrainSettings()


def test_every_refusal_that_exists_can_be_asked_for():
    choices = set(Refused) - {Refused.ROBOTS, Refused.OPT_OUT}  # these are obeyed by no choice
    assert set(Policy().refuse) == choices == DEFAULT_REFUSALS
    assert Policy(refuse=tuple(str(each) for each in choices))


def test_the_sets_named_by_default_exist():
    assert set(Text().rules) <= set(rule_names())


def test_a_recipe_is_never_changed(written):
    with pytest.raises(ValueError, match="frozen"):
        load_recipe(written(SMALLEST)).text.shards = 5


def test_reading_recipes_needs_neither_beam_nor_arrow():
    code = "import sys, pipelines.recipe; print({'apache_beam', 'pyarrow', 'numba'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "set()"
