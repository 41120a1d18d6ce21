"""Bombs: each in a process of its own, whose peak memory stays within the cap and 64 MiB, and which ends in time."""

import gzip
import json
import subprocess
import sys
import zlib
from pathlib import Path

import brotli
import pytest
import zstandard
from hostile_server import endless, hostile, ok

from manifests.limits import MIB

CAP = 32 * MIB
SIZE = 512 * MIB
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
ROOT = Path(__file__).resolve().parent.parent
CHILD = """
import asyncio, json, resource, sys, time
from manifests.limits import CrawlLimits
from pipelines.fetch.client import Fetcher
from pipelines.fetch.exchange import FetchError

def peak():
    return int(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))) * 1024

async def main():
    fetcher = Fetcher("corpusmill/0 (+https://c.example/)", CrawlLimits(fetch_s=4.0), loopback_port=int(sys.argv[1]))
    await fetcher.fetch("http://www.example/small", max_bytes=1000)  # what a process holds anyway
    before, began = peak(), time.monotonic()
    try:
        exchange = await fetcher.fetch("http://www.example/bomb", max_bytes=int(sys.argv[2]))
        came = exchange.truncated
    except FetchError as error:
        came = str(error.reason)
    print(json.dumps([came, peak() - before, time.monotonic() - began]))
    await fetcher.close()

asyncio.run(main())
"""


def zeros(coder):
    """Return SIZE bytes of nothing through a streaming coder."""
    block = bytes(MIB)
    pieces = [coder(block) for _ in range(SIZE // MIB)]
    return b"".join(pieces)


def deflated(wbits):
    coder = zlib.compressobj(9, wbits=wbits)
    return zeros(coder.compress) + coder.flush()


def gzipped():
    return deflated(31)


def brotlied():
    coder = brotli.Compressor(quality=5)
    return zeros(coder.process) + coder.finish()


def zstandarded():
    coder = zstandard.ZstdCompressor().compressobj()
    return zeros(coder.compress) + coder.flush()


def coded(body, coding):
    return ok(body, f"Content-Encoding: {coding}")


BOMBS = {
    "gzip": (lambda: coded(gzipped(), "gzip"), "length"),
    "deflate": (lambda: coded(deflated(15), "deflate"), "length"),
    "raw deflate": (lambda: coded(deflated(-15), "deflate"), "length"),
    "br": (lambda: coded(brotlied(), "br"), "decoded_too_large"),
    "zstd": (lambda: coded(zstandarded(), "zstd"), "decoded_too_large"),
    "gzip in gzip": (lambda: coded(gzip.compress(gzipped()), "gzip, gzip"), "decoded_too_large"),
    "gzip in br": (lambda: coded(brotli.compress(gzipped()), "gzip, br"), "decoded_too_large"),
    "zstd in zstd": (lambda: coded(zstandard.compress(zstandarded()), "zstd, zstd"), "decoded_too_large"),
    "a thousand members": (lambda: coded(gzip.compress(bytes(MIB)) * 500, "gzip"), "length"),
    "members with nothing in them": (
        lambda: coded(gzip.compress(gzip.compress(b"") * 9_000_000, 1), "gzip, gzip"),
        "decoded_too_large",
    ),
    "behind a megabyte of noise": (lambda: coded(behind_noise(), "gzip"), "length"),
    "an endless body": (lambda: endless(b"HTTP/1.1 200 OK\r\n\r\n", b"a" * MIB), "length"),
    "endless chunks": (lambda: endless(CHUNKED, b"100000\r\n" + b"a" * MIB + b"\r\n"), "length"),
    "endless chunks of a byte": (lambda: endless(CHUNKED, b"1\r\na\r\n" * 20_000), "length or timed_out"),
    "an endless chunk extension": (lambda: endless(CHUNKED + b"5;", b"a" * MIB), "timed_out"),
    "endless trailers": (lambda: endless(CHUNKED + b"0\r\n", b"X-T: t\r\n" * 9000), "malformed_response"),
    "an endless field": (lambda: endless(b"HTTP/1.1 200 OK\r\nX: ", b"a" * MIB), "malformed_response"),
    "a length of an exabyte": (
        lambda: endless(b"HTTP/1.1 200 OK\r\nContent-Length: 1152921504606846976\r\n\r\n", b"a" * MIB),
        "length",
    ),
}


def behind_noise():
    """Return a body whose ratio stays honest until the cap: the noise pays for the zeros."""
    import random

    return gzip.compress(random.Random(3).randbytes(4 * MIB) + bytes(256 * MIB), 6)


def test_there_are_twelve_at_least():
    assert len(BOMBS) >= 12


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_costs_its_cap_at_most(name):
    make, expected = BOMBS[name]
    with hostile({"/bomb": make(), "/small": ok(b"small")}) as server:
        command = [sys.executable, "-c", CHILD, str(server.port), str(CAP)]
        done = subprocess.run(command, capture_output=True, cwd=ROOT, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()
    came, grown_bytes, duration_s = json.loads(done.stdout)
    assert came in expected.split(" or "), (came, grown_bytes, duration_s)
    assert grown_bytes <= CAP + 64 * MIB, f"{grown_bytes / MIB:.0f} MiB"
    assert duration_s <= 10
