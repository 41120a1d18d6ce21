"""The frontier between two rounds: what is known, what came of it, what is fetched next. Pure functions on tables.

Every row of a table costs vector work only; there is no Python loop over rows.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from filters.url import domain_key, location
from manifests.limits import CrawlLimits
from manifests.reasons import LinkSkipped
from pipelines.crawl.records import FRONTIER, HOST, OUTCOME

ORIGINS = ("seed", "sitemap", "redirect", "canonical", "link")  # whose word about a URL counts first
_ORDER = [("key", "ascending"), ("url_id", "ascending")]

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Quota:
    """What a round may take. A URL is fetched until `visits` fetches of it came to an end."""

    pages: int  # of all hosts together
    per_host_and_round: int
    per_host: int  # URLs that were ever fetched
    visits: int = 1
    exclude: Sequence[str] = ()  # prefixes of URLs without their scheme, that nobody is asked for any more


class Merged(NamedTuple):
    """The frontier after a round, sorted by (key, url_id), and the discovered rows that are not in it, by reason."""

    frontier: pa.Table
    skipped: "Counter[LinkSkipped]"


class KnownIds:
    """The ids of a frontier (16 bytes a URL in memory), and those that are added; columns of url_id make it."""

    def __init__(self, columns: Iterable[pa.Array | pa.ChunkedArray]) -> None:
        self._ids = np.sort(np.concatenate([np.array([], "S16"), *map(_id_array, columns)]))
        self._added: set[bytes] = set()

    def __contains__(self, url_id: bytes) -> bool:
        if url_id in self._added:
            return True
        wanted = np.array([url_id], self._ids.dtype)
        place = int(np.searchsorted(self._ids, wanted)[0])
        return place < len(self._ids) and bool(self._ids[place] == wanted[0])

    def add(self, url_id: bytes) -> bool:
        """Add an id; return whether it was new."""
        if url_id in self:
            return False
        self._added.add(url_id)
        return True


def in_fetch_order(frontier: pa.Table) -> pa.Table:
    """Return the rows host by host; within a host seeds and sitemaps first, then by depth, then by url_id (a hash)."""
    first = pc.or_(pc.equal(frontier["origin"], "seed"), pc.equal(frontier["kind"], "sitemap"))
    ranked = frontier.select(["key", "authority", "depth", "url_id"]).append_column("last", pc.invert(first))
    names = ("key", "authority", "last", "depth", "url_id")
    return frontier.take(pc.sort_indices(ranked, sort_keys=[(name, "ascending") for name in names])).combine_chunks()


def select(frontier: pa.Table, quota: Quota) -> pa.Table:
    """Return what a round fetches, in the order of `in_fetch_order`.

    A host gives at most quota.per_host_and_round rows, and no new ones beyond quota.per_host. Where quota.pages binds
    too, hosts are cut to equal shares: no host gets a row more while another that has one is two behind.
    """
    due = pc.or_(pc.equal(frontier["state"], "pending"), pc.less(frontier["visits"], quota.visits))
    ready = in_fetch_order(frontier.filter(pc.and_(due, pc.invert(_excluded(frontier["url"], quota.exclude)))))
    if not ready.num_rows:
        return ready
    ready = ready.filter(pa.array(_within_host_limit(frontier, ready, quota.per_host)))
    ready = ready.filter(pa.array(_places(ready["authority"]) < quota.per_host_and_round))
    if ready.num_rows <= quota.pages:
        return ready
    ids = _words(ready["url_id"])[:, 0]
    fair = np.lexsort((ids, _places(ready["authority"])))[: quota.pages]
    return ready.take(pa.array(np.sort(fair)))


def _excluded(urls: pa.ChunkedArray, prefixes: Sequence[str]) -> pa.Array:
    """Say which URLs begin with one of the prefixes."""
    found = pa.array(np.zeros(len(urls), bool))
    for prefix in prefixes:
        for scheme in ("http", "https"):
            found = pc.or_(found, pc.starts_with(urls, f"{scheme}://{prefix}"))
    return found


def _within_host_limit(frontier: pa.Table, ready: pa.Table, per_host: int) -> Bools:
    """Say of each ready row whether it was fetched before, or is among the new ones that its host may still give."""
    is_new = pc.equal(ready["visits"], 0).to_numpy()
    old = frontier.filter(pc.greater(frontier["visits"], 0))
    seen = _counts_at(old["authority"], ready["authority"])
    group, _ = _groups(ready["authority"])
    running = np.cumsum(is_new) - is_new
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    new_place = running - running[starts][group]
    fits: Bools = ~is_new | (new_place + seen < per_host)
    return fits


def remaining(selected: pa.Table, outcomes: pa.Table, discovered: pa.Table, known: KnownIds) -> pa.Table:
    """Return what a worker that was killed still has to fetch: `selected`, redirects within a domain, and sitemaps.

    `outcomes` and `discovered` are all that its committed batches hold of its range; `known` are the ids of the
    frontier, to which those of the redirects and sitemaps are added, fetched or not.
    """
    follows = pc.or_(pc.equal(discovered["origin"], "redirect"), pc.equal(discovered["kind"], "sitemap"))
    hops = discovered.filter(follows)
    columns = [hops[name].to_pylist() for name in ("key", "url_id", "kind", "referrer")]
    own = [
        (kind == "sitemap" or key == domain_key(location(referrer).domain)) and known.add(url_id)
        for key, url_id, kind, referrer in zip(*columns, strict=True)
    ]
    rows = pa.concat_tables([selected, hops.filter(pa.array(own, pa.bool_()))])
    return rows.filter(pc.invert(pc.is_in(rows["url_id"], _set(outcomes["url_id"])))).combine_chunks()


def merge_frontier(
    old: pa.Table, outcomes: pa.Table, discovered: pa.Table, limits: CrawlLimits, max_pages_per_host: int
) -> Merged:
    """Return the frontier after a round.

    What is known stays as it was found first. Of a URL that was discovered several times, the first by origin, depth,
    redirects, referrer, kind and caption stands, whatever the order of the rows. A host that is full takes no more,
    but for what was fetched already. Of several outcomes of a URL the latest counts.

    Raises ValueError for an outcome of a URL that is in neither table.
    """
    skipped: Counter[LinkSkipped] = Counter()
    latest = last_outcomes(outcomes)
    found = discovered.filter(pc.less_equal(discovered["redirects"], limits.max_redirects))
    skipped[LinkSkipped.REDIRECTS] = discovered.num_rows - found.num_rows
    new = _first_of_each(found)
    new = new.filter(pc.invert(pc.is_in(new["url_id"], _set(old["url_id"]))))
    skipped[LinkSkipped.KNOWN] = found.num_rows - new.num_rows
    admitted = _with_room(old, new, latest, max_pages_per_host)
    skipped[LinkSkipped.HOST_FULL] = new.num_rows - admitted.num_rows
    rows = pa.concat_tables([old, admitted]).combine_chunks()
    rows = rows.take(pc.sort_indices(rows, sort_keys=_ORDER)).combine_chunks()
    return Merged(_apply(rows, latest, limits.max_attempts), +skipped)


def last_outcomes(outcomes: pa.Table) -> pa.Table:
    """Return the latest outcome of each URL, sorted by (key, url_id)."""
    keys = [*_ORDER, ("ended_s", "descending"), ("started_s", "descending"), ("state", "ascending")]
    ordered = outcomes.take(pc.sort_indices(outcomes, sort_keys=keys)).combine_chunks()
    return ordered.filter(pa.array(_is_first(ordered["url_id"])))


def _first_of_each(found: pa.Table) -> pa.Table:
    rank = pc.fill_null(pc.index_in(found["origin"], value_set=pa.array(ORIGINS)), len(ORIGINS))
    ranked = found.append_column("rank", rank)
    names = ("rank", "depth", "redirects", "referrer", "kind", "caption")
    keys = [*_ORDER, *((name, "ascending") for name in names)]
    ordered = found.take(pc.sort_indices(ranked, sort_keys=keys)).combine_chunks()
    return ordered.filter(pa.array(_is_first(ordered["url_id"])))


def _with_room(old: pa.Table, new: pa.Table, outcomes: pa.Table, max_pages_per_host: int) -> pa.Table:
    """Return the new rows that their hosts take: those fetched already, then in the order of fetching."""
    if not new.num_rows:
        return new
    fetched = pc.is_in(new["url_id"], _set(outcomes["url_id"]))
    ordered = pa.concat_tables([in_fetch_order(new.filter(fetched)), in_fetch_order(new.filter(pc.invert(fetched)))])
    ordered = ordered.combine_chunks()
    must = np.arange(ordered.num_rows) < pc.sum(fetched).as_py()
    group, _ = _groups(ordered["authority"])
    by_host = np.argsort(group, kind="stable")
    place = np.empty(len(group), np.int64)
    starts = np.flatnonzero(np.diff(group[by_host], prepend=-1))
    place[by_host] = np.arange(len(group)) - np.repeat(starts, np.diff(starts, append=len(group)))
    known = _counts_at(old["authority"], ordered["authority"])
    return ordered.filter(pa.array(must | (place + known < max_pages_per_host)))


def _apply(rows: pa.Table, outcomes: pa.Table, max_attempts: int) -> pa.Table:
    """Return the rows with what came of them."""
    place = pc.index_in(rows["url_id"], value_set=_set(outcomes["url_id"])).combine_chunks()
    missing = outcomes.num_rows - (len(place) - place.null_count)
    if missing:
        raise ValueError(f"{missing} outcomes are of URLs that are neither in the frontier nor among the discovered")
    hit = pc.is_valid(place)
    came = {name: outcomes[name].combine_chunks().take(place) for name in OUTCOME.names}
    was = {name: rows[name].combine_chunks() for name in FRONTIER.names}
    tried = pc.fill_null(pc.equal(came["state"], "retry"), False)
    again = pc.or_(tried, pc.fill_null(pc.equal(came["state"], "later"), False))
    kept, unchanged = (pc.fill_null(pc.equal(came["state"], state), False) for state in ("kept", "unchanged"))
    ended = pc.and_(hit, pc.invert(again))
    tries = pc.add(was["attempts"], pc.cast(tried, pa.int16()))
    attempts = pc.if_else(ended, pa.scalar(0, pa.int16()), tries)
    used_up = pc.and_(again, pc.greater_equal(tries, max_attempts))
    state = pc.if_else(used_up, "failed", pc.if_else(again, "pending", came["state"]))
    ended = pc.or_(ended, used_up)
    changed = {
        "state": pc.if_else(hit, state, was["state"]),
        "reason": pc.if_else(hit, came["reason"], was["reason"]),
        "visits": pc.add(was["visits"], pc.cast(ended, pa.int16())),
        "attempts": pc.if_else(ended, pa.scalar(0, pa.int16()), attempts),
        "status": pc.coalesce(came["status"], was["status"]),
        "fetched_s": pc.if_else(kept, came["started_s"], was["fetched_s"]),
    }
    for name in ("etag", "last_modified", "digest"):
        confirmed = pc.if_else(unchanged, pc.coalesce(came[name], was[name]), pa.scalar(None, was[name].type))
        final = pc.if_else(kept, came[name], confirmed)
        changed[name] = pc.if_else(ended, final, was[name])
    return pa.table([changed.get(name, was[name]) for name in FRONTIER.names], schema=FRONTIER)


def merge_hosts(old: pa.Table, new: pa.Table) -> pa.Table:
    """Return the newest row of each authority, sorted by (key, authority).

    Each request moves `next_s` on, so the greatest is the newest, in whatever order the rows come.
    """
    rows = pa.concat_tables([old, new]).combine_chunks()
    newest = ("next_s", "robots_until_s", "pages", "bytes", "failures")
    keys = [("key", "ascending"), ("authority", "ascending"), *((name, "descending") for name in newest)]
    ordered = rows.take(pc.sort_indices(rows, sort_keys=keys)).combine_chunks().select(HOST.names)
    return ordered.filter(pa.array(_is_first(ordered["authority"])))


def _set(ids: pa.ChunkedArray) -> pa.Array:
    return ids.combine_chunks()


def _groups(column: pa.ChunkedArray) -> tuple[Ints, pa.Array]:
    """Return the number of each row's value, in the order of first appearance, and the values."""
    coded = column.combine_chunks().dictionary_encode()
    return coded.indices.to_numpy().astype(np.int64), coded.dictionary


def _places(column: pa.ChunkedArray) -> Ints:
    """Return the place of each row among the rows of equal value, where equal values stand together."""
    group, _ = _groups(column)
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    places: Ints = np.arange(len(group)) - starts[group]
    return places


def _counts_at(column: pa.ChunkedArray, wanted: pa.ChunkedArray) -> Ints:
    """Return how often each wanted value stands in `column`."""
    counted = pc.value_counts(column.combine_chunks())
    place = pc.index_in(wanted.combine_chunks(), value_set=counted.field("values"))
    counts: Ints = pc.fill_null(counted.field("counts").take(place), 0).to_numpy(zero_copy_only=False)
    return counts


def _is_first(column: pa.ChunkedArray) -> Bools:
    """Say of each row of a sorted column whether it is the first of its value."""
    values = column.combine_chunks()
    first: Bools = np.ones(len(values), np.bool_)
    if len(values) > 1:
        first[1:] = pc.not_equal(values.slice(1), values.slice(0, len(values) - 1)).to_numpy(zero_copy_only=False)
    return first


def _words(ids: pa.ChunkedArray) -> npt.NDArray[np.uint64]:
    """Return 16-byte ids as big-endian numbers, shape (n, 2)."""
    return _id_array(ids).view(">u8").reshape(-1, 2).astype(np.uint64)


def _id_array(ids: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.bytes_]:
    """Return 16-byte ids as an array of 16 bytes each."""
    array = ids.combine_chunks() if isinstance(ids, pa.ChunkedArray) else ids
    if not len(array):
        return np.array([], "S16")
    raw = np.frombuffer(array.buffers()[1], "S16", array.offset + len(array))
    return raw[array.offset :].copy()
