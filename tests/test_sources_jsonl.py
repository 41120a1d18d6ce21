"""JSON Lines: a bad line costs itself, and units, compression and cursors change nothing."""

import gzip
import json
import random
from dataclasses import replace

import pytest
import zstandard
from corpora import LIMITS, MemoryStore, Outcome, read_bytes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from manifests.limits import MIB
from pipelines.sources import Columns, plan_units, read_unit

few = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=200)


def line(text: object, **more: object) -> bytes:
    return json.dumps({"text": text, **more}, ensure_ascii=False).encode() + b"\n"


def texts_of(outcome: Outcome) -> list[str]:
    return [payload.decode() for payload in outcome.payloads]


@given(st.lists(texts, max_size=20), st.integers(1, 500), st.booleans())
@few
def test_units_of_any_size_give_the_same_records(written: list[str], unit_bytes: int, ended: bool):
    data = b"".join(map(line, written))
    data = data if ended else data.removesuffix(b"\n")
    whole, split = read_bytes("a.jsonl", data), read_bytes("a.jsonl", data, unit_bytes=unit_bytes)
    assert texts_of(whole) == texts_of(split) == written
    assert [row["uri"] for row in whole.rows] == [row["uri"] for row in split.rows]


@given(st.lists(texts, max_size=20), st.sampled_from([gzip.compress, zstandard.compress]))
@few
def test_compression_changes_nothing_but_the_name(written: list[str], compress):
    data = b"".join(map(line, written))
    suffix = ".gz" if compress is gzip.compress else ".zst"
    plain, packed = read_bytes("a.jsonl", data), read_bytes(f"a.jsonl{suffix}", compress(data))
    assert packed.payloads == plain.payloads
    assert [row["uri"].partition("#")[2] for row in packed.rows] == [row["uri"].partition("#")[2] for row in plain.rows]


@pytest.mark.parametrize(("name", "compress"), [("A.JSONL.GZ", gzip.compress), ("a.Jsonl.Zst", zstandard.compress)])
def test_a_suffix_in_capitals_is_read_as_the_plan_reads_it(name: str, compress):
    assert texts_of(read_bytes(name, compress(line("one") + line("two")))) == ["one", "two"]


def test_real_texts_come_back(pages):
    written = [body.decode() for _, body in pages("debian-handbook")[::30]]
    data = b"".join(map(line, written))
    assert texts_of(read_bytes("a.jsonl", data, unit_bytes=500_000)) == written
    assert texts_of(read_bytes("a.jsonl.zst", zstandard.compress(data))) == written


BAD = [
    pytest.param(b'{"text": "a\\u0000b"}\n', "malformed_record", id="U+0000"),
    pytest.param(b'{"text": "a\\ud800b"}\n', "malformed_record", id="a lone surrogate"),
    pytest.param(b'{"text": "a", "url": "\\udfff"}\n', "malformed_record", id="a lone surrogate in the name"),
    pytest.param(b'{"text": "\xff"}\n', "malformed_record", id="bytes that are no UTF-8"),
    pytest.param(b'{"text": "a"\n', "malformed_record", id="broken JSON"),
    pytest.param(b'["a"]\n', "malformed_record", id="no object"),
    pytest.param(b'{"body": "a"}\n', "malformed_record", id="no text"),
    pytest.param(b'{"text": 5}\n', "malformed_record", id="a number for a text"),
    pytest.param(b'{"text": null}\n', "empty_payload", id="null"),
    pytest.param(b'{"text": "a", "n": ' + b"1" * 5000 + b"}\n", "malformed_record", id="a number of 5,000 digits"),
    pytest.param(b'{"text": "a", "x": ' + b"[" * 100_000 + b"\n", "nesting_too_deep", id="100,000 brackets"),
    pytest.param(line(random.Random(1).randbytes(25 * MIB).hex()), "record_too_large", id="50 MB on one line"),
    pytest.param(line("a", url="x" * 5000), "malformed_record", id="a URL of 5 KB"),
    pytest.param(b"\0" * 100 + b"\n", "malformed_record", id="zeros"),
]


@pytest.mark.parametrize(("bad", "reason"), BAD)
def test_a_bad_line_is_quarantined_alone(bad: bytes, reason: str):
    for suffix, pack in (("", bytes), (".gz", lambda data: gzip.compress(data, 1))):
        outcome = read_bytes(f"a.jsonl{suffix}", pack(line("before") + bad + line("after")))
        assert outcome.reasons == [reason]
        assert texts_of(outcome) == ["before", "after"]
        assert outcome.quarantined[0]["uri"] == f"in:a.jsonl{suffix}#{len(line('before'))}"
        assert outcome.quarantined[0]["ordinal"] == 1


def test_a_long_line_is_counted_once_however_the_file_is_split():
    data = line("a") + line("x" * 50_000) + line("b") + line("y" * 60_000)
    limits = replace(LIMITS, max_record_bytes=10_000)
    for unit_bytes in (100, 7_000, 55_000, 1 << 20):
        outcome = read_bytes("a.jsonl", data, unit_bytes=unit_bytes, limits=limits)
        assert texts_of(outcome) == ["a", "b"]
        assert [row["bytes"] for row in outcome.quarantined] == [len(line("x" * 50_000)), len(line("y" * 60_000))]


def test_blank_lines_and_a_byte_order_mark_are_no_rows():
    outcome = read_bytes("a.jsonl", b"\xef\xbb\xbf" + line("a") + b"\n \r\n" + line("b").replace(b"\n", b"\r\n"))
    assert texts_of(outcome) == ["a", "b"] and outcome.events == 2


@pytest.mark.parametrize(
    ("more", "uri"),
    [
        pytest.param({"url": "https://a.example/", "id": "x"}, "https://a.example/", id="its url"),
        pytest.param({"id": "x"}, "in:a.jsonl#x", id="its id within the file"),
        pytest.param({"id": 7}, "in:a.jsonl#7", id="a number as id"),
        pytest.param({"url": ""}, "in:a.jsonl#0", id="its place"),
    ],
)
def test_a_row_goes_by(more: dict[str, object], uri: str):
    assert [row["uri"] for row in read_bytes("a.jsonl", line("a", **more)).rows] == [uri]


def test_the_names_of_the_fields_are_the_users():
    data = b'{"body": "a", "href": "https://a.example/"}\n'
    (row,) = read_bytes("a.jsonl", data, columns=Columns("body", "href", "key")).rows
    assert (row["payload"], row["uri"]) == (b"a", "https://a.example/")
    assert (row["media_type"], row["charset"]) == ("text/plain", "utf-8")


@given(st.integers(0, 11), st.integers(1, 5))
@few
def test_reading_again_from_a_cursor_gives_what_follows(count: int, rows: int):
    data = b"".join(line(str(i)) if i % 4 else b"broken\n" for i in range(count))
    store, limits = MemoryStore({"a.jsonl": data}), replace(LIMITS, batch_rows=rows)
    for unit in plan_units(store, "in", unit_bytes=60):
        chunks = list(read_unit(store, unit, 0, limits))
        for i, chunk in enumerate(chunks):
            assert list(read_unit(store, unit, chunk.cursor, limits)) == chunks[i + 1 :]


DIGITS = [str(random.Random(i).getrandbits(4000)) for i in range(100)]


@pytest.mark.parametrize(("suffix", "compress"), [(".gz", gzip.compress), (".zst", zstandard.compress)])
def test_a_stream_that_was_cut_gives_its_whole_lines_and_says_so(suffix: str, compress):
    packed = compress(b"".join(map(line, DIGITS)))
    outcome = read_bytes(f"a.jsonl{suffix}", packed[: len(packed) // 2])
    assert outcome.reasons == ["truncated_record"]
    assert texts_of(outcome) == DIGITS[: len(outcome.rows)]
    assert suffix == ".zst" or len(outcome.rows) > 20


@pytest.mark.parametrize(("suffix", "compress"), [(".gz", gzip.compress), (".zst", zstandard.compress)])
@given(at=st.floats(0, 0.999999), bit=st.integers(0, 7))
@few
def test_a_damaged_stream_is_quarantined_with_the_bytes_that_were_not_read(suffix: str, compress, at: float, bit: int):
    packed = bytearray(compress(b"".join(map(line, DIGITS))))
    packed[int(at * len(packed))] ^= 1 << bit
    outcome = read_bytes(f"a.jsonl{suffix}", bytes(packed))
    assert 0 <= outcome.lost_bytes <= len(packed)
    assert bool(outcome.lost_bytes) <= bool(outcome.quarantined)


@pytest.mark.parametrize(("suffix", "compress"), [(".gz", gzip.compress), (".zst", zstandard.compress)])
def test_a_stream_of_zeros_ends_at_the_ratio_limit(suffix: str, compress):
    outcome = read_bytes(f"a.jsonl{suffix}", compress(line("a") + bytes(100 * MIB)))
    assert "decoded_too_large" in outcome.reasons
    assert texts_of(outcome) == ["a"]


def test_members_one_behind_the_other_are_one_stream():
    for suffix, compress in ((".gz", gzip.compress), (".zst", zstandard.compress)):
        data = compress(line("a") + b'{"text": ') + compress(b'"b"}\n') + compress(b"") + compress(line("c"))
        assert texts_of(read_bytes(f"a.jsonl{suffix}", data)) == ["a", "b", "c"]
