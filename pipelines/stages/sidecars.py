"""Texts that stand beside media (captions, transcripts), and how both meet: by the key of a name that they share.

A medium and its text have the same name without a suffix, in a folder or an archive, or the same URL: so both carry
its key, and meet wherever they were found.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from manifests.keys import key_range, keys_of
from manifests.records import ID, KEY
from manifests.runs import gather, run_schema, sort_table, write_run
from manifests.store import Store
from pipelines.sources.warc import WARC_FIELDS
from pipelines.stages.staged import Staged

SIDECARS_VERSION = 1  # part of the stage key
STEM = pa.schema([("key", KEY), ("id", ID)])  # key: of the name that medium and text share
_SUFFIX = re.compile(r"(?<=[^/#.])\.[A-Za-z0-9]{1,5}$")


def stem_of(uri: str) -> str:
    """Return a URI without its last suffix."""
    return _SUFFIX.sub("", uri)


def key_of(stem: str) -> int:
    """Return the key of a name without its suffix, or of a whole URL."""
    return int.from_bytes(hashlib.sha256(stem.encode("utf-8", "surrogatepass")).digest()[:8])


def text_key(uri: str, media_type: str | None) -> int:
    """Return the key of a text that stands at `uri`; a URL's metadata record speaks of the URL itself."""
    return key_of(uri if media_type == WARC_FIELDS else stem_of(uri))


def media_keys(uri: str) -> tuple[int, ...]:
    """Return the keys under which the text of a medium may stand: its name without a suffix, its URL as it is."""
    return tuple(dict.fromkeys((key_of(stem_of(uri)), key_of(uri))))


def stem_rows(uris: Iterable[str], ids: pa.Array) -> pa.Table:
    """Return STEM rows of media, one for each key of each."""
    found = [(key, place) for place, uri in enumerate(uris) for key in media_keys(uri)]
    places = pa.array([place for _, place in found], pa.int64())
    return pa.table({"key": pa.array([key for key, _ in found], KEY), "id": ids.take(places)}, schema=STEM)


class JoinByStem:
    """Worker: the texts of a range of stems -> rows keyed by medium, of each stem the first text in `order`.

    config: {staged, texts: their kind, order: columns that no two different texts of a stem share}. Out of a row of
    texts all but `key` goes on; `key` and `id` are the medium's.
    """

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store, self.staged = store, Staged.load(store, config["staged"])
        self.texts, self.order = config["texts"], tuple(config["order"])

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        low, high = key_range(arguments["partition"], arguments["partitions"])
        runs = self.staged.runs[self.texts]
        texts = gather(self.store, runs, run_schema(self.store, runs[0]), low, high, self.order)
        stems = gather(self.store, self.staged.runs["stems"], STEM, low, high, ("key", "id"))
        met = _meet(stems, texts)
        run = write_run(self.store, arguments["output"], met, ("key", "id"))
        return {"run": run.as_json(), "counts": {"texts": met.num_rows}}


def _meet(stems: pa.Table, texts: pa.Table) -> pa.Table:
    """Return the texts of the stems that have one, each medium once; both tables stand by key."""
    keys = texts["key"].to_numpy()
    place = np.searchsorted(keys, stems["key"].to_numpy(), "left")  # the first text of the key
    met = place < len(keys)
    met[met] = keys[place[met]] == stems["key"].to_numpy()[met]
    ids = stems["id"].combine_chunks().filter(pa.array(met))
    found = texts.take(pa.array(place[met])).drop_columns(["key"])
    return pa.table({"key": pa.array(keys_of(ids), KEY), "id": ids, **{n: found[n] for n in found.column_names}})


def first_of_each(met: pa.Table, order: tuple[str, ...]) -> pa.Table:
    """Return one text of each medium that met several under its different names: the first in `order`, by id."""
    ranked = sort_table(met, ("key", "id", *order))
    ids = ranked["id"].to_pylist()
    first = np.array([row == 0 or ids[row - 1] != each for row, each in enumerate(ids)], bool)
    return ranked.filter(pa.array(first))
