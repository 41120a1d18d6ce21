"""Texts that share a band -> clusters: star edges per bucket, then a spanning forest, merged in any order.

An id is 16 bytes, handled as two big-endian uint64 (`id_words`), so numbers order as the bytes do.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from filters.native import kernel

HOT_BUCKET_ROWS = 1000  # a bucket of more rows is counted as hot


def id_words(column: Any) -> Any:
    """Return uint64[rows, 2] of a binary(16) Arrow column without nulls; rows compare as the bytes do."""
    if column.type != pa.binary(16) or column.null_count:
        raise ValueError(f"ids must be binary(16) without nulls, got {column.type}, {column.null_count} nulls")
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    data = np.frombuffer(column.buffers()[1] or b"", np.dtype(">u8"))
    return data.reshape(-1, 2)[column.offset : column.offset + len(column)].astype(np.uint64)


def id_column(words: Any) -> Any:
    """Return the binary(16) Arrow column of uint64[rows, 2]: the inverse of `id_words`."""
    data = np.ascontiguousarray(words).astype(np.dtype(">u8")).tobytes()
    return pa.Array.from_buffers(pa.binary(16), len(words), [None, pa.py_buffer(data)])


@dataclass(frozen=True)
class Links:
    """Star edges: `members[i]` shares a bucket with `smallest[i]`, the smallest id in it. No self-loops."""

    members: Any  # uint64[edges, 2]
    smallest: Any  # uint64[edges, 2]
    buckets: int  # distinct keys with two rows or more
    hot_buckets: int  # of these, with more than `hot` rows
    largest_bucket: int  # rows


def link(keys: Any, ids: Any, hot: int = HOT_BUCKET_ROWS) -> Links:
    """Return the star edges of rows that lie sorted by key: at most one a row, however large a bucket is.

    `keys` is uint64[rows], ascending; `ids` uint64[rows, 2], in any order inside a bucket. The edges of a
    bucket come in row order; the same edge may come from several buckets.
    """
    if len(keys) != len(ids):
        raise ValueError(f"link: {len(keys)} keys for {len(ids)} ids")
    ids = np.ascontiguousarray(ids, np.uint64)
    members, smallest = np.empty_like(ids), np.empty_like(ids)
    edges, buckets, hot_buckets, largest = _star(keys, ids, hot, members, smallest)
    if edges < 0:
        raise ValueError("link: keys are not sorted")
    return Links(members[:edges].copy(), smallest[:edges].copy(), buckets, hot_buckets, largest)


@dataclass(frozen=True)
class Forest:
    """Clusters of ids: every id that has an edge, and where in `ids` the smallest of its cluster stands.

    The form is canonical: equal clusters are equal arrays, whatever edges made them in whatever order.
    """

    ids: Any  # uint64[n, 2], ascending, unique
    roots: Any  # int32[n], roots[i] <= i

    @classmethod
    def empty(cls) -> "Forest":
        """Return the forest without ids, neutral under `merge`."""
        return cls(np.empty((0, 2), np.uint64), np.empty(0, np.int32))

    @classmethod
    def of(cls, links: Links) -> "Forest":
        """Return the clusters that star edges make."""
        return cls.of_edges(links.members, links.smallest)

    @classmethod
    def of_edges(cls, left: Any, right: Any) -> "Forest":
        """Return the clusters that the edges left[i] - right[i] make (uint64[edges, 2] each).

        Takes about 90 bytes an edge on top of its input while it works.
        """
        ids, position = _numbered(np.concatenate([left, right]))
        roots = np.arange(len(ids), dtype=np.int32)
        _unite(roots, position[: len(left)], position[len(left) :])
        _flatten(roots)
        return cls(ids, roots)

    def merge(self, other: "Forest") -> "Forest":
        """Return the clusters of both: associative, commutative and idempotent, linear in the ids."""
        ids = np.empty((len(self.ids) + len(other.ids), 2), np.uint64)
        mine, theirs = np.empty(len(self.ids), np.int32), np.empty(len(other.ids), np.int32)
        count = _merge_sorted(self.ids, other.ids, ids, mine, theirs)
        roots = np.arange(count, dtype=np.int32)
        _unite(roots, mine, mine[self.roots])
        _unite(roots, theirs, theirs[other.roots])
        _flatten(roots)
        return Forest(ids[:count].copy(), roots)

    def labels(self) -> tuple[Any, Any]:
        """Return (ids, labels), uint64[n, 2] each: the label of an id is the smallest id of its cluster.

        Ascending by id; the smallest id itself is there too; every cluster has at least two ids.
        """
        return self.ids, self.ids[self.roots]

    def sizes(self) -> Any:
        """Return int64[clusters]: the ids of each cluster, in the order of the clusters' labels."""
        sizes = np.bincount(self.roots, minlength=len(self.roots))
        return sizes[sizes > 0]


def _numbered(ids: Any) -> tuple[Any, Any]:
    """Return (unique ids, ascending, and int32[len(ids)]: the position of every id among them)."""
    if len(ids) >= 1 << 31:
        raise ValueError(f"a forest takes fewer than 2^31 edge ends at once, got {len(ids)}")
    order = np.argsort(ids[:, 0])
    if not _ascends(ids, order):  # equal first halves: in digests next to never
        order = np.lexsort((ids[:, 1], ids[:, 0]))
    unique, position = np.empty_like(ids), np.empty(len(ids), np.int32)
    count = _number(ids, order, unique, position)
    return unique[:count].copy(), position


@kernel
def _less(ids: Any, i: int, others: Any, j: int) -> bool:
    if ids[i, 0] != others[j, 0]:
        return bool(ids[i, 0] < others[j, 0])
    return bool(ids[i, 1] < others[j, 1])


@kernel
def _equal(ids: Any, i: int, others: Any, j: int) -> bool:
    return bool(ids[i, 0] == others[j, 0] and ids[i, 1] == others[j, 1])


@kernel
def _star(keys: Any, ids: Any, hot: int, members: Any, smallest: Any) -> tuple[int, int, int, int]:
    edges, buckets, hot_buckets, largest = 0, 0, 0, 0
    start = 0
    while start < len(keys):
        end, least = start + 1, start
        while end < len(keys) and keys[end] == keys[start]:
            if _less(ids, end, ids, least):
                least = end
            end += 1
        if end < len(keys) and keys[end] < keys[start]:
            return -1, 0, 0, 0
        for i in range(start, end):
            if not _equal(ids, i, ids, least):
                members[edges, :] = ids[i]
                smallest[edges, :] = ids[least]
                edges += 1
        buckets += end - start > 1
        hot_buckets += end - start > hot
        largest = max(largest, end - start)
        start = end
    return edges, buckets, hot_buckets, largest


@kernel
def _ascends(ids: Any, order: Any) -> bool:
    descents = 0
    for i in range(1, len(order)):
        descents += _less(ids, order[i], ids, order[i - 1])
    return descents == 0


@kernel
def _number(ids: Any, order: Any, unique: Any, position: Any) -> int:
    count = 0
    for i in order:
        if count == 0 or not _equal(ids, i, unique, count - 1):
            unique[count, :] = ids[i]
            count += 1
        position[i] = count - 1
    return count


@kernel
def _merge_sorted(left: Any, right: Any, out: Any, left_position: Any, right_position: Any) -> int:
    i, j, count = 0, 0, 0
    while i < len(left) or j < len(right):
        from_left = j == len(right) or (i < len(left) and not _less(right, j, left, i))
        from_right = i == len(left) or (j < len(right) and not _less(left, i, right, j))
        if from_left:
            out[count, :] = left[i]
            left_position[i] = count
            i += 1
        if from_right:
            out[count, :] = right[j]
            right_position[j] = count
            j += 1
        count += 1
    return count


@kernel
def _find(roots: Any, i: int) -> int:
    while roots[i] != i:
        roots[i] = roots[roots[i]]
        i = roots[i]
    return i


@kernel
def _unite(roots: Any, left: Any, right: Any) -> None:
    """Unite left[e] with right[e]; the smaller root stays root, so a parent is never after its child."""
    for e in range(len(left)):
        a, b = _find(roots, left[e]), _find(roots, right[e])
        roots[max(a, b)] = min(a, b)


@kernel
def _flatten(roots: Any) -> None:
    for i in range(len(roots)):
        roots[i] = roots[roots[i]]
