"""Captions: texts that stand beside images, and how both meet.

An image's caption is the text file of its name (`a.jpg` and `a.txt`, also in archives, as WebDataset has it), a field
of the JSON file of its name, or what the crawl knew of its URL (the metadata record of its response). Name and URL
without their suffix are the key of both, so they meet wherever they were found.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from manifests.keys import key_range, keys_of
from manifests.runs import gather, write_run
from manifests.store import Store
from pipelines.images.records import CAPTION, CAPTIONED, STEM
from pipelines.sources.warc import WARC_FIELDS
from pipelines.stages.staged import Staged

CAPTIONS_VERSION = 1  # part of the stage key
FIELDS = ("caption", "text", "alt", "TEXT")  # of a JSON object, in this order
MAX_CAPTION_CHARS = 4096
_SUFFIX = re.compile(r"(?<=[^/#.])\.[A-Za-z0-9]{1,5}$")
_WARC_CAPTION = re.compile(rb"^caption: (.*?)\r?$", re.MULTILINE)
_RANKS = {"text/plain": 0, "application/json": 1, WARC_FIELDS: 0}


def stem_key(uri: str, media_type: str | None) -> int:
    """Return the key that an image and its caption share; a URL's metadata record has the URL itself."""
    stem = uri if media_type == WARC_FIELDS else _SUFFIX.sub("", uri)
    return int.from_bytes(hashlib.sha256(stem.encode("utf-8", "surrogatepass")).digest()[:8])


def image_stems(uri: str) -> tuple[int, ...]:
    """Return the keys under which an image's caption may stand: its name without a suffix, its URL as it is."""
    return tuple(dict.fromkeys((stem_key(uri, None), stem_key(uri, WARC_FIELDS))))


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
    text = " ".join(found.split())[:MAX_CAPTION_CHARS] if isinstance(found, str) else ""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") or None


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
            yield {"key": stem_key(uri.as_py(), kind), "rank": _RANKS[kind], "caption": caption}


class JoinCaptions:
    """Worker: the captions of a range of stems -> rows keyed by image. config: {staged}."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store, self.staged = store, Staged.load(store, config["staged"])

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        low, high = key_range(arguments["partition"], arguments["partitions"])
        texts = gather(self.store, self.staged.runs["captions"], CAPTION, low, high, ("key", "rank", "caption"))
        first = texts.group_by("key", use_threads=False).aggregate([("caption", "first")])
        stems = gather(self.store, self.staged.runs["stems"], STEM, low, high, ("key", "id"))
        met = stems.join(first, "key", join_type="inner")
        ids = met["id"].combine_chunks()
        columns = {"key": keys_of(ids), "id": ids, "caption": met["caption_first"]}
        table = pa.table(columns, schema=CAPTIONED)
        run = write_run(self.store, arguments["output"], table, ("key", "id", "caption"))
        return {"run": run.as_json(), "counts": {"captions": table.num_rows}}
