"""The script of each character as SentencePiece's trainer sees it: one piece, one script."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

INHERITED, COMMON, HAN = 0, 1, 2
_CODE_POINTS = 0x110000
_JAPANESE = ("Hiragana", "Katakana")  # parts of one script with Han
_LONG_VOWEL = 0x30FC


@cache
def scripts() -> Any:
    """Return the number of each code point's script, int16[0x110000]: INHERITED, COMMON, HAN or another.

    What Unicode 9.0 had no script for is COMMON, so that chunks are those of the trainer.
    """
    numbers = {"Inherited": INHERITED, "Common": COMMON, "Han": HAN, **dict.fromkeys(_JAPANESE, HAN)}
    table = np.full(_CODE_POINTS, COMMON, np.int16)
    for line in Path(__file__).with_name("scripts.tsv").read_text("ascii").splitlines():
        if not line.startswith("#"):
            first, last, name = line.split("\t")
            table[int(first, 16) : int(last, 16) + 1] = numbers.setdefault(name, len(numbers) - len(_JAPANESE))
    table[_LONG_VOWEL] = HAN
    table.setflags(write=False)
    return table
