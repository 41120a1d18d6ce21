"""The counts table: a Parquet file that any vocabulary can be trained from again."""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tokenizer.count import COUNTS, word_keys
from tokenizer.gather import KEY_VERSION

ROW_GROUP_ROWS = 1 << 17
_STORED: pa.Schema = pa.schema(list(COUNTS)[1:], metadata={"corpusmill.counts": f"2; key {KEY_VERSION}"})


def _evenly(batches: Iterable[pa.RecordBatch], rows: int) -> Iterator[pa.Table]:
    """Cut the same rows every `rows` rows, however they come."""
    held: list[pa.RecordBatch] = []
    for batch in batches:
        start = 0
        while start < batch.num_rows:
            part = batch.slice(start, rows - sum(b.num_rows for b in held))
            held.append(part)
            start += part.num_rows
            if sum(b.num_rows for b in held) == rows:
                yield pa.Table.from_batches(held)
                held = []
    if held:
        yield pa.Table.from_batches(held)


def _rising(batches: Iterable[pa.RecordBatch], what: str) -> Iterator[pa.RecordBatch]:
    """Pass batches on while their keys ascend.

    Raises ValueError at the first that doesn't.
    """
    last = np.uint64(0)
    for batch in batches:
        if batch.num_rows:
            keys = batch["key"].to_numpy()
            if keys[0] < last or (keys[1:] < keys[:-1]).any():
                raise ValueError(f"{what}: keys don't ascend")
            last = keys[-1]
        yield batch


def checked(batch: pa.RecordBatch, what: str) -> pa.RecordBatch:
    """Pass counts on that somebody else may have written.

    Raises ValueError where a word is no text or can't be one, or where its numbers contradict each other.
    """
    try:
        batch.validate(full=True)
    except pa.ArrowInvalid as error:
        raise ValueError(f"{what}: a word is no UTF-8, or a column is damaged: {error}") from None
    if not batch.num_rows:
        return batch
    if sum(column.null_count for column in batch.columns):
        raise ValueError(f"{what}: a row has no value in one of its columns")
    least = pc.min(batch["count"]).as_py()
    if least < 1:
        raise ValueError(f"{what}: a word counts {least}; at least 1 is wanted")
    for name in ("line_starts", "documents", "capped"):
        if pc.any(pc.greater(batch[name], batch["count"])).as_py() or pc.min(batch[name]).as_py() < 0:
            raise ValueError(f"{what}: {name} of a word is below 0 or above its count")
    word: Any = batch["word"]
    if pc.any(pc.match_substring_regex(word, "[ \n]")).as_py():
        raise ValueError(f"{what}: a word holds a space (U+2581 stands for it) or a newline, which ends words")
    return batch


def write_counts(path: Path | str, counts: Iterable[pa.RecordBatch]) -> str:
    """Write counts (schema COUNTS, ascending by key) as Parquet; return the file's sha256, 64 hex digits.

    The bytes depend on the rows alone, not on their batches. The key is not stored: it follows from the word.
    """
    with pq.ParquetWriter(path, _STORED, compression="zstd", use_dictionary=False) as writer:
        for part in _evenly(_rising(counts, str(path)), ROW_GROUP_ROWS):
            writer.write_table(part.select(_STORED.names).replace_schema_metadata(_STORED.metadata))
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_counts(path: Path | str) -> Iterator[pa.RecordBatch]:
    """Give the table's batches (schema COUNTS, ascending by key).

    Raises ValueError if it is no counts table, or one whose keys another version made.
    """
    file = pq.ParquetFile(path)
    if file.schema_arrow.remove_metadata() != _STORED.remove_metadata():
        found = ", ".join(file.schema_arrow.names)
        raise ValueError(f"{path} is no counts table: it holds {found}, not {', '.join(_STORED.names)}")
    return _rising((_with_key(batch, str(path)) for batch in file.iter_batches()), str(path))


def _with_key(batch: pa.RecordBatch, what: str) -> pa.RecordBatch:
    checked(batch, what)
    return pa.RecordBatch.from_arrays([pa.array(word_keys(batch["word"])), *batch.columns], schema=COUNTS)
