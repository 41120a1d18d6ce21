"""Lists of known-bad images, PDQ, and the reading of packs."""

import hashlib
import random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from real_images import photographs, skimage_folder

from filters.images.known import KnownBad, parse_known, pdq_hash
from manifests.integrity import IntegrityError
from manifests.store import open_store
from pipelines.images.packs import GAP_BYTES, chunks, read_payloads


def pixels(path, side=None) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB").resize((side, side)) if side else image.convert("RGB"))


def bits(a: bytes, b: bytes) -> int:
    return (int.from_bytes(a) ^ int.from_bytes(b)).bit_count()


def test_pdq_knows_a_picture_after_it_was_scaled_and_no_other():
    hashes = [pdq_hash(pixels(path)) for path in photographs()[:6]]
    scaled = [pdq_hash(pixels(path, 300)) for path in photographs()[:6]]
    for i, one in enumerate(hashes):
        found = [bits(one, other) <= 31 for other in scaled]
        assert found == [k == i for k in range(6)]


def test_pdq_of_a_mirrored_picture_differs_in_the_odd_waves_alone():
    """Left to right mirrored, every odd cosine wave changes its sign (PDQ, section on dihedral transforms)."""
    plain = pixels(skimage_folder() / "astronaut.png")
    one, other = (np.unpackbits(np.frombuffer(pdq_hash(p), np.uint8)) for p in (plain, plain[:, ::-1].copy()))
    differs = (one != other)[::-1].reshape(16, 16)
    shares = sorted([differs[:, 0::2].mean(), differs[:, 1::2].mean()])
    assert shares[0] < 0.2
    assert shares[1] > 0.8


def test_a_flat_picture_has_no_pdq():
    assert pdq_hash(np.full((100, 100, 3), 77, np.uint8)) is None


@given(st.lists(st.binary(min_size=32, max_size=32), max_size=12), st.randoms(use_true_random=False))
def test_a_hash_stands_on_a_list_where_few_enough_bits_differ(listed, rng):
    content = b"".join(one.hex().encode() + b"\n" for one in listed)
    known = parse_known(content, "pdq", 31)
    asked = [flipped(one, rng.randrange(0, 70), rng) for one in listed] + [None]
    expected = [asked_one is not None and any(bits(asked_one, one) <= 31 for one in listed) for asked_one in asked]
    assert known.matches(asked).tolist() == expected


def flipped(digest: bytes, count: int, rng: random.Random) -> bytes:
    number = int.from_bytes(digest)
    for place in rng.sample(range(256), count):
        number ^= 1 << place
    return number.to_bytes(32)


@pytest.mark.parametrize(
    ("content", "kind", "count"),
    [
        pytest.param(b"", "md5", 0, id="empty"),
        pytest.param(b"# words\n\n" + b"AB" * 16 + b",x\r\n" + b"ab" * 16, "md5", 1, id="letter case and comments"),
        pytest.param(b'"hash","quality"\n"' + b"0f" * 32 + b'",100\n', "pdq", 1, id="CSV with a header"),
        pytest.param(b"0f" * 32 + b"  file.jpg\n" + b"1f" * 32 + b"  b.jpg\n", "sha256", 2, id="as sha256sum prints"),
    ],
)
def test_lists_are_read_as_they_come(content, kind, count):
    assert len(parse_known(content, kind).hashes) == count


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        pytest.param(b"ab" * 16, "sha256", id="another kind of hash"),
        pytest.param(b"ab" * 32 + b"\nnothing\n", "sha256", id="words in the middle"),
        pytest.param(b"ab" * 33, "sha256", id="too long"),
        pytest.param(b"ab" * 32, "sha512", id="unknown kind"),
    ],
)
def test_a_list_that_is_none_is_refused(content, kind):
    with pytest.raises(ValueError, match="sha"):
        parse_known(content, kind)


def test_bytes_match_exactly():
    digest = hashlib.sha256(b"x").digest()
    known = KnownBad("sha256", 0, (digest,))
    assert known.matches([digest, None, bytes(32)]).tolist() == [True, False, False]


# ---- packs


class Counting:
    """A store that counts its reads."""

    def __init__(self, store):
        self.store, self.reads = store, 0

    def read_range(self, *arguments):
        self.reads += 1
        return self.store.read_range(*arguments)


@pytest.fixture
def packed(tmp_path):
    """A pack of 40 payloads, and their places in another order."""
    rng = random.Random(3)
    payloads = [rng.randbytes(rng.randrange(1, 4000)) for _ in range(40)]
    store = open_store(tmp_path)
    store.put_new("p.pack", b"".join(payloads))
    offset, rows = 0, []
    for number, payload in enumerate(payloads):
        digest = hashlib.sha256(payload).digest()
        size = len(payload)
        rows.append({"id": bytes([number]) * 16, "pack": "p.pack", "offset": offset, "stored_bytes": size})
        rows[-1]["stored_sha256"] = digest
        offset += size
    order = rng.sample(range(40), 40)
    return Counting(store), pa.Table.from_pylist([rows[k] for k in order]), [payloads[k] for k in order]


def test_neighbours_in_a_pack_are_read_at_once_and_come_in_the_order_that_was_asked_for(packed):
    store, places, payloads = packed
    assert read_payloads(store, places) == payloads
    assert store.reads == 1
    assert read_payloads(store, places.slice(0, 0)) == []


def test_what_lies_far_apart_is_read_apart(tmp_path):
    store = open_store(tmp_path)
    far = GAP_BYTES + 2
    store.put_new("p", b"a" + bytes(far) + b"b")
    digests = [hashlib.sha256(each).digest() for each in (b"a", b"b")]
    rows = [
        {"id": bytes(16), "pack": "p", "offset": at, "stored_bytes": 1, "stored_sha256": digest}
        for at, digest in zip((0, far + 1), digests, strict=True)
    ]
    counting = Counting(store)
    assert read_payloads(counting, pa.Table.from_pylist(rows)) == [b"a", b"b"]
    assert counting.reads == 2


def test_other_bytes_than_those_that_were_stored_are_named(packed):
    store, places, _ = packed
    wrong = places.slice(0, 1).to_pylist()
    wrong[0]["stored_sha256"] = bytes(32)
    with pytest.raises(IntegrityError, match="sha256"):
        read_payloads(store, pa.Table.from_pylist(wrong))


@given(st.lists(st.integers(0, 50)), st.integers(1, 60))
def test_chunks_cover_all_rows_once_and_hold_no_more_than_they_may(sizes, most):
    cut = list(chunks(sizes, most))
    assert [row for start, end in cut for row in range(start, end)] == list(range(len(sizes)))
    assert all(sum(sizes[start:end]) <= most or end - start == 1 for start, end in cut)
