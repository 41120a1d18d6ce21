"""The html5lib project's cases of encoding declarations, out of its source distribution, and where we differ."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from functools import cache
from pathlib import Path

from filters.charset import codec_of, decode
from pipelines.demo_input import exclusive, input_root

SDIST = "html5lib-1.1"
FOLDER = f"{SDIST}/html5lib/tests/testdata/encoding"
FILES = ("tests1.dat", "tests2.dat", "test-yahoo-jp.dat")
NO_DECLARATION = "windows-1252"  # what the suite expects where it sees no declaration, or one of this encoding
SAMPLES = ["é", "ąćł", "жшю", "日本語", "한국어", "ไทย", "אבג", "αβγ", "ابت"]


@cache
def suite() -> Path:
    """Return the folder of the cases, from the cache or from the package index."""
    final = input_root() / f"{SDIST}-encoding"
    with exclusive(SDIST):
        if not final.exists():
            with tempfile.TemporaryDirectory(dir=input_root(), prefix=f".{SDIST}-") as work:
                download(Path(work)).rename(final)
    return final


def download(work: Path) -> Path:
    """Fetch and unpack; the 2020 setup.py needs setuptools that still bring pkg_resources."""
    constraint = work / "constraint.txt"
    constraint.write_text("setuptools<80\n")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary=:all:", "--quiet", "html5lib==1.1"]
    constrained = {"PIP_CONSTRAINT": str(constraint), "PIP_BUILD_CONSTRAINT": str(constraint)}
    subprocess.run(command, cwd=work, env={**os.environ, **constrained}, check=True, capture_output=True, timeout=300)
    with tarfile.open(work / f"{SDIST}.tar.gz") as archive:
        archive.extractall(work, filter="data")
    shutil.rmtree(work / FOLDER / "chardet")
    return work / FOLDER


def cases() -> list[tuple[str, bytes, str]]:
    """Return (name, page, encoding that is expected) of every case."""
    found = []
    for file in FILES:
        blocks = re.split(rb"(?:\A|\n)#data\n", (suite() / file).read_bytes())[1:]
        for number, block in enumerate(blocks, 1):
            data, _, expected = block.partition(b"\n#encoding\n")
            found.append((f"{file}:{number}", data, expected.strip().decode().lower()))
    return found


LENIENT = (
    "a declaration that browsers overlook counts here: whoever wrote it meant it, and bytes that it can't be give way"
)
LATE = "a declaration counts within 1,024 bytes (HTML standard, 13.2.3.2); browsers start anew on a later one"
SCRIPTED = "no script is run"
CONTRADICTED = "the page is labelled EUC-JP and holds UTF-8: what decodes better counts"
DEVIATIONS = {
    **{f"tests1.dat:{number}": LENIENT for number in (11, 12, 13, *range(15, 22), 25, 26, 29, 30, 31, 34, 35, 36)},
    **{f"tests1.dat:{number}": LATE for number in range(48, 55)},
    "tests1.dat:55": SCRIPTED,
    "tests2.dat:5": LENIENT,
    "test-yahoo-jp.dat:1": CONTRADICTED,
}


def sample(codec: str) -> bytes:
    """Return bytes that are a word in `codec` and, unless that is it, no UTF-8; else every page would be ASCII."""
    for word in SAMPLES:
        encoded = word.encode(codec, "replace")
        if b"?" not in encoded and (codec == "utf-8" or b"\xef\xbf\xbd" in encoded.decode("utf-8", "replace").encode()):
            return encoded
    raise AssertionError(codec)


def agrees(data: bytes, expected: str) -> bool:
    """Say whether we read the page as the suite does: by the declaration that it sees, or by none."""
    codec = codec_of(expected)
    decoded = decode(data + b" " + sample(codec), None, is_markup=True)
    if expected == NO_DECLARATION:
        return decoded.encoding == codec or decoded.origin != "declaration"
    return (decoded.encoding, decoded.origin in ("declaration", "bom")) == (codec, True)


def test_the_suite_is_whole():
    assert len(cases()) == 83
    assert {expected for *_, expected in cases()} == {"windows-1252", "iso-8859-2", "utf-8", "euc-jp"}


def test_every_case_is_read_as_stated_but_for_those_that_are_explained():
    assert {name for name, data, expected in cases() if not agrees(data, expected)} == set(DEVIATIONS)


def test_nobody_is_misled_by_a_deviation_in_what_the_bytes_can_only_be():
    """Where we differ, a page in UTF-8 is UTF-8 all the same."""
    text = "日本語の文章です。" * 3
    for name, data, _ in cases():
        if name in DEVIATIONS and data.isascii():
            assert text in decode(data + text.encode(), None, is_markup=True).text.decode(), name
