"""Instruction sets without a model: megabytes of documents a second on one core, records of 10 kB, memory over size.

    python -m benchmarks.instruct OUT [--times N]
    python -m benchmarks.instruct OUT --memory

OUT holds a text snapshot. CPU seconds of this process for the workers of `read`, `compose` and `choose` over its first
shard, kernels compiled before; the second figure is over the bytes of documents in languages that have phrases, since
of the others nothing is composed. `--times` composes the shard so often and prints the peak memory after each.
"""

import argparse
import resource
import time
from dataclasses import asdict
from typing import Any

import pyarrow.parquet as pq

from filters.instruct.balance import Stratum, quotas
from filters.instruct.phrases import languages
from filters.instruct.record import Settings
from manifests.keys import canonical_json, digest_of
from manifests.limits import Limits
from manifests.reader import open_shard, read_manifest, shard_of
from manifests.runs import Run, put_same, save_runs
from manifests.store import open_store
from pipelines.instruct.choose import Choose
from pipelines.instruct.compose import ComposeShard
from pipelines.instruct.meet import Meet
from pipelines.instruct.read import ReadShard

JOB = "instruct-benchmark"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", metavar="OUT")
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--memory", action="store_true", help="peaks of the job over one part and over four")
    parser.add_argument("--records-per-10-kb", type=float, default=8.0)
    chosen = parser.parse_args()
    if chosen.memory:
        from benchmarks.instruct_memory import measure

        measure(chosen.out)
        return
    store = open_store(chosen.out)
    shard = next(each for each in read_manifest(store, "text")["shards"] if each["kind"] == "documents")
    sizes = bytes_of(store, shard)
    settings = asdict(Settings(crawl_date="2026-01-01", options={"records_per_10_kb": chosen.records_per_10_kb}))
    spent: dict[str, float] = {}
    read_shard(store, shard, settings)  # kernels, tables and models are loaded once
    read = timed(spent, "read", read_shard, store, shard, settings)
    near = Meet(store, {"passages": runs_of(store, read["runs"]["passages"]), "seed": 0, "part_bytes": 1 << 25})
    met = timed(spent, "meet", near.run, {"partition": 0, "partitions": 1, "output": f"{JOB}/meet"})
    config = compose_config(store, settings, met)
    compose(store, shard, config, "warm")
    composed: dict[str, Any] = {}
    for time_ in range(chosen.times):
        composed = timed(spent, "compose", compose, store, shard, config, "compose")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"after {time_ + 1} times: {peak:.0f} MiB at most")
    picked = timed(spent, "choose", choose, store, composed, sizes, settings)
    whole, spoken = sum(sizes.values()), sum(size for code, size in sizes.items() if code in languages())
    seconds = sum(spent.values())
    print({name: round(value, 3) for name, value in spent.items()})
    print(f"{whole / 1e6:.2f} MB of documents, {spoken / 1e6:.2f} MB of them in languages with phrases")
    print(f"{whole / seconds / 1e6:.2f} MB/s of all, {spoken / seconds / 1e6:.2f} MB/s of those with phrases")
    made, kept = composed["made"], picked["counts"]["chosen"]
    print(f"{made} candidates, {kept} kept: {kept / spoken * 1e4:.1f} records of 10 kB")


def timed(spent: dict[str, float], name: str, function: Any, *arguments: Any) -> Any:
    """Return what a function gives; of several times the last counts."""
    start = time.process_time()
    value = function(*arguments)
    spent[name] = time.process_time() - start
    return value


def bytes_of(store: Any, shard: dict[str, Any]) -> dict[str, int]:
    """Return the bytes of documents by language."""
    with open_shard(store, shard_of(shard)) as file:
        table = pq.read_table(file, columns=["language", "text"])
    sizes: dict[str, int] = {}
    for code, text in zip(table["language"].to_pylist(), table["text"].to_pylist(), strict=True):
        sizes[code] = sizes.get(code, 0) + len(text.encode("utf-8", "surrogatepass"))
    return sizes


def read_shard(store: Any, shard: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    config = {"settings": settings, "publishers": {}, "buckets": 1, "part_bytes": Limits().part_bytes}
    return ReadShard(store, config).run({"shard": shard, "output": f"{JOB}/read"})


def runs_of(store: Any, runs: list[dict[str, Any]]) -> str:
    return save_runs(store, JOB, [Run(**run) for run in runs])


def compose_config(store: Any, settings: dict[str, Any], met: dict[str, Any]) -> dict[str, Any]:
    put_same(store, f"{JOB}/none.json", canonical_json([]))
    splits = {"validation": 0.01, "test": 0.01}
    places = {"near": runs_of(store, met["runs"]), "concerns": save_runs(store, JOB, []), "others": f"{JOB}/none.json"}
    return {"settings": settings, "splits": splits, "part_bytes": Limits().part_bytes, "publishers": {}, **places}


def compose(store: Any, shard: dict[str, Any], config: dict[str, Any], name: str) -> dict[str, Any]:
    return ComposeShard(store, config).run({"shard": shard, "unit": 0, "output": f"{JOB}/{name}"})


def choose(store: Any, composed: dict[str, Any], sizes: dict[str, int], settings: dict[str, Any]) -> dict[str, Any]:
    counts = {Stratum(*words): count for *words, count in composed["strata"]}
    fractions = quotas(counts, sizes, Settings(**settings)).fractions
    shares = canonical_json(sorted([*stratum, share] for stratum, share in fractions.items()))
    listed = f"{JOB}/shares-{digest_of(shares.decode())[:16]}.json"
    put_same(store, listed, shares)
    config = {
        "candidates": runs_of(store, composed["runs"]["candidates"]),
        "held_in": save_runs(store, JOB, []),
        "tainted": save_runs(store, JOB, []),
        "shares": listed,
    }
    return Choose(store, config).run({"partition": 0, "partitions": 1, "output": f"{JOB}/choose"})


if __name__ == "__main__":
    main()
