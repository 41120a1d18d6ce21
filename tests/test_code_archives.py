"""Archives in memory: names that no reader may follow, bombs, damage; the same members whatever holds them."""

import bz2
import gzip
import io
import json
import lzma
import struct
import tarfile
import warnings
import zipfile
import zlib

import pyarrow as pa
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from filters.code.archives import ARCHIVE, read_batch
from manifests.limits import CodeLimits, Limits

BODY = b"x = 1\n"
UNSAFE = ["../x.py", "a/../../x.py", "/etc/passwd.py", "C:\\x.py", "a\nb.py", "d/" * 70 + "x.py", "n" * 1100 + ".py"]
SAFE = ["a.b.c.py", "__x__/y.py", "n" * 150 + ".py", "数/文.py", "a b.py", "..a/b..py"]


def read(payload, window=1 << 30, cursor=0, limits=None, code=None):
    columns = {
        "kind": ["archive"],
        "payload": [payload],
        "revision": [None],
        "cursor": [cursor],
        "only_licenses": [False],
    }
    batch = pa.RecordBatch.from_pydict({f.name: pa.array(columns[f.name], f.type) for f in ARCHIVE}, schema=ARCHIVE)
    code = code or CodeLimits(archive_window_bytes=window)
    done = read_batch(batch, limits or Limits(), code, lambda row: None)
    return done["members"].to_pylist(), json.loads(done["done"])


def fates(payload, **more):
    return [(row["path"], row["reason"] or row["what"]) for row in read(payload, **more)[0]]


def tar_of(members):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, body in members:
            info = tarfile.TarInfo(name)
            info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
    return out.getvalue()


def zip_of(members):
    out = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore")  # names that stand twice
        for name, body in members:
            archive.writestr(name, body)
    return out.getvalue()


def deb_of(members):
    parts = [(b"debian-binary", b"2.0\n"), (b"control.tar.xz", lzma.compress(tar_of([("control", b"x")])))]
    out = b"!<arch>\n"
    for name, body in [*parts, (b"data.tar.xz", lzma.compress(tar_of(members)))]:
        out += name.ljust(16) + b"0           0     0     100644  " + str(len(body)).encode().ljust(10) + b"`\n" + body
        out += b"\n" * (len(body) & 1)
    return out


FORMATS = {
    "tar": tar_of,
    "tar.gz": lambda members: gzip.compress(tar_of(members), mtime=0),
    "tar.bz2": lambda members: bz2.compress(tar_of(members)),
    "tar.xz": lambda members: lzma.compress(tar_of(members)),
    "tar.zst": lambda members: zstandard.compress(tar_of(members)),
    "zip": zip_of,
    "deb": deb_of,
}


@pytest.mark.parametrize("made", FORMATS)
def test_absurd_names_cost_themselves_and_odd_ones_stay(made):
    members = [(name, BODY) for name in [*UNSAFE, *SAFE]]
    reasons = [reason for _, reason in fates(FORMATS[made](members))]
    assert reasons == ["code_unsafe_path"] * len(UNSAFE) + ["file"] * len(SAFE)


@pytest.mark.parametrize("made", FORMATS)
def test_a_name_that_stands_twice_is_read_once(made):
    assert fates(FORMATS[made]([("a.py", BODY), ("a.py", b"y = 2\n")])) == [
        ("a.py", "file"),
        ("a.py", "code_duplicate_member"),
    ]


def test_a_name_that_is_no_utf8_is_told_escaped():
    ((path, reason),) = fates(tar_of([("\udcff\udcfe.py", BODY)]))
    assert (path, reason) == ("\\xff\\xfe.py", "code_unsafe_path")


ZEROS = [(f"{number}.c", bytes(2 << 20)) for number in range(8)]


@pytest.mark.parametrize("made", ["tar.gz", "tar.bz2", "tar.xz", "tar.zst", "zip", "deb"])
def test_a_bomb_ends_where_it_goes_off(made):
    rows, done = read(FORMATS[made](ZEROS))
    assert rows[-1]["reason"] == "code_archive_bomb"
    assert rows[-1]["limit"] in ("max_coding_ratio", "max_archive_expanded_bytes")
    assert rows[-1]["observed"] < 8 << 20
    assert done


def test_an_archive_inside_an_archive_is_a_file_and_never_opened():
    inner = FORMATS["tar.gz"](ZEROS)
    assert fates(zip_of([("inner.tar.gz", inner)])) == [("inner.tar.gz", "file")]


def test_too_many_members_end_an_archive():
    rows, _ = read(tar_of([(f"{n}.py", BODY) for n in range(12)]), code=CodeLimits(max_archive_members=10))
    assert [row["reason"] for row in rows[-2:]] == [None, "code_too_many_members"]


def test_a_zip_whose_member_is_larger_than_it_says_is_not_believed():
    body = bytes(range(256)) * 40
    payload = bytearray(zip_of([("a.py", body)]))
    at = payload.index(b"PK\x01\x02")
    struct.pack_into("<I", payload, at + 24, 10)
    struct.pack_into("<I", payload, 22, 10)
    assert [reason for _, reason in fates(bytes(payload))] != ["file"] or read(bytes(payload))[0][0]["payload"] != body


def test_an_encrypted_member_costs_itself():
    payload = bytearray(zip_of([("a.py", BODY), ("b.py", BODY)]))
    payload[payload.index(b"PK\x01\x02") + 8] |= 1
    assert fates(bytes(payload)) == [("a.py", "code_damaged_archive"), ("b.py", "file")]


def test_windows_give_the_same_members_as_one_reading():
    payload = FORMATS["tar.gz"]([(f"{n}.py", BODY * n) for n in range(1, 40)])
    whole, _ = read(payload)
    cut, done = [], False
    while not done:
        rows, done = read(payload, window=500, cursor=len(cut))
        cut += rows
    assert cut == whole


@given(st.sampled_from(sorted(FORMATS)), st.data())
def test_any_damage_is_told_and_nothing_is_raised(made, data):
    payload = bytearray(WHOLE[made])
    for _ in range(data.draw(st.integers(1, 3))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    payload = payload[: data.draw(st.integers(1, len(payload)))]
    rows, done = read(bytes(payload))
    assert done
    assert all(row["what"] in ("file", "fault", "skipped") for row in rows)


WHOLE = {made: pack([("a.py", BODY * 50), ("b/c.py", zlib.compress(BODY))]) for made, pack in FORMATS.items()}
