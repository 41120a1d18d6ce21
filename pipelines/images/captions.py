"""Captions: texts that stand beside images, and how both meet.

An image's caption is the text file of its name (`a.jpg` and `a.txt`, also in archives, as WebDataset has it), a field
of the JSON file of its name, what the crawl knew of its URL (the metadata record of its response), or the alternative
text of a document that shows it, where the recipe makes a text snapshot too. Name and URL without their suffix are
the key of both, so they meet wherever they were found. Of several the first by rank, then by text, is the caption.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters.interleave.addresses import address_digest, named_by_bytes, record_address
from manifests.keys import key_range, keys_of
from manifests.runs import gather, load_runs, sort_table, write_run
from manifests.store import Store
from pipelines.images.records import (
    ADDRESS,
    BYTES,
    CAPTION,
    CAPTIONED,
    COUNTED,
    NAME,
    SEEN,
    SHOWN,
    STEM,
)
from pipelines.sources.warc import WARC_FIELDS
from pipelines.stages.sidecars import media_keys, text_key
from pipelines.stages.staged import Staged

CAPTIONS_VERSION = 2  # part of the stage key
FIELDS = ("caption", "text", "alt", "TEXT")  # of a JSON object, in this order
MAX_CAPTION_CHARS = 4096
MAX_CAPTIONS = 16  # of one image
ALT_RANK = 2  # after files and lists
CAPTION_ORDER = ("key", "id", "rank", "caption")
SEEN_ORDER = ("key", "digest", "name", "id")
_WARC_CAPTION = re.compile(rb"^caption: (.*?)\r?$", re.MULTILINE)
_RANKS = {"text/plain": 0, "application/json": 1, WARC_FIELDS: 0}


def image_stems(uri: str, digest: bytes) -> dict[int, int]:
    """Return {key: kind} of the names under which something may be said of an image.

    NAME: its name without a suffix, and its URL as it was asked for; ADDRESS: as pages name it; BYTES: as pages name
    what they hold themselves (filters.interleave.addresses).
    """
    found = dict.fromkeys(media_keys(uri), NAME)
    found[_address_key(named_by_bytes(digest))] = BYTES
    found[_address_key(record_address(uri) or uri)] = ADDRESS
    return found


def _address_key(address: str) -> int:
    return int.from_bytes(address_digest(address)[:8])


def caption_of(media_type: str, payload: bytes) -> str | None:
    """Return the caption that a text, JSON or metadata record holds, None where it holds none."""
    found: Any = None
    if media_type == WARC_FIELDS:
        line = _WARC_CAPTION.search(payload)
        found = line[1].decode("utf-8", "replace") if line else None
    elif media_type == "application/json":
        found = _of_json(payload)
    else:
        found = payload.decode("utf-8-sig", "replace")
    return plain(found) if isinstance(found, str) else None


def plain(text: str) -> str | None:
    """Return a caption on one line, at most MAX_CAPTION_CHARS of it; None where nothing is left."""
    line = " ".join(text.split())[:MAX_CAPTION_CHARS]
    return line.encode("utf-16", "surrogatepass").decode("utf-16", "replace") or None


def _of_json(payload: bytes) -> Any:
    try:
        body = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    return next((body[name] for name in FIELDS if body.get(name)), None) if isinstance(body, dict) else None


def caption_rows(batch: pa.RecordBatch) -> Iterator[dict[str, Any]]:
    """Yield the CAPTION rows of RAW records that may hold captions."""
    for uri, media_type, payload in zip(*(batch[name] for name in ("uri", "media_type", "payload")), strict=True):
        kind = media_type.as_py()
        if caption := caption_of(kind, payload.as_buffer().to_pybytes()):
            yield {"key": text_key(uri.as_py(), kind), "rank": _RANKS[kind], "caption": caption}


class JoinCaptions:
    """Worker: the captions of a range of names -> rows keyed by image, and where the corpus shows it.

    config: {staged, shown: name of the list of runs that ReadDocuments left}.
    """

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store, self.staged = store, Staged.load(store, config["staged"])
        self.shown = load_runs(store, config["shown"])

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        low, high = key_range(arguments["partition"], arguments["partitions"])
        texts = gather(self.store, self.staged.runs["captions"], CAPTION, low, high, ())
        shown = gather(self.store, self.shown, SHOWN, low, high, ())
        stems = gather(self.store, self.staged.runs["stems"], STEM, low, high, ("key", "id"))
        captions, seen = join_captions(stems, texts, shown)
        runs = {
            "captions": write_run(self.store, f"{arguments['output']}-captions", captions, CAPTION_ORDER),
            "seen": write_run(self.store, f"{arguments['output']}-seen", seen, SEEN_ORDER),
        }
        counts = {kind: run.rows for kind, run in runs.items()}
        return {"runs": {kind: run.as_json() for kind, run in runs.items()}, "counts": counts}


def join_captions(stems: pa.Table, texts: pa.Table, shown: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Return (CAPTIONED, SEEN) rows of STEM, CAPTION and SHOWN rows of one range."""
    alts = shown.filter(pc.is_valid(shown["caption"])).select(["key", "caption"])
    alts = alts.append_column("rank", pa.array([ALT_RANK] * alts.num_rows, pa.int8()))
    said = first_captions(pa.concat_tables([texts, alts.select(CAPTION.names)]), "key")
    met = stems.join(said, "key", join_type="inner")
    ids = met["id"].combine_chunks()
    columns = {"key": keys_of(ids), "id": ids, "rank": met["rank"], "caption": met["caption"]}
    return pa.table(columns, schema=CAPTIONED), _seen(stems, shown)


def first_captions(captions: pa.Table, of: str) -> pa.Table:
    """Return (`of`, caption, rank) in this order of columns: of each value of `of` the first MAX_CAPTIONS, sorted."""
    once = captions.group_by([of, "caption"], use_threads=False).aggregate([("rank", "min")])
    ranked = sort_table(once.rename_columns([of, "caption", "rank"]), (of, "rank", "caption"))
    if not ranked.num_rows:
        return ranked
    values = ranked[of].combine_chunks()
    is_new = pc.fill_null(pc.not_equal(values[1:], values[:-1]), fill_value=True).to_numpy(zero_copy_only=False)
    starts = np.concatenate([[0], np.flatnonzero(is_new) + 1])
    place = np.arange(len(values)) - np.repeat(starts, np.diff(np.append(starts, len(values))))
    return ranked.filter(pa.array(place < MAX_CAPTIONS))


def _seen(stems: pa.Table, shown: pa.Table) -> pa.Table:
    """Return an image's places: each document that shows one of its names, an address that none shows being one."""
    by_name = shown.group_by("key", use_threads=False).aggregate([("document", "count_distinct")])
    places = stems.filter(pc.not_equal(stems["kind"], NAME)).join(by_name, "key", join_type="left outer")
    documents = pc.fill_null(places["document_count_distinct"], 0).cast(pa.int64())
    counted = pc.if_else(pc.equal(places["kind"], ADDRESS), pc.max_element_wise(documents, 1), documents)
    digests = places["digest"].combine_chunks()
    columns = {
        "key": keys_of(digests),
        "digest": digests,
        "name": places["key"],
        "id": places["id"],
        "documents": counted,
    }
    table = pa.table(columns, schema=SEEN)
    return table.filter(pc.greater(table["documents"], 0))


class CountOccurrences:
    """Worker: how often the corpus shows each image of a range of digests. config: {seen: list of runs}."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store, self.seen = store, load_runs(store, config["seen"])

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        low, high = key_range(arguments["partition"], arguments["partitions"])
        counted = count_occurrences(gather(self.store, self.seen, SEEN, low, high, SEEN_ORDER))
        run = write_run(self.store, arguments["output"], counted, ("key", "id"))
        return {"run": run.as_json(), "counts": {"images": run.rows}}


def count_occurrences(seen: pa.Table) -> pa.Table:
    """Return COUNTED rows: an image's count is that of all records with the same bytes, each name counted once."""
    names = seen.group_by(["digest", "name"], use_threads=False).aggregate([("documents", "max")])
    totals = names.group_by("digest", use_threads=False).aggregate([("documents_max", "sum")])
    images = seen.group_by(["id", "digest"], use_threads=False).aggregate([])
    found = images.join(totals, "digest", join_type="inner")
    ids = found["id"].combine_chunks()
    columns = {"key": keys_of(ids), "id": ids, "occurrence_count": found["documents_max_sum"]}
    return pa.table(columns, schema=COUNTED)
