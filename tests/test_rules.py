"""Rules as data: exact boundaries of every rule, order, overrides, NaN, missing signals, thresholds of a recipe."""

import json
import pickle

import numpy as np
import pyarrow as pa
import pytest
import real_texts

from filters import c4, fineweb, gopher
from filters.rule_sets import RULE_SETS
from filters.rule_signals import FAMILIES, Measured, families_of, measure_families
from filters.rules import KEPT, Rule, judge, reasons, with_thresholds

ALL = tuple(rule for rules in RULE_SETS.values() for rule in rules)
TRIED = ("ja", "zh", "th", "ko", "hi", "ar", "ru", "de", "bo")  # of the languages with bounds of their own
PER = 1000  # every bound of the sets is a whole number of thousandths


def bounds_of_sets():
    for rule in ALL:
        for language in ("en", *(code for code in rule.overrides if code in TRIED)):
            for side, bound in zip(("min", "max"), rule.bounds(language), strict=True):
                if bound is not None:
                    yield pytest.param(rule, language, side, bound, id=f"{rule.name} {side} in {language}")


def row(rule, numerator):
    columns = {rule.numerator: pa.array([numerator], pa.int32())}
    if rule.per is not None:
        columns[rule.per] = pa.array([PER], pa.int32())
    return pa.RecordBatch.from_pydict(columns)


@pytest.mark.parametrize(("rule", "language", "side", "bound"), [*bounds_of_sets()])
def test_a_value_at_the_bound_is_kept_and_the_next_integer_is_not(rule, language, side, bound):
    exact = round(bound * PER) if rule.per else round(bound)
    assert exact == (bound * PER if rule.per else bound) or abs(exact - bound * PER) < 1e-9
    code = pa.array([language])
    step = -1 if side == "min" else 1
    assert rule.fails(row(rule, exact), code).tolist() == [False]
    assert rule.fails(row(rule, exact + step), code).tolist() == [True]
    sign = "<" if side == "min" else ">"
    assert rule.reasons(row(rule, exact + step), code).to_pylist() == [f"{rule.name}{sign}{bound:g}"]
    assert rule.reasons(row(rule, exact), code).to_pylist() == [None]


def test_the_reason_shows_the_bound_as_it_was_written():
    rule = next(rule for rule in ALL if rule.name == "gopher_v1/top_2_gram_char_fraction")
    assert rule.reasons(row(rule, 201), pa.array(["ja"])).to_pylist() == ["gopher_v1/top_2_gram_char_fraction>0.2"]


def test_every_signal_that_a_rule_needs_is_measured():
    usual = (*gopher.QUALITY_COLUMNS, *gopher.REPETITION_COLUMNS, *c4.COLUMNS, *fineweb.COLUMNS)
    measured = {*usual, *(name for batch in families(("a",), "en") for name in batch.schema.names)}
    assert {rule.numerator for rule in ALL} | {rule.per for rule in ALL if rule.per} <= measured


def families(texts, language):
    text, words, lines = real_texts.measured(texts)
    codes = pa.array([language] * len(texts), pa.string())
    return measure_families(families_of(list(RULE_SETS)), Measured(text, words, lines, codes))


def test_no_two_modules_measure_a_signal_of_one_name():
    names = [*gopher.QUALITY_COLUMNS, *gopher.REPETITION_COLUMNS, *c4.COLUMNS, *fineweb.COLUMNS]
    names += [name for batch in families(("a",), "en") for name in batch.schema.names]
    assert len(names) == len(set(names))


def test_rule_names_are_unique_and_start_with_their_set():
    assert len({rule.name for rule in ALL}) == len(ALL)
    assert all(rule.name.startswith(f"{name}/") for name, rules in RULE_SETS.items() for rule in rules)


@pytest.mark.parametrize("rule_set", sorted(set(RULE_SETS) - {"gopher_v1", "c4_v1", "fineweb_v1"}))
def test_a_set_asks_for_one_family_of_signals(rule_set):
    (family,) = families_of([rule_set])
    assert rule_set in FAMILIES[family.partition("/")[0]].sets


def test_the_usual_sets_ask_for_no_family():
    assert families_of(["gopher_v1", "c4_v1", "fineweb_v1"]) == ()


def test_a_family_of_another_version_is_refused():
    with pytest.raises(ValueError, match="madlad/0"):
        measure_families(["madlad/0"], Measured(*real_texts.measured(["a"]), pa.array(["en"])))


A = Rule("t/a", "a", max=1)
B = Rule("t/b", "b", "n", min=0.5)
SIGNALS = pa.RecordBatch.from_pydict({"a": [0, 2, 0, 2], "b": [1, 1, 0, 0], "n": [2, 2, 2, 2]})
ENGLISH = pa.array(["en"] * 4)


def test_the_first_rule_names_the_reason_and_the_mask_holds_all():
    verdicts = judge([A, B], SIGNALS, ENGLISH)
    assert verdicts.first.tolist() == [KEPT, 0, 1, 0]
    assert verdicts.failed.tolist() == [0, 1, 2, 3]
    assert (verdicts.first.dtype, verdicts.failed.dtype) == (np.int16, np.uint64)
    assert reasons([A, B], verdicts, SIGNALS, ENGLISH).to_pylist() == [None, "t/a>1", "t/b<0.5", "t/a>1"]


def test_the_order_of_rules_is_part_of_the_result():
    verdicts = judge([B, A], SIGNALS, ENGLISH)
    assert reasons([B, A], verdicts, SIGNALS, ENGLISH).to_pylist() == [None, "t/a>1", "t/b<0.5", "t/b<0.5"]


@pytest.mark.parametrize(
    ("numerator", "denominator", "fails"),
    [
        pytest.param(0, 0, True, id="nothing of nothing is 0"),
        pytest.param(1, 0, False, id="something of nothing is infinite"),
        pytest.param(None, 2, True, id="null drops"),
        pytest.param(float("nan"), 2, True, id="NaN drops"),
        pytest.param(1, 2, False, id="the bound itself"),
    ],
)
def test_ratios_at_the_edges(numerator, denominator, fails):
    signals = pa.RecordBatch.from_pydict({"b": pa.array([numerator], pa.float64()), "n": [denominator]})
    assert B.fails(signals, pa.array(["en"])).tolist() == [fails]


def test_nan_says_so():
    signals = pa.RecordBatch.from_pydict({"b": pa.array([None], pa.int32()), "n": [1]})
    assert B.reasons(signals, pa.array(["en"])).to_pylist() == ["t/b is NaN"]


@pytest.mark.parametrize(
    ("language", "fails"),
    [
        pytest.param("en", True, id="a language of the rule"),
        pytest.param("ja", False, id="an override takes the bound away"),
        pytest.param("de", False, id="a language that the rule is not for"),
        pytest.param(None, False, id="no language"),
    ],
)
def test_languages_and_overrides(language, fails):
    rule = Rule("t/a", "a", max=1, languages=frozenset({"en", "ja"}), overrides={"ja": (None, None)})
    signals = pa.RecordBatch.from_pydict({"a": [2]})
    assert rule.fails(signals, pa.array([language], pa.string())).tolist() == [fails]


def test_a_missing_signal_is_named_with_the_nearest():
    with pytest.raises(KeyError, match=r"t/a needs the signal 'a'.*nearest is 'aa'"):
        A.fails(pa.RecordBatch.from_pydict({"aa": [1]}), pa.array(["en"]))


def test_more_rules_than_a_mask_holds_are_refused():
    with pytest.raises(ValueError, match="64"):
        judge([A] * 65, SIGNALS, ENGLISH)


def test_thresholds_replace_bounds():
    changed = with_thresholds(ALL, {"gopher_v1/duplicate_line_fraction": {"max": 0.25}})
    assert changed[0].max == 0.25
    assert changed[1:] == ALL[1:]


def test_a_given_bound_holds_in_every_language_and_leaves_the_other_side():
    rule = Rule("t/a", "a", min=3, max=10, overrides={"ja": (1.4, 8)})
    (changed,) = with_thresholds([rule], {"t/a": {"max": 9}})
    assert (changed.bounds("en"), changed.bounds("ja")) == ((3, 9), (1.4, 9))
    (lifted,) = with_thresholds([rule], {"t/a": {"min": None}})
    assert (lifted.bounds("en"), lifted.bounds("ja")) == ((None, 10), (None, 8))


@pytest.mark.parametrize(
    ("thresholds", "message"),
    [
        pytest.param({"gopher_v1/duplicate_lines_fraction": {"max": 1}}, "duplicate_line_fraction'", id="unknown rule"),
        pytest.param({"gopher_v1/word_count": {"maximum": 1}}, "not 'maximum'", id="unknown bound"),
    ],
)
def test_thresholds_that_make_no_sense_are_refused(thresholds, message):
    with pytest.raises(ValueError, match=message):
        with_thresholds(ALL, thresholds)


def test_rules_are_data():
    assert pickle.loads(pickle.dumps(ALL)) == ALL
    told = json.loads(json.dumps([rule.as_json() for rule in ALL], sort_keys=True))
    assert told[-1]["name"] == ALL[-1].name


def test_verdicts_of_real_pages_agree_with_python():
    texts = list(real_texts.sample())
    text, words, lines = real_texts.measured(texts)
    kept, edit = c4.c4_edit(text, words, lines)
    parts = [
        gopher.quality_signals(text, words, lines),
        gopher.repetition_signals(text, words, lines),
        edit,
        fineweb.fineweb_signals(text, words, lines, kept),
    ]
    language = pa.array([("en", "ja", "zh", None)[i % 4] for i in range(len(texts))], pa.string())
    parts += measure_families(families_of(list(RULE_SETS)), Measured(text, words, lines, language))
    signals = pa.RecordBatch.from_pydict({name: part.column(name) for part in parts for name in part.schema.names})
    for rules in RULE_SETS.values():
        verdicts = judge(rules, signals, language)
        said = reasons(rules, verdicts, signals, language).to_pylist()
        for i, (values, code) in enumerate(zip(signals.to_pylist(), language.to_pylist(), strict=True)):
            failed = [k for k, rule in enumerate(rules) if fails_in_python(rule, values, code)]
            assert verdicts.first[i] == (failed[0] if failed else KEPT)
            assert verdicts.failed[i] == sum(1 << k for k in failed)
            assert (said[i] or "").startswith(rules[failed[0]].name if failed else "")
        assert sum(reason is None for reason in said) > 0


def fails_in_python(rule, values, code):
    if rule.languages and code not in rule.languages:
        return False
    low, high = rule.overrides.get(code, (rule.min, rule.max))
    below = values[rule.per] if rule.per else 1
    value = values[rule.numerator] / below if below else float("inf") if values[rule.numerator] else 0.0
    return (low is not None and value < low) or (high is not None and value > high)
