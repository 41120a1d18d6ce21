"""What of an evaluation set stands in a text: exact word 13-grams, and items that a text holds nearly whole.

Exact: a text shares an n-gram of `words` words with an item (GPT-3: Brown et al. 2020, appendix C, n = 13). In scripts
without spaces the n-grams are of `characters` letters and digits instead; each item is read in both ways where it has
both kinds of script. Case, punctuation and white space never count.
Fuzzy: of the item's short n-grams (5 words, 10 characters) a text holds at least `min_fraction`, so an item with some
words changed is found. Items too short for an exact n-gram must be held whole, and items of fewer than `min_words`
words (`min_characters`) say too little to be looked for; they are counted.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters.code_points import CODE_POINTS, code_points, lower_case
from filters.minhash import shingles
from filters.native import decode_utf8, kernel, mix64, string_buffers
from filters.segmentation import Segmentation, segment

VERSION = 1
_UNSPACED = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Khmer}\p{Lao}\p{Myanmar}]"
_FILTER_BITS = 8  # bits of the filter for each n-gram that is looked for, at least


@dataclass(frozen=True)
class Grams:
    """How long the n-grams are, and when an item counts as held."""

    words: int = 13
    characters: int = 30
    fuzzy_words: int = 5
    fuzzy_characters: int = 10
    min_words: int = 8
    min_characters: int = 16
    min_fraction: float = 0.6

    def __post_init__(self) -> None:
        """Refuse lengths that could not find anything."""
        for exact, fuzzy, least in (
            (self.words, self.fuzzy_words, self.min_words),
            (self.characters, self.fuzzy_characters, self.min_characters),
        ):
            if not 1 <= fuzzy <= least <= exact:
                raise ValueError(f"contamination: {fuzzy} <= {least} <= {exact} does not hold of the lengths")
        if not 0 < self.min_fraction <= 1:
            raise ValueError(f"contamination: min_fraction must be in (0, 1], got {self.min_fraction}")


@dataclass(frozen=True)
class Table:
    """The n-grams of one length of all items.

    hashes  uint64[n]  ascending
    items   int32[n]   the item that each stands in; of equal hashes ascending
    needed  int32[items]  distinct n-grams of an item that a text must hold; 0: the item is not looked for here
    filter  uint64[m]  a bit for each hash: most n-grams of a clean text end here
    """

    ngram: int
    hashes: npt.NDArray[np.uint64]
    items: npt.NDArray[np.int32]
    needed: npt.NDArray[np.int32]
    filter: npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Index:
    """What is looked for: tables over words and over characters; `too_short` are the items that neither has."""

    by_words: tuple[Table, ...]
    by_characters: tuple[Table, ...]
    too_short: tuple[int, ...]


@dataclass(frozen=True)
class Hits:
    """rows int32[n], items int32[n]: an item that a text holds, each pair once, ascending; grams int32[n] shared."""

    rows: npt.NDArray[np.int32]
    items: npt.NDArray[np.int32]
    grams: npt.NDArray[np.int32]


def build_index(items: Sequence[str], grams: Grams) -> Index:
    """Return the index of evaluation items, in their order."""
    text = pa.array(items, pa.string())
    words, characters = segment(text), unspaced_characters(text)
    by_words = _tables(words, grams.words, grams.fuzzy_words, grams.min_words, grams.min_fraction)
    by_characters = _tables(
        characters, grams.characters, grams.fuzzy_characters, grams.min_characters, grams.min_fraction
    )
    sought = np.zeros(len(items), bool)
    for table in (*by_words, *by_characters):
        sought |= table.needed > 0
    return Index(by_words, by_characters, tuple(np.flatnonzero(~sought).tolist()))


def find(text: pa.StringArray, index: Index, words: Segmentation | None = None) -> Hits:
    """Return the items that texts hold; `words` is the texts' segmentation, made here where it is not given."""
    found = [_find(table, words or segment(text)) for table in index.by_words if len(table.hashes)]
    by_characters = [table for table in index.by_characters if len(table.hashes)]
    if by_characters:
        characters = unspaced_characters(text)
        found += [_find(table, characters) for table in by_characters]
    if not found:
        none = np.zeros(0, np.int32)
        return Hits(none, none, none)
    rows, items, counts = (np.concatenate(columns) for columns in zip(*found, strict=True))
    order = np.lexsort((-counts, items, rows))
    rows, items, counts = rows[order], items[order], counts[order]
    first = np.ones(len(rows), bool)
    first[1:] = (rows[1:] != rows[:-1]) | (items[1:] != items[:-1])
    return Hits(rows[first], items[first], counts[first])


@dataclass(frozen=True)
class Characters:
    """The letters and digits of texts, of those that hold enough script without spaces; as `Segmentation` has words."""

    hashes: npt.NDArray[np.uint64]
    doc_offsets: npt.NDArray[np.int64]


def unspaced_characters(text: pa.StringArray) -> Characters:
    """Return the letters and digits of each text where at least a tenth of them is of a script without spaces."""
    body, offsets = string_buffers(text)
    hashes = np.empty(int(offsets[-1] - offsets[0]), np.uint64)
    doc_offsets = np.zeros(len(text) + 1, np.int64)
    count = _read_characters(body, offsets, _kinds(), lower_case(), hashes, doc_offsets)
    return Characters(hashes[:count], doc_offsets)


@cache
def _kinds() -> npt.NDArray[np.uint8]:
    """Return 1 for a letter, mark or digit, 3 for one of a script without spaces: uint8[CODE_POINTS]."""
    table = np.zeros(CODE_POINTS, np.uint8)
    table[code_points(r"[\p{L}\p{N}\p{M}]")] = 1
    table[code_points(_UNSPACED)] = 3
    table.setflags(write=False)
    return table


@kernel
def _read_characters(body: Any, offsets: Any, kinds: Any, lower: Any, out: Any, out_offsets: Any) -> int:
    filled = 0
    for doc in range(len(offsets) - 1):
        first, unspaced, i = filled, 0, offsets[doc]
        while i < offsets[doc + 1]:
            point, width = decode_utf8(body, i)
            kind = kinds[point]
            if kind:
                out[filled] = mix64(np.uint64(lower[point]) + np.uint64(0x9E3779B97F4A7C15))
                filled += 1
                unspaced += kind == 3
            i += width
        if unspaced * 10 < filled - first:
            filled = first
        out_offsets[doc + 1] = filled
    return filled


def _tables(units: Any, exact: int, fuzzy: int, least: int, min_fraction: float) -> tuple[Table, ...]:
    lengths = np.diff(units.doc_offsets)
    long, short = lengths >= exact, (lengths >= least) & (lengths < exact)
    whole = _table(units, exact, long, lambda sizes: np.minimum(sizes, 1))
    nearly = _table(units, fuzzy, long, lambda sizes: np.ceil(sizes * min_fraction))
    every = _table(units, fuzzy, short, lambda sizes: sizes)
    return tuple(table for table in (whole, nearly, every) if len(table.hashes))


def _table(units: Any, ngram: int, chosen: npt.NDArray[np.bool_], needed: Any) -> Table:
    hashes, offsets = shingles(units, None, ngram)
    items = np.repeat(np.arange(len(chosen)), np.diff(offsets)).astype(np.int32)
    kept = chosen[items]
    order = np.lexsort((items[kept], hashes[kept]))
    hashes, items = hashes[kept][order], items[kept][order]
    first = np.ones(len(hashes), bool)
    first[1:] = (hashes[1:] != hashes[:-1]) | (items[1:] != items[:-1])
    hashes, items = hashes[first], items[first]
    sizes = np.bincount(items, minlength=len(chosen))
    return Table(ngram, hashes, items, needed(sizes).astype(np.int32), _filter_of(hashes))


def _filter_of(hashes: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    words = 1
    while words * 64 < len(hashes) * _FILTER_BITS:
        words *= 2
    bits = np.zeros(words, np.uint64)
    _set_bits(hashes, bits)
    return bits


@kernel
def _set_bits(hashes: Any, bits: Any) -> None:
    mask = np.uint64(len(bits) - 1)
    for h in hashes:
        bits[(h >> np.uint64(6)) & mask] |= np.uint64(1) << (h & np.uint64(63))


def _find(table: Table, units: Any) -> tuple[Any, Any, Any]:
    """Return (rows, items, shared n-grams) of the items that texts hold as this table counts them."""
    hashes, offsets = shingles(units, None, table.ngram)
    places = np.empty(len(hashes), np.int64)
    count = _look_up(hashes, table.hashes, table.filter, places)
    hit = places[:count]
    rows = (np.searchsorted(offsets, hit, "right") - 1).astype(np.int64)
    low = np.searchsorted(table.hashes, hashes[hit], "left")
    spans = np.searchsorted(table.hashes, hashes[hit], "right") - low
    entries = np.repeat(low - np.concatenate([[0], np.cumsum(spans)[:-1]]), spans) + np.arange(spans.sum())
    seen = np.unique(np.stack([np.repeat(rows, spans), entries]), axis=1)  # an n-gram counts once a text
    pairs, shared = np.unique(np.stack([seen[0], table.items[seen[1]]]), axis=1, return_counts=True)
    held = shared >= table.needed[pairs[1]]
    return pairs[0][held].astype(np.int32), pairs[1][held].astype(np.int32), shared[held].astype(np.int32)


@kernel
def _look_up(hashes: Any, table: Any, bits: Any, out: Any) -> int:
    """Fill `out` with the places of hashes that stand in the sorted table; return how many there are."""
    mask, filled = np.uint64(len(bits) - 1), 0
    for i in range(len(hashes)):
        h = hashes[i]
        if bits[(h >> np.uint64(6)) & mask] >> (h & np.uint64(63)) & np.uint64(1):
            low, high = 0, len(table)
            while low < high:
                middle = (low + high) >> 1
                if table[middle] < h:
                    low = middle + 1
                else:
                    high = middle
            if low < len(table) and table[low] == h:
                out[filled] = i
                filled += 1
    return filled


def items_of(objects: Iterable[Mapping[str, Any]], fields: Sequence[str] = ()) -> list[str]:
    """Return the text of each object: the strings of its `fields`, or of all, nested ones too, joined by newlines."""
    return ["\n".join(_strings([each.get(name) for name in fields] if fields else each)) for each in objects]


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from _strings(list(value.values()))
    elif isinstance(value, list):
        for each in value:
            yield from _strings(each)
