"""StarCoder's own bounds for each pair of language and extension (Li et al. 2023, section 3.1).

starcoder.tsv holds the pairs of 88 languages that were looked at and kept (267 rows, one of them twice), of the 305
rows of bigcode-dataset's preprocessing/visual_inspection.csv (commit bebec92, Apache-2.0), in Linguist's names. A pair
that is not there is not in that corpus. An empty field is no bound; the mean line has its bound of 100 where the
longest line has one.
"""

import csv
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

STARCODER_VERSION = 1
TABLE = Path(__file__).with_name("starcoder.tsv")
NO_LIMIT = 1 << 40  # characters of a line
FEWEST_LETTERS = 0.25  # where the table bounds the share of letters; JSON and YAML have a rule for theirs, 0.5


class Bounds(NamedTuple):
    """Bounds of a pair; null for none."""

    max_line: int | None
    min_alphanumeric: float | None
    min_alphabetic: float | None


@cache
def bounds() -> dict[tuple[str, str], Bounds]:
    """Return the table."""
    with TABLE.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    return {
        (row["language"], row["extension"]): Bounds(
            int(row["max_line"]) if row["max_line"] else None,
            float(row["min_alphanumeric"]) if row["min_alphanumeric"] else None,
            float(row["min_alphabetic"]) if row["min_alphabetic"] else None,
        )
        for row in rows
    }


def extension_of(path: str) -> str:
    """Return what stands behind the last dot of a file's name, in small letters; "" where there is none."""
    _, dot, extension = path.rpartition("/")[2].rpartition(".")
    return extension.lower() if dot else ""


def starcoder_signals(characters: pa.RecordBatch, paths: Sequence[str], languages: Sequence[str]) -> pa.RecordBatch:
    """Return int64 columns, shape (len(paths),): counts of count_characters as far as the table bounds them.

    is_starcoder_pair         whether the table has the language with this extension
    starcoder_line_limit      the longest line that it allows, NO_LIMIT for none
    starcoder_line_char_count characters of all lines, 0 where their mean has no bound
    starcoder_alnum_count     letters and numbers, all characters where their share has no bound
    starcoder_letter_count    the same of letters
    """
    found = [bounds().get((name, extension_of(path))) for path, name in zip(paths, languages, strict=True)]
    known = [each or Bounds(None, None, None) for each in found]
    limits = np.array([each.max_line or NO_LIMIT for each in known], np.int64)
    chars, lines, alnums, letters = (
        characters[name].to_numpy() for name in ("char_count", "line_char_count", "alnum_count", "letter_count")
    )
    has_alnum = np.array([each.min_alphanumeric is not None for each in known], bool)
    has_alpha = np.array([each.min_alphabetic == FEWEST_LETTERS for each in known], bool)
    columns = {
        "is_starcoder_pair": np.array([each is not None for each in found], np.int64),
        "starcoder_line_limit": limits,
        "starcoder_line_char_count": np.where(limits < NO_LIMIT, lines, 0),
        "starcoder_alnum_count": np.where(has_alnum, alnums, chars),
        "starcoder_letter_count": np.where(has_alpha, letters, chars),
    }
    return pa.RecordBatch.from_pydict({name: pa.array(values, pa.int64()) for name, values in columns.items()})
