"""Sounds for the tests: made ones, and real ones out of packages (fetched once, cached outside the repository)."""

import struct
import subprocess
from functools import cache
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pyarrow as pa

from filters.audio import RATE_HZ
from pipelines.demo_input import fetch_package

PROMPTS = "usr/share/asterisk/sounds"
SAMPLES = "usr/share/forensics-samples/original-files"


@cache
def prompts(language, form="gsm", count=60):
    """Return (path, bytes) of `count` studio prompts of a language (2-letter), ordered by name, longest first."""
    root = fetch_package(f"asterisk-core-sounds-{language}-{form}").root / PROMPTS
    paths = sorted(root.rglob(f"*.{form}"), key=lambda path: (-path.stat().st_size, path.name))
    return [(str(path.relative_to(root)), path.read_bytes()) for path in paths[:count]]


@cache
def music(form="wav"):
    """Return (path, bytes) of the five pieces of music on hold."""
    root = fetch_package(f"asterisk-moh-opsound-{form}").root
    return [(path.name, path.read_bytes()) for path in sorted(root.rglob(f"*.{form}"))]


def sample_file(name):
    """Return the bytes of one of the forensics samples, such as "audio1/debian.mp3"."""
    return (fetch_package("forensics-samples-files").root / SAMPLES / name).read_bytes()


def tone(hz=1000.0, seconds=1.0, level=0.5, rate_hz=RATE_HZ):
    return (level * np.sin(2 * np.pi * hz * np.arange(int(seconds * rate_hz)) / rate_hz)).astype(np.float32)


def noise(seconds=1.0, level=0.1, seed=1, rate_hz=RATE_HZ):
    return (level * np.random.default_rng(seed).standard_normal(int(seconds * rate_hz))).astype(np.float32)


def wav(samples, rate_hz=RATE_HZ, *, kind="s16", stated_bytes=None):
    """Return a WAV file of float[n] or float[channels, n], written with struct alone; `stated_bytes` can lie."""
    channels = np.atleast_2d(samples)
    writers = {
        "u8": (1, 8, lambda x: (np.clip(np.rint(x * 128), -128, 127) + 128).astype(np.uint8)),
        "s16": (1, 16, lambda x: np.clip(np.rint(x * 32768), -32768, 32767).astype("<i2")),
        "s32": (1, 32, lambda x: np.clip(np.rint(x * 2.0**31), -(2.0**31), 2.0**31 - 1).astype("<i4")),
        "f32": (3, 32, lambda x: x.astype("<f4")),
        "f64": (3, 64, lambda x: x.astype("<f8")),
    }
    tag, bits, write = writers[kind]
    data = write(channels.astype(np.float64).T).tobytes()
    count = len(channels)
    head = struct.pack("<HHIIHH", tag, count, rate_hz, rate_hz * count * bits // 8, count * bits // 8, bits)
    size = len(data) if stated_bytes is None else stated_bytes
    return (
        b"RIFF"
        + struct.pack("<I", 36 + size)
        + b"WAVEfmt "
        + struct.pack("<I", 16)
        + head
        + (b"data" + struct.pack("<I", size) + data)
    )


def ffmpeg(payload, *arguments, form=None):
    """Return what ffmpeg's own program writes for a file given by pipe: the oracle, another build and version."""
    named = ["-f", form] if form else []
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", *named, "-i", "pipe:0", *arguments, "pipe:1"]
    return subprocess.run(command, input=payload, capture_output=True, check=True).stdout


def ffmpeg_file(payload, suffix, folder: Path, *arguments):
    """Like `ffmpeg`, for formats that want to seek in what they read or write; returns the new file's bytes."""
    source, target = folder / "source", folder / f"target{suffix}"
    source.write_bytes(payload)
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", "-nostdin", "-i", str(source), *arguments]
    subprocess.run([*command, str(target)], capture_output=True, check=True)
    return target.read_bytes()


def read_flac(payload):
    """Return int16[n] of a FLAC file, by ffmpeg's program."""
    return np.frombuffer(ffmpeg(payload, "-f", "s16le"), "<i2")


def batch(files):
    """Return the batch of a guarded child for (name, bytes) pairs."""
    names, payloads = [name for name, _ in files], [data for _, data in files]
    columns = [names, pa.nulls(len(files), pa.string()), pa.array(payloads, pa.large_binary())]
    return pa.record_batch(columns, names=["uri", "media_type", "payload"])


def spectrum_peak_hz(samples, rate_hz=RATE_HZ):
    return float(np.argmax(np.abs(np.fft.rfft(samples)))) * rate_hz / len(samples)
