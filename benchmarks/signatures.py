"""MinHash against rensa and datasketch: runs benchmarks/minhash.py and takes the lines that its tables end in."""

import os
import re
import subprocess
import sys

from benchmarks import peers
from benchmarks.measure import say
from benchmarks.table import Row
from pipelines.demo_input import input_root


def rows(megabytes: float) -> list[Row]:
    """Return the lines that benchmarks/minhash.py ends its tables in."""
    command = [sys.executable, "-m", "benchmarks.minhash", str(input_root()), "--megabytes", str(megabytes)]
    path = os.pathsep.join([str(peers.rensa_folder()), *filter(None, [os.environ.get("PYTHONPATH")])])
    say("signatures against rensa and datasketch")
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"benchmarks.minhash: status {done.returncode}\n{done.stdout[-500:]}{done.stderr[-1500:]}")
    return parse(done.stdout)


def parse(printed: str) -> list[Row]:
    """Return a row a line like "en: 12.1 x the best of rensa, like words (goal 8 x)".

    The goals are for words of the same quality; a peer with cruder words, or with ours for nothing, is told only.
    """
    pattern = re.compile(
        r"^(\w+): ([\d.]+) x the best of (\w+), (\w+ words|words free) \(goal (\d+) x\)$", re.MULTILINE
    )
    return [
        Row(
            f"MinHash of {language} text, segmentation included: over {peer}, {words}",
            "MB of text per CPU-second",
            float(figure),
            "x",
            (">=", float(goal)) if words == "like words" else None,
        )
        for language, figure, peer, words, goal in pattern.findall(printed)
    ]
