"""Does memory stay flat? Peaks of the instruct job over a quarter of a corpus and all of it, and of one hot subject.

    python -m benchmarks.instruct OUT --memory

The first two figures are peaks (ru_maxrss) of `corpusmill instruct --workers 1`, launcher and worker in one process,
over shards 1 to n/4 and 1 to n of OUT's text snapshot, which are different documents of one kind. Limits of 1 MiB for
what a phase holds, and of 4 MiB for a shard, make many ranges, parts and shards of both, as a larger corpus would under
the defaults; the auditor, which holds what it examines, is off. The others are peaks of a child that corroborates one
subject told by so many pages.
"""

import multiprocessing
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa

from filters.instruct.record import draw, sha256_of
from manifests.keys import canonical_json
from manifests.limits import MIB
from manifests.manifest import commit
from manifests.reader import read_manifest
from manifests.runs import save_runs, write_run
from manifests.store import open_store
from pipelines.instruct.facts import Corroborate
from pipelines.instruct.records import STATEMENT, STATEMENT_ORDER

LIMITS = {"partition_bytes": MIB, "part_bytes": MIB, "shard_bytes": 4 * MIB}
PARTS = 4
TOLD_BY = (10_000, 100_000)  # pages that tell of the hot subject
_PEAK = "import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"


def measure(out: str) -> None:
    """Print the peaks and their ratios."""
    shards = [each for each in read_manifest(open_store(out), "text")["shards"] if each["kind"] == "documents"]
    peaks = {}
    for count in (max(1, len(shards) // PARTS), len(shards)):
        documents = sum(each["records"] for each in shards[:count])
        peaks[documents] = _peak_of_job(out, shards[:count])
        print(f"{documents:,} documents in {count} shards: {peaks[documents]:.0f} MiB at most")
    _ratio(peaks)
    hot = {told_by: _peak_of_child(told_by) for told_by in TOLD_BY}
    for told_by, peak in hot.items():
        print(f"one subject told by {told_by:,} pages: {peak:.0f} MiB at most")
    _ratio(hot)


def _ratio(peaks: dict[int, float]) -> None:
    (less, low), (more, high) = sorted(peaks.items())
    print(f"{more / less:.1f} times as much: {high / low:.2f} times the memory")


def _peak_of_job(out: str, shards: list[dict[str, Any]]) -> float:
    """Return the peak, in MiB, of the command over some shards of a text snapshot."""
    with tempfile.TemporaryDirectory() as folder:
        for each in shards:
            place = Path(folder, each["name"])
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(Path(out, each["name"]).resolve())
        commit(open_store(folder), "text", {"job": "text", "shards": shards})
        limits = [argument for name, most in LIMITS.items() for argument in ("--set", f"limits.{name}={most}")]
        arguments = ["instruct", "--out", folder, "--workers", "1", "--quiet", "--set", "instruct.audit=false", *limits]
        code = f"from pipelines.cli import main\nassert not main({arguments!r})\n{_PEAK}"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        return float(done.stdout.split()[-1])


def _peak_of_child(told_by: int) -> float:
    """Return the peak, in MiB, of a process of its own that corroborates a subject that many pages tell of."""
    with tempfile.TemporaryDirectory() as folder:
        runs = save_runs(open_store(folder), "hot", _stated(folder, told_by))
        context = multiprocessing.get_context("spawn")
        here, there = context.Pipe()
        child = context.Process(target=_corroborate, args=(folder, runs, there))
        child.start()
        peak = float(here.recv())
        child.join()
        return peak


def _stated(folder: str, told_by: int) -> list[Any]:
    """Return runs of statements: each page of a publisher of its own says one of 50 values for one subject."""
    store, runs = open_store(folder), []
    for first in range(0, told_by, 10_000):
        rows = [_statement(number) for number in range(first, min(first + 10_000, told_by))]
        runs.append(write_run(store, f"hot/{first}", pa.Table.from_pylist(rows, STATEMENT), STATEMENT_ORDER))
    return runs


def _statement(number: int) -> dict[str, Any]:
    name, value = sha256_of(str(number)), f"City {draw(0, number) % 50}"
    place = f"https://{number}.example/"
    evidence = {"doc_id": name[:32], "text_sha256": name, "url": place, "domain": f"{number}.example"}
    evidence |= {"licence": None, "modality": "text", "start": 0, "end": len(value), "quote": value, "role": "support"}
    evidence |= {"unit": "unicode_codepoint", "bbox": None, "cell": None, "t_ms": None}
    told = {"subject": "Norvana", "value": value, "value_key": value.lower(), "method": "table", "language": "en"}
    told |= {"publisher": place, "cluster": name[:32], "contexts": [number, -number], "own_page": False}
    own = {"key": 7, "subject_key": "norvana", "relation": "capital", "as_of": None, "value_key": value.lower()}
    body = canonical_json({**told, "evidence": evidence}).decode()
    return {**own, "id": bytes.fromhex(name[:32]), "told": body}


def _corroborate(folder: str, runs: str, there: Any) -> None:
    settings = {"accepting": {"min_publishers": 3, "min_agreement": 0.9}, "seed": 0, "part_bytes": MIB}
    worker = Corroborate(open_store(folder), {"statements": runs, **settings})
    worker.run({"partition": 0, "partitions": 1, "output": "hot/facts"})
    there.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
