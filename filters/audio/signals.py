"""What is measured of a sound: level, silence, clipping, bandwidth, and speech against noise.

Counts are of frames of FRAME samples (32 ms); the last one may be shorter.
"""

from typing import Any

import numpy as np

from filters.audio import FRAME, RATE_HZ

SIGNALS_VERSION = 1
FLOOR_DB = -120.0  # level of digital silence
SILENT_DBFS = -60.0  # a frame below it is silent
NOISE_BELOW = 0.15  # speech probability under which a frame counts as noise
MIN_NOISE_FRAMES = 10  # 0.3 s
SNR_LIMIT_DB = 100.0
_FFT = 512
_BLOCK = 64  # frames transformed at once, so that they stay in the second cache
_BANDWIDTH_DB = -50.0  # below the loudest bin (NeMo SDP's frequency_threshold)
_WINDOW = np.hanning(_FFT + 1)[:-1].astype(np.float32)


def frame_powers(samples: Any) -> Any:
    """Return float64[ceil(n / FRAME)]: the mean square of each frame of float32[n]."""
    filled = len(samples) // FRAME
    squares = np.square(samples, dtype=np.float32)
    powers = squares[: filled * FRAME].reshape(-1, FRAME).mean(axis=1, dtype=np.float64)
    if filled * FRAME == len(samples):
        return powers
    return np.append(powers, squares[filled * FRAME :].mean(dtype=np.float64))


def decibel(power: float) -> float:
    """Return 10 log10(power), FLOOR_DB at least."""
    return max(10 * float(np.log10(power)), FLOOR_DB) if power > 0 else FLOOR_DB


def rms_dbfs(samples: Any) -> float:
    """Return the level in dB against full scale (a square wave at 1 has 0), FLOOR_DB for silence."""
    return decibel(float(np.square(samples, dtype=np.float32).mean(dtype=np.float64))) if len(samples) else FLOOR_DB


def peak_dbfs(samples: Any) -> float:
    """Return the level of the largest sample in dB against full scale."""
    return decibel(float(np.abs(samples).max()) ** 2) if len(samples) else FLOOR_DB


def silent_frames(powers: Any) -> Any:
    """Return bool[frames]: whose level lies below SILENT_DBFS."""
    return powers < 10 ** (SILENT_DBFS / 10)


def bandwidth_hz(samples: Any) -> float:
    """Return the highest frequency whose mean power lies within 50 dB of the loudest, 0 for silence.

    In [0, 8000]: nothing is left above that at 16 kHz. Telephone speech has about 3,400 to 4,000.
    """
    spectrum = mean_spectrum(samples)
    peak = spectrum.max()
    if peak <= 0:
        return 0.0
    return float(np.flatnonzero(spectrum >= peak * 10 ** (_BANDWIDTH_DB / 10))[-1]) * RATE_HZ / _FFT


def mean_spectrum(samples: Any) -> Any:
    """Return float64[257]: mean power of Hann-windowed 32 ms frames, side by side; zeros fill the last."""
    count = max(-(-len(samples) // _FFT), 1)
    total = np.zeros(_FFT // 2 + 1)
    for start in range(0, count, _BLOCK):
        own = samples[start * _FFT : (start + _BLOCK) * _FFT]
        if len(own) % _FFT or not len(own):
            own = np.concatenate([own, np.zeros(-len(own) % _FFT or _FFT, np.float32)])
        spectra = np.fft.rfft(own.reshape(-1, _FFT) * _WINDOW, axis=1)
        total += (spectra.real**2 + spectra.imag**2).sum(axis=0, dtype=np.float64)
    return total / count


def snr_db(powers: Any, probabilities: Any, noise_power: float | None) -> float:
    """Return speech power over noise power in dB, in [-100, 100]; NaN where no frame is speech.

    Speech frames (probability >= 0.5) hold speech and noise. Noise is the mean of frames that are clearly no speech
    (< NOISE_BELOW); where a segment has fewer than MIN_NOISE_FRAMES, `noise_power` (of the whole file) stands in, and
    where there is none, the tenth part of frames that is quietest.
    """
    spoken = powers[probabilities >= 0.5]
    if not len(spoken):
        return float("nan")
    noise = noise_of(powers, probabilities)
    if noise is None:
        noise = float(np.quantile(powers, 0.1, method="lower")) if noise_power is None else noise_power
    ratio = max(float(spoken.mean()) - noise, 0.0) / max(noise, 1e-30)
    return float(np.clip(10 * np.log10(max(ratio, 1e-30)), -SNR_LIMIT_DB, SNR_LIMIT_DB))


def noise_of(powers: Any, probabilities: Any) -> float | None:
    """Return the mean power of frames that are clearly no speech, None where there are too few."""
    quiet = powers[probabilities < NOISE_BELOW]
    return float(quiet.mean()) if len(quiet) >= MIN_NOISE_FRAMES else None
