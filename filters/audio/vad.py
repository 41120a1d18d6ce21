"""Where somebody speaks: silero's detector on 32 ms frames, single-threaded, without torch.

The sequence form of the model takes many frames in a call and answers with the same bits as one call for each.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from filters.audio import FRAME, RATE_HZ
from filters.models import model_path
from filters.native import kernel

VAD_VERSION = 1  # of how probabilities become spans
MODEL = "silero_vad_16k_sequence.onnx"
_CONTEXT = 64  # samples of the frame before, which the model sees too
_FRAMES_AT_ONCE = 256


@dataclass(frozen=True)
class Vad:
    """When a run of frames is speech; the defaults are silero's own."""

    threshold: float = 0.5  # a frame at or above it starts speech
    exit_threshold: float = 0.35  # frames below it end speech
    min_speech_s: float = 0.25  # shorter speech is none
    min_silence_s: float = 0.1  # shorter silence is part of the speech
    pad_s: float = 0.03  # added at both ends

    def __post_init__(self) -> None:
        """Refuse thresholds that could never be met."""
        if not 0 < self.exit_threshold <= self.threshold < 1:
            raise ValueError(f"vad: 0 < exit_threshold {self.exit_threshold} <= threshold {self.threshold} < 1 fails")
        if min(self.min_speech_s, self.min_silence_s, self.pad_s) < 0:
            raise ValueError("vad: min_speech_s, min_silence_s and pad_s must be at least 0")


def session_of(path: Path) -> Any:
    """Return an ONNX session on one thread of the CPU, so that scores depend on nothing but the input."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])


class SpeechDetector:
    """The loaded model; `probabilities` keeps nothing between sounds."""

    def __init__(self, path: Path | None = None) -> None:
        self._session = session_of(path or model_path(MODEL))

    def probabilities(self, samples: Any, beat: Callable[[], None] = lambda: None) -> Any:
        """Return float32[ceil(n / FRAME)] in [0, 1]: how likely each frame of float32[n] is speech.

        `beat` is called every 8 s of sound.
        """
        count = -(-len(samples) // FRAME)
        out = np.empty(count, np.float32)
        hidden = cell = np.zeros((1, 1, 128), np.float32)
        for start in range(0, count, _FRAMES_AT_ONCE):
            beat()
            block = _with_context(samples, start, min(start + _FRAMES_AT_ONCE, count))
            found, hidden, cell = self._session.run(None, {"input": block, "h": hidden, "c": cell})
            out[start : start + len(block)] = found.ravel()
        return out


def _with_context(samples: Any, first: int, end: int) -> Any:
    """Return float32[frames, 64 + FRAME]; zeros stand before the first sample and after the last."""
    block = np.zeros((end - first, _CONTEXT + FRAME), np.float32)
    own = samples[first * FRAME : end * FRAME]
    filled, rest = divmod(len(own), FRAME)
    block[:filled, _CONTEXT:] = own[: filled * FRAME].reshape(-1, FRAME)
    if rest:
        block[filled, _CONTEXT : _CONTEXT + rest] = own[filled * FRAME :]
    block[1:, :_CONTEXT] = block[:-1, FRAME:]
    if first:
        block[0, :_CONTEXT] = samples[first * FRAME - _CONTEXT : first * FRAME]
    return block


def speech_spans(probabilities: Any, length: int, settings: Vad) -> Any:
    """Return int64[spans, 2]: first and one past the last sample of each stretch of speech, ascending, disjoint.

    `length` is that of the sound in samples. The same spans as silero's `get_speech_timestamps` without a longest
    duration; `filters.audio.segments` cuts what is too long.
    """
    spans = _spans(
        probabilities,
        length,
        np.float32(settings.threshold),
        np.float32(settings.exit_threshold),
        settings.min_speech_s * RATE_HZ,
        settings.min_silence_s * RATE_HZ,
    )
    return _padded(spans, length, int(settings.pad_s * RATE_HZ))


def _padded(spans: Any, length: int, pad: int) -> Any:
    """Widen spans by `pad` on both sides; a gap too narrow for two pads is shared."""
    if not len(spans):
        return spans
    gaps = spans[1:, 0] - spans[:-1, 1]
    shares = np.where(gaps < 2 * pad, gaps // 2, pad)
    spans[1:, 0] -= shares
    spans[:-1, 1] += shares
    spans[0, 0] = max(0, spans[0, 0] - pad)
    spans[-1, 1] = min(length, spans[-1, 1] + pad)
    return spans


@kernel
def _spans(p: Any, length: int, enter: Any, leave: Any, min_speech: float, min_silence: float) -> Any:
    spans = np.empty((len(p) // 2 + 1, 2), np.int64)
    count, start, quiet = 0, -1, -1
    for i in range(len(p)):
        at = i * FRAME
        if p[i] >= enter:
            quiet = -1
            if start < 0:
                start = at
        elif p[i] < leave and start >= 0:
            if quiet < 0:
                quiet = at
            if at - quiet >= min_silence:
                if quiet - start > min_speech:
                    spans[count, 0], spans[count, 1] = start, quiet
                    count += 1
                start = quiet = -1
    if start >= 0 and length - start > min_speech:
        spans[count, 0], spans[count, 1] = start, length
        count += 1
    return spans[:count].copy()
