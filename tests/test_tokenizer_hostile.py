"""Text and tables that break trainers: each is handled, or refused by name; no character is lost without one."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import sentencepiece

from tokenizer.count import COUNTS, count_words
from tokenizer.model import pieces
from tokenizer.pieces_report import unreachable
from tokenizer.settings import TrainSettings
from tokenizer.table import checked, read_counts, write_counts
from tokenizer.train import train

SMALL = TrainSettings(900, character_coverage=1.0, hard_limit=False)
AROUND = "the cat sat on the mat, 日本語のテキスト และไทย हिन्दी مرحبا "
# text, fields of the two ledgers that name what became of it
HOSTILE = {
    "a tab in a word": ("a\tb", {"literal_pieces": 1}),
    "a run of tabs": ("\t\t\ta", {"literal_pieces": 3}),
    "a newline in a word": ("a\nb", {"newlines": 1}),
    "a run of newlines": ("a\n\n\n\nb", {"newlines": 4}),
    "a carriage return before a newline": ("a\r\nb", {"newlines": 1}),
    "NUL": ("a\0b", {"nul": 1}),
    "U+2581": ("a▁b", {"literal_space_symbols": 1}),
    "U+2585": ("a▅b", {"reserved": 1}),
    "the name of the beginning": ("x<bos>y", {"literal_pieces": 5}),
    "the name of a byte": ("x<0x41>y", {"literal_pieces": 6}),
    "the name of the unknown": ("<unk><unk>", {"literal_pieces": 10}),
    "a symbol of one's own": ("x<im>y", {"literal_pieces": 4}),
    "the trainer's boundary": ("a\x1fb", {}),
    "invalid bytes, as readers leave them": (b"a\xff\xfeb".decode("utf-8", "replace"), {}),
    "an over-long word": ("x" * 5000, {"over_long": 5000}),
    "an over-long word of Japanese": ("日本" * 2000, {"over_long": 4000}),
    "a run of spaces": ("a" + " " * 70 + "b", {"literal_pieces": 70}),
    "nothing but marks": ("\u0301\u0301\u0301", {}),
    "no character of Unicode's": ("\ufdd0\U0010ffff", {}),
    "right to left and back": ("\u202eabc\u202c", {}),
    "zero width": ("a\u200bb\u200dc\ufeffd", {}),
}
OPTIONS = TrainSettings(900, character_coverage=1.0, hard_limit=False, user_symbols=("<im>",))


@pytest.mark.parametrize(("text", "named"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_is_counted_or_named_and_comes_back(text, named):
    counted = count_words(pa.array([AROUND * 3, text, text]), max_word_bytes=4096)
    trained = train([counted.counts], OPTIONS)
    assert counted.ledger.balanced
    assert trained.ledger.balanced
    assert trained.ledger.characters == counted.ledger.counted
    fields = {**vars(counted.ledger), **vars(trained.ledger)}
    lost = ("newlines", "over_long", "literal_space_symbols", "literal_pieces", "tabs", "reserved", "nul")
    assert {name: fields[name] for name in lost if fields[name]} == {name: 2 * n for name, n in named.items()}
    loaded = sentencepiece.SentencePieceProcessor(model_proto=trained.model)
    expected = text.replace("▁", " ")
    assert loaded.decode(loaded.encode(text)) == expected
    assert not unreachable(trained.model)
    assert not [p for p in pieces(trained.model)["piece"].to_pylist() if {"\0", "▅", "\r\n"} & {*p, p}]


def test_a_lone_surrogate_is_no_text():
    with pytest.raises(UnicodeEncodeError):
        pa.array(["a\ud800b"], pa.string())


def row(**changed: object) -> pa.RecordBatch:
    """Return a table of one word with some of its columns changed."""
    values = {"key": 7, "word": "cat", "count": 5, "line_starts": 1, "documents": 2, "capped": 5, "group": 0}
    return pa.RecordBatch.from_pylist([{**values, **changed}], schema=COUNTS)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        pytest.param({"count": 0}, "a word counts 0", id="count 0"),
        pytest.param({"count": -5}, "a word counts -5", id="count below 0"),
        pytest.param({"word": "a\nb"}, "or a newline, which ends words", id="newline"),
        pytest.param({"word": "a b"}, "holds a space", id="space"),
        pytest.param({"word": None}, "has no value", id="no word"),
        pytest.param({"line_starts": 6}, "line_starts of a word is below 0 or above", id="more openings than uses"),
        pytest.param({"documents": -1}, "documents of a word is below 0", id="texts below 0"),
    ],
)
def test_rows_that_can_not_be_are_refused_by_name(changed, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        checked(row(**changed), "t")
    write_counts(tmp_path / "t", [row(**changed)])
    with pytest.raises(ValueError, match=message):
        list(read_counts(tmp_path / "t"))


def test_words_of_invalid_bytes_are_refused():
    broken = pa.StringArray.from_buffers(1, pa.py_buffer(np.array([0, 2], np.int32)), pa.py_buffer(b"\xe3\x81"))
    with pytest.raises(ValueError, match="a word is no UTF-8"):
        checked(row().set_column(1, COUNTS.field("word"), broken), "t")


def test_counts_that_are_no_whole_numbers_are_no_table(tmp_path):
    pq.write_table(pa.Table.from_batches([row()]).set_column(2, "count", pa.array([1.5])), tmp_path / "t")
    with pytest.raises(ValueError, match="is no counts table"):
        read_counts(tmp_path / "t")


def test_counts_of_a_quadrillion_are_added_and_trained_exactly():
    counts = count_words(pa.array([AROUND * 5])).counts
    huge = counts.set_column(2, COUNTS.field("count"), pc.multiply(counts["count"], 10**15))
    assert train([huge, huge], SMALL).model == train([counts], SMALL).model
    assert train([huge], SMALL).ledger.trained == train([counts], SMALL).ledger.trained * 10**15
