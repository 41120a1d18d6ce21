"""How long a command takes that does nothing: `corpusmill --help`."""

import sys
from pathlib import Path

from benchmarks.measure import run
from benchmarks.table import Row

HELP_RUNS = 7


def row() -> Row:
    """Return what `corpusmill --help` takes."""
    script = Path(sys.executable).with_name("corpusmill")
    runs = [run([script, "--help"]) for _ in range(HELP_RUNS)]
    cpu_s, wall_s = min(one.cpu_s for one in runs), min(one.wall_s for one in runs)
    return Row("start-up of `corpusmill --help`", f"{wall_s:.2f} s by the clock", cpu_s, "CPU-s", ("<=", 0.3))
