"""Peak memory of the media jobs over N files and over 100 N: it must be the same.

    python -m benchmarks.media_memory [--job images|audio] [--files 40] [--times 100] [--set limits.part_bytes=65536]

Files are real pictures and real spoken captions of one Debian package, multiplied by changes that a key decides, so
that no file is a copy of another. What a job holds is bounded by its limits, not by its input; limits are set so low
here that N files fill them already, and what still grows is what grows with the input. Status 1 where the larger run
takes more than 1.1 times the memory of the smaller one.
"""

import argparse
import hashlib
import io
import sys
import tempfile
import wave
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.measure import Contender, Series, Usage, measure, say
from benchmarks.table import Row, render
from pipelines.demo_input import fetch_package

PACKAGE = "tuxpaint-stamps-default"
FILES, TIMES = 40, 100
SIDE_PX, RATE_HZ, SOUND_S = 128, 16_000, 1.0
LIMITS = {
    "batch_rows": 16,
    "batch_bytes": 1 << 20,
    "part_bytes": 1 << 16,
    "partition_bytes": 1 << 16,
    "shard_bytes": 1 << 20,  # a shard each would measure what the launcher knows of shards, about 0.4 MiB of each
    "min_range_bytes": 1 << 12,
}
# Files as they are made, each in one record; of spoken captions the whole file, for most are shorter than a segment.
BLOCKS = {"images": {"profiles": "[]"}, "audio": {"profiles": "[]", "segments.mode": "whole"}}


def key_of(number: int) -> np.random.Generator:
    """Return the numbers that decide how file `number` is changed; nothing else does."""
    seed = hashlib.sha256(b"corpusmill media %d" % number).digest()
    return np.random.default_rng(int.from_bytes(seed[:8]))


@cache
def pictures() -> list[Image.Image]:
    """Return real pictures, small."""
    root = fetch_package(PACKAGE).root
    found = []
    for path in sorted(root.rglob("*.png"))[:FILES]:
        with Image.open(path) as picture:
            found.append(picture.convert("RGB").resize((SIDE_PX, SIDE_PX)))
    return found


def picture(number: int) -> bytes:
    """Return one of the pictures with keyed patches laid over it, as JPEG: another picture to eye and hash alike."""
    rng, base = key_of(number), pictures()[number % len(pictures())]
    patches = Image.fromarray(rng.integers(0, 256, (6, 6, 3), np.uint8)).resize((SIDE_PX, SIDE_PX), Image.BICUBIC)
    out = io.BytesIO()
    Image.blend(base, patches, 0.6).save(out, "JPEG", quality=90)
    return out.getvalue()


@cache
def sounds() -> list[np.ndarray]:
    """Return real spoken captions, float32 in [-1, 1] at 16 kHz, SOUND_S of each."""
    from filters.audio.decode import decode

    root, found = fetch_package(PACKAGE).root, []
    for path in sorted(root.rglob("*_desc*.ogg"))[:FILES]:
        samples = np.asarray(decode(path.read_bytes()).samples, np.float32)
        found.append(np.resize(samples, int(RATE_HZ * SOUND_S)))
    return found


def sound(number: int) -> bytes:
    """Return one of the captions with keyed tones under it, as WAV: another recording to ear and fingerprint alike."""
    rng, base = key_of(number), sounds()[number % len(sounds())]
    times = np.arange(len(base)) / RATE_HZ
    tones = sum(np.sin(2 * np.pi * hertz * times) for hertz in rng.uniform(200, 4000, 4))
    mixed = np.clip(0.6 * base + 0.05 * tones, -1, 1)
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes((mixed * 32767).astype("<i2").tobytes())
    return out.getvalue()


MAKERS: dict[str, tuple[Callable[[int], bytes], str]] = {"images": (picture, "jpg"), "audio": (sound, "wav")}


def write_files(job: str, folder: Path, count: int) -> Path:
    """Write `count` files for a job into a folder of their number, and return it."""
    make, suffix = MAKERS[job]
    root = folder / f"{job}-{count}"
    root.mkdir()
    for number in range(count):
        (root / f"{number:06d}.{suffix}").write_bytes(make(number))
    return root


def contender(job: str, inputs: Path, settings: Sequence[str]) -> Contender:
    """Return the job over a folder of files, with one worker."""
    own = [f"limits.{name}={value}" for name, value in LIMITS.items()]
    own += [f"{job}.{name}={value}" for name, value in BLOCKS[job].items()]
    given = [f"--set={each}" for each in (*own, *settings)]
    script = Path(sys.executable).parent / "corpusmill"

    def command(count: int, out: Path) -> list[str | Path]:
        return [script, job, inputs / f"{job}-{count}", "--out", out, "--workers", "1", "--quiet", *given]

    return Contender(job, command, look=_accounted)


def _accounted(count: int, out: Path) -> None:
    """Hold a run to its work: every file is in the ledger, and few of them fell together."""
    from manifests.reader import read_manifest
    from manifests.store import open_store

    (job,) = (path.name for path in out.iterdir() if (path / "manifests").exists())
    ledger = read_manifest(open_store(out), job)["ledger"]
    say(f"{job}, {count} files: {ledger['out']}")
    if ledger["in"] != count or ledger["out"].get("kept", 0) < 0.9 * count:
        raise RuntimeError(f"{job}: {count} files were made, the ledger says {ledger}")


def rows(job: str, runs: dict[int, list[Usage]]) -> Iterator[Row]:
    """Return the growth of the worker and of its largest child."""
    low, high = sorted(runs)
    for name in ("worker", "child"):
        small, large = (min(getattr(usage, f"{name}_bytes") for usage in runs[count]) for count in (low, high))
        measured = f"{small / (1 << 20):.1f} -> {large / (1 << 20):.1f} MiB"
        work = f"{job}: peak memory of the {name}, {low} -> {high} files"
        yield Row(work, measured, large / small, "x", ("<=", 1.1))


def main() -> int:
    """Print the table; return 1 where memory grows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--job", choices=sorted(MAKERS), action="append", help="which jobs (default: all)")
    parser.add_argument("--files", type=int, default=FILES, help=f"N (default {FILES})")
    parser.add_argument(
        "--times", type=int, default=TIMES, help=f"how many times N the larger run has (default {TIMES})"
    )
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="as of the jobs themselves")
    options = parser.parse_args()
    sizes, found = (options.files, options.files * options.times), list[Row]()
    for job in options.job or sorted(MAKERS):
        with tempfile.TemporaryDirectory(prefix="corpusmill-media-") as folder:
            for count in sizes:
                write_files(job, Path(folder), count)
            series: Series = {}
            measure([contender(job, Path(folder), options.set)], sizes, 1, series)
            found += rows(job, series[job])
    print(render(found))
    return int(any("missed" in row.verdict for row in found))


if __name__ == "__main__":
    sys.exit(main())
