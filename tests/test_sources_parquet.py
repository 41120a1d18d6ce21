"""Parquet: rows of all row groups, damage found by page checksums, names and texts as JSONL has them."""

import io
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from corpora import LIMITS, MemoryStore, read_bytes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.sources import Columns, plan_units, read_unit

few = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
TEXTS = [f"Größe {i} " * 30 for i in range(100)]


def parquet(columns: dict[str, object], row_group: int = 10, **options: object) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file, row_group_size=row_group, write_page_checksum=True, **options)
    return file.getvalue()


@pytest.mark.parametrize("unit_bytes", [1, 2000, 1 << 28])
def test_units_of_any_size_give_every_row(unit_bytes: int):
    outcome = read_bytes("a.parquet", parquet({"text": TEXTS, "other": TEXTS}), unit_bytes=unit_bytes)
    assert [payload.decode() for payload in outcome.payloads] == TEXTS
    assert [row["uri"] for row in outcome.rows] == [f"in:a.parquet#{i}" for i in range(100)]


def test_real_pages_come_back(pages):
    bodies = [body for _, body in pages("installation-guide-arm64")[::10]]
    outcome = read_bytes("a.parquet", parquet({"text": [body.decode() for body in bodies]}, compression="zstd"))
    assert outcome.payloads == bodies


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.binary(), pa.dictionary(pa.int32(), pa.string()), pa.string_view()]
)
def test_every_kind_of_text_column_is_read(kind: pa.DataType):
    outcome = read_bytes("a.parquet", parquet({"text": pa.array(["a", "b", "a"]).cast(kind)}))
    assert outcome.payloads == [b"a", b"b", b"a"]


def test_rows_go_by_url_and_id():
    data = parquet({"text": ["a", "b", "c"], "url": ["https://a.example/", None, None], "id": ["x", "y", None]})
    assert [row["uri"] for row in read_bytes("a.parquet", data).rows] == [
        "https://a.example/",
        "in:a.parquet#y",
        "in:a.parquet#2",
    ]


def test_bad_texts_are_quarantined_row_by_row():
    outcome = read_bytes("a.parquet", parquet({"text": ["a", None, "b\0", "c"]}))
    assert outcome.reasons == ["empty_payload", "malformed_record"] and outcome.payloads == [b"a", b"c"]


def test_a_flipped_bit_costs_its_row_group():
    data = bytearray(parquet({"text": TEXTS}, compression="none", use_dictionary=False))
    at = data.index("Größe 37 ".encode())
    data[at + 3] ^= 1
    outcome = read_bytes("a.parquet", bytes(data))
    assert [payload.decode() for payload in outcome.payloads] == TEXTS[:30] + TEXTS[40:]
    assert outcome.reasons == ["damaged_container"]
    assert "10 rows lost" in outcome.quarantined[0]["detail"] and outcome.lost_bytes > 1000


@pytest.mark.parametrize("cut", [0, 3, 100, -1])
def test_a_file_without_its_directory_is_quarantined_whole(cut: int):
    data = parquet({"text": TEXTS})[:cut]
    outcome = read_bytes("a.parquet", data)
    assert outcome.reasons == ["damaged_container"] and outcome.lost_bytes == len(data)


@given(at=st.floats(0, 0.999999), bit=st.integers(0, 7))
@few
def test_a_flipped_bit_anywhere_never_crashes_and_alters_no_text(at: float, bit: int):
    data = bytearray(parquet({"text": TEXTS}))
    data[int(at * len(data))] ^= 1 << bit
    try:
        outcome = read_bytes("a.parquet", bytes(data))
    except ValueError as error:
        assert "no column" in str(error)
        return
    assert set(outcome.payloads) <= {text.encode() for text in TEXTS}


def test_a_file_without_the_text_column_is_a_wrong_configuration():
    with pytest.raises(ValueError, match=r"in:a\.parquet has no column 'body'; it has text"):
        read_bytes("a.parquet", parquet({"text": ["a"]}), columns=Columns(text="body"))


def test_a_file_of_no_rows_gives_none():
    outcome = read_bytes("a.parquet", parquet({"text": pa.array([], pa.string())}))
    assert outcome.events == 0


@given(st.integers(1, 30))
@few
def test_reading_again_from_a_cursor_gives_what_follows(rows: int):
    store, limits = MemoryStore({"a.parquet": parquet({"text": [*TEXTS[:40], None]})}), replace(LIMITS, batch_rows=rows)
    for unit in plan_units(store, "in", unit_bytes=1000):
        chunks = list(read_unit(store, unit, 0, limits))
        for i, chunk in enumerate(chunks):
            assert list(read_unit(store, unit, chunk.cursor, limits)) == chunks[i + 1 :]
