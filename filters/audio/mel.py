"""Log-mel features of speech, for trainers that take features and not samples (USM: Zhang et al. 2023)."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from filters.audio import RATE_HZ

MEL_VERSION = 1
_WINDOW_SAMPLES, _HOP, _FFT = RATE_HZ // 40, RATE_HZ // 100, 512  # 25 ms, every 10 ms
_FLOOR = 1e-10


@dataclass(frozen=True)
class LogMel:
    """How many bands, and between which frequencies."""

    mels: int = 80
    low_hz: float = 0.0
    high_hz: float = 8000.0

    def __post_init__(self) -> None:
        """Refuse bands that the spectrum can't tell apart."""
        if not 1 <= self.mels <= 128 or not 0 <= self.low_hz < self.high_hz <= RATE_HZ / 2:
            raise ValueError(
                f"log_mel: mels in [1, 128] and 0 <= low_hz < high_hz <= 8000, "
                f"got {self.mels}, {self.low_hz}, {self.high_hz}"
            )


def log_mel(samples: Any, settings: LogMel) -> Any:
    """Return float32[frames, mels]: natural logs of mel-weighted power, 1e-10 at least.

    Frames of 25 ms, Hann-windowed, one every 10 ms, whole ones only: 1 + (n - 400) // 160 of them, 0 for n < 400.
    """
    if len(samples) < _WINDOW_SAMPLES:
        return np.zeros((0, settings.mels), np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(samples, _WINDOW_SAMPLES)[::_HOP]
    spectra = np.fft.rfft(frames * _HANN, _FFT, axis=1)
    powers = spectra.real**2 + spectra.imag**2
    weighted = np.einsum("fb,mb->fm", powers, filterbank(settings), dtype=np.float32, optimize=False)
    return np.log(np.maximum(weighted, _FLOOR))


@lru_cache(maxsize=4)
def filterbank(settings: LogMel) -> Any:
    """Return float32[mels, 257]: triangles of height 1, evenly spaced in mel = 2595 log10(1 + f / 700)."""
    low, high = (2595 * math.log10(1 + hz / 700) for hz in (settings.low_hz, settings.high_hz))
    edges = 700 * (10 ** (np.linspace(low, high, settings.mels + 2) / 2595) - 1)
    bins = np.arange(_FFT // 2 + 1) * RATE_HZ / _FFT
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    return np.maximum(np.minimum(rising, falling), 0).astype(np.float32)


_HANN = np.hanning(_WINDOW_SAMPLES + 1)[:-1].astype(np.float32)
