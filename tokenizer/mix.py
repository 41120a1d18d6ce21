"""Rows to train from: counts of groups, weighted and added up, and of these a threshold sample. No text is read.

A row whose weight is at least tau stays as it is; a lighter one stays with probability weight / tau and then weighs
tau. So every sum over rows (of a pair, of a character) keeps its expectation, and rare long words, which are most of
Japanese and Chinese, are thinned instead of cut off. The coin is a hash of the word.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters.native import kernel, mix64, string_buffers
from tokenizer.alphabet import alphabet
from tokenizer.balance import Balance, group_weights
from tokenizer.count import COUNTS, relation
from tokenizer.gather import tally_code_points
from tokenizer.groups import Group

MAX_ROWS = 8_000_000  # fixed: never read from the machine
_SALT = np.uint64(0x746F6B656E697A65)
_ALPHABET_ROWS = 1 << 20  # that are sorted by language at once
_LIGHTEST = 16  # what the lightest row of a weighted mixture counts: rounding stays below 3 %
_MOST = float(1 << 60)  # of all counts together

Table = Callable[[], Iterable[pa.RecordBatch]]  # reads counts (schema COUNTS, ascending by key) from the start


@dataclass(frozen=True)
class Mixture:
    """What mixing did. Masses are characters x weight."""

    rows: int  # words of the table, groups added up
    kept_rows: int
    tau: float  # 0 where every row is kept
    scale: float  # by which weights became counts
    mass: float
    kept_mass: float
    weights: dict[Group, float]

    @property
    def kept_fraction(self) -> float:
        """Kept mass to mass: 1 on average over samples."""
        return self.kept_mass / self.mass if self.mass else 1.0


def parts_by_kind(groups: Mapping[int, Group]) -> dict[int, int]:
    """Return part 1 for groups of code."""
    return {key: 1 for key, group in groups.items() if group.kind == "code"}


def parts_by_language(groups: Mapping[int, Group], languages: Sequence[str]) -> dict[int, int]:
    """Return part 1, 2 ... for groups of these languages."""
    numbered = {code: number for number, code in enumerate(languages, 1)}
    return {key: numbered[group.language] for key, group in groups.items() if group.language in numbered}


def sizes_of(table: Iterable[pa.RecordBatch], groups: Mapping[int, Group], per_document_cap: bool) -> dict[Group, int]:
    """Return the characters counted in each group.

    Raises ValueError where a row's group has no name.
    """
    sizes: dict[int, int] = {}
    for batch in table:
        mass = pc.utf8_length(batch["word"]).to_numpy().astype(np.int64) * _counted(batch, per_document_cap)
        keys, places = np.unique(batch["group"].to_numpy(), return_inverse=True)
        sums = np.zeros(len(keys), np.int64)
        np.add.at(sums, places, mass)
        for key, size in zip(keys.tolist(), sums.tolist(), strict=True):
            sizes[key] = sizes.get(key, 0) + size
    if unnamed := sorted(set(sizes) - set(groups)):
        raise ValueError(f"{len(unnamed)} groups of the counts have no name, {unnamed[0]:016x} for one")
    return {groups[key]: size for key, size in sizes.items()}


def _counted(batch: Any, per_document_cap: bool) -> Any:
    return batch["capped" if per_document_cap else "count"].to_numpy()


@kernel
def _sums(first: Any, factors: Any, counts: Any, opens: Any) -> tuple[Any, Any]:
    """Add rows up from each of `first` to the next, one after another: weights and those that open a line."""
    weights, opening = np.zeros(len(first), np.float64), np.zeros(len(first), np.float64)
    word = -1
    for row in range(len(counts)):
        if word + 1 < len(first) and first[word + 1] == row:
            word += 1
        weights[word] += factors[row] * counts[row]
        opening[word] += factors[row] * opens[row]
    return weights, opening


@dataclass(frozen=True)
class _Weighing:
    """What each group's counts weigh, and which groups' rows stay apart."""

    weights: Mapping[int, float]
    apart: Mapping[int, int]  # number of each group's part
    cap: bool  # at most 16 occurrences a text


def _added_up(batches: Iterable[pa.RecordBatch], weighing: _Weighing) -> Iterator[tuple[Any, ...]]:
    """Give (keys, words, parts, weights, weights that open a line) of whole words; a word of a batch's end waits."""
    waiting: Any = pa.RecordBatch.from_pylist([], schema=COUNTS)
    for batch in batches:
        joined: Any = pa.Table.from_batches([waiting, batch]).combine_chunks().to_batches()
        if not joined:
            continue
        last = joined[0]["key"].to_numpy()
        whole = int(np.searchsorted(last, last[-1], "left"))
        yield _weighted(joined[0].slice(0, whole), weighing)
        waiting = joined[0].slice(whole)
    yield _weighted(waiting, weighing)


def _weighted(batch: Any, weighing: _Weighing) -> tuple[Any, ...]:
    keys, places = np.unique(batch["group"].to_numpy(), return_inverse=True)
    factors = np.array([weighing.weights.get(key, 0.0) for key in keys.tolist()], np.float64)[places]
    counted, opens = _counted(batch, weighing.cap), batch["line_starts"].to_numpy()
    opens, is_new = np.minimum(opens, counted), relation(batch) != 1
    parts: Any = np.zeros(len(factors), np.int64)
    if any(weighing.apart.values()):
        parts = np.array([weighing.apart.get(key, 0) for key in keys.tolist()], np.int64)[places]
        order = np.lexsort((parts, np.cumsum(is_new)))
        batch, factors, counted, opens, parts = (
            batch.take(pa.array(order)),
            factors[order],
            counted[order],
            opens[order],
            parts[order],
        )
        is_new |= np.diff(parts, prepend=parts[:1]) != 0  # words keep their rows
    first: Any = np.flatnonzero(is_new)
    sums, opening = _sums(first, factors, counted, opens)
    words = batch.select(["key", "word"]).take(pa.array(first))
    return words["key"].to_numpy(), words["word"], parts[first], sums, opening


def threshold(weights: Any, max_rows: int) -> float:
    """Return tau for which sum(min(1, weight / tau)) is `max_rows`; 0 where there are no more rows than that."""
    weights = np.sort(weights[weights > 0])
    if len(weights) <= max_rows:
        return 0.0
    # with the k lightest rows below tau: (sum of these) / tau + the others = max_rows
    below = np.cumsum(weights)
    light = np.arange(1, len(weights) + 1)
    room = max_rows - (len(weights) - light)
    tau = np.divide(below, room, out=np.full(len(weights), np.inf), where=room > 0)
    next_one = np.append(weights[1:], np.inf)
    fits: Any = np.flatnonzero((tau >= weights) & (tau <= next_one))
    return float(tau[fits[0]])


def _coins(keys: Any) -> Any:
    """Return a uniform number in [0, 1) for each word."""
    return (_mixed(keys ^ _SALT) >> np.uint64(11)).astype(np.float64) * 2.0**-53


@kernel
def _mixed(keys: Any) -> Any:
    mixed = np.empty_like(keys)
    for i in range(len(keys)):
        mixed[i] = mix64(keys[i])
    return mixed


def mix(
    table: Table,
    groups: Mapping[int, Group],
    balance: Balance,
    max_rows: int = MAX_ROWS,
    parts: Mapping[int, int] | None = None,
) -> tuple[Iterator[pa.RecordBatch], Mixture]:
    """Return rows (schema COUNTS; group 0, or the number of their group in `parts`) to train from, what mixing did.

    The table is read three times: for sizes, for tau, for the rows. Equal tables, in any batches, give equal rows.
    """
    chosen = group_weights(sizes_of(table(), groups, balance.per_document_cap), balance)
    return mix_weighted(table, chosen, balance.per_document_cap, max_rows, parts)


def mix_weighted(
    table: Table,
    chosen: dict[Group, float],
    per_document_cap: bool = False,
    max_rows: int = MAX_ROWS,
    parts: Mapping[int, int] | None = None,
) -> tuple[Iterator[pa.RecordBatch], Mixture]:
    """Return rows as `mix` does, of groups with weights that were chosen before."""
    weights = {group.key: weight for group, weight in chosen.items()}
    weighing = _Weighing(weights, parts or {}, per_document_cap)
    heavy = [(sums, _lengths(words)) for _, words, _, sums, _ in _added_up(table(), weighing)]
    all_weights = np.concatenate([sums for sums, _ in heavy] or [np.zeros(0)])
    tau = threshold(all_weights, max_rows)
    mass = float(sum(float(np.dot(sums, lengths)) for sums, lengths in heavy))
    scale = _scale(all_weights, tau, mass, is_plain=not tau and set(chosen.values()) <= {1.0})
    sampled = _Sample(tau, scale)
    kept = [sampled.of(*each) for each in _added_up(table(), weighing)]
    made = Mixture(int((all_weights > 0).sum()), sum(b.num_rows for b in kept), tau, scale, mass, sampled.mass, chosen)
    return iter(kept), made


class Heaviest(NamedTuple):
    """The words of a table that weigh most."""

    words: list[str]  # heaviest first, then by text
    weights: Any  # float64[words]
    left_out: float  # weight of the heaviest word that is not among them, 0 where all are
    all_words: int  # of the table, with a weight


def heaviest(table: Table, chosen: Mapping[Group, float], per_document_cap: bool, most: int) -> Heaviest:
    """Return about the `most` heaviest words, with all that weigh as much as the last one.

    Where that would be more than twice as many, words of that weight are left out instead.
    """
    weighing = _Weighing({group.key: weight for group, weight in chosen.items()}, {}, per_document_cap)
    held: list[tuple[float, str]] = []
    left_out, floor, count = 0.0, 0.0, 0
    for _, words, _, sums, _ in _added_up(table(), weighing):
        count += int((sums > 0).sum())
        left_out = max(left_out, float(sums[sums <= floor].max(initial=0.0)))
        stays: Any = np.flatnonzero(sums > floor)
        held += zip(sums[stays].tolist(), words.take(pa.array(stays)).to_pylist(), strict=True)
        if len(held) > 4 * most:
            held, lightest = _cut_off(held, most)
            floor = left_out = max(floor, left_out, lightest)
    held, lightest = _cut_off(held, most)
    held.sort(key=lambda each: (-each[0], each[1].encode()))
    found = np.array([weight for weight, _ in held], np.float64)
    return Heaviest([word for _, word in held], found, max(left_out, lightest), count)


def _cut_off(held: list[tuple[float, str]], most: int) -> tuple[list[tuple[float, str]], float]:
    """Return those that stay and the weight of the heaviest that goes, 0 where none does."""
    if len(held) <= most:
        return held, 0.0
    weights = np.array([weight for weight, _ in held])
    last = float(np.partition(weights, len(weights) - most)[len(weights) - most])
    goes = weights < last if int((weights >= last).sum()) <= 2 * most else weights <= last
    kept = [each for each, is_gone in zip(held, goes.tolist(), strict=True) if not is_gone]
    return kept, float(weights[goes].max(initial=0.0))


def _lengths(words: Any) -> Any:
    return pc.utf8_length(words).to_numpy().astype(np.float64)


def _scale(weights: Any, tau: float, mass: float, is_plain: bool) -> float:
    """Return what makes the lightest row count _LIGHTEST; 1 where counts are whole as they are."""
    if is_plain or not len(weights) or not weights.any():
        return 1.0
    return min(_LIGHTEST / max(tau, float(weights[weights > 0].min())), _MOST / mass)


class _Sample:
    """Takes the threshold sample of rows; `mass` is what it kept."""

    def __init__(self, tau: float, scale: float) -> None:
        self.tau, self.scale, self.mass = tau, scale, 0.0

    def of(self, keys: Any, words: Any, parts: Any, weights: Any, opens: Any) -> pa.RecordBatch:
        stays = (weights > 0) & (weights > _coins(keys) * self.tau)
        keys, words, weights, opens = keys[stays], words.filter(pa.array(stays)), weights[stays], opens[stays]
        raised = np.maximum(weights, self.tau)
        self.mass += float(np.dot(raised, _lengths(words)))
        counts = np.maximum(np.rint(raised * self.scale), 1).astype(np.int64)
        opening = np.minimum(np.rint(opens * (raised / weights) * self.scale).astype(np.int64), counts)
        zeros, groups = np.zeros(len(counts), np.int64), parts[stays].astype(np.uint64)
        columns: list[Any] = [pa.array(keys), words, *map(pa.array, (counts, opening, zeros, zeros, groups))]
        return pa.RecordBatch.from_arrays(columns, schema=COUNTS)


def _joined(batches: Iterable[pa.RecordBatch], rows: int) -> Iterator[Any]:
    """Give the same rows in batches of at least `rows`, but for the last."""
    held: list[pa.RecordBatch] = []
    for batch in batches:
        held.append(batch)
        if sum(each.num_rows for each in held) >= rows:
            yield pa.Table.from_batches(held).combine_chunks().to_batches()[0]
            held = []
    if sum(each.num_rows for each in held):
        yield pa.Table.from_batches(held).combine_chunks().to_batches()[0]


def language_alphabets(table: Table, groups: Mapping[int, Group], coverage: float) -> Any:
    """Return the code points that cover each language by itself, in any of them: int64[n], most frequent first.

    One threshold over all languages would starve a small one of its letters.
    """
    found: dict[str, list[tuple[Any, Any]]] = {}
    tally = np.zeros(0x110000, np.int64)
    names = sorted({group.language for group in groups.values()})
    for batch in _joined(table(), _ALPHABET_ROWS):
        keys, places = np.unique(batch["group"].to_numpy(), return_inverse=True)
        language = np.searchsorted(names, [groups[key].language for key in keys.tolist()])[places]
        order = np.argsort(language, kind="stable")
        words, counts = batch["word"].take(pa.array(order)), batch["count"].to_numpy()[order]
        bounds = np.searchsorted(language[order], np.arange(len(names) + 1))
        for number in np.unique(language).tolist():
            first, last = int(bounds[number]), int(bounds[number + 1])
            tally_code_points(*string_buffers(words.slice(first, last - first)), counts[first:last], tally)
            points = np.flatnonzero(tally)
            found.setdefault(names[number], []).append((points, tally[points]))
            tally[points] = 0
    total = np.zeros(0x110000, np.int64)
    needed: set[int] = set()
    for name in sorted(found):
        own = np.zeros(0x110000, np.int64)
        for points, counts in found[name]:
            own[points] += counts
        total += own
        needed |= set(alphabet(own, coverage).tolist())
    points = np.array(sorted(needed), np.int64)
    return points[np.argsort(-total[points], kind="stable")]
