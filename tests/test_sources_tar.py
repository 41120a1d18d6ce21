"""Tar: real archives as tar writes them, and every kind of damage that other readers end at in silence."""

import gzip
import io
import tarfile
from collections.abc import Callable
from dataclasses import replace

import pytest
import zstandard
from corpora import LIMITS, MemoryStore, read_bytes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.sources import plan_units, read_unit

few = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def archive(
    members: list[tuple[str, bytes]],
    form: int = tarfile.USTAR_FORMAT,
    change: Callable[[tarfile.TarInfo], None] | None = None,
) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form) as tar:
        for name, body in members:
            info = tarfile.TarInfo(name)
            info.size = len(body)
            if change:
                change(info)
            tar.addfile(info, io.BytesIO(body))
    return file.getvalue()


MEMBERS = [(f"d/{i:02d}.html", b"<p>%d" % i * (i * 40)) for i in range(20)]
SPANS = [512 + -(-len(body) // 512) * 512 for _, body in MEMBERS]


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize(("suffix", "compress"), [("", bytes), (".gz", gzip.compress), (".zst", zstandard.compress)])
def test_archives_of_real_pages_come_back(pages, form: int, suffix: str, compress):
    members = [(path, body) for path, body in pages("debian-handbook")[::60]]
    members += [(f"{'long/' * 40}ﬂügel-{i}.html", b"<p>") for i in range(3)] if form != tarfile.USTAR_FORMAT else []
    outcome = read_bytes(f"a.tar{suffix}", compress(archive(members, form)))
    assert [(row["uri"], row["payload"]) for row in outcome.rows] == [
        (f"in:a.tar{suffix}#{name}", body) for name, body in members
    ]
    assert not outcome.quarantined and not outcome.skipped


def test_members_are_sorted_into_records_skipped_and_folders():
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        folder = tarfile.TarInfo("d")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        for name in ("d/a.html", "d/b.png", "./d/c.md"):
            info = tarfile.TarInfo(name)
            info.size = 3
            tar.addfile(info, io.BytesIO(b"abc"))
    outcome = read_bytes("a.tar", file.getvalue())
    assert [(row["uri"], row["media_type"]) for row in outcome.rows] == [
        ("in:a.tar#d/a.html", "text/html"),
        ("in:a.tar#d/c.md", "text/markdown"),
    ]
    assert outcome.skipped == {"file_type": 1} and outcome.events == 3


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("../x.html", tarfile.REGTYPE),
        ("a/../../x.html", tarfile.REGTYPE),
        ("/etc/x.html", tarfile.REGTYPE),
        ("link.html", tarfile.SYMTYPE),
        ("hard.html", tarfile.LNKTYPE),
        ("device.html", tarfile.CHRTYPE),
        ("pipe.html", tarfile.FIFOTYPE),
    ],
)
def test_an_unsafe_member_is_quarantined_alone(name: str, kind: bytes):
    def change(info: tarfile.TarInfo) -> None:
        if info.name == name:
            info.type, info.linkname = kind, "/etc/passwd"

    outcome = read_bytes("a.tar", archive([("a.html", b"a"), (name, b""), ("b.html", b"b")], change=change))
    assert outcome.reasons == ["unsafe_member_name"] and outcome.payloads == [b"a", b"b"]


def test_a_member_beyond_the_limit_is_quarantined_and_the_next_is_read():
    outcome = read_bytes("a.tar", archive(MEMBERS), limits=replace(LIMITS, max_record_bytes=2000))
    assert outcome.payloads == [body for _, body in MEMBERS if len(body) <= 2000]
    assert set(outcome.reasons) == {"record_too_large"} and outcome.events == len(MEMBERS)


@given(member=st.integers(0, 19), at=st.integers(0, 511), bit=st.integers(0, 7))
@few
def test_a_flipped_bit_in_a_header_costs_that_member(member: int, at: int, bit: int):
    data = bytearray(archive(MEMBERS))
    data[sum(SPANS[:member]) + at] ^= 1 << bit
    outcome = read_bytes("a.tar", bytes(data))
    others = [body for i, (_, body) in enumerate(MEMBERS) if i != member]
    assert outcome.payloads == others, "every other member is read"
    assert outcome.reasons == ["damaged_container"]
    assert outcome.lost_bytes == SPANS[member]


@given(at=st.integers(0, sum(SPANS)))
@few
def test_a_cut_is_named_wherever_it_falls(at: int):
    outcome = read_bytes("a.tar", archive(MEMBERS)[:at])
    whole = sum(sum(SPANS[: i + 1]) <= at for i in range(len(SPANS)))
    assert len(outcome.rows) in (whole, whole + 1), "padding may be cut off"
    assert outcome.payloads == [body for _, body in MEMBERS[: len(outcome.rows)]]
    assert outcome.reasons in (["truncated_record"], ["damaged_container"]) or not at or at == sum(SPANS[:whole])


def test_a_cut_between_two_members_is_named():
    assert read_bytes("a.tar", archive(MEMBERS)[: sum(SPANS[:5])]).reasons == ["truncated_record"]


def test_archives_joined_by_cat_are_read_to_the_end():
    outcome = read_bytes("a.tar", archive(MEMBERS[:3]) + archive(MEMBERS[3:5]))
    assert outcome.payloads == [body for _, body in MEMBERS[:5]] and not outcome.quarantined


@pytest.mark.parametrize("data", [b"", b"\0" * 10240, b"<html>" * 999, b"\xff" * 700])
def test_what_is_no_archive_gives_no_record(data: bytes):
    outcome = read_bytes("a.tar", data)
    assert not outcome.rows and outcome.lost_bytes in (0, len(data))


def test_a_damaged_stream_gives_what_came_before():
    packed = gzip.compress(archive([(f"{i}.html", bytes(str(i) * 99, "ascii")) for i in range(999)]))
    outcome = read_bytes("a.tar.gz", packed[: len(packed) // 2])
    assert 100 < len(outcome.rows) < 900
    assert outcome.reasons == ["truncated_record"]


@given(st.integers(1, 7))
@few
def test_reading_again_from_a_cursor_gives_what_follows(rows: int):
    data = bytearray(archive(MEMBERS))
    data[sum(SPANS[:4]) + 3] ^= 1
    store, limits = MemoryStore({"a.tar": bytes(data)}), replace(LIMITS, batch_rows=rows)
    (unit,) = plan_units(store, "in")
    chunks = list(read_unit(store, unit, 0, limits))
    for i, chunk in enumerate(chunks):
        assert list(read_unit(store, unit, chunk.cursor, limits)) == chunks[i + 1 :]
