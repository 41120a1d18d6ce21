"""Near-duplicates: no pair within the distance is missed, and none beyond it is linked."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.clusters import Forest
from filters.images.near import MAX_DISTANCE, band_count, band_keys, distances, link_near, match_near

HASHES = st.integers(0, 2**64 - 1)


def ids_of(count: int) -> np.ndarray:
    return np.stack([np.zeros(count, np.uint64), np.arange(count, dtype=np.uint64)], axis=1)


def linked(hashes: np.ndarray, distance: int, hot: int = 20_000) -> Forest:
    """Return the clusters of all bands together, as the job makes them."""
    keys = band_keys(hashes, distance)
    rows = np.repeat(np.arange(len(hashes)), keys.shape[1])
    order = np.lexsort((rows, keys.reshape(-1)))
    flat, rows = keys.reshape(-1)[order], rows[order]
    return Forest.of(link_near(flat, ids_of(len(hashes))[rows], hashes[rows], distance, hot))


def clusters(forest: Forest) -> set[frozenset[int]]:
    ids, labels = forest.labels()
    found: dict[int, set[int]] = {}
    for one, label in zip(ids[:, 1].tolist(), labels[:, 1].tolist(), strict=True):
        found.setdefault(label, set()).add(one)
    return {frozenset(members) for members in found.values()}


def brute(hashes: np.ndarray, distance: int) -> set[frozenset[int]]:
    """Return the clusters by comparing all with all."""
    groups = {i: {i} for i in range(len(hashes))}
    for i, j in combinations(range(len(hashes)), 2):
        if bin(int(hashes[i]) ^ int(hashes[j])).count("1") <= distance and groups[i] is not groups[j]:
            groups[i] |= groups[j]
            for member in groups[j]:
                groups[member] = groups[i]
    return {frozenset(group) for group in groups.values() if len(group) > 1}


@pytest.mark.parametrize("distance", range(MAX_DISTANCE + 1))
@given(st.data())
@settings(max_examples=30, deadline=None)
def test_a_pair_within_the_distance_always_shares_a_key(distance, data):
    left = data.draw(HASHES)
    flips = data.draw(st.sets(st.integers(0, 63), max_size=distance))
    right = left ^ sum(1 << bit for bit in flips)
    keys = band_keys(np.array([left, right], np.uint64), distance)
    assert (keys[0] == keys[1]).any()


@given(st.lists(st.tuples(st.integers(0, 3), st.sets(st.integers(0, 63), max_size=5)), max_size=40), st.integers(0, 5))
@settings(max_examples=50, deadline=None)
def test_clusters_are_those_of_comparing_all_with_all(drawn, distance):
    centers = [0, 2**64 - 1, 0x0123456789ABCDEF, 0xF0F0F0F0F0F0F0F0]
    hashes = np.array([centers[k] ^ sum(1 << bit for bit in flips) for k, flips in drawn], np.uint64)
    assert clusters(linked(hashes, distance)) == brute(hashes, distance)


def test_a_thousand_copies_make_a_star_and_no_square():
    hashes = np.full(1000, 12345, np.uint64)
    links = link_near(np.zeros(1000, np.uint64), ids_of(1000), hashes, 3)
    assert (len(links.members), links.buckets, links.largest_bucket, links.hot_buckets) == (999, 1, 1000, 0)
    assert (links.smallest[:, 1] == 0).all()


def test_a_hot_bucket_is_counted_and_still_joins_neighbours():
    hashes = np.arange(64, dtype=np.uint64)
    links = link_near(np.zeros(64, np.uint64), ids_of(64), hashes, 1, hot=2)
    assert links.hot_buckets == 1
    assert len(links.members) >= 32


@pytest.mark.parametrize("distance", [-1, MAX_DISTANCE + 1])
def test_a_distance_out_of_range_is_refused(distance):
    with pytest.raises(ValueError, match=str(distance)):
        band_count(distance)


def test_unsorted_keys_are_refused():
    with pytest.raises(ValueError, match="not sorted"):
        link_near(np.array([2, 1], np.uint64), ids_of(2), np.zeros(2, np.uint64), 3)


@given(st.lists(HASHES, min_size=1, max_size=30), st.integers(0, 20))
@settings(deadline=None)
def test_every_merged_image_is_near_its_leader_and_no_leader_near_an_earlier_one(drawn, distance):
    hashes = np.array(drawn, np.uint64)
    members, leaders, uncompared = match_near(np.array([0, len(hashes)]), hashes, distance)
    assert (distances(hashes[members], hashes[leaders]) <= distance).all()
    kept = np.setdiff1d(np.arange(len(hashes)), members)
    assert len(uncompared) == 0
    for i, j in combinations(kept.tolist(), 2):
        assert distances(hashes[i], hashes[j]) > distance


def test_what_the_cap_leaves_is_kept_and_told():
    hashes = np.array([0, 0xFF, 0xFFFF, 0xFFFF], np.uint64)
    members, leaders, uncompared = match_near(np.array([0, 4]), hashes, 1, max_leaders=1)
    assert (members.tolist(), leaders.tolist(), uncompared.tolist()) == ([], [], [2, 3])
    members, leaders, _ = match_near(np.array([0, 4]), hashes, 1)
    assert (members.tolist(), leaders.tolist()) == ([3], [2])
