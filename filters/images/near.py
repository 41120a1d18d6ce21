"""Near-duplicates: images whose 64-bit hashes differ in few bits.

Of d + 1 blocks of a hash at least one is the same in a hash that differs in d bits (pigeonhole). More blocks, of
which several must be the same together, make longer keys and so fewer strangers in a bucket (Manku et al. 2007).
Unlike texts, images carry all that decides: inside a bucket distances are exact, and only true pairs are linked.
"""

from functools import lru_cache
from itertools import combinations
from typing import Any

import numpy as np

from filters.clusters import Links
from filters.native import kernel, mix64

NEAR_VERSION = 1  # part of the stage key
BITS = 64
MAX_DISTANCE = 8
SPARE_BLOCKS = 2  # beyond `distance`: so many blocks are the same in every pair
HOT_BUCKET_HASHES = 20_000  # distinct hashes of a bucket that are all compared with each other
_SEED = np.uint64(0x9E3779B97F4A7C15)


def band_count(distance: int) -> int:
    """Return how many keys an image has: C(distance + 2, 2)."""
    return len(_masks(distance))


def band_keys(hashes: Any, distance: int) -> Any:
    """Return uint64[n, band_count(distance)]: any two of uint64[n] within `distance` bits share a key.

    Keys are spread over all of uint64, and those of different bands never meet but by accident.
    """
    keys = np.empty((len(hashes), band_count(distance)), np.uint64)
    _fill_keys(np.ascontiguousarray(hashes, np.uint64), _masks(distance), keys)
    return keys


@lru_cache(maxsize=16)
def _masks(distance: int) -> Any:
    """Return uint64[bands]: the bits that each band looks at."""
    if not 0 <= distance <= MAX_DISTANCE:
        raise ValueError(f"distance must be 0 to {MAX_DISTANCE}, got {distance}")
    blocks = np.array_split(np.arange(BITS), distance + SPARE_BLOCKS)
    ones = [sum(1 << int(bit) for bit in block) for block in blocks]
    return np.array([sum(some) for some in combinations(ones, SPARE_BLOCKS)], np.uint64)


def link_near(keys: Any, ids: Any, hashes: Any, distance: int, hot: int = HOT_BUCKET_HASHES) -> Links:
    """Return edges between images that share a key and are within `distance` bits; `filters.clusters.link` of images.

    keys uint64[rows], ascending; ids uint64[rows, 2]; hashes uint64[rows]. Rows of a bucket must stand by id. An edge
    goes from a row to an earlier one (member, earlier): as many as join all true pairs of the bucket together.
    In a bucket of more than `hot` distinct hashes each is compared with the `hot` before it in the order of hashes.
    """
    if not len(keys) == len(ids) == len(hashes):
        raise ValueError(f"link_near: {len(keys)} keys, {len(ids)} ids, {len(hashes)} hashes")
    if len(keys) > 1 and (keys[1:] < keys[:-1]).any():
        raise ValueError("link_near: keys are not sorted")
    edges = np.empty((len(keys), 2), np.int64)
    keys, hashes = np.ascontiguousarray(keys, np.uint64), np.ascontiguousarray(hashes, np.uint64)
    count, buckets, hot_buckets, largest = _link(keys, hashes, distance, hot, edges)
    members, earlier = ids[edges[:count, 0]], ids[edges[:count, 1]]
    return Links(members, earlier, buckets, hot_buckets, largest)


def distances(hashes: Any, others: Any) -> Any:
    """Return int64[n]: the bits in which two arrays of hashes differ."""
    return np.bitwise_count(np.asarray(hashes, np.uint64) ^ np.asarray(others, np.uint64)).astype(np.int64)


def match_near(cluster_offsets: Any, hashes: Any, distance: int, max_leaders: int = 64) -> tuple[Any, Any, Any]:
    """Return (members, leaders: int64[merged], uncompared: int64[k]): who goes, and to whom.

    cluster_offsets int64[clusters + 1] cuts uint64[n] hashes, members standing in canonical order (best first). A
    member goes to the first kept leader within `distance` bits, among the first `max_leaders` of its cluster;
    otherwise it leads. Uncompared are kept, and there were more leaders than it was compared with.
    """
    leader = np.full(len(hashes), -1, np.int64)
    cut = np.zeros(len(hashes), np.bool_)
    _lead(cluster_offsets, np.ascontiguousarray(hashes, np.uint64), distance, max_leaders, leader, cut)
    members = np.flatnonzero(leader >= 0)
    return members, leader[members], np.flatnonzero(cut)


@kernel
def bit_count(x: Any) -> int:
    """Return how many bits of a uint64 are set."""
    x = x - ((x >> np.uint64(1)) & np.uint64(0x5555555555555555))
    x = (x & np.uint64(0x3333333333333333)) + ((x >> np.uint64(2)) & np.uint64(0x3333333333333333))
    x = (x + (x >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return int((x * np.uint64(0x0101010101010101)) >> np.uint64(56))


@kernel
def _fill_keys(hashes: Any, masks: Any, keys: Any) -> None:
    for i in range(len(hashes)):
        for band in range(len(masks)):
            keys[i, band] = mix64(mix64(_SEED * np.uint64(band + 1)) ^ (hashes[i] & masks[band]))


@kernel
def _root(roots: Any, i: int) -> int:
    while roots[i] != i:
        roots[i] = roots[roots[i]]
        i = roots[i]
    return i


@kernel
def _link(keys: Any, hashes: Any, distance: int, hot: int, edges: Any) -> tuple[int, int, int, int]:
    """Fill edges (later row, earlier row); return (edges, buckets, hot buckets, rows of the largest)."""
    count, buckets, hot_buckets, largest, start = 0, 0, 0, 0, 0
    while start < len(keys):
        end = start + 1
        while end < len(keys) and keys[end] == keys[start]:
            end += 1
        largest = max(largest, end - start)
        if end - start == 2:
            buckets += 1
            if bit_count(hashes[start] ^ hashes[start + 1]) <= distance:
                edges[count, 0], edges[count, 1] = start + 1, start
                count += 1
        elif end - start > 2:
            buckets += 1
            own = hashes[start:end]
            made, distinct = _join(own, np.argsort(own, kind="mergesort"), distance, hot, edges[count:])
            edges[count : count + made] += start
            count += made
            hot_buckets += int(distinct > hot)
        start = end
    return count, buckets, hot_buckets, largest


@kernel
def _join(hashes: Any, order: Any, distance: int, hot: int, edges: Any) -> tuple[int, int]:
    """Fill edges (later row, earlier row) that join rows within `distance`; return (edges, distinct hashes)."""
    roots = np.arange(len(hashes))
    firsts = np.empty(len(hashes), np.int64)
    made, distinct = 0, 0
    for i in order:
        if distinct and hashes[firsts[distinct - 1]] == hashes[i]:
            edges[made, 0], edges[made, 1] = i, firsts[distinct - 1]
            roots[i] = firsts[distinct - 1]
            made += 1
            continue
        firsts[distinct] = i
        for j in range(max(distinct - hot, 0), distinct):
            if bit_count(hashes[firsts[j]] ^ hashes[i]) <= distance:
                a, b = _root(roots, i), _root(roots, firsts[j])
                if a != b:
                    roots[max(a, b)] = min(a, b)
                    edges[made, 0], edges[made, 1] = max(i, firsts[j]), min(i, firsts[j])
                    made += 1
        distinct += 1
    return made, distinct


@kernel
def _lead(offsets: Any, hashes: Any, distance: int, most: int, leader: Any, cut: Any) -> None:
    leaders = np.empty(most, np.int64)
    for cluster in range(len(offsets) - 1):
        count, all_leaders = 0, 0
        for i in range(offsets[cluster], offsets[cluster + 1]):
            for k in range(count):
                if bit_count(hashes[leaders[k]] ^ hashes[i]) <= distance:
                    leader[i] = leaders[k]
                    break
            if leader[i] < 0:
                cut[i] = all_leaders > count
                all_leaders += 1
                if count < most:
                    leaders[count] = i
                    count += 1
