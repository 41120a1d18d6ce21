"""Repeated strings of 1 GB of text in 2 GB of memory, and the same cuts as a suffix array of all of it gives.

    python benchmarks/substrings.py FOLDER [--megabytes 1000] [--compared 100] [--workers 1]

FOLDER holds HTML pages in many languages (the unpacked packages of the demo). Their texts are said again and again,
each time with one letter in about 25 changed by a keyed hash and one line in 16 left alone, until there are enough: so
some strings of 100 bytes repeat across documents, most do not. The real phases run over them as staged runs, with the
real launcher; peak memory is that of the whole process tree. A part of the text is held against libdivsufsort's suffix
array with Kasai's longest common prefixes (pydivsufsort): the same definition, found another way. The Rust tool of Lee
et al. asks for packages of crates.io; it builds a suffix array as well, at 8 bytes of table a byte of text.
Exit status 1 where more than 2 GB of memory are used for 1 GB of text, or the cuts differ.
"""

import argparse
import hashlib
import itertools
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.measure import run, say
from benchmarks.minhash import load
from benchmarks.peers import environment
from filters.native import kernel, mix64
from manifests.keys import canonical_json, keys_of
from manifests.limits import Limits
from manifests.records import ID, STAGED_DOCUMENT
from manifests.runs import Run, gather, load_runs, read_run, save_runs, write_run
from manifests.store import open_store
from pipelines.launcher import Launcher
from pipelines.stages.ranges import Ranges, runs_of
from pipelines.stages.staged import Staged
from pipelines.text.block import Substrings
from pipelines.text.cut_substrings import cut_substrings
from pipelines.text.part import ORDER
from pipelines.text.repeats import CUT
from pipelines.text.select import DECIDED

PEERS = ("pydivsufsort==0.0.20", "numpy", "pyarrow")
MOST_BYTES = 2 << 30
SOURCE_BYTES = 64 << 20
THEIRS = """
import json, sys, time
import numpy as np, pyarrow as pa
from pydivsufsort import divsufsort, kasai
size = 100
with pa.ipc.open_file(sys.argv[1]) as file:
    table = file.read_all()
texts = [value.as_buffer().to_pybytes() for value in table["text"].combine_chunks()]
begin = time.process_time()
body = b"".join(texts)
ends = np.cumsum([len(text) for text in texts])
table = divsufsort(body)
common = kasai(body, table)
left = ends[np.searchsorted(ends, table, "right")] - table
whole = table[left >= size]
places = np.flatnonzero(left >= size)
# equal windows stand together: neighbours among whole windows are equal where all prefixes between them are long
reach = np.minimum.reduceat(common, places) >= size
new = np.concatenate([[True], ~reach[:-1]])
group = np.cumsum(new) - 1
first = np.full(group[-1] + 1, len(body)); np.minimum.at(first, group, whole)
document = np.searchsorted(ends, whole, "right")
gone = (document != np.searchsorted(ends, first[group], "right")) | (whole - first[group] >= size)
edge = np.zeros(len(body) + 1, np.int32)
np.add.at(edge, whole[gone], 1); np.add.at(edge, whole[gone] + size, -1)
cut = np.cumsum(edge[:-1]) > 0
took = time.process_time() - begin
np.save(sys.argv[2], cut)
print(json.dumps({"cpu_s": took}))
"""


@kernel
def _changed(body: Any, salt: Any, out: Any) -> None:
    """Change one letter in about 25, and leave one line in 16 alone; what comes out is UTF-8 again."""
    alone = False
    for i in range(len(body)):
        byte = body[i]
        out[i] = byte
        mixed = mix64(np.uint64(i) * np.uint64(0x9E3779B97F4A7C15) ^ salt)
        if byte == 10:
            alone = mixed & np.uint64(15) == 0
        elif alone or mixed % np.uint64(25) != 0:
            continue
        elif 97 <= byte <= 122:
            out[i] = 97 + (mixed >> np.uint64(20)) % np.uint64(26)
        elif byte & 0xC0 == 0x80 and (i + 1 == len(body) or body[i + 1] & 0xC0 != 0x80):
            out[i] = byte ^ (1 + (mixed >> np.uint64(20)) % np.uint64(3))


def documents(texts: list[str], total: int) -> Iterator[bytes]:
    """Yield all texts, changed another way each time, until they have `total` bytes."""
    size = 0
    for copy in itertools.count():
        for number, text in enumerate(texts):
            body = np.frombuffer(text.encode(), np.uint8)
            out = np.empty_like(body)
            salt = hashlib.blake2b(b"%d %d" % (copy, number), digest_size=8).digest()
            _changed(body, np.uint64(int.from_bytes(salt)), out)
            yield out.tobytes()
            size += len(body)
            if size >= total:
                return


def packed(texts: Iterator[bytes], most: int) -> Iterator[list[bytes]]:
    """Yield texts together, about `most` bytes at a time."""
    some, size = [], 0
    for text in texts:
        some.append(text)
        size += len(text)
        if size >= most:
            yield some
            some, size = [], 0
    if some:
        yield some


def stage(out: Path, texts: list[str], total: int) -> dict[str, Any]:
    """Write `total` bytes of documents as staged runs that all stay; return the names of the lists of runs."""
    store, made, decided = open_store(out), [], []
    for number, some in enumerate(packed(documents(texts, total), Limits().part_bytes)):
        table = rows(some, number)
        made.append(write_run(store, f"text/stage/{number}", table, ORDER))
        columns = {name: table[name] for name in ("key", "id", "unit", "ordinal")}
        more = {"first": -1, "failed": 0, "repeated": False}
        columns |= {k: pa.repeat(pa.scalar(v, DECIDED.field(k).type), len(some)) for k, v in more.items()}
        decided.append(write_run(store, f"text/select/{number}", pa.table(columns, schema=DECIDED), ORDER))
    staged = Staged({"documents": made})
    return {
        "staged": staged.save(store, "text"),
        "decided": save_runs(store, "text", decided),
        "merged": save_runs(store, "text", []),
        "size": staged.memory_bytes("documents"),
    }


def rows(texts: list[bytes], unit: int) -> pa.Table:
    """Return texts as rows of STAGED_DOCUMENT, whole."""
    ids = pa.array([hashlib.sha256(text).digest()[:16] for text in texts], ID)
    columns: dict[str, Any] = {
        "key": keys_of(ids),
        "id": ids,
        "unit": pa.repeat(pa.scalar(unit, pa.uint64()), len(texts)),
        "ordinal": np.arange(len(texts)),
        "text": pa.array(texts, pa.binary()).cast(pa.string()),
        "kept": [[{"start": 0, "end": len(text)}] for text in texts],
    }
    made = {f.name: columns.get(f.name, pa.nulls(len(texts), f.type)) for f in STAGED_DOCUMENT}
    return pa.table(made, schema=STAGED_DOCUMENT)


def work(out: Path, workers: int) -> None:
    """Run the phases over what is staged: what is measured."""
    plan = json.loads((out / "plan.json").read_text())
    ranges = Ranges(Launcher(str(out), (), workers, quiet=True), "text", "benchmark", Limits().partition_bytes)
    survivors = {name: plan[name] for name in ("staged", "decided", "merged")}
    times = [time.monotonic()]
    markers = cut_substrings(ranges, survivors, plan["size"], Substrings(min_characters=1), Limits())
    times.append(time.monotonic())
    body = {"cuts": save_runs(ranges.launcher.store, "text", runs_of(markers)), "wall_s": times[1] - times[0]}
    (out / "done.json").write_bytes(canonical_json(body))


def ours(out: Path, workers: int) -> tuple[dict[str, Any], list[Run]]:
    """Run `work` in a process of its own; return what it took and the runs of cuts."""
    used = run([sys.executable, __file__, str(out), "--work", "--workers", str(workers)])
    done = json.loads((out / "done.json").read_text())
    runs = load_runs(open_store(out), done["cuts"])
    peak = used.worker_bytes + used.child_bytes
    return {**asdict(used), "peak_bytes": peak, "phases_s": done["wall_s"]}, runs


def compared(out: Path, plan: dict[str, Any], cuts: list[Run]) -> dict[str, Any]:
    """Hold the bytes that are cut against those that the suffix array finds; characters that it halves stay here."""
    store = open_store(out)
    schema = pa.schema([("key", pa.uint64()), ("id", ID), ("text", pa.string())])
    table = gather(store, Staged.load(store, plan["staged"]).runs["documents"], schema, order=("key", "id"))
    with pa.OSFile(str(out / "texts.arrow"), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        writer.write_table(table)
    script = out / "theirs.py"
    script.write_text(THEIRS)
    python = environment("suffix-array", PEERS)
    used = run([python, script, out / "texts.arrow", out / "cut.npy"])
    theirs = np.load(out / "cut.npy")
    begins = dict(zip(table["id"].to_pylist(), _offsets(table)[:-1].tolist(), strict=True))
    mine = np.zeros(len(theirs), bool)
    rows_cut = gather(store, cuts, CUT)
    for row in rows_cut.to_pylist():
        mine[begins[row["id"]] + row["start"] : begins[row["id"]] + row["end"]] = True
    body = np.frombuffer(table["text"].combine_chunks().buffers()[2], np.uint8)[: len(theirs)]
    return {
        **{f"their_{name}": value for name, value in asdict(used).items()},
        "bytes_cut": int(mine.sum()),
        "only_ours": int((mine & ~theirs).sum()),
        "only_theirs_ascii": int((theirs & ~mine & (body < 0x80)).sum()),
        "only_theirs_of_halved_characters": int((theirs & ~mine & (body >= 0x80)).sum()),
    }


def _offsets(table: pa.Table) -> np.ndarray:
    return np.frombuffer(table["text"].combine_chunks().buffers()[1], np.int32)[: table.num_rows + 1]


def main() -> int:
    """Run both sizes and print what they took as JSON lines."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--compared", type=int, default=100, help="megabytes that the suffix array gets")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        work(arguments.folder, arguments.workers)
        return 0
    texts = [text for text in load(arguments.folder, "mixed", SOURCE_BYTES) if text]
    say(f"{len(texts)} pages, {sum(len(text.encode()) for text in texts):,} bytes")
    failed = False
    for megabytes in sorted({arguments.compared, arguments.megabytes} - {0}):
        with tempfile.TemporaryDirectory(prefix="corpusmill-bench-") as folder:
            out = Path(folder)
            plan = stage(out, texts, megabytes * 1_000_000)
            (out / "plan.json").write_bytes(canonical_json(plan))
            took, cuts = ours(out, arguments.workers)
            told = {"megabytes": megabytes, **took, "megabytes_per_cpu_s": megabytes / took["cpu_s"]}
            told["bytes_cut"] = _bytes_cut(out, cuts)
            failed |= took["peak_bytes"] > MOST_BYTES
            if megabytes == arguments.compared:
                told |= compared(out, plan, cuts)
                failed |= bool(told["only_ours"] or told["only_theirs_ascii"])
            print(json.dumps(told), flush=True)
    return int(failed)


def _bytes_cut(out: Path, cuts: list[Run]) -> int:
    batches = [batch for each in cuts for batch in read_run(open_store(out), each)]
    return sum(int((batch["end"].to_numpy().astype(np.int64) - batch["start"].to_numpy()).sum()) for batch in batches)


if __name__ == "__main__":
    raise SystemExit(main())
