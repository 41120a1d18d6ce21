"""Links and forests against dictionaries and a depth-first search."""

import pickle
import random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.clusters import Forest, id_column, id_words, link

IDS = st.integers(0, 11).map(lambda n: (n // 4, n % 4))  # equal first halves too
EDGES = st.lists(st.tuples(IDS, IDS), max_size=25)


def words(ids):
    return np.array(ids, np.uint64).reshape(-1, 2)


def forest(edges):
    return Forest.of_edges(words([a for a, _ in edges]), words([b for _, b in edges]))


def labels(of):
    ids, roots = of.labels()
    return dict(zip(map(tuple, ids.tolist()), map(tuple, roots.tolist()), strict=True))


def searched(edges):
    """Label every id with the smallest that can be reached, by depth-first search."""
    near = {}
    for a, b in edges:
        near.setdefault(a, set()).add(b)
        near.setdefault(b, set()).add(a)
    found = {}
    for start in sorted(near):
        stack = [] if start in found else [start]
        while stack:
            node = stack.pop()
            if node not in found:
                found[node] = start
                stack += near[node]
    return found


def same(left, right):
    return np.array_equal(left.ids, right.ids) and np.array_equal(left.roots, right.roots)


@given(EDGES)
def test_labels_are_the_smallest_id_that_can_be_reached(edges):
    assert labels(forest(edges)) == searched(edges)


@given(EDGES, st.randoms(use_true_random=False))
def test_order_and_direction_of_edges_change_nothing(edges, shuffler):
    turned = [edge if shuffler.random() < 0.5 else edge[::-1] for edge in edges]
    shuffler.shuffle(turned)
    assert same(forest(edges), forest(turned))


@given(EDGES, EDGES, EDGES)
def test_merging_is_associative_commutative_and_idempotent(a, b, c):
    one, two, three = forest(a), forest(b), forest(c)
    assert same(one.merge(two).merge(three), one.merge(two.merge(three)))
    assert same(one.merge(two), two.merge(one))
    assert same(one.merge(one), one)
    assert same(one.merge(Forest.empty()), one)
    assert same(one.merge(two), forest(a + b))


@given(EDGES.map(lambda edges: [edge for edge in edges if edge[0] != edge[1]]))
def test_sizes_count_the_ids_of_each_cluster(edges):
    found = searched(edges)
    expected = [list(found.values()).count(label) for label in sorted(set(found.values()))]
    assert forest(edges).sizes().tolist() == expected


def test_long_chains_in_any_order_are_one_cluster():
    chain = [((0, i), (0, i + 1)) for i in range(20_000)]
    random.Random(1).shuffle(chain)
    built = forest(chain)
    assert set(built.roots.tolist()) == {0}
    assert len(built.ids) == 20_001


def test_a_hundred_thousand_random_edges_agree_with_a_search():
    numbers = np.random.default_rng(2).integers(0, 120_000, (100_000, 2), np.uint64)
    digests = numbers * np.uint64(0x9E3779B97F4A7C15)
    left, right = (np.stack([digests[:, i], numbers[:, i]], axis=1) for i in (0, 1))
    edges = [(tuple(a), tuple(b)) for a, b in zip(left.tolist(), right.tolist(), strict=True)]
    assert labels(Forest.of_edges(left, right)) == searched(edges)


def test_a_forest_travels_by_pickle():
    built = forest([((1, 1), (0, 5)), ((7, 7), (1, 1))])
    assert same(pickle.loads(pickle.dumps(built)), built)


BUCKETS = st.dictionaries(st.integers(0, 2**64 - 1), st.lists(IDS, min_size=1, max_size=6), max_size=6)


def rows_of(buckets):
    rows = [(key, one) for key in sorted(buckets) for one in buckets[key]]
    return np.array([key for key, _ in rows], np.uint64), words([one for _, one in rows])


@given(BUCKETS)
def test_every_member_of_a_bucket_is_tied_to_its_smallest_id(buckets):
    links = link(*rows_of(buckets), hot=3)
    found = list(zip(map(tuple, links.members.tolist()), map(tuple, links.smallest.tolist()), strict=True))
    expected = [(one, min(ids)) for key in sorted(buckets) for ids in [buckets[key]] for one in ids]
    assert found == [edge for edge in expected if edge[0] != edge[1]]
    assert links.buckets == sum(len(ids) > 1 for ids in buckets.values())
    assert links.hot_buckets == sum(len(ids) > 3 for ids in buckets.values())
    assert links.largest_bucket == max(map(len, buckets.values()), default=0)


@given(BUCKETS)
def test_links_and_forest_together_cluster_whatever_shares_a_bucket(buckets):
    everyone = [(a, b) for ids in buckets.values() for a in ids for b in ids if a != b]
    assert labels(Forest.of(link(*rows_of(buckets)))) == searched(everyone)


def test_a_hot_bucket_gives_one_edge_a_row():
    ids = np.stack([np.arange(200_000, dtype=np.uint64)] * 2, axis=1)
    links = link(np.zeros(len(ids), np.uint64), ids[::-1])
    assert len(links.members) == len(ids) - 1
    assert (links.hot_buckets, links.largest_bucket) == (1, len(ids))


@pytest.mark.parametrize("keys", [[2, 1], [1, 1, 0], [0, 5, 4, 9]])
def test_keys_out_of_order_are_refused(keys):
    ids = words([(0, i) for i in range(len(keys))])
    with pytest.raises(ValueError, match="not sorted"):
        link(np.array(keys, np.uint64), ids)


def test_keys_and_ids_of_different_length_are_refused():
    with pytest.raises(ValueError, match="2 keys for 1"):
        link(np.zeros(2, np.uint64), words([(0, 0)]))


@given(st.lists(st.binary(min_size=16, max_size=16), max_size=9), st.integers(0, 3))
def test_ids_survive_as_numbers_and_keep_their_order(ids, skip):
    column = pa.array(ids, pa.binary(16))[skip:]
    numbers = id_words(column)
    assert id_column(numbers).to_pylist() == ids[skip:]
    assert sorted(map(tuple, numbers.tolist())) == [
        tuple(id_words(pa.array([i], pa.binary(16)))[0]) for i in sorted(ids[skip:])
    ]


@pytest.mark.parametrize(
    "column", [pa.array([b"short"]), pa.array([None], pa.binary(16))], ids=["not 16 bytes", "a null"]
)
def test_columns_that_are_no_ids_are_refused(column):
    with pytest.raises(ValueError, match="binary"):
        id_words(column)
