"""What is encoded: the texts of a published shard, whatever job made it, as documents of parts."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from manifests.manifest import Manifest
from manifests.reader import open_shard, shard_of
from manifests.records import ID
from manifests.store import Store
from manifests.tar_shards import Member, read_member
from pipelines.tokenizer_jobs.texts import CODE_TYPES
from tokenizer.encode_chat import BadConversationError, Piece, Template
from tokenizer.encode_documents import Parts
from tokenizer.groups import UNDETERMINED

SOURCES_VERSION = 1
BATCH_ROWS = 1024
CONVERSATIONS = "instruct"  # the job


@dataclass(frozen=True)
class Corpus:
    """Where a corpus lies: the shards of some kinds of some jobs, or in `conversations` all that hold messages."""

    places: tuple[tuple[str, str], ...]  # (job, kind of shard)
    is_copy: bool = False  # of the text of another


CORPORA: dict[str, Corpus] = {
    "text": Corpus((("text", "documents"),)),
    "code": Corpus((("code", "documents"),)),
    "repositories": Corpus((("code", "repositories"),), is_copy=True),
    "captions": Corpus((("images", "records"),)),
    "transcripts": Corpus((("audio", "records"), ("video", "records"))),
    "interleaved": Corpus((("interleave", "interleaved"),), is_copy=True),
    "conversations": Corpus(((CONVERSATIONS, "conversations"),)),
}
JOBS = tuple(dict.fromkeys(job for corpus in CORPORA.values() for job, _ in corpus.places))


@dataclass(frozen=True)
class Read:
    """A batch of documents. `bad`: (row of the shard, why) of what is no document; `rows` are those that are."""

    rows: Any  # int64[n]
    ids: pa.FixedSizeBinaryArray
    source: pa.StringArray
    language: pa.StringArray
    kind: pa.StringArray
    parts: Parts
    bad: list[tuple[int, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Reading:
    """How parts are made. `sign` gives the id of a piece of the vocabulary; media signs are by kind of part."""

    template: Template
    sign: Callable[[str], int]
    media: Mapping[str, int]


def shards_of(name: str, manifests: Mapping[str, Manifest]) -> Iterator[dict[str, Any]]:
    """Yield {corpus, job, shard} of a corpus, and the index where the shard is a tar."""
    for job, kind in CORPORA[name].places:
        shards = manifests[job]["shards"] if job in manifests else []
        indexes = {_stem(each["name"]): each for each in shards if each["kind"] == "index"}
        for shard in shards:
            if shard["kind"] == kind and shard["records"]:
                found = {"corpus": name, "job": job, "shard": shard}
                yield found | ({"index": indexes[_stem(shard["name"])]} if kind == "interleaved" else {})


def _stem(name: str) -> str:
    return name.rpartition("-")[0]


def read_shard(store: Store, task: Mapping[str, Any], reading: Reading) -> Iterator[Read]:
    """Yield the documents of a shard in its order, after its sha256 is checked."""
    if "index" in task:
        yield from _interleaved(store, task, reading)
        return
    columns, make = _READERS[task["corpus"], task["job"]]
    at = 0
    with open_shard(store, shard_of(task["shard"])) as file:
        parquet = pq.ParquetFile(file, page_checksum_verification=True)
        for batch in parquet.iter_batches(BATCH_ROWS, columns=list(columns), use_threads=False):
            yield make(batch, at, reading)
            at += batch.num_rows


def _plain(batch: pa.RecordBatch, at: int, text: Any, language: Any, kind: Any, source: Any = None) -> Read:
    """Return documents that are one text each."""
    count = batch.num_rows
    told = pc.fill_null(batch["source"] if source is None else source, "")
    spoken = pc.fill_null(language, UNDETERMINED)
    texts = Parts.whole(pc.fill_null(text, ""))
    return Read(np.arange(at, at + count), batch["id"], told, spoken, kind, texts)


def _all(value: str, count: int) -> pa.StringArray:
    return pa.array([value] * count, pa.string())


def _documents(batch: pa.RecordBatch, at: int, _: Reading) -> Read:
    is_code: Any = pc.fill_null(pc.match_substring_regex(batch["media_type"], CODE_TYPES), False)
    kind = pc.if_else(is_code, "code", "text")
    return _plain(batch, at, batch["text"], batch["language"], kind)


def _code(batch: pa.RecordBatch, at: int, _: Reading) -> Read:
    return _plain(batch, at, batch["text"], batch["language"], _all("code", batch.num_rows))


def _repositories(batch: pa.RecordBatch, at: int, _: Reading) -> Read:
    """A repository's language is that of its files where they have one."""
    languages = [each[0] if len(each) == 1 else "mixed" for each in batch["languages"].to_pylist()]
    count = batch.num_rows
    spoken = pa.array(languages, pa.string())
    return _plain(batch, at, batch["text"], spoken, _all("code", count), _all("repositories", count))


def _captions(batch: pa.RecordBatch, at: int, _: Reading) -> Read:
    """All captions of a picture, one a line."""
    text = pc.binary_join(pc.fill_null(batch["captions"], pa.scalar([], batch["captions"].type)), "\n")
    return _plain(batch, at, text, batch["caption_language"], _all("caption", batch.num_rows))


def _transcripts(batch: pa.RecordBatch, at: int, _: Reading) -> Read:
    return _plain(batch, at, batch["transcript"], batch["transcript_language"], _all("transcript", batch.num_rows))


def _conversations(batch: pa.RecordBatch, at: int, reading: Reading) -> Read:
    """Messages between the signs of a template; what is no conversation is bad."""
    good, made, bad = list[int](), list[list[Piece]](), list[tuple[int, str]]()
    for row, messages in enumerate(batch["messages"].to_pylist()):
        try:
            made.append(list(reading.template.pieces(messages or [])))
            good.append(row)
        except BadConversationError as error:
            bad.append((at + row, str(error)))
    kept = batch.take(pa.array(good, pa.int64()))
    count = len(good)
    return Read(
        at + np.array(good, np.int64),
        kept["id"],
        _all(CONVERSATIONS, count),
        pc.fill_null(kept["lang"], UNDETERMINED),
        _all("conversation", count),
        parts_of(made, reading.sign, with_mask=True),
        bad,
    )


def parts_of(documents: Sequence[Sequence[Piece]], sign: Callable[[str], int], *, with_mask: bool) -> Parts:
    """Return documents of pieces; a sign stands as its id."""
    flat = [piece for pieces in documents for piece in pieces]
    first = np.concatenate([[0], np.cumsum([len(pieces) for pieces in documents])]).astype(np.int64)
    texts = pa.array(["" if piece.is_sign else piece.text for piece in flat], pa.string())
    signs = np.array([sign(piece.text) if piece.is_sign else -1 for piece in flat], np.int32)
    learnt = np.array([piece.is_learnt for piece in flat], bool)
    return Parts(texts, first, signs, learnt if with_mask else None)


_READERS: dict[tuple[str, str], tuple[tuple[str, ...], Callable[[pa.RecordBatch, int, Reading], Read]]] = {
    ("text", "text"): (("id", "source", "language", "media_type", "text"), _documents),
    ("code", "code"): (("id", "source", "language", "text"), _code),
    ("repositories", "code"): (("id", "languages", "text"), _repositories),
    ("captions", "images"): (("id", "source", "caption_language", "captions"), _captions),
    ("transcripts", "audio"): (("id", "source", "transcript_language", "transcript"), _transcripts),
    ("transcripts", "video"): (("id", "source", "transcript_language", "transcript"), _transcripts),
    ("conversations", CONVERSATIONS): (("id", "lang", "messages"), _conversations),
}


def _interleaved(store: Store, task: Mapping[str, Any], reading: Reading) -> Iterator[Read]:
    """Read the `json` of each sample, and none of its media."""
    tar = task["shard"]["name"]
    with open_shard(store, shard_of(task["index"])) as file:
        rows = pq.read_table(file).to_pylist()
    members = [
        Member(row["id"].hex(), row["extension"], row["offset"], row["bytes"], row["sha256"].hex())
        for row in rows
        if row["extension"] == "json"
    ]
    for at in range(0, len(members), BATCH_ROWS):
        some = [json.loads(read_member(store, tar, member)) for member in members[at : at + BATCH_ROWS]]
        pieces = [list(_of_sample(each, reading.media)) for each in some]
        yield Read(
            np.arange(at, at + len(some)),
            pa.array([bytes.fromhex(each["id"]) for each in some], ID),
            pa.array([each["source"] or "" for each in some], pa.string()),
            pa.array([each["language"] or UNDETERMINED for each in some], pa.string()),
            _all("interleaved", len(some)),
            parts_of(pieces, lambda kind: reading.media[kind], with_mask=False),
        )


def _of_sample(sample: Mapping[str, Any], media: Mapping[str, int]) -> Iterator[Piece]:
    """Yield texts, and a sign by kind where media stand; what a film says goes on lines of its own."""
    for number, part in enumerate(sample["parts"]):
        if "text" in part:
            is_timed = part.get("start") is None and number > 0
            yield Piece(f"\n{part['text']}" if is_timed else part["text"], False, True)
        elif part["kind"] in media and "member" in part:
            yield Piece(part["kind"], True, True)
