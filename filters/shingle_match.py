"""Verification: a shared band makes a candidate, the shingles decide (greedy leaders, exact Jaccard).

In canonical order each member of a cluster goes to the first kept leader it resembles, otherwise it leads.
Which leaders to compare follows from prefix filtering (Chaudhuri et al. 2006; Xiao et al. 2008, PPJoin): two
sets of Jaccard >= t share one of the |A| - ceil(t |A|) + 1 smallest hashes of each. So nothing is lost by the
index, only by the cap, and what the cap leaves is kept and counted.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from filters.minhash import shingles
from filters.native import kernel
from filters.segmentation import Segmentation


@dataclass(frozen=True)
class Matches:
    """What verification found; indices count the members handed in."""

    members: Any  # int64[merged], ascending: these go
    leaders: Any  # int64[merged]: the kept member that each goes to, earlier in the same cluster
    intersections: Any  # int64[merged], shingles that both hold
    unions: Any  # int64[merged], shingles that either holds
    uncompared: Any  # int64[n], ascending: kept, but the cap left possible leaders out
    comparisons: int  # pairs of sets that were compared

    def similarities(self) -> Any:
        """Return float64[merged]: exact Jaccard similarity of every member with its leader."""
        return self.intersections / self.unions


def shingle_sets(words: Segmentation, word_kept: Any, ngram: int) -> tuple[Any, Any]:
    """Return (hashes: uint64[n], offsets: int64[texts + 1]): each text's shingles, ascending, unique."""
    hashes, offsets = shingles(words, word_kept, ngram)
    for start, end in pairwise(offsets.tolist()):
        hashes[start:end].sort()
    set_offsets = np.empty_like(offsets)
    count = _drop_repeats(hashes, offsets, set_offsets)
    return hashes[:count].copy(), set_offsets


def match_clusters(
    cluster_offsets: Any,
    hashes: Any,
    offsets: Any,
    threshold: float = 0.8,
    max_leaders: int = 64,
    stays: npt.NDArray[np.bool_] | None = None,
) -> Matches:
    """Return which members of each cluster go, and to which leader.

    `cluster_offsets` int64[clusters + 1] cuts the members, which stand in canonical order (rank descending,
    id ascending); member i's set is hashes[offsets[i]:offsets[i + 1]], ascending, unique (`shingle_sets`).
    A member goes to the *first* leader in canonical order with |A and B| / |A or B| >= threshold (float64,
    inclusive), so to the best-ranked text it resembles. It is compared with at most `max_leaders`; where more
    come into question, with those that share most of its rarer smallest hashes, then with the first ones.
    An empty set resembles nothing. Members that `stays` (bool[members]) names lead, whomever they resemble.
    Time and memory are linear in members x max_leaders and in hashes.
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold must be in (0, 1], got {threshold}")
    if max_leaders < 1:
        raise ValueError(f"max_leaders must be at least 1, got {max_leaders}")
    count = len(offsets) - 1
    if cluster_offsets[0] != 0 or cluster_offsets[-1] != count:
        raise ValueError(f"clusters [{cluster_offsets[0]}, {cluster_offsets[-1]}) do not cover {count} members")
    leader, shared, cut = np.full(count, -1, np.int64), np.zeros(count, np.int64), np.zeros(count, np.uint8)
    fixed = np.zeros(count, bool) if stays is None else np.asarray(stays, bool)
    comparisons = _match(cluster_offsets, hashes, offsets, threshold, max_leaders, (leader, shared, cut, fixed))
    members = np.flatnonzero(leader >= 0)
    sizes = np.diff(offsets)
    unions = sizes[members] + sizes[leader[members]] - shared[members]
    uncompared = np.flatnonzero((cut != 0) & (leader < 0))
    return Matches(members, leader[members], shared[members], unions, uncompared, comparisons)


@kernel
def _drop_repeats(hashes: Any, offsets: Any, set_offsets: Any) -> int:
    count = 0
    set_offsets[0] = 0
    for text in range(len(offsets) - 1):
        for i in range(offsets[text], offsets[text + 1]):
            if i == offsets[text] or hashes[i] != hashes[i - 1]:
                hashes[count] = hashes[i]
                count += 1
        set_offsets[text + 1] = count
    return count


@kernel
def _least_overlap(size: int, other: int, threshold: float) -> int:
    """Return a number of shared hashes below which the threshold is surely missed (never too high)."""
    return int(np.ceil(threshold / (1.0 + threshold) * (size + other) - 1e-6))


@kernel
def _prefix(size: int, threshold: float) -> int:
    """Return how many smallest hashes of a set must be looked at to meet every set that it resembles."""
    return min(size, size - int(np.ceil(threshold * size - 1e-6)) + 1)


@kernel
def _size_fits(size: int, other: int, threshold: float) -> bool:
    return size > 0 and other > 0 and min(size, other) / max(size, other) >= threshold


@kernel
def _intersection(hashes: Any, i: int, i_end: int, j: int, j_end: int, least: int) -> int:
    """Return how many hashes two ascending ranges share, or -1 as soon as `least` is out of reach."""
    spare_i, spare_j = i_end - i - least, j_end - j - least
    shared = 0
    while i < i_end and j < j_end:
        a, b = hashes[i], hashes[j]
        shared += a == b
        i += a <= b
        j += b <= a
        spare_i -= a < b
        spare_j -= b < a
        if spare_i < 0 or spare_j < 0:
            return -1
    return shared


@kernel
def _resembles(hashes: Any, offsets: Any, member: int, other: int, threshold: float) -> int:
    """Return the number of shared hashes if the Jaccard similarity reaches the threshold, otherwise -1."""
    size, other_size = offsets[member + 1] - offsets[member], offsets[other + 1] - offsets[other]
    shared = _intersection(
        hashes,
        offsets[member],
        offsets[member + 1],
        offsets[other],
        offsets[other + 1],
        _least_overlap(size, other_size, threshold),
    )
    if shared >= 0 and shared / (size + other_size - shared) >= threshold:
        return shared
    return -1


@kernel
def _slot(keys: Any, heads: Any, key: Any) -> Any:
    """Return where `key` stands or belongs in the open-addressed table (heads < 0: free). Keys are hashes."""
    mask = len(heads) - 1
    slot = np.int64(key & np.uint64(mask))
    while heads[slot] >= 0 and keys[slot] != key:
        slot = (slot + 1) & mask
    return slot


@kernel
def _add_leader(prefix: Any, leader: int, cap: int, nodes: int, index: Any) -> int:
    """Enter a leader under its smallest hashes; each lists the first `cap` leaders. Return nodes used."""
    keys, heads, counts, node_leader, node_next = index
    for smallest in prefix:
        slot = _slot(keys, heads, smallest)
        if heads[slot] < 0:
            keys[slot] = smallest
            counts[slot] = 0
        counts[slot] += 1
        if counts[slot] > cap:
            continue
        node_leader[nodes] = leader
        node_next[nodes] = heads[slot]
        heads[slot] = nodes
        nodes += 1
    return nodes


@kernel
def _candidates(
    hashes: Any, offsets: Any, member: int, threshold: float, cap: int, index: Any, found: Any
) -> tuple[int, bool]:
    """Collect leaders that share a smallest hash with the member; say whether the cap hid some.

    Hashes that more than `cap` leaders share (a site's template) find leaders but speak for none of them.
    """
    keys, heads, counts, node_leader, node_next = index
    chosen, seen_by, overlap = found
    size = offsets[member + 1] - offsets[member]
    count, hidden = 0, False
    for i in range(offsets[member], offsets[member] + _prefix(size, threshold)):
        slot = _slot(keys, heads, hashes[i])
        node = heads[slot]
        common = node >= 0 and counts[slot] > cap
        hidden |= common
        while node >= 0:
            leader = node_leader[node]
            node = node_next[node]
            if seen_by[leader] == member:
                overlap[leader] += not common
            elif _size_fits(size, offsets[leader + 1] - offsets[leader], threshold):
                seen_by[leader] = member
                overlap[leader] = not common
                chosen[count] = leader
                count += 1
    return count, hidden


@kernel
def _choose(chosen: Any, count: int, overlap: Any, cap: int) -> int:
    """Leave the `cap` leaders of largest overlap (then the first) in chosen[:cap], in canonical order."""
    if count > cap:
        order = np.empty(count, np.int64)
        most = np.int64(1) << 30
        for i in range(count):
            order[i] = ((most - overlap[chosen[i]]) << 32) | chosen[i]
        order.sort()
        chosen[:cap] = order[:cap] & 0xFFFFFFFF
        count = cap
    chosen[:count].sort()
    return count


@kernel
def _match_small(start: int, end: int, hashes: Any, offsets: Any, threshold: float, chosen: Any, out: Any) -> int:
    """Match a cluster that can't reach the cap: every member with every leader."""
    leader, shared, _, fixed = out
    leaders, comparisons = 0, 0
    for member in range(start, end):
        size = offsets[member + 1] - offsets[member]
        for other in chosen[: 0 if fixed[member] else leaders]:
            if not _size_fits(size, offsets[other + 1] - offsets[other], threshold):
                continue
            comparisons += 1
            overlap = _resembles(hashes, offsets, member, other, threshold)
            if overlap >= 0:
                leader[member], shared[member] = other, overlap
                break
        if leader[member] < 0:
            chosen[leaders] = member
            leaders += 1
    return comparisons


@kernel
def _index_slots(start: int, end: int, offsets: Any, threshold: float) -> tuple[int, int]:
    """Return (entries, table slots: a power of two >= twice the entries) for the leaders of a cluster."""
    entries = 0
    for member in range(start, end):
        entries += _prefix(offsets[member + 1] - offsets[member], threshold)
    slots = 64
    while slots < 2 * entries:
        slots *= 2
    return entries, slots


@kernel
def _match_large(
    span: tuple[int, int], hashes: Any, offsets: Any, threshold: float, cap: int, found: Any, out: Any
) -> int:
    """Match a cluster through an index of its leaders' smallest hashes."""
    leader, shared, cut, fixed = out
    chosen, _, overlap = found
    entries, slots = _index_slots(span[0], span[1], offsets, threshold)
    index = (
        np.empty(slots, np.uint64),
        np.full(slots, -1, np.int32),
        np.empty(slots, np.int32),
        np.empty(entries, np.int32),
        np.empty(entries, np.int32),
    )
    nodes, comparisons = 0, 0
    for member in range(span[0], span[1]):
        count, hidden = 0, False
        if not fixed[member]:
            count, hidden = _candidates(hashes, offsets, member, threshold, cap, index, found)
        cut[member] = hidden or count > cap
        for other in chosen[: _choose(chosen, count, overlap, cap)]:
            comparisons += 1
            common = _resembles(hashes, offsets, member, other, threshold)
            if common >= 0:
                leader[member], shared[member] = other, common
                break
        if leader[member] < 0:
            end = offsets[member] + _prefix(offsets[member + 1] - offsets[member], threshold)
            nodes = _add_leader(hashes[offsets[member] : end], member, cap, nodes, index)
    return comparisons


@kernel
def _match(clusters: Any, hashes: Any, offsets: Any, threshold: float, cap: int, out: Any) -> int:
    members = len(offsets) - 1
    found = np.empty(members, np.int64), np.full(members, -1, np.int64), np.zeros(members, np.int64)
    comparisons = 0
    for cluster in range(len(clusters) - 1):
        start, end = clusters[cluster], clusters[cluster + 1]
        if end - start <= cap + 1:
            comparisons += _match_small(start, end, hashes, offsets, threshold, found[0], out)
        else:
            comparisons += _match_large((start, end), hashes, offsets, threshold, cap, found, out)
    return comparisons
