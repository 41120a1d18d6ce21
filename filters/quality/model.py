"""fastText classifiers: checked by sha256, loaded by the fasttext library alone, asked for probabilities.

A .bin file is a header of numbers, a dictionary and matrices; the library reads them into memory of the sizes that the
header tells and runs nothing. It does not defend itself against a file that lies about sizes: so a file is loaded only
when its sha256 is the one that was asked for, and in the job that happens in a guarded process.
"""

import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters.models import ModelDamagedError, ModelMissingError

PREFIX = "__label__"
_MAGIC = (793712314).to_bytes(4, "little")  # FastText::FASTTEXT_FILEFORMAT_MAGIC_INT32


def load_fasttext(path: str | Path, sha256: str | None) -> Any:
    """Return the classifier of a file that has this sha256; None: its digest was checked before.

    Raises ModelMissingError where there is no file, ModelDamagedError where it is another, or no fastText file.
    """
    file = Path(path)
    if not file.is_file():
        raise ModelMissingError(f"there is no model at {file}")
    found = file_sha256(file)
    if sha256 not in (None, found):
        raise ModelDamagedError(f"model {file}: sha256 {found}, not {sha256}")
    with file.open("rb") as opened:
        if opened.read(4) != _MAGIC:
            raise ModelDamagedError(f"model {file} is no fastText file")
    return _loaded(str(file.resolve()), found)


@cache
def _loaded(path: str, sha256: str) -> Any:
    import fasttext

    del sha256  # another file at the same place is another model
    return fasttext.load_model(path)


def file_sha256(path: Path) -> str:
    """Return the sha256 of a file's bytes, 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def probabilities(model: Any, lines: pa.StringArray, labels: Sequence[str]) -> npt.NDArray[np.float64]:
    """Return the summed probability of some labels for each line (no newline in it), float64[len(lines)] in [0, 1].

    A line that holds nothing the model knows gets what its labels have without any word. The binding's own method
    for many lines: `predict("one string")` fails with numpy 2.
    """
    if not len(lines):
        return np.zeros(0)
    wanted = {PREFIX + label for label in labels}
    answered, scores = model.f.multilinePredict([f"{line}\n" for line in lines.to_pylist()], -1, 0.0, "strict")
    summed = [
        sum(float(value) for label, value in zip(row, of_row, strict=True) if label in wanted)
        for row, of_row in zip(answered, scores, strict=True)
    ]
    return np.clip(np.array(summed, np.float64), 0.0, 1.0)
