"""The arithmetic of a training mixture, its order without a list, and a reader that resumes anywhere."""

import hashlib
from collections import Counter
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests.integrity import IntegrityError
from manifests.manifest import seal
from manifests.reader import ManifestError, Position
from manifests.store import open_store
from pipelines.mixture.job import group_prefixes, mixture_json
from pipelines.tokens.write import folder_of
from tokenizer.balance import Balance, unimax
from tokenizer.groups import Group
from tokenizer.megatron import index_bytes
from tokenizer.mixture_order import key_of, permuted
from tokenizer.mixture_reader import MixtureReader
from tokenizer.training_mix import Budget, Schedule, Stage, budgets

EN, JA, TH = (Group("web", code, "text") for code in ("en", "ja", "th"))
BOOKS, CODE = Group("books", "en", "text"), Group("web", "Python", "code")
SIZES = {EN: 900_000, JA: 80_000, TH: 9_000, BOOKS: 30_000, CODE: 50_000}
WHOLE = [Stage("all", 1.0)]


def schedule(stages=WHOLE, length=100, total=None, epochs=4.0, **balance) -> Schedule:
    return Schedule(stages, length, total, Balance(epochs=epochs, **balance))


def read(made: list[Budget]) -> Counter[Group]:
    return sum((Counter(stage.samples) for stage in made), Counter())


# --- budgets


def test_all_that_there_is_is_read_once():
    (made,) = budgets(SIZES, schedule(epochs=1))
    assert made.samples == {group: size // 100 for group, size in SIZES.items()}


def test_what_is_raised_late_is_late_and_no_more_than_it_may():
    stages = [Stage("main", 0.8), Stage("late", 0.2, {"books": 5.0})]
    main, late = budgets(SIZES, schedule(stages, total=500_000, epochs=1.0))
    assert (main.total, late.total) == (4000, 1000)
    share = {stage.name: stage.samples[BOOKS] / stage.total for stage in (main, late)}
    plain = SIZES[BOOKS] / sum(SIZES.values())
    assert share["main"] == pytest.approx(plain, rel=0.05)
    assert share["late"] == pytest.approx(5 * plain / (1 + 4 * plain), rel=0.05)
    assert read([main, late])[BOOKS] <= 300


def test_a_later_stage_is_served_first():
    stages = [Stage("main", 0.5, {"books": 1000.0}), Stage("late", 0.5, {"books": 1000.0})]
    main, late = budgets(SIZES, schedule(stages, total=80_000, epochs=1.0))
    assert late.samples[BOOKS] == 300
    assert BOOKS not in main.samples


def test_unimax_is_that_of_its_paper():
    sizes = {EN: 900_000, JA: 80_000, TH: 9_000}
    (made,) = budgets(sizes, schedule(by="unimax", total=300_000, epochs=2.0, length=1))
    wanted = unimax({group.language: size for group, size in sizes.items()}, 300_000, 2.0)
    assert {group.language: n for group, n in made.samples.items()} == {c: round(n) for c, n in wanted.items()}
    assert wanted["th"] == 18_000 and wanted["ja"] == wanted["en"]


def test_temperature_flattens_and_code_has_its_share():
    (made,) = budgets(SIZES, schedule(by="temperature", alpha=0.3, code_fraction=0.25, total=100_000))
    assert made.samples[CODE] == 250
    by = Counter({g.language: 0 for g in SIZES})
    for group, n in made.samples.items():
        by[group.language] += n
    shares = {code: n / 750 for code, n in by.items() if code != "Python"}
    raised = {"en": 930_000**0.3, "ja": 80_000**0.3, "th": 9_000**0.3}
    assert shares == pytest.approx({c: n / sum(raised.values()) for c, n in raised.items()}, abs=0.005)


def test_a_group_that_weighs_nothing_is_left_out():
    (made,) = budgets(SIZES, schedule(weights={"web": 0.0}, epochs=1))
    assert made.samples == {BOOKS: 300}


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        pytest.param({"total": 10_000_000, "epochs": 2.0}, r"2,13\d,\d+ left at max_epochs=2.*raise", id="too many"),
        pytest.param({"total": 50}, "not one sample", id="less than a sample"),
        pytest.param({"total": 500, "weights": dict.fromkeys(["web", "books"], 0.0)}, "0 left", id="no weight"),
    ],
)
def test_what_can_not_be_had_is_refused_in_numbers(wanted, said):
    with pytest.raises(ValueError, match=said):
        budgets(SIZES, schedule(**wanted))


def test_what_is_smaller_than_a_sample_is_left_out():
    assert budgets({JA: 99, TH: 250}, schedule(epochs=1)) == [Budget("all", {TH: 2})]
    assert budgets({JA: 99}, schedule()) == budgets({}, schedule()) == [Budget("all", {})]


def test_stages_that_are_no_whole_are_refused():
    with pytest.raises(ValueError, match=r"add up to 0\.9"):
        schedule([Stage("a", 0.5), Stage("b", 0.4)])
    with pytest.raises(ValueError, match="one name"):
        schedule([Stage("a", 0.5), Stage("a", 0.5)])


GROUPS = st.builds(Group, st.sampled_from("ab"), st.sampled_from(["en", "ja", "th"]), st.sampled_from(["text", "code"]))


@given(
    st.dictionaries(GROUPS, st.integers(1, 5000), min_size=1),
    st.lists(st.tuples(st.integers(1, 9), st.sampled_from([0.0, 1.0, 7.0])), min_size=1, max_size=4),
    st.sampled_from(["size", "temperature", "unimax"]),
    st.integers(1, 50),
)
def test_budgets_add_up_and_stay_within_epochs(sizes, parts, by, length):
    whole = sum(part for part, _ in parts)
    stages = [Stage(f"s{n}", part / whole, {"a": factor}) for n, (part, factor) in enumerate(parts)]
    asked = schedule(stages, length, sum(sizes.values()) // 2 or 1, epochs=2.0, by=by)
    try:
        made = budgets(sizes, asked)
    except ValueError as error:
        assert "left at max_epochs" in str(error) or "not one sample" in str(error)
        return
    assert sum(stage.total for stage in made) == asked.total_tokens // length
    assert all(n * length <= 2 * sizes[group] for group, n in read(made).items())
    assert all(n > 0 for stage in made for n in stage.samples.values())


# --- order


@given(st.integers(1, 3000), st.integers(0, 1 << 40))
def test_each_number_stands_once(size, seed):
    found = permuted(np.arange(size), size, key_of("x", seed))
    assert sorted(found.tolist()) == list(range(size))
    assert permuted(np.array([size - 1]), size, key_of("x", seed))[0] == found[-1]


def test_an_order_looks_like_a_shuffle():
    found = permuted(np.arange(100_000), 100_000, key_of("x", 1))
    assert abs(np.corrcoef(found[:-1], found[1:])[0, 1]) < 0.02
    assert abs(np.corrcoef(np.arange(100_000), found)[0, 1]) < 0.02
    halves = np.bincount(found[:10_000] // 10_000, minlength=10)
    assert ((halves - 1000) ** 2 / 1000).sum() < 30  # chi-squared, 9 degrees of freedom: 21.7 at 1 %
    other = permuted(np.arange(100_000), 100_000, key_of("x", 2))
    assert (found == other).sum() < 20


# --- reader

LENGTH = 16


def committed(store, tokens: dict[Group, list[int]], made: list[Budget]) -> tuple[dict, dict]:
    """Write streams of numbers in two files a group; return the manifests of the mixture and the tokens."""
    shards, counts = [], {}
    for number, (group, size) in enumerate((g, n) for g, sizes in tokens.items() for n in sizes):
        prefix = f"tokens/data/{folder_of(group)}/part-{number:05d}"
        start = 1000 * list(tokens).index(group) + (0 if number % 2 == 0 else tokens[group][0])
        values = np.arange(start, start + size, dtype=np.uint16)
        lengths = [TURN] * (size // TURN) if group.kind == "conversation" else [size]
        parts = {".bin": values.tobytes(), ".idx": index_bytes(lengths, range(len(lengths) + 1), np.uint16)}
        if group.kind == "conversation":
            parts |= {".mask.bin": (values % 2).astype(np.uint8).tobytes()}
        for suffix, data in parts.items():
            store.put_new(prefix + suffix, data)
            named = {"name": prefix + suffix, "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
            kind = "megatron_mask" if ".mask" in suffix else "megatron"
            shards.append({**named, "kind": kind, "records": 1, "min_id": None, "max_id": None})
        own = counts.setdefault(group.kind, {}).setdefault(group.source, {}).setdefault(group.language, {"tokens": 0})
        own["tokens"] += size
    settings = {"tokenizer": {"dtype": "uint16"}}
    manifest = seal({"job": "tokens", "settings": settings, "shards": shards, "statistics": {"tokens": counts}})
    sizes = {group: sum(each) for group, each in tokens.items()}
    groups = sorted({group for stage in made for group in stage.samples})
    body = mixture_json(made, groups, sizes, group_prefixes(manifest), LENGTH)
    return seal({"job": "mixture", "mixture": body, "parents": [manifest["digest"]]}), manifest


TALK = Group("instruct", "en", "conversation")
TURN = 10  # tokens of each conversation
STREAMS = {EN: [300, 123], TALK: [70, 50]}
MADE = [Budget("main", {EN: 20, TALK: 3}), Budget("late", {EN: 5, TALK: 9})]


@pytest.fixture
def mixture(tmp_path):
    store = open_store(tmp_path)
    mixture, tokens = committed(store, STREAMS, MADE)
    reader = MixtureReader(store, mixture, tokens)
    yield reader, store, mixture, tokens
    reader.close()


def test_every_token_is_read_as_often_as_the_budget_says(mixture):
    reader = mixture[0]
    samples = [sample for _, sample in reader.samples_from(reader.start(seed=7))]
    assert len(samples) == reader.samples == 37
    for number, group in enumerate(STREAMS):
        uses = Counter(t for s in samples if s.group == group for t in s.tokens.tolist())
        size, read_tokens = sum(STREAMS[group]), LENGTH * sum(stage.samples[group] for stage in MADE)
        assert sum(uses.values()) == read_tokens
        assert set(uses) <= set(range(1000 * number, 1000 * number + size))
        assert max(uses.values()) - min(uses[1000 * number + t] for t in range(size)) <= 1
    assert Counter((s.stage, s.group) for s in samples) == {
        (stage.name, group): n for stage in MADE for group, n in stage.samples.items()
    }
    assert [s.stage for s in samples] == ["main"] * 23 + ["late"] * 14


def test_a_sample_is_a_piece_of_the_stream_with_its_mask(mixture):
    reader = mixture[0]
    for _, sample in reader.samples_from(reader.start()):
        base = 1000 * list(STREAMS).index(sample.group)
        size = sum(STREAMS[sample.group])
        first = int(sample.tokens[0]) - base
        assert sample.tokens.tolist() == [base + (first + k) % size for k in range(LENGTH)]
        assert (sample.mask is None) == (sample.group == EN)
        begun = -(first % TURN) % TURN  # tokens of a conversation that began in another sample
        learnt = [t % 2 if k >= begun else 0 for k, t in enumerate(sample.tokens.tolist())]
        assert sample.mask is None or sample.mask.tolist() == learnt
        assert sample.epoch == 0 or sample.group == TALK


def test_what_is_learnt_has_its_conversation_before_it(mixture):
    """Every token that is learnt stands in a sample behind the first token of its own conversation."""
    reader = mixture[0]
    talks = [sample for _, sample in reader.samples_from(reader.start()) if sample.group == TALK]
    cut = 0
    for sample in talks:
        firsts = [t - t % TURN for t in sample.tokens.tolist()]
        is_there = [first in sample.tokens.tolist()[: k + 1] for k, first in enumerate(firsts)]
        assert not any(learnt and not there for learnt, there in zip(sample.mask.tolist(), is_there, strict=True))
        assert [m for m, there in zip(sample.mask.tolist(), is_there, strict=True) if there] == [
            t % 2 for t, there in zip(sample.tokens.tolist(), is_there, strict=True) if there
        ]
        cut += not all(is_there)
    assert cut > len(talks) // 3


def test_a_reader_goes_on_from_any_sample(mixture):
    reader = mixture[0]
    whole = [(p.index, s.tokens.tolist()) for p, s in reader.samples_from(reader.start(seed=3))]
    for index in (0, 1, 22, 23, 24, 36, 37):
        state = replace(reader.start(seed=3), index=index).as_json()
        rest = [(p.index, s.tokens.tolist()) for p, s in reader.samples_from(Position.from_json(state))]
        assert rest == whole[index:]
    assert [reader.sample(n, seed=3).tokens.tolist() for n in range(37)] == [tokens for _, tokens in whole]


def test_another_seed_is_another_order_of_the_same_samples(mixture):
    reader = mixture[0]
    orders = [[s.tokens.tolist() for _, s in reader.samples_from(reader.start(seed=n))] for n in (1, 2)]
    assert orders[0] != orders[1]
    assert sorted(orders[0][:23]) == sorted(orders[1][:23])


def test_a_position_in_other_data_is_refused(mixture):
    reader, store, made, tokens = mixture
    with pytest.raises(ValueError, match="this position is in mixture"):
        next(reader.samples_from(Position("0" * 64)))
    with pytest.raises(ValueError, match="past the 37 samples"):
        next(reader.samples_from(Position(reader.digest, index=38)))
    with pytest.raises(IndexError):
        reader.sample(37)
    with pytest.raises(ManifestError, match="these are"):
        MixtureReader(store, made, seal({**tokens, "job": "others"}))
    with pytest.raises(ManifestError, match="its body has digest"):
        MixtureReader(store, {**made, "parents": []}, tokens)


def test_a_damaged_file_is_named_before_a_token_is_read(mixture, tmp_path):
    reader, _, _, tokens = mixture
    name = next(shard["name"] for shard in tokens["shards"] if shard["name"].endswith(".bin"))
    path = tmp_path / name
    data = bytearray(path.read_bytes())
    data[5] ^= 1
    path.unlink()
    path.write_bytes(data)
    with pytest.raises(IntegrityError, match=name):
        list(islice(reader.samples_from(reader.start()), 37))
