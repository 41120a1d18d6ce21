"""Greedy leaders against ten lines of Python sets."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_minhash import segmentation

from filters.shingle_match import match_clusters, shingle_sets

SETS = st.sets(st.integers(0, 14), max_size=12)
CLUSTERS = st.lists(st.lists(SETS, min_size=1, max_size=10), max_size=4)


def greedy(clusters, threshold):
    """Give (member, leader, intersection, union) of every member that goes."""
    first, gone = 0, []
    for cluster in clusters:
        leaders = []
        for number, one in enumerate(cluster, first):
            near = [k for k, other in leaders if one | other and len(one & other) / len(one | other) >= threshold]
            if near:
                other = dict(leaders)[near[0]]
                gone.append((number, near[0], len(one & other), len(one | other)))
            else:
                leaders.append((number, one))
        first += len(cluster)
    return gone


def matched(clusters, threshold=0.8, max_leaders=64):
    hash_of = np.random.default_rng(4).integers(0, 1 << 64, 1 << 16, np.uint64)
    members = [np.sort(hash_of[sorted(one)]) for cluster in clusters for one in cluster]
    hashes = np.concatenate([np.empty(0, np.uint64), *members])
    offsets = np.cumsum([0, *map(len, members)], dtype=np.int64)
    return match_clusters(np.cumsum([0, *map(len, clusters)]), hashes, offsets, threshold, max_leaders)


def rows(found):
    columns = (found.members, found.leaders, found.intersections, found.unions)
    return list(zip(*(column.tolist() for column in columns), strict=True))


@given(CLUSTERS, st.sampled_from([0.3, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9, 1.0]))
def test_members_go_to_the_first_leader_they_resemble(clusters, threshold):
    found = matched(clusters, threshold)
    assert rows(found) == greedy(clusters, threshold)
    assert not len(found.uncompared)


def variants(seed, count, size, families, shared=0):
    """Make sets of some kinds, each a slightly changed copy of its family, and `shared` common numbers."""
    random = np.random.default_rng(seed)
    kinds = [random.choice(60_000, size, replace=False) + 5000 for _ in range(families)]
    made = []
    for kind in random.integers(0, families, count):
        numbers = kinds[kind].copy()
        spots = random.integers(0, size, random.integers(0, size // 8 + 2))
        numbers[spots] = random.integers(5000, 65_000, len(spots))
        made.append(set(numbers.tolist()) | set(range(shared)))
    return made


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.8, 0.95])
@pytest.mark.parametrize("size", [5, 17, 120])
def test_the_index_of_a_large_cluster_loses_nothing(threshold, size):
    cluster = variants(size, count=400, size=size, families=60)
    found = matched([cluster], threshold, max_leaders=300)
    assert rows(found) == greedy([cluster], threshold)
    assert not len(found.uncompared)


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.integers(1, 5), st.sampled_from([0.6, 0.8]))
def test_what_the_cap_leaves_is_kept_and_counted(seed, cap, threshold):
    cluster = variants(seed, count=60, size=24, families=20, shared=40)
    found = matched([cluster], threshold, max_leaders=cap)
    kept = set(range(60)) - set(found.members.tolist())
    assert found.comparisons <= 60 * cap
    assert set(found.uncompared.tolist()) <= kept
    for member, leader, intersection, union in rows(found):
        assert leader in kept
        assert leader < member
        assert (len(cluster[member] & cluster[leader]), len(cluster[member] | cluster[leader])) == (
            intersection,
            union,
        )
        assert intersection / union >= threshold
    for member in kept - set(found.uncompared.tolist()):
        for leader in (k for k in kept if k < member):
            assert len(cluster[member] & cluster[leader]) / len(cluster[member] | cluster[leader]) < threshold


def test_a_template_shared_by_all_does_not_hide_the_real_duplicates():
    cluster = variants(8, count=600, size=60, families=200, shared=140)
    found = matched([cluster], 0.8, max_leaders=16)
    assert len(found.members) >= 0.99 * len(greedy([cluster], 0.8))


def test_a_huge_cluster_of_unlike_members_costs_at_most_the_cap_each():
    count = 100_000
    random = np.random.default_rng(6)
    hashes = random.integers(1 << 20, 1 << 64, (count, 24), np.uint64)
    hashes[:, :6] = np.arange(6)  # all share their smallest hashes, so all are candidates of all
    hashes.sort(axis=1)
    found = match_clusters(np.array([0, count]), hashes.ravel(), np.arange(count + 1) * 24, 0.8, 8)
    assert not len(found.members)
    assert found.comparisons <= 8 * count
    assert len(found.uncompared) > 0.99 * count


@pytest.mark.parametrize(
    ("left", "right", "threshold", "goes"),
    [
        pytest.param(range(8), range(10), 0.8, True, id="exactly at the threshold"),
        pytest.param(range(7), range(10), 0.7, True, id="exactly at a threshold that floats round up"),
        pytest.param(range(79), range(100), 0.8, False, id="one shingle short"),
        pytest.param([], [], 0.8, False, id="empty sets resemble nothing"),
        pytest.param(range(5), range(5), 1.0, True, id="equal sets at threshold one"),
    ],
)
def test_the_threshold_is_inclusive(left, right, threshold, goes):
    assert bool(len(matched([[set(right), set(left)]], threshold).members)) == goes


def test_the_best_ranked_leader_wins_over_a_more_similar_one():
    first, second, member = set(range(100)), set(range(15, 115)), set(range(10, 110))
    assert rows(matched([[first, second, member]], 0.8)) == [(2, 0, 90, 110)]


def test_clusters_do_not_see_each_other():
    assert rows(matched([[{1, 2}], [{1, 2}], [{3}, {3}]])) == [(3, 2, 1, 1)]


def test_shingle_sets_are_the_distinct_ngrams_of_each_text():
    texts = [[1, 2, 1, 2, 1, 2], [], [3], [1, 2, 9, 9, 9, 9]]
    hashes, offsets = shingle_sets(segmentation(texts), None, 2)
    sets = [hashes[a:b].tolist() for a, b in pairwise(offsets)]
    assert [len(one) for one in sets] == [2, 0, 1, 3]
    assert all(one == sorted(set(one)) for one in sets)
    assert len(set(sets[0]) & set(sets[3])) == 1


def test_the_mask_leaves_words_out_of_the_sets():
    words = segmentation([[1, 5, 2, 3], [1, 2, 3]])
    hashes, offsets = shingle_sets(words, np.array([1, 0, 1, 1, 1, 1, 1], np.uint8), 3)
    assert np.diff(offsets).tolist() == [1, 1]
    assert hashes[0] == hashes[1]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [((0.0, 64), "threshold"), ((1.01, 64), "threshold"), ((0.8, 0), "max_leaders")],
)
def test_settings_that_mean_nothing_are_refused(arguments, named):
    with pytest.raises(ValueError, match=named):
        matched([[{1}]], *arguments)


def test_clusters_must_cover_the_members():
    with pytest.raises(ValueError, match="cover"):
        match_clusters(np.array([0, 2]), np.empty(0, np.uint64), np.zeros(4, np.int64))
