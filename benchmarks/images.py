"""The images job against img2dataset and against the bare libraries; our perceptual hash against imagehash.

    python -m benchmarks.images [--images 300] [--repeats 2] [--without-peers]
    python -m benchmarks.images --stages      where the time of an image goes, in this process

The images are cuts of 640 x 480 pixels out of real photographs (Debian's lomiri-wallpapers), no two alike, as JPEG,
each with a caption. All make JPEG of quality 95 with a shorter side of 256 pixels: corpusmill as its users run it,
`corpusmill images FOLDER --out OUT --workers 1`; img2dataset in an environment of its own from file: URLs, so without
a server (benchmarks/images_peer.py); OpenCV alone as benchmarks/images_bare.py says. Figures are CPU time an image of
the whole process tree, as slopes between N and 4 N images, so that start-up stands apart.

Beside them stand a few files that are cut off, and one that is no image: what both accept must be the same.
"""

import argparse
import io
import json
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks import peers
from benchmarks.measure import Contender, Series, measure, say, slope_ms, startup_s
from benchmarks.table import Row, render
from filters.models import fetch_model
from manifests.manifest import load_manifest, newest_version
from manifests.store import open_store
from pipelines.demo_input import fetch_package

OURS, WITH_NSFW = "corpusmill images", "corpusmill images, NSFW scores on"
PEER, BARE = "img2dataset", "OpenCV alone: decode, resize, encode"
SIDE_PX, WIDTH, HEIGHT, TIMES = 256, 640, 480, 4
BAD = ("cut0.jpg", "cut1.jpg", "page.jpg")
HASHED = 200  # pictures that both hashes see


def photographs() -> list[Path]:
    """Return real photographs, in a fixed order."""
    return sorted(fetch_package("lomiri-wallpapers-16.04").root.rglob("*.jpg"))


def cuts(count: int) -> Iterator[Image.Image]:
    """Yield so many pictures of 640 x 480 pixels: places and scales by a fixed sequence."""
    rng = np.random.default_rng(640480)
    pictures = [Image.open(path).convert("RGB") for path in photographs()]
    for n in range(count):
        picture = pictures[n % len(pictures)]
        most = min(picture.width / WIDTH, picture.height / HEIGHT)
        scale = 1 + (most - 1) * rng.random() if most > 1 else most
        wide, high = int(WIDTH * scale), int(HEIGHT * scale)
        left, top = rng.integers(0, picture.width - wide + 1), rng.integers(0, picture.height - high + 1)
        box = (int(left), int(top), int(left) + wide, int(top) + high)
        yield picture.crop(box).resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)


def make_folder(folder: Path, count: int) -> Path:
    """Write the pictures, their captions and the bad files."""
    folder.mkdir()
    for n, picture in enumerate(cuts(count)):
        picture.save(folder / f"picture{n:05d}.jpg", quality=90)
        (folder / f"picture{n:05d}.txt").write_text(f"A place that was photographed, number {n}")
    whole = (folder / "picture00000.jpg").read_bytes()
    for name in BAD:
        body = b"<html>not found</html>" if name == "page.jpg" else whole[: len(whole) * 2 // 3 + ord(name[3])]
        (folder / name).write_bytes(body)
        (folder / name).with_suffix(".txt").write_text("broken")
    return folder


def contenders(folders: dict[int, Path], accepted: dict[str, set[str]], *, with_peers: bool) -> list[Contender]:
    """Return who does the work; `accepted` comes to hold what each made of the larger folder."""

    def ours(*more: str) -> Callable[[int, Path], list[str | Path]]:
        return lambda count, out: [
            Path(sys.executable).parent / "corpusmill", "images", folders[count], "--out", out, "--workers", "1",
            "--quiet", "--set=images.resize.mode=keep_ratio", f"--set=images.resize.size_px={SIDE_PX}",
            "--set=images.resize.only_if_bigger=false", "--set=images.encode.quality=95",
            "--set=images.dedup.exact=false", "--set=images.dedup.near=null", *more,
        ]  # fmt: skip

    def looks(name: str, read: Callable[[Path], set[str]]) -> Callable[[int, Path], None]:
        def look(count: int, out: Path) -> None:
            if count == max(folders):
                accepted[name] = read(out)

        return look

    def bare(count: int, out: Path) -> list[str | Path]:
        return [sys.executable, "-m", "benchmarks.images_bare", folders[count], out / "all", str(SIDE_PX)]

    found = [
        Contender(OURS, ours(), look=looks(OURS, accepted_here)),
        Contender(BARE, bare),
    ]
    if with_peers:
        python, script = peers.img2dataset_python(), Path(__file__).with_name("images_peer.py")
        quiet = {"NO_ALBUMENTATIONS_UPDATE": "1", "WANDB_MODE": "disabled"}
        found.append(
            Contender(
                PEER,
                lambda count, out: [python, script, folders[count], out / "made", str(SIDE_PX)],
                quiet,
                looks(PEER, accepted_by_peer),
            )
        )
    return found


def accepted_here(out: Path) -> set[str]:
    """Return the file names of our shards."""
    import pyarrow.parquet as pq

    store = open_store(out)
    manifest = load_manifest(store, "images", newest_version(store, "images"))
    names = [shard["name"] for shard in manifest["shards"] if shard["kind"] == "records"]
    return {uri.rpartition(":")[2] for name in names for uri in pq.read_table(out / name)["uri"].to_pylist()}


def accepted_by_peer(out: Path) -> set[str]:
    """Return the file names of img2dataset's shards."""
    found = set()
    for path in sorted((out / "made").glob("*.tar")):
        with tarfile.open(path) as archive:
            for member in archive:
                if member.name.endswith(".json"):
                    content = archive.extractfile(member)
                    assert content is not None
                    found.add(json.load(content)["url"].rpartition("/")[2])
    return found


def rows(series: Series, low: int, high: int) -> Iterator[Row]:
    """Yield the lines of the table that speak of jobs."""
    each = {name: slope_ms(runs, low, high) for name, runs in series.items()}
    start = {name: startup_s(runs, low, high) for name, runs in series.items()}

    def told(first: str, second: str) -> str:
        return (
            f"{each[first]:.2f} ms against {each[second]:.2f} ms; start-up {start[first]:.1f} s, {start[second]:.1f} s"
        )

    work = f"images of {WIDTH} x {HEIGHT}: "
    yield Row(f"{work}over {BARE}", told(OURS, BARE), each[OURS] / each[BARE], "x CPU", ("<=", 1.3))
    if PEER in each:
        yield Row(f"{work}over {PEER}", told(OURS, PEER), each[PEER] / each[OURS], "x images/CPU-s", (">=", 2.0))


def hash_row() -> Row:
    """Return the line of the perceptual hash: the same decoded pictures, CPU time of this thread."""
    import imagehash

    from filters.images.phash import luma, phash64

    pictures = list(cuts(HASHED))
    arrays = [np.asarray(picture) for picture in pictures]
    phash64(luma(arrays[0]))
    mine, theirs = [], []
    for _ in range(3):
        mine.append(_cpu_s(lambda: [phash64(luma(array)) for array in arrays]))
        theirs.append(_cpu_s(lambda: [imagehash.phash(picture) for picture in pictures]))
    same = sum(int(str(imagehash.phash(p)), 16) == phash64(luma(a)) for p, a in zip(pictures, arrays, strict=True))
    rates = f"{HASHED / min(mine):,.0f}/s against {HASHED / min(theirs):,.0f}/s; {same} of {HASHED} hashes equal"
    return Row("perceptual hash of 640 x 480: over imagehash", rates, min(theirs) / min(mine), "x", (">=", 3.0))


def stages(count: int) -> Iterator[tuple[str, float]]:
    """Yield (stage, CPU ms an image) of what a guarded child does, and of the codecs that it cannot do without."""
    import cv2

    from filters.images import child
    from filters.images.decode import decode
    from filters.images.encode import encode
    from filters.images.phash import luma, phash64
    from filters.images.signals import measure as measure_pixels

    cv2.setNumThreads(1)
    settings = child.Settings.of({"resize": {"mode": "keep_ratio", "size_px": SIDE_PX}})
    child._warm(settings)
    files = []
    for picture in cuts(count):
        picture.save(sink := io.BytesIO(), "JPEG", quality=90)
        files.append(sink.getvalue())
    pixels = [decode(file).pixels for file in files]
    grays, small = [luma(each) for each in pixels], [child._stored_pixels(each, settings) for each in pixels]
    works: dict[str, Callable[[], Any]] = {
        "all of it": lambda: [child.produce(file, settings) for file in files],
        "Pillow's decoder alone": lambda: [Image.open(io.BytesIO(file)).load() for file in files],
        "decode": lambda: [decode(file) for file in files],
        "grey": lambda: [luma(each) for each in pixels],
        "perceptual hash": lambda: [phash64(each) for each in grays],
        "signals": lambda: [measure_pixels(*pair) for pair in zip(pixels, grays, strict=True)],
        "resize": lambda: [child._stored_pixels(each, settings) for each in pixels],
        "OpenCV's resize alone": lambda: [
            cv2.resize(each, made.shape[1::-1], interpolation=cv2.INTER_AREA)
            for each, made in zip(pixels, small, strict=True)
        ],
        "encode": lambda: [encode(each, settings.encode) for each in small],
    }
    for name, work in works.items():
        yield name, 1000 * min(_cpu_s(work) for _ in range(3)) / count


def _cpu_s(work: Callable[[], Any]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


@contextmanager
def inputs(count: int) -> Iterator[dict[int, Path]]:
    """Give folders of N and 4 N pictures."""
    with tempfile.TemporaryDirectory(prefix="corpusmill-images-") as root:
        yield {size: make_folder(Path(root) / str(size), size) for size in (count, TIMES * count)}


def agreement(accepted: dict[str, set[str]]) -> str:
    """Return a sentence about the accepted sets; raises RuntimeError where they differ."""
    ours, theirs = accepted[OURS], accepted[PEER]
    if ours != theirs:
        raise RuntimeError(f"only here: {sorted(ours - theirs)[:5]}, only there: {sorted(theirs - ours)[:5]}")
    return f"Both accepted the same {len(ours)} images, and none of {', '.join(BAD)}."


def run(count: int, repeats: int, *, with_peers: bool) -> tuple[list[Row], str]:
    """Return the table's lines, and a sentence about the accepted sets."""
    for model in ("lid.176.ftz", "open-nsfw.onnx"):
        fetch_model(model)
    series: Series = {}
    accepted: dict[str, set[str]] = {}
    with inputs(count) as folders:
        everyone = contenders(folders, accepted, with_peers=with_peers)
        say("warming up")
        measure(everyone, [count], 1, {})
        measure(everyone, sorted(folders), repeats, series)
        sizes = {count // 5: make_folder(folders[count].parent / "few", count // 5), **folders}
        scored = contenders(sizes, {}, with_peers=False)[0]
        command = scored.command
        nsfw = Contender(WITH_NSFW, lambda size, out: [*command(size, out), "--set=images.nsfw=true"])
        measure([nsfw], [count // 5, count], 1, series)
    made = series.pop(WITH_NSFW)
    lines = list(rows(series, count, TIMES * count))
    ours = slope_ms(series[OURS], count, TIMES * count)
    cost = slope_ms(made, count // 5, count)
    lines.append(Row("images: NSFW scores on, over off", f"{cost:.1f} ms against {ours:.2f} ms", cost / ours, "x CPU"))
    return [*lines, hash_row()], agreement(accepted) if with_peers else ""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=300, help="N (default 300)")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--without-peers", action="store_true")
    parser.add_argument("--stages", action="store_true", help="only where the time of an image goes")
    options = parser.parse_args()
    if options.stages:
        print("\n".join(f"{name:24} {each:6.3f} ms" for name, each in stages(min(options.images, 60))))
        return
    lines, said = run(options.images, options.repeats, with_peers=not options.without_peers)
    print(render(lines))
    print(said)


if __name__ == "__main__":
    main()
