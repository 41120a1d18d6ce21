"""Loudness as ITU-R BS.1770-5 and EBU R 128 measure it, and the gains that level speech.

Filters are the standard's at any rate: its 48 kHz coefficients are those of two analogue prototypes (De Man 2014,
"Evaluation of implementations of the EBU R128 loudness measurement").
"""

import math
from typing import Any

import numpy as np

from filters.audio import RATE_HZ
from filters.native import kernel

SILENT_LUFS = -70.0  # the absolute gate; also what a sound below it is given
_BLOCK, _STEP = RATE_HZ * 4 // 10, RATE_HZ // 10  # 400 ms, every 100 ms
_RELATIVE_GATE_LU = -10.0
_OFFSET_LU = -0.691
EMILIA_DBFS, EMILIA_MAX_GAIN_DB = -20.0, 3.0
PEAK_DBFS = -1.0  # EBU R 128: the most that a levelled sound's peak may reach


def integrated_lufs(samples: Any) -> float:
    """Return the integrated loudness of float[n] in LUFS, gated at -70 LUFS and at 10 LU below the rest.

    One channel of weight 1. SILENT_LUFS where no block passes the gate. A sound shorter than one block of 400 ms is
    measured as if it were one block, so a word of 200 ms has a loudness too.
    """
    powers = block_powers(samples)
    loud = powers[_lufs(powers) >= SILENT_LUFS]
    if not len(loud):
        return SILENT_LUFS
    gate = _lufs(loud.mean()) + _RELATIVE_GATE_LU
    return max(float(_lufs(loud[_lufs(loud) >= gate].mean())), SILENT_LUFS)


def block_powers(samples: Any) -> Any:
    """Return float64[blocks]: the mean square of each K-weighted block of 400 ms, one every 100 ms.

    Whole blocks only; one block over everything where there is less.
    """
    count = len(samples) // _STEP
    if not len(samples):
        return np.zeros(0)
    if len(samples) < _BLOCK:
        return np.array([_weighted_sums(samples, _COEFFICIENTS, len(samples))[0] / len(samples)])
    steps = _weighted_sums(samples[: count * _STEP], _COEFFICIENTS, _STEP)
    return (steps[:-3] + steps[1:-2] + steps[2:-1] + steps[3:]) / _BLOCK


def emilia_gain_db(rms_dbfs: float, peak_dbfs: float) -> float:
    """Return the gain that both steps of Emilia's pipeline come to for a file; 0 for silence.

    It moves a file to -20 dBFS by 3 dB at most, clips, and then divides by the peak: so the peak is at full scale,
    and beyond it only where the first step has clipped.
    """
    if peak_dbfs <= SILENT_LUFS:
        return 0.0
    first = min(max(EMILIA_DBFS - rms_dbfs, -EMILIA_MAX_GAIN_DB), EMILIA_MAX_GAIN_DB)
    return max(first, -peak_dbfs)


def r128_gain_db(lufs: float, peak_dbfs: float, target_lufs: float) -> float:
    """Return the gain to `target_lufs`, less where the peak would pass PEAK_DBFS; 0 for silence."""
    if lufs <= SILENT_LUFS:
        return 0.0
    return min(target_lufs - lufs, PEAK_DBFS - peak_dbfs)


def amplify(samples: Any, gain_db: float) -> Any:
    """Return float32 samples at `gain_db`, clipped at full scale; 0 dB changes no bit."""
    if gain_db == 0:
        return samples
    return np.clip(samples * np.float32(10 ** (gain_db / 20)), -1.0, 1.0)


def _lufs(power: Any) -> Any:
    return _OFFSET_LU + 10 * np.log10(np.maximum(power, 1e-30))


def _biquads(rate_hz: int) -> Any:
    """Return float64[2, 5], b0 b1 b2 a1 a2 of the high shelf and of the high pass (BS.1770-5, tables 1 and 2)."""
    shelf_k = math.tan(math.pi * 1681.974450955533 / rate_hz)
    high, q = 10 ** (3.999843853973347 / 20), 0.7071752369554196
    band = high**0.4996667741545416
    norm = 1 + shelf_k / q + shelf_k**2
    shelf = [
        (high + band * shelf_k / q + shelf_k**2) / norm,
        2 * (shelf_k**2 - high) / norm,
        (high - band * shelf_k / q + shelf_k**2) / norm,
        2 * (shelf_k**2 - 1) / norm,
        (1 - shelf_k / q + shelf_k**2) / norm,
    ]
    k, q = math.tan(math.pi * 38.13547087602444 / rate_hz), 0.5003270373238773
    norm = 1 + k / q + k**2
    return np.array([shelf, [1.0, -2.0, 1.0, 2 * (k**2 - 1) / norm, (1 - k / q + k**2) / norm]])


_COEFFICIENTS = _biquads(RATE_HZ)


@kernel
def _weighted_sums(samples: Any, c: Any, step: int) -> Any:
    """Return the sum of squares of every `step` samples, K-weighted; len(samples) is a multiple of it."""
    sums = np.zeros(len(samples) // step)
    s1 = s2 = t1 = t2 = 0.0
    for block in range(len(sums)):
        total = 0.0
        for i in range(block * step, (block + 1) * step):
            x = float(samples[i])
            y = c[0, 0] * x + s1
            s1 = c[0, 1] * x - c[0, 3] * y + s2
            s2 = c[0, 2] * x - c[0, 4] * y
            z = c[1, 0] * y + t1
            t1 = c[1, 1] * y - c[1, 3] * z + t2
            t2 = c[1, 2] * y - c[1, 4] * z
            total += z * z
        sums[block] = total
    return sums
