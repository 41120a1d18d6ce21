"""datatrove's whole chain, in one task on one core; run by the Python of datatrove's own environment.

    python datatrove_chain.py warc|jsonl INPUT OUT MODEL

INPUT is a folder of WARC or JSONL files, MODEL is lid.176.ftz. Final documents go to OUT/final, those that passed the
rules to OUT/passed, counts by reason to OUT/counts.json. At its best: one task (each task starts a manager process), no
compression, no writers for what is dropped, xxhash, a parser timeout that no page meets.
"""

import json
import shutil
import sys
from pathlib import Path

from datatrove.executor.local import LocalPipelineExecutor
from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import MinhashConfig
from datatrove.pipeline.extractors import Trafilatura
from datatrove.pipeline.filters import (
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
    LanguageFilter,
)
from datatrove.pipeline.readers import JsonlReader, WarcReader
from datatrove.pipeline.writers import JsonlWriter
from datatrove.utils import lid

CONFIG = MinhashConfig(n_grams=5, num_buckets=14, hashes_per_bucket=8)


def first_stage(kind: str, source: str) -> list:
    """Return reader, extractor and rules; languages are labelled, and all of them kept."""
    read = [WarcReader(source), Trafilatura(timeout=60)] if kind == "warc" else [JsonlReader(source, id_key="id")]
    return [
        *read,
        LanguageFilter(label_only=True),
        GopherRepetitionFilter(),
        GopherQualityFilter(),
        C4QualityFilter(filter_no_terminal_punct=False),
        FineWebQualityFilter(char_duplicates_ratio=0.1),  # as FineWeb's paper has it; 0.01 is the code's default
    ]


def local_model(model: str, folder: Path) -> str:
    """Let datatrove find the language model where it would keep what it downloads."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / "lid.176.ftz"
    if not kept.exists():
        shutil.copy(model, kept)
    lid.cached_asset_path_or_download = lambda *_, **__: str(kept)
    return str(kept)


def execute(steps: list, out: Path, name: str, tasks: int = 1) -> list[dict]:
    """Run steps as one executor; return what each step counted."""
    done = LocalPipelineExecutor(steps, tasks=tasks, workers=1, logging_dir=str(out / "logs" / name)).run()
    return [
        {"step": step.name, **{key: int(metric.total) for key, metric in step.stats.items() if key != "doc_len"}}
        for step in done.stats
    ]


def main() -> None:
    """Run the five stages."""
    kind, source, target, model = sys.argv[1:]
    out = Path(target)
    lid.FT176LID.MODEL_URL = local_model(model, out / "model")
    passed = str(out / "passed")
    counts = execute([*first_stage(kind, source), JsonlWriter(passed, compression=None)], out, "rules")
    if any(Path(passed).glob("*.jsonl")):  # its readers fail where there is nothing
        counts += deduplicate(passed, out)
    (out / "counts.json").write_text(json.dumps(counts, indent=1))


def deduplicate(passed: str, out: Path) -> list[dict]:
    """Run the four stages of MinHash; return what each step counted."""
    signatures, buckets, remove = (str(out / name) for name in ("signatures", "buckets", "remove"))
    keep = [JsonlReader(passed), MinhashDedupFilter(remove), JsonlWriter(str(out / "final"), compression=None)]
    counts = execute([JsonlReader(passed), MinhashDedupSignature(signatures, config=CONFIG)], out, "sign")
    counts += execute([MinhashDedupBuckets(signatures, buckets, config=CONFIG)], out, "bands", CONFIG.num_buckets)
    counts += execute([MinhashDedupCluster(buckets, remove, config=CONFIG)], out, "cluster")
    return counts + execute(keep, out, "keep")


if __name__ == "__main__":
    main()
