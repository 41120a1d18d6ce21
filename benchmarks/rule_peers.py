"""Gopher's rules beside Dolma's, NeMo Curator's and datatrove's on the same texts, in the same run.

    python -m benchmarks.rule_peers [--megabytes 4] [--dolma PYTHON] [--nemo PYTHON]

Rates are MB (10^6 bytes of UTF-8) a CPU second of one thread, words and lines included on all sides: ours are gopher_v1
and c4_v1 with the shared segmentation; Dolma's taggers gopher_v2 and c4_v2; NeMo Curator's filters of Gopher's rules;
datatrove's filters of Gopher, C4 and FineWeb.
A peer is installed in an environment of its own, unless the Python of one that has it is given.
"""

import os

for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "ARROW_NUM_THREADS"):
    os.environ[name] = "1"

import argparse  # noqa: E402
import json  # noqa: E402
import subprocess  # noqa: E402
import tempfile  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402
import pyarrow as pa  # noqa: E402

from benchmarks import peers  # noqa: E402
from benchmarks.rules import LOCALES, least_cpu_s, peer_s, texts_of  # noqa: E402
from filters import c4, gopher  # noqa: E402
from filters.lines import split_lines  # noqa: E402
from filters.rule_sets import RULE_SETS  # noqa: E402
from filters.rules import judge  # noqa: E402
from filters.segmentation import segment  # noqa: E402


def ours(text: pa.StringArray, codes: pa.StringArray) -> np.ndarray:
    """Return which texts gopher_v1 keeps; C4's signals are measured as well."""
    words, lines = segment(text), split_lines(text)
    signals = [gopher.quality_signals(text, words, lines), gopher.repetition_signals(text, words, lines)]
    c4.c4_edit(text, words, lines)
    held = {name: batch[name] for batch in signals for name in batch.schema.names}
    kept: np.ndarray = judge(RULE_SETS["gopher_v1"], pa.RecordBatch.from_pydict(held), codes).first < 0
    return kept


def theirs(name: str, python: Path, texts: list[str]) -> dict[str, Any]:
    """Return what benchmarks/peer_rules.py says of a peer."""
    with tempfile.TemporaryDirectory(prefix="corpusmill-bench-") as folder:
        source, target = Path(folder) / "texts.json", Path(folder) / "out.json"
        source.write_text(json.dumps(texts))
        script = Path(__file__).with_name("peer_rules.py")
        subprocess.run([python, script, name, source, target], check=True, capture_output=True)
        found: dict[str, Any] = json.loads(target.read_text())
    return found


def main() -> None:
    """Print one table a language."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=float, default=4.0)
    parser.add_argument("--dolma", type=Path, metavar="PYTHON")
    parser.add_argument("--nemo", type=Path, metavar="PYTHON")
    options = parser.parse_args()
    pythons = {"dolma": options.dolma or peers.dolma_python(), "nemo": options.nemo or peers.nemo_python()}
    for language in LOCALES:
        texts = texts_of(language, options.megabytes)
        size = sum(len(text.encode()) for text in texts) / 1e6
        text, codes = pa.array(texts, pa.string()), pa.array([language] * len(texts))
        seconds, kept = least_cpu_s(lambda text=text, codes=codes: ours(text, codes))
        print(f"{language}: {size:.1f} MB, {len(texts)} texts")
        print(f"  corpusmill {size / seconds:8.2f} MB/s, keeps {kept.sum()}")
        datatrove = size / peer_s(texts)["all"]
        print(f"  datatrove {datatrove:8.2f} MB/s; ours {size / seconds / datatrove:.0f} x")
        for name, python in pythons.items():
            found = theirs(name, python, texts)
            same = np.mean(np.array(found["kept"]) == kept)
            rate = size / found["cpu_s"]
            print(
                f"  {name} {found['version']} {rate:8.2f} MB/s, keeps {sum(found['kept'])}, the same verdict on "
                f"{same:.1%}; ours {size / seconds / rate:.0f} x"
            )


if __name__ == "__main__":
    main()
