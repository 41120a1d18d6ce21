"""Models trained from counts equal SentencePiece's own from the raw text; hostile text is handled or named."""

import hashlib
import io
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import sentencepiece
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenizer.count import COUNTS, count_words, merge_counts
from tokenizer.model import parse_model, pieces, serialize_model
from tokenizer.rows import training_rows
from tokenizer.settings import TrainSettings
from tokenizer.table import read_counts, write_counts
from tokenizer.train import VocabularyTooLarge, VocabularyTooSmall, train

ROOT = Path(__file__).parent.parent
SMALL = TrainSettings(vocab_size=900, character_coverage=1.0, hard_limit=False)
# Letters of five scripts, marks that inherit their script, digits, white space, what the trainer keeps for itself.
HOSTILE = "ab\u00e9\u0301日本カー\u094d\u0915\u0e01\u0e48012０　 \n\t\r\0\x1f▁\U0001f600\ufffd\u00a0-<"
LINES = st.lists(st.sampled_from([*HOSTILE, "  ", "the", " the", "<s>", "<unk>", "<0x41>", "の本"]), max_size=40)


def counts_of(*texts: str) -> pa.RecordBatch:
    """Return the counts of texts that come in batches of two."""
    return merge_counts(count_words(pa.array(texts[i : i + 2])).counts for i in range(0, len(texts), 2))


def trained_on_raw_text(path: Path, options: TrainSettings) -> bytes:
    """Return the model that SentencePiece itself makes of a file."""
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        input=str(path),
        model_writer=written,
        add_dummy_prefix=options.add_dummy_prefix,
        **options.trainer_arguments(),
    )
    return written.getvalue()


@settings(max_examples=150)
@given(
    st.lists(LINES.map("".join), min_size=1, max_size=12),
    st.booleans(),
    st.booleans(),
    st.sampled_from([0, 1, 3, 31]),
)
def test_counts_train_what_the_raw_text_trains(tmp_path_factory, texts, bytes_fall_back, dummy_prefix, runs):
    options = TrainSettings(
        vocab_size=900,
        character_coverage=1.0,
        byte_fallback=bytes_fall_back,
        add_dummy_prefix=dummy_prefix,
        space_runs=runs,
        tab_runs=max(1, runs),
        hard_limit=False,
        user_symbols=("<s>x",),
    )
    texts.append("something to train from")
    path = tmp_path_factory.getbasetemp() / "raw.txt"
    path.write_text("\n".join(texts), "utf-8", newline="")
    ours = train([counts_of(*texts)], options).model
    assert pieces(ours).equals(pieces(trained_on_raw_text(path, options)))


def test_the_model_encodes_as_the_settings_say():
    trained = train([counts_of("the cat\nthe cat")], TrainSettings(900, add_dummy_prefix=True, hard_limit=False))
    assert parse_model(trained.model).normalizer_spec.add_dummy_prefix
    encoder = sentencepiece.SentencePieceProcessor(model_proto=trained.model)
    assert encoder.encode("the cat", out_type=str) == ["▁the", "▁cat"]


# --- text that the trainer would refuse, drop or take for something else


@pytest.mark.parametrize(
    ("text", "options", "lost"),
    [
        pytest.param("a\tb", {}, {"literal_pieces": 1}, id="a tab is a piece"),
        pytest.param("a\tb", {"tab_runs": 0}, {"tabs": 1}, id="a tab that is no piece can't be in a row"),
        pytest.param("a\t\t\tb", {"tab_runs": 2}, {"literal_pieces": 3}, id="a run is cut into the longest pieces"),
        pytest.param("a   b", {}, {"literal_pieces": 3}, id="a run of spaces is a piece"),
        pytest.param("a   b", {"space_runs": 2}, {"literal_pieces": 2}, id="its rest is a space"),
        pytest.param("a b", {}, {}, id="one space is none"),
        pytest.param("ab▅cd", {}, {"reserved": 1}, id="U+2585"),
        pytest.param("ab\0cd", {}, {"nul": 1}, id="NUL"),
        pytest.param("<bos>x<0x41>", {}, {"literal_pieces": 11}, id="names of pieces"),
        pytest.param("<0x41>", {"byte_fallback": False}, {}, id="no piece without byte fallback"),
        pytest.param("x<im>y<im", {"user_symbols": ("<im>",)}, {"literal_pieces": 4}, id="a symbol of one's own"),
    ],
)
def test_lost_characters_have_a_name(text, options, lost):
    batch = count_words(pa.array([text, text])).counts
    _, _, ledger = training_rows(batch, TrainSettings(900, **options))
    assert ledger.balanced
    named = ("literal_pieces", "tabs", "reserved", "nul")
    assert {n: getattr(ledger, n) for n in named} == {n: 2 * lost.get(n, 0) for n in named}


@given(st.lists(LINES.map("".join), max_size=6), st.booleans(), st.sampled_from([0, 1, 2, 31]))
def test_every_counted_character_is_trained_or_accounted_for(texts, dummy_prefix, runs):
    options = TrainSettings(900, add_dummy_prefix=dummy_prefix, tab_runs=runs, space_runs=runs)
    counts, ledger = count_words(pa.array(texts, pa.string()))
    words, numbers, trained = training_rows(counts, options)
    assert trained.balanced
    assert trained.characters == ledger.counted
    assert trained.added == (sum(bool(line) for t in texts for line in t.split("\n")) if dummy_prefix else 0)
    assert not any({"\t", "\n", "▅"} & set(word) for word in words.to_pylist())
    assert numbers.sum() == trained.words


@pytest.mark.parametrize("text", ["ab▅cd ab", "ab\0cd ab", "ab\tcd ab"], ids=repr)
def test_the_rest_of_a_word_with_a_lost_character_is_trained(text):
    batch = count_words(pa.array([text] * 9)).counts
    model = train([batch], TrainSettings(900, tab_runs=0, character_coverage=1.0, hard_limit=False)).model
    found = set(pieces(model)["piece"].to_pylist())
    assert {"ab", "cd", "▁ab"} <= found
    assert not any({"▅", "\0", "\t"} & set(piece) for piece in found)


def test_a_word_of_a_megabyte_is_a_row_like_others():
    text = pa.array(["日本語" * 120_000 + " a"])
    batch, ledger = count_words(text, max_word_bytes=1 << 21)
    assert ledger.over_long == 0
    trained = train([batch], SMALL)
    assert trained.ledger.trained == 360_002


# --- size of the vocabulary


def test_too_large_a_vocabulary_names_the_largest():
    counts = counts_of("the cat sat on the mat")
    with pytest.raises(VocabularyTooLarge, match=r"vocab_size=5000 .* largest possible is \d+") as refused:
        train([counts], TrainSettings(5000))
    largest = refused.value.largest
    assert len(pieces(train([counts], TrainSettings(largest)).model)) == largest
    with pytest.raises(VocabularyTooLarge):
        train([counts], TrainSettings(largest + 1))
    assert len(pieces(train([counts], TrainSettings(5000, hard_limit=False)).model)) == largest


def test_too_small_a_vocabulary_names_the_smallest():
    counts = counts_of("".join(map(chr, range(0x4E00, 0x4F00))))
    with pytest.raises(VocabularyTooSmall, match=r"vocab_size=400 is too small") as refused:
        train([counts], TrainSettings(400, character_coverage=1.0))
    smallest = refused.value.smallest
    assert len(pieces(train([counts], TrainSettings(smallest, character_coverage=1.0)).model)) == smallest


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"vocab_size": 200}, "leaves no room beside 352 fixed pieces"),
        ({"character_coverage": 0.9}, "not in"),
        ({"tab_runs": 32}, r"tab_runs=32 is not in \[0, 31\]"),
        ({"user_symbols": ("a b",)}, "'a b' is empty, or holds white space"),
        ({"user_symbols": ("",)}, "is empty"),
        ({"user_symbols": ("<s>", "<s>")}, "defined twice"),
        ({"control_symbols": ("<0x41>",)}, "defined twice"),
        ({"num_threads": 0}, "num_threads=0"),
        ({"max_piece_characters": 513}, "max_piece_characters=513"),
    ],
    ids=str,
)
def test_settings_that_can_not_serve_are_refused_at_once(options, message):
    with pytest.raises(ValueError, match=message):
        TrainSettings(**options)


@pytest.mark.parametrize("texts", [[], ["", "\n"]], ids=["no text", "only blank lines"])
def test_nothing_to_train_from_is_said(texts):
    with pytest.raises(ValueError, match="nothing to train from"):
        train([count_words(pa.array(texts, pa.string())).counts], SMALL)


def test_counts_that_the_trainer_could_not_add_are_refused():
    batch = pa.RecordBatch.from_pylist(
        [{"key": 1, "word": "ab", "count": 1 << 62, "line_starts": 0, "documents": 1, "capped": 1, "group": 0}],
        schema=COUNTS,
    )
    with pytest.raises(OverflowError, match="more than 2\\^62 characters"):
        train([batch], SMALL)


def test_huge_counts_train_as_small_ones():
    counts = counts_of("the cat sat on the mat", "the dog\nthe cat")
    huge = counts.set_column(2, "count", pc.multiply(counts["count"], 10**15))
    assert train([huge], SMALL).model == train([counts], SMALL).model


# --- same input, same bytes


TEXTS = [f"the {a} {b}\n  of {b}{a}" for a in ("cat", "dog", "本", "кот") for b in ("sat", "ran", "01", "の")]


def test_the_model_depends_on_neither_batches_nor_order_nor_threads(tmp_path):
    whole = counts_of(*TEXTS)
    model = train([whole], SMALL).model
    halves = [counts_of(*TEXTS[7:]), counts_of(*TEXTS[:7])]  # a word may come twice
    assert train(halves, SMALL).model == model
    threads = TrainSettings(900, character_coverage=1.0, hard_limit=False, num_threads=4)
    assert train([whole], threads).model == model
    write_counts(tmp_path / "counts.parquet", [whole])
    assert train(tmp_path / "counts.parquet", SMALL).model == model


PROGRAM = """
import hashlib, pathlib, sys
from tokenizer.settings import TrainSettings
from tokenizer.train import train
options = TrainSettings(900, character_coverage=1.0, hard_limit=False)
model = train(pathlib.Path(sys.argv[1]).name, options).model
print(hashlib.sha256(model).hexdigest())
"""


def test_the_model_is_the_same_in_another_process_and_folder(tmp_path):
    digests = {hashlib.sha256(train([counts_of(*TEXTS)], SMALL).model).hexdigest()}
    for name, seed in (("one", "0"), ("two", "1")):
        folder = tmp_path / name
        folder.mkdir()
        write_counts(folder / f"{name}.parquet", [counts_of(*TEXTS)])
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", PROGRAM, f"{name}.parquet"]
        done = subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, text=True)
        digests.add(done.stdout.strip())
    assert len(digests) == 1


def test_no_path_and_no_machine_is_in_the_model():
    message = parse_model(train([counts_of(*TEXTS)], SMALL).model)
    spec = message.trainer_spec
    assert not spec.input and not spec.model_prefix and not spec.HasField("num_threads")


# --- the counts table


def test_the_table_gives_the_counts_back(tmp_path):
    counts = counts_of(*TEXTS)
    write_counts(tmp_path / "t.parquet", [counts])
    [again] = read_counts(tmp_path / "t.parquet")
    assert again.equals(counts)


def test_the_table_depends_on_its_rows_alone(tmp_path, monkeypatch):
    monkeypatch.setattr("tokenizer.table.ROW_GROUP_ROWS", 7)
    counts = counts_of(*TEXTS)
    whole = write_counts(tmp_path / "a.parquet", [counts])
    cut = [counts.slice(i, 5) for i in range(0, counts.num_rows, 5)]
    assert write_counts(tmp_path / "b.parquet", cut) == whole
    assert hashlib.sha256((tmp_path / "b.parquet").read_bytes()).hexdigest() == whole


def test_a_table_out_of_order_is_refused(tmp_path):
    counts = counts_of(*TEXTS)
    upside_down = counts.take(pa.array(range(counts.num_rows)[::-1]))
    with pytest.raises(ValueError, match="keys don't ascend"):
        write_counts(tmp_path / "t.parquet", [upside_down])


def test_an_empty_table_is_one(tmp_path):
    write_counts(tmp_path / "t.parquet", [])
    assert not any(batch.num_rows for batch in read_counts(tmp_path / "t.parquet"))


def test_another_file_is_no_table(tmp_path):
    pq.write_table(pa.table({"word": ["a"]}), tmp_path / "t.parquet")
    with pytest.raises(ValueError, match="is no counts table"):
        read_counts(tmp_path / "t.parquet")


# --- the model file


def test_a_model_is_read_and_written_byte_for_byte(tmp_path):
    (tmp_path / "raw.txt").write_text("\n".join(TEXTS))
    theirs = trained_on_raw_text(tmp_path / "raw.txt", SMALL)
    assert serialize_model(parse_model(theirs)) == theirs


def test_pieces_are_those_that_sentencepiece_loads():
    model = train([counts_of(*TEXTS)], SMALL).model
    loaded = sentencepiece.SentencePieceProcessor(model_proto=model)
    listed = pieces(model).to_pylist()
    assert [row["piece"] for row in listed] == [loaded.id_to_piece(i) for i in range(loaded.get_piece_size())]
    assert [row["score"] for row in listed] == [loaded.get_score(i) for i in range(len(listed))]
    assert {row["type"] for row in listed} == {"normal", "unknown", "control", "user_defined", "byte"}


@pytest.mark.parametrize("damaged", [b"", b"not a model", b"\x0a\x03\x0a\x01"], ids=["empty", "text", "cut off"])
def test_bytes_that_are_no_model_are_refused(damaged):
    with pytest.raises(ValueError, match="are no SentencePiece model"):
        parse_model(damaged)
