"""fastText's training in a process of its own: `python -m filters.quality.fit SETTINGS`, which `train` starts.

fastText 0.9.3 on one thread gives random values to the first tenth of its matrix and leaves the rest as the allocator
hands it out (`DenseMatrix::uniform` runs block 0 of 10; `AlignedVector` clears nothing). In a process that has worked
before, that is whatever was there: other bytes each time, or "Encountered NaN". So it gets a fresh process whose
allocator (glibc) hands out zeros. The first tenth, the commonest words, break the symmetry; the others start at 0.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# of glibc: large blocks are mapped anew, and come as zeros; and whatever is handed out is set to 255 ^ 255 = 0
ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_PERTURB_": "255"}
BAD_SETTINGS = 3  # exit status


def fit(given: Path, out: Path, settings: Mapping[str, Any]) -> None:
    """Train on a file of labelled lines with fastText's own settings and write the model.

    Raises ValueError where fastText gives up, RuntimeError where its process died.
    """
    stated = json.dumps({"input": str(given), "out": str(out), "settings": dict(settings)})
    command = [sys.executable, "-m", "filters.quality.fit", stated]
    done = subprocess.run(command, env={**os.environ, **ALLOCATOR}, capture_output=True, text=True, check=False)
    if done.returncode == BAD_SETTINGS:
        raise ValueError(f"fastText: {done.stderr.strip()} Give more text, or a lower lr than {settings['lr']}")
    if done.returncode:
        raise RuntimeError(f"fastText's process ended with status {done.returncode}: {done.stderr.strip()[-500:]}")


def main(stated: str) -> int:
    """Train as SETTINGS say; the exit status."""
    import fasttext

    told = json.loads(stated)
    try:
        model = fasttext.train_supervised(input=told["input"], thread=1, verbose=0, **told["settings"])
    except RuntimeError as error:  # "Encountered NaN.": too few words, or too high a rate
        print(error, file=sys.stderr)
        return BAD_SETTINGS
    model.save_model(told["out"])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
