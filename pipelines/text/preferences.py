"""Who is wished for in a cluster: each record gets a number, and the highest stays."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from filters.quality.signals import COLUMN as QUALITY_SCORE
from filters.rules import Rule

BEST_QUALITY = {"signal": QUALITY_SCORE, "per": None, "wish": "highest"}
KNOWN = (1 << 63) - 1  # of what another snapshot keeps: above every record of this job
_UNKNOWN = -KNOWN  # of a record without the signal; its negative is a number too
_MAGNITUDE = np.int64(KNOWN)  # all bits of a float64 but its sign


def columns_of(survivor: str | Mapping[str, Any]) -> tuple[str, ...]:
    """Return the signals that `preference` reads."""
    if isinstance(survivor, str):
        return ()
    return tuple(dict.fromkeys(filter(None, (survivor["signal"], survivor["per"]))))


def is_number(kind: pa.DataType) -> bool:
    """Return whether a column of the type can decide who stays."""
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind))


def preference(
    texts: pa.Table, signals: pa.RecordBatch, survivor: str | Mapping[str, Any]
) -> pa.ChunkedArray | pa.Array:
    """Return how much each record is wished for, int64, shape (rows,): the highest of a cluster stays.

    newest: when it was fetched in microseconds, 0 where that is not known. licensed: 1 with a stated licence.
    {signal, per, wish}: a number that is higher where the signal, or its ratio to `per`, is higher (or lower, if that
    is the wish), and lowest of all where it is null or NaN. Else 0.
    """
    if not isinstance(survivor, str):
        values = Rule("dedup.survivor", survivor["signal"], survivor["per"]).values(signals)
        return pa.array(ordered(values if survivor["wish"] == "highest" else -values))
    if survivor == "newest":
        return texts["fetched_at"].cast(pa.int64()).fill_null(0)
    if survivor == "licensed":
        return pc.is_valid(texts["license"]).cast(pa.int64())
    return pa.chunked_array([pa.repeat(pa.scalar(0, pa.int64()), texts.num_rows)])


def ordered(values: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return int64 in the order of float64: equal where those are (0.0 and -0.0 too), NaN below all others.

    IEEE 754 orders numbers of one sign as their bits; those of negative ones are counted downwards.
    """
    bits = np.ascontiguousarray(values + 0.0).view(np.int64)
    placed = np.where(bits < 0, -(bits & _MAGNITUDE), bits)
    return np.where(np.isnan(values), np.int64(_UNKNOWN), placed)
