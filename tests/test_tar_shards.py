"""Tar shards: one way to write a sample, nothing else is read, and damage is found where it is."""

import hashlib
import io
import tarfile

import pyarrow.parquet as pq
import pytest
import webdataset
from hypothesis import given
from hypothesis import strategies as st

from manifests.integrity import IntegrityError
from manifests.store import open_store
from manifests.tar_shards import (
    BLOCK,
    EXTENSIONS,
    Member,
    header,
    read_member,
    read_members,
    read_samples,
    write_tar,
    write_tar_shard,
)


def key_of(number):
    return hashlib.sha256(b"%d" % number).hexdigest()[:32]


def hundred():
    """100 samples of an image and its description, sizes around the block size."""
    keys = sorted(key_of(number) for number in range(100))
    return [(key, {"jpg": bytes([n]) * (450 + n), "json": b'{"n":%d}' % n}) for n, key in enumerate(keys)]


def tar_of(samples):
    file = io.BytesIO()
    write_tar(file, samples)
    return file.getvalue()


@pytest.fixture(scope="module")
def tar():
    return tar_of(hundred())


def damage(data):
    """Return what reading finds wrong, or None."""
    try:
        for _ in read_samples(io.BytesIO(data), "part-7.tar"):
            pass
    except IntegrityError as error:
        return error.problem
    return None


# Writing.


def test_the_standard_library_reads_the_same_samples(tar):
    read = {}
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        for member in archive:
            key, extension = member.name.split(".")
            read.setdefault(key, {})[extension] = archive.extractfile(member).read()
            assert (member.mtime, member.uid, member.gid, member.mode) == (0, 0, 0, 0o644)
            assert (member.uname, member.gname, member.isfile()) == ("", "", True)
    assert read == dict(hundred())


def test_webdataset_reads_the_same_samples(tar, tmp_path):
    (tmp_path / "part.tar").write_bytes(tar)
    dataset = webdataset.WebDataset(str(tmp_path / "part.tar"), shardshuffle=False)
    read = {sample["__key__"]: {name: sample[name] for name in ("jpg", "json")} for sample in dataset}
    assert read == dict(hundred())


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 8**11 - 1])
def test_a_header_is_the_one_that_the_standard_library_makes(size):
    info = tarfile.TarInfo(f"{key_of(1)}.jpg")
    info.size = size
    assert header(info.name, size) == info.tobuf(tarfile.USTAR_FORMAT)


samples_of_any_bytes = st.dictionaries(
    st.binary(min_size=16, max_size=16).map(bytes.hex),
    st.dictionaries(st.sampled_from(sorted(EXTENSIONS)), st.binary(max_size=1100), min_size=1, max_size=3),
    max_size=6,
)


@given(samples_of_any_bytes)
def test_what_is_written_is_read(samples):
    written = [(key, samples[key]) for key in sorted(samples)]
    assert list(read_samples(io.BytesIO(tar_of(written)), "t")) == written


@given(samples_of_any_bytes)
def test_the_order_in_which_a_sample_names_its_parts_changes_no_byte(samples):
    forth = [(key, samples[key]) for key in sorted(samples)]
    back = [(key, dict(reversed(parts.items()))) for key, parts in forth]
    assert tar_of(forth) == tar_of(back)


KEY = key_of(0)


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        pytest.param([("../x", {"txt": b""})], "32 lower-case hex", id="a path as key"),
        pytest.param([(KEY.upper(), {"txt": b""})], "32 lower-case hex", id="upper case"),
        pytest.param([(KEY + "\n", {"txt": b""})], "32 lower-case hex", id="a newline after the key"),
        pytest.param([(KEY[:31], {"txt": b""})], "32 lower-case hex", id="a short key"),
        pytest.param([(KEY, {"pyd": b""})], "'pyd' is not one of", id="a pickle"),
        pytest.param([(KEY, {"tar.gz": b""})], "'tar.gz' is not one of", id="a dotted extension"),
        pytest.param([(KEY, {})], "has no member", id="nothing in it"),
        pytest.param([(KEY, {"txt": b""}), (KEY, {"jpg": b""})], "a key comes once", id="a key twice"),
        pytest.param([("f" * 32, {"txt": b""}), (KEY, {"txt": b""})], "keys ascend", id="keys out of order"),
    ],
)
def test_the_writer_refuses(samples, message):
    with pytest.raises(ValueError, match=message):
        tar_of(samples)


def test_a_shard_is_stored_under_its_content_with_an_index_of_every_member(tmp_path):
    store, scratch = open_store(tmp_path / "out"), tmp_path / "scratch"
    shard, index = write_tar_shard(store, "images/data/part-00000-of-00001", "images", hundred(), scratch)
    data = store.read(shard.name)
    assert shard.sha256 == hashlib.sha256(data).hexdigest()
    assert (shard.kind, shard.bytes, shard.records) == ("images", len(data), 100)
    assert (shard.min_id, shard.max_id) == (hundred()[0][0], hundred()[-1][0])
    assert shard.name == f"images/data/part-00000-of-00001-{shard.sha256[:8]}.tar"
    assert not scratch.exists()

    rows = pq.read_table(store.open(index.name)).to_pylist()
    assert len(rows) == 200
    for row, (key, extension, offset, content) in zip(rows, read_members(io.BytesIO(data), "t"), strict=True):
        assert row["id"].hex() == key
        assert (row["extension"], row["offset"], row["bytes"]) == (extension, offset, len(content))
        assert data[row["offset"] : row["offset"] + row["bytes"]] == content
        assert row["sha256"] == hashlib.sha256(content).digest()


def test_the_same_samples_again_are_the_same_shard(tmp_path):
    store = open_store(tmp_path / "out")
    first, again = (write_tar_shard(store, "part", "images", hundred(), tmp_path / "scratch") for _ in range(2))
    assert first == again


def test_one_member_is_fetched_by_its_index_entry_and_checked(tmp_path):
    store, file = open_store(tmp_path), io.BytesIO()
    member = write_tar(file, hundred())[20]
    store.put_new("part.tar", file.getvalue())
    assert read_member(store, "part.tar", member) == hundred()[10][1]["jpg"]
    lying = Member(member.key, member.extension, member.offset, member.bytes, "0" * 64)
    with pytest.raises(IntegrityError, match=r"part.tar: sha256 of .*\.jpg at byte"):
        read_member(store, "part.tar", lying)


# Damage.


def test_every_bit_of_every_header_counts(tar):
    """All 4,096 bits of 8 headers spread over the shard, every 16th of the others."""
    starts = [offset - BLOCK for _, _, offset, _ in read_members(io.BytesIO(tar), "t")]
    assert len(starts) == 200
    for number, start in enumerate(starts):
        block = tar[start : start + BLOCK]
        for bit in range(8 * BLOCK) if number % 25 == 0 else range(number % 16, 8 * BLOCK, 16):
            flipped = bytearray(block)
            flipped[bit // 8] ^= 1 << bit % 8
            # The rest of the shard is left out where the header is refused by itself.
            found = damage(bytes(flipped) + tar[start + BLOCK : start + 3 * BLOCK])
            assert found is not None
            assert found.shard == "part-7.tar"
            assert found.offset < BLOCK, f"header {number}, bit {bit}"


def test_a_flipped_header_bit_is_found_at_its_header_in_the_whole_shard(tar):
    starts = [offset - BLOCK for _, _, offset, _ in read_members(io.BytesIO(tar), "t")]
    for place in range(0, len(starts) * 8 * BLOCK, 7919):
        header_number, bit = divmod(place, 8 * BLOCK)
        start = starts[header_number]
        flipped = bytearray(tar)
        flipped[start + bit // 8] ^= 1 << bit % 8
        found = damage(bytes(flipped))
        assert start <= found.offset < start + BLOCK


def test_a_thousand_cuts_are_all_found_without_a_manifest(tar):
    for cut in range(0, len(tar), max(1, len(tar) // 1000)):
        found = damage(tar[:cut])
        assert found is not None
        assert found.offset <= cut
    assert damage(tar) is None


@pytest.mark.parametrize(
    ("change", "what"),
    [
        pytest.param(lambda tar: tar + tar, "end of archive", id="two shards in one file"),
        pytest.param(lambda tar: tar + b"\0" * 512, "end of archive", id="zeros after the end"),
        pytest.param(lambda tar: tar[:1024] + tar[1536:], "member", id="a missing stretch"),
        pytest.param(lambda tar: b"", "length", id="nothing"),
        pytest.param(lambda tar: b"\0" * 100, "length", id="less than a block"),
        pytest.param(lambda tar: tar[:1024] + tar, "", id="a member twice"),
    ],
)
def test_a_shard_put_together_wrongly_is_refused(tar, change, what):
    assert what in damage(change(tar)).what


def test_members_of_two_samples_between_each_other_are_refused():
    (one, first), (two, second) = hundred()[:2]
    blocks = []
    for key, parts, extension in ((one, first, "jpg"), (two, second, "jpg"), (one, first, "json")):
        content = parts[extension]
        blocks += [header(f"{key}.{extension}", len(content)), content, bytes(-len(content) % BLOCK)]
    found = damage(b"".join(blocks) + bytes(1024))
    assert found.what == "order of members"


@pytest.mark.parametrize(
    "name",
    [
        "../etc/passwd",
        "/etc/passwd",
        f"{KEY}.pyd",
        f"{KEY}.pickle",
        f"__{KEY}__/x.jpg",
        f"{KEY}",
        f"{KEY}.jpg.exe",
        "é.jpg",
    ],
)
@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.CHRTYPE])
def test_foreign_members_are_refused_by_name_and_by_kind(name, kind):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        info = tarfile.TarInfo(name)
        info.type = kind
        archive.addfile(info)
    assert damage(file.getvalue()).offset < BLOCK
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        info = tarfile.TarInfo(f"{KEY}.jpg")
        info.type = tarfile.SYMTYPE
        info.linkname = "/etc/passwd"
        archive.addfile(info)
    assert damage(file.getvalue()).what == f"header of {KEY}.jpg"


def test_a_size_that_lies_costs_no_memory():
    found = damage(header(f"{KEY}.mp4", 8**11 - 1) + b"x" * 2000)
    assert found.what == "length"


@given(st.binary(max_size=3000))
def test_any_bytes_are_read_or_refused(data):
    damage(data)
