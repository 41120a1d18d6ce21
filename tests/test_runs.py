"""Runs: any cut of the key space gives every row once, in order, whatever runs the rows stand in."""

import itertools

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manifests.keys import KEY_SPACE, key_range, keys_of, sampled
from manifests.runs import (
    DamagedRunError,
    Run,
    encode_run,
    gather,
    load_runs,
    partitions_for,
    put_same,
    read_run,
    run_schema,
    save_runs,
    sort_table,
    write_run,
)
from manifests.store import open_store

KEYS = st.lists(
    st.one_of(st.integers(0, KEY_SPACE - 1), st.sampled_from([0, 1, KEY_SPACE - 1, KEY_SPACE // 3])),
    max_size=40,
)


def table(keys: list[int]) -> pa.Table:
    return pa.table({"key": pa.array(keys, pa.uint64()), "value": pa.array([f"v{key}" for key in keys], pa.string())})


@settings(max_examples=40)
@given(st.lists(KEYS, min_size=1, max_size=4), st.integers(1, 7))
def test_partitions_of_several_runs_hold_every_row_once_in_order(tmp_path_factory, lists, partitions):
    store = open_store(tmp_path_factory.mktemp("runs"))
    runs = [write_run(store, f"run-{i}", table(keys)) for i, keys in enumerate(lists)]
    schema = table([]).schema
    found = [gather(store, runs, schema, *key_range(p, partitions))["key"].to_pylist() for p in range(partitions)]
    assert [key for part in found for key in part] == sorted(key for keys in lists for key in keys)


def test_a_range_is_found_in_a_run_of_many_batches(tmp_path):
    store = open_store(tmp_path)
    keys = np.sort(np.random.default_rng(1).integers(0, KEY_SPACE - 1, 50_000, dtype=np.uint64))
    keys[100:300] = keys[100]  # equal keys
    rows = pa.table({"key": keys, "value": pa.array(["x" * 300] * len(keys))})
    run = write_run(store, "run", rows)
    with store.open(run.name) as file:
        assert len(list(pa.ipc.open_stream(file))) > 10  # any Arrow reader reads it
    for low, high in [
        (0, KEY_SPACE),
        (int(keys[100]), int(keys[100]) + 1),
        (int(keys[7]), int(keys[40_000])),
        (5, 5),
    ]:
        found = [key for batch in read_run(store, run, low, high) for key in batch["key"].to_pylist()]
        assert found == [key for key in keys.tolist() if low <= key < high]


def test_a_narrow_range_does_not_hold_whole_batches(tmp_path):
    store = open_store(tmp_path)
    keys = np.sort(np.random.default_rng(1).integers(0, KEY_SPACE - 1, 50_000, dtype=np.uint64))
    runs = [
        write_run(store, "run", pa.table({"key": keys, "value": pa.array([f"{i}" * 60] * len(keys))})) for i in "abc"
    ]
    before = pa.total_allocated_bytes()
    found = [batch for run in runs for batch in read_run(store, run, int(keys[500]), int(keys[510]))]
    assert [batch.num_rows for batch in found] == [10, 10, 10]
    assert pa.total_allocated_bytes() - before < 100_000


def test_a_run_outside_the_range_is_not_opened(tmp_path):
    store = open_store(tmp_path)
    run = write_run(store, "run", table([5, 9]))
    store.delete(run.name)
    assert not list(read_run(store, run, 10, 20))
    assert not list(read_run(store, run, 0, 5))


@pytest.mark.parametrize("place", range(0, 1000, 7))
def test_a_flipped_bit_is_found_before_a_row_is_given(tmp_path, place):
    store = open_store(tmp_path)
    run = write_run(store, "run", table(list(range(100))))
    whole = bytearray((tmp_path / run.name).read_bytes())
    whole[place * len(whole) // 1000] ^= 1 << place % 8
    (tmp_path / run.name).write_bytes(whole)
    good = table(list(range(100))).to_pylist()
    try:
        assert pa.Table.from_batches(list(read_run(store, run))).to_pylist() == good  # the index says nothing else
    except DamagedRunError as error:
        assert run.name in str(error)


@pytest.mark.parametrize("size", [0, 7, 40, 200, 1000])
def test_a_cut_run_is_found(tmp_path, size):
    store = open_store(tmp_path)
    run = write_run(store, "run", table(list(range(500))))
    path = tmp_path / run.name
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(DamagedRunError, match=r"its size is \d+, was written as"):
        list(read_run(store, run))


def test_the_same_rows_are_the_same_bytes_under_the_same_name(tmp_path):
    store = open_store(tmp_path)
    first = write_run(store, "run", table([3, 1]))
    assert write_run(store, "run", table([1, 3])) == first
    assert first.bytes == store.size(first.name)
    assert write_run(store, "run", table([1])).name != first.name
    assert (first.first_key, first.last_key) == (1, 3)


def test_other_bytes_under_a_name_are_an_error(tmp_path):
    store = open_store(tmp_path)
    put_same(store, "name", encode_run(table([2])))
    with pytest.raises(RuntimeError, match="not deterministic"):
        put_same(store, "name", encode_run(table([1])))


def test_an_empty_run_has_its_schema(tmp_path):
    store = open_store(tmp_path)
    run = write_run(store, "run", table([]))
    assert run.rows == 0
    assert run_schema(store, run) == table([]).schema
    assert gather(store, [run], table([]).schema).num_rows == 0


def test_a_list_of_runs_is_found_by_its_name(tmp_path):
    store = open_store(tmp_path)
    runs = [write_run(store, "run", table([key])) for key in (1, 2)]
    assert load_runs(store, save_runs(store, "text", runs)) == runs


def test_rows_with_equal_keys_follow_the_further_order():
    rows = pa.table({"key": pa.array([1, 1, 0], pa.uint64()), "n": [2, 1, 9]})
    assert sort_table(rows, ("key", "n"))["n"].to_pylist() == [9, 1, 2]


@given(st.integers(1, 1000))
def test_key_ranges_cover_the_space_without_gaps(partitions):
    ranges = [key_range(p, partitions) for p in range(partitions)]
    assert ranges[0][0] == 0
    assert ranges[-1][1] == KEY_SPACE
    assert all(a[1] == b[0] for a, b in itertools.pairwise(ranges))


@given(st.lists(st.binary(min_size=16, max_size=16)))
def test_keys_order_as_ids_do(ids):
    array = pa.array([b"\0" * 16, *ids], pa.binary(16)).slice(1)
    assert keys_of(array).tolist() == [int.from_bytes(each[:8], "big") for each in ids]


def test_a_coin_is_fair_and_depends_on_key_and_salt_only():
    keys = np.arange(100_000, dtype=np.uint64)
    coin = sampled(keys, 0.3, salt=7)
    assert abs(coin.mean() - 0.3) < 0.01
    assert (coin == sampled(keys[::-1], 0.3, salt=7)[::-1]).all()
    assert (coin != sampled(keys, 0.3, salt=8)).any()
    assert not sampled(keys, 0.0, 7).any()
    assert sampled(keys, 1.0, 7).all()


def test_partitions_for():
    assert [partitions_for(n, 10) for n in (0, 1, 10, 11, 100)] == [1, 1, 1, 2, 10]


def test_a_run_is_described_by_its_marker():
    run = Run("a", 1, "ff", 2, 3, 4, 5)
    assert Run(**run.as_json()) == run
