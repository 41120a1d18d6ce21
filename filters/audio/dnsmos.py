"""DNSMOS P.835: what listeners would say of a sound's speech, background and whole (Reddy et al. 2022)."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from filters.audio import RATE_HZ
from filters.audio.vad import session_of
from filters.models import model_path

MODEL = "dnsmos_sig_bak_ovr.onnx"
_LENGTH = int(9.01 * RATE_HZ)  # samples that the model takes
# From the model's raw scores to the scale of the listening test, highest power first.
_POLYNOMIALS = (
    (-0.08397278, 1.22083953, 0.0052439),
    (-0.13166888, 1.60915514, -0.39604546),
    (-0.06766283, 1.11546468, 0.04602535),
)


class Mos(NamedTuple):
    """Mean opinion scores, 1 (bad) to 5 (excellent)."""

    signal: float
    background: float
    overall: float


class QualityScorer:
    """The loaded model."""

    def __init__(self, path: Path | None = None) -> None:
        self._session = session_of(path or model_path(MODEL))

    def score(self, samples: Any, beat: Callable[[], None] = lambda: None) -> Mos:
        """Return the mean over windows of 9.01 s, one every second; a shorter sound is repeated, n > 0."""
        while len(samples) < _LENGTH:
            samples = np.concatenate([samples, samples])
        count = int(len(samples) // RATE_HZ - 9.01) + 1
        scores = []
        for start in range(0, count * RATE_HZ, RATE_HZ):
            beat()
            window = samples[start : start + _LENGTH]
            if len(window) == _LENGTH:
                raw = self._session.run(None, {"input_1": window[None]})[0][0]
                scores.append([np.polyval(each, float(one)) for each, one in zip(_POLYNOMIALS, raw, strict=True)])
        return Mos(*(float(one) for one in np.mean(scores, axis=0)))
