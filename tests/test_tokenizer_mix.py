"""Mixtures of counts: shares as asked for, samples that keep every sum, the same bytes whatever the cut."""

from collections import Counter

import corpora
import numpy as np
import pyarrow as pa
import pytest
import sentencepiece
from hypothesis import given
from hypothesis import strategies as st
from resiliparse.extract.html2text import extract_plain_text

from tokenizer.balance import Balance, capped, group_weights, unimax
from tokenizer.count import characters, count_words, merge_counts
from tokenizer.groups import Group
from tokenizer.mix import language_alphabets, mix, threshold
from tokenizer.settings import TrainSettings
from tokenizer.train import train

LOCALES = {"en": "en-US", "ja": "ja-JP", "zh": "zh-CN", "ko": "ko-KR", "ar": "ar-MA", "ru": "ru-RU"}
EN, JA, TH, CODE = (
    Group(*g) for g in [("web", "en", "text"), ("web", "ja", "text"), ("books", "th", "text"), ("git", "en", "code")]
)
SIZES = {EN: 8_000_000, JA: 900_000, TH: 10_000, CODE: 1_090_000}


@pytest.fixture(scope="module")
def corpus() -> tuple[dict[int, Group], list[pa.RecordBatch]]:
    """Give groups and counts (in three batches) of a manual's pages in six languages."""
    parts, groups = [], {}
    for path, page in corpora.pages("debian-handbook")[::3]:
        for code, locale in LOCALES.items():
            if path.startswith(locale):
                group = Group("handbook", code, "text")
                groups[group.key] = group
                text = pa.array([extract_plain_text(page.decode())])
                parts.append(count_words(text, group=group.key).counts)
    merged = merge_counts(parts)
    third = merged.num_rows // 3
    return groups, [merged.slice(0, third), merged.slice(third, third), merged.slice(2 * third)]


def shares(weights: dict[Group, float], name: str) -> dict[str, float]:
    """Return the share of each source, language or kind in a mixture of SIZES."""
    total, found = sum(weights[g] * SIZES[g] for g in weights), {}
    for group, weight in weights.items():
        found[getattr(group, name)] = found.get(getattr(group, name), 0) + weight * SIZES[group] / total
    return found


def test_a_mixture_without_settings_is_the_corpus():
    assert group_weights(SIZES, Balance()) == dict.fromkeys(SIZES, 1.0)


def test_temperature_raises_the_shares_of_small_languages():
    found = shares(group_weights(SIZES, Balance(by="temperature", alpha=0.3)), "language")
    powers = {code: (SIZES[g] / 8_910_000) ** 0.3 for code, g in (("en", EN), ("ja", JA), ("th", TH))}
    prose = 1 - SIZES[CODE] / sum(SIZES.values())
    assert found["ja"] == pytest.approx(prose * powers["ja"] / sum(powers.values()))
    assert found["th"] == pytest.approx(prose * powers["th"] / sum(powers.values()))


@pytest.mark.parametrize(
    ("sizes", "budget", "epochs", "expected"),
    [
        pytest.param({"a": 90, "b": 90}, 90, 1, {"a": 45, "b": 45}, id="all the same"),
        pytest.param({"a": 10, "b": 90, "c": 90}, 100, 1, {"a": 10, "b": 45, "c": 45}, id="a small one gives all"),
        pytest.param({"a": 10, "b": 90, "c": 90}, 120, 4, {"a": 40, "b": 40, "c": 40}, id="four times over"),
        pytest.param({"a": 1, "b": 2}, 100, 1, {"a": 1, "b": 2}, id="no more than there is"),
    ],
)
def test_unimax(sizes, budget, epochs, expected):
    assert unimax(sizes, budget, epochs) == expected


def test_code_has_the_share_that_is_asked_for():
    found = shares(group_weights(SIZES, Balance(by="unimax", code_fraction=0.25)), "kind")
    assert found == pytest.approx({"text": 0.75, "code": 0.25})


def test_no_source_is_above_its_cap():
    found = shares(group_weights(SIZES, Balance(source_cap=0.5)), "source")
    assert found["web"] == pytest.approx(0.5)
    assert found["git"] / found["books"] == pytest.approx(109)


@pytest.mark.parametrize(
    ("balance", "message"),
    [
        (lambda: Balance(alpha=0), r"alpha=0 is not in \(0, 1\]"),
        (lambda: Balance(epochs=0), "epochs=0"),
        (lambda: Balance(weights={"en": -1}), "weights"),
        (lambda: capped({"a": 0.5, "b": 0.5}, 0.3), "needs at least 4 sources"),
        (lambda: group_weights({EN: 1}, Balance(code_fraction=0.2)), "needs code and text"),
        (lambda: group_weights({EN: 1}, Balance(weights={"en": 0}, by="unimax")), "mixture is empty"),
    ],
    ids=["alpha", "epochs", "weights", "cap", "code", "empty"],
)
def test_what_makes_no_mixture_is_refused(balance, message):
    with pytest.raises(ValueError, match=message):
        balance()


@given(st.lists(st.floats(0.01, 1e9), min_size=1, max_size=60), st.integers(1, 70))
def test_tau_gives_the_rows_that_are_asked_for(weights, rows):
    tau = threshold(np.array(weights), rows)
    if len(weights) <= rows:
        assert tau == 0
    else:
        assert np.minimum(1, np.array(weights) / tau).sum() == pytest.approx(rows, rel=1e-6)


def test_a_plain_mixture_trains_the_model_of_the_counts(corpus):
    groups, batches = corpus
    rows, made = mix(lambda: batches, groups, Balance())
    assert (made.tau, made.scale, made.kept_fraction) == (0, 1, 1)
    options = TrainSettings(4000, character_coverage=0.999)
    assert train(rows, options).model == train(batches, options).model


def test_any_cut_of_the_table_gives_the_same_rows(corpus):
    groups, batches = corpus
    whole = merge_counts(batches)
    cut = [whole.slice(at, 777) for at in range(0, whole.num_rows, 777)]
    balance = Balance(by="unimax", weights={"ja": 2.0})
    rows = [
        pa.Table.from_batches(mix(lambda b=b: b, groups, balance, 9000)[0]).combine_chunks() for b in (batches, cut)
    ]
    assert rows[0].equals(rows[1])


def test_a_sample_keeps_mass_and_every_language(corpus):
    """A threshold sample to a quarter of the rows keeps what a cut at a count would take from Japanese."""
    groups, batches = corpus
    rows, made = mix(lambda: batches, groups, Balance(), 10_000)
    rows = list(rows)
    assert made.kept_rows == pytest.approx(10_000, rel=0.03)
    assert made.kept_fraction == pytest.approx(1, rel=0.03)
    whole = merge_counts(batches)
    heaviest = whole.take(pa.array(np.argsort(-whole["count"].to_numpy(), kind="stable")[:10_000]))
    before, sampled, cut = han_mass([whole]), han_mass(rows) / made.scale, han_mass([heaviest])
    assert sampled == pytest.approx(before, rel=0.12)
    assert cut < 0.7 * before


def han_mass(batches) -> int:
    """Return how many kana and Chinese characters are counted."""
    return sum(row["count"] for row in characters(batches).to_pylist() if 0x3040 <= ord(row["character"]) < 0xA000)


def test_a_word_counts_sixteen_times_a_document_where_that_is_asked_for():
    group = Group("web", "en", "text")
    counts = count_words(pa.array(["spam " * 100]), group=group.key).counts
    rows, _ = mix(lambda: [counts], {group.key: group}, Balance(per_document_cap=True))
    batch = merge_counts(rows)
    assert dict(zip(batch["word"].to_pylist(), batch["count"].to_pylist(), strict=True))["▁spam"] == 16


def test_a_group_without_a_name_is_refused(corpus):
    _, batches = corpus
    with pytest.raises(ValueError, match="groups of the counts have no name"):
        mix(lambda: batches, {}, Balance())


def test_each_language_has_its_letters(corpus):
    groups, batches = corpus
    points = language_alphabets(lambda: batches, groups, 0.999)
    model = train(batches, TrainSettings(8000), alphabet=points).model
    assert len(points) > len(language_alphabets(lambda: batches, dict.fromkeys(groups, EN), 0.999))
    assert b"\xe3\x81\x82" in model  # the letter a of hiragana
    with pytest.raises(ValueError, match="goes with engine own"):
        train(batches, TrainSettings(8000), engine="sentencepiece", alphabet=points)


def test_letters_of_languages_are_those_that_cover_each_by_itself(corpus):
    groups, batches = corpus
    tallies = {}
    for row in (row for batch in batches for row in batch.to_pylist()):
        own = tallies.setdefault(groups[row["group"]].language, Counter())
        for letter in row["word"]:
            own[letter] += row["count"]
    needed = set()
    for own in tallies.values():
        covered, whole = 0, sum(own.values())
        for letter, count in sorted(own.items(), key=lambda each: (-each[1], each[0])):
            if np.float32(covered / whole) >= np.float32(0.999):
                break
            needed.add(letter)
            covered += count
    points = language_alphabets(lambda: batches, groups, 0.999).tolist()
    assert {chr(point) for point in points} == needed
    whole = sum(tallies.values(), Counter())
    assert points == sorted(points, key=lambda point: (-whole[chr(point)], point))


@pytest.mark.parametrize("runs", [31, 0])
def test_a_tab_in_the_text_is_no_letter_of_a_language(runs):
    """Tabs are pieces, or nothing: twice in a vocabulary, SentencePiece would not load it."""
    group = Group("web", "en", "text")
    counts = count_words(pa.array(["a\tb cab\u2585\x1f\0 bac\t\tcab " * 40]), group=group.key).counts
    points = language_alphabets(lambda: [counts], {group.key: group}, 1.0)
    assert {9, 0x2585} <= set(points.tolist())
    settings = TrainSettings(600, character_coverage=1.0, hard_limit=False, tab_runs=runs)
    model = train([counts], settings, alphabet=points).model
    loaded = sentencepiece.SentencePieceProcessor(model_proto=model)
    assert loaded.decode(loaded.encode("a\tb cab\t")) == "a\tb cab\t"
