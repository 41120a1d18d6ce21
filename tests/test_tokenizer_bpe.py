"""Our trainer against SentencePiece's on the same rows and on raw text, and against a recount of every pair."""

import io
import itertools
from collections import Counter

import corpora
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import sentencepiece
from hypothesis import given, settings
from hypothesis import strategies as st
from resiliparse.extract.html2text import extract_plain_text

import tokenizer.chunks
import tokenizer.rows
from tokenizer.alphabet import alphabet
from tokenizer.bpe import learn
from tokenizer.chunks import Gathering, letters_of
from tokenizer.count import count_words, merge_counts
from tokenizer.model import pieces
from tokenizer.rows import training_rows
from tokenizer.scripts import INHERITED, scripts
from tokenizer.settings import TrainSettings
from tokenizer.train import VocabularyTooLarge, VocabularyTooSmall, train

# Letters of six scripts, marks that inherit theirs, digits of three kinds, white space, the trainer's own signs.
SIGNS = "aab\u00e9\u0301\u0301日本カー\u094d\u0915\u0e01\u0e48012०　 \n\t\r\0\x1f▁▅\U0001f600\ufffd\u00a0-<\u0589\u0953"
TEXT = st.lists(st.sampled_from([*SIGNS, "  ", "the", " the", "aaaa", "<s>", "<0x41>", "の本", "é́日"]), max_size=40)
LOCALES = ("en-US", "ja-JP", "zh-CN", "ko-KR", "ar-MA", "fa-IR", "ru-RU", "el-GR", "vi-VN")


@pytest.fixture(scope="module")
def texts() -> list[str]:
    """Give every fourth page of a manual in nine languages."""
    pages = [p for p in corpora.pages("debian-handbook") if p[0].split("/")[0] in LOCALES][::4]
    return [extract_plain_text(page.decode()) for _, page in pages]


@pytest.fixture(scope="module")
def counts(texts) -> pa.RecordBatch:
    return count_words(pa.array(texts)).counts


def both(counts: pa.RecordBatch, options: TrainSettings) -> tuple[bytes, bytes]:
    """Return our model and SentencePiece's, from the same rows."""
    return train([counts], options).model, train([counts], options, engine="sentencepiece").model


@settings(max_examples=150)
@given(
    st.lists(TEXT.map("".join), max_size=10), st.booleans(), st.booleans(), st.booleans(), st.sampled_from([1, 3, 16])
)
def test_hostile_rows_give_the_bytes_of_sentencepiece(texts, digits, spaces, dummy_prefix, longest):
    options = TrainSettings(
        vocab_size=900,
        character_coverage=0.98,
        split_digits=digits,
        allow_whitespace_only_pieces=spaces,
        space_runs=2 if spaces else 0,
        add_dummy_prefix=dummy_prefix,
        max_piece_characters=longest,
        hard_limit=False,
    )
    ours, theirs = both(count_words(pa.array([*texts, "something to train from"])).counts, options)
    assert ours == theirs


LONG = pytest.mark.long
OPTIONS = {
    "as it is": {},
    "digits in pieces": {"split_digits": False},
    "dummy prefix": {"add_dummy_prefix": True},
    "no pieces of white space": {"allow_whitespace_only_pieces": False, "space_runs": 0, "tab_runs": 0},
    "no byte fallback": {"byte_fallback": False},
    "short pieces, symbols": {"max_piece_characters": 4, "user_symbols": ("<im>", "the"), "control_symbols": ("<c>",)},
    "every character": {"character_coverage": 1.0},
}


@pytest.mark.parametrize("size", [4000, pytest.param(16_000, marks=LONG), pytest.param(64_000, marks=LONG)])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_real_pages_give_the_bytes_of_sentencepiece(counts, size, options):
    ours, theirs = both(counts, TrainSettings(size, hard_limit=False, **options))
    assert ours == theirs


@pytest.mark.parametrize("size", [1000, 8000, *(pytest.param(size, marks=LONG) for size in (32_000, 64_000))])
def test_counts_give_the_pieces_of_the_raw_text(counts, texts, tmp_path, size):
    options = TrainSettings(size, character_coverage=0.98 if size == 1000 else 0.9999, hard_limit=False)
    (tmp_path / "raw.txt").write_text("\n".join(texts), "utf-8", newline="")
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        input=str(tmp_path / "raw.txt"), model_writer=written, add_dummy_prefix=False, **options.trainer_arguments()
    )
    assert pieces(train([counts], options).model).equals(pieces(written.getvalue()))


# --- an oracle that recounts every pair before each merge


def recounted(words: dict[str, int], merges: int) -> list[str]:
    """Merge the commonest pair again and again; ties go to the shorter, then the smaller text."""
    cut = {word: list(word) for word in words}
    found: list[str] = []
    while len(found) < merges:
        counted: Counter[tuple[str, str]] = Counter()
        for word, symbols in cut.items():
            for pair in itertools.pairwise(symbols):
                counted[pair] += words[word]
        new = {pair: n for pair, n in counted.items() if "".join(pair) not in found and len("".join(pair)) <= 16}
        if not new:
            break
        best = min(new, key=lambda pair: (-new[pair], len("".join(pair)), "".join(pair)))
        found.append("".join(best))
        for symbols in cut.values():
            at = 0
            while at + 1 < len(symbols):
                if (symbols[at], symbols[at + 1]) == best:
                    symbols[at : at + 2] = ["".join(best)]
                at += 1
    return found


@given(st.dictionaries(st.text("abc", min_size=1, max_size=12), st.integers(1, 9), min_size=1, max_size=9))
def test_merges_are_those_of_a_full_recount(words):
    rows = pa.array(words), np.array([*words.values()], np.int64)
    options = TrainSettings(100_000, character_coverage=1.0, hard_limit=False)
    expected = recounted(words, 12)
    assert learn([rows], options).merges[: len(expected)] == expected


# --- what would go wrong without the rules


def test_without_the_rule_of_inherited_marks_the_model_differs(monkeypatch):
    counts = count_words(pa.array(["a\u0301\u0301本 a\u0301\u0301本 \u0301本 \u0301本"])).counts
    options = TrainSettings(900, character_coverage=1.0, hard_limit=False)
    ours, theirs = both(counts, options)
    assert ours == theirs
    blind = scripts().copy()
    blind[0x301] = 999
    monkeypatch.setattr(tokenizer.chunks, "scripts", lambda: blind)
    assert train([counts], options).model != theirs


def test_without_the_rule_of_literal_pieces_the_model_differs(monkeypatch):
    text = "<bos>; " * 9 + ">; " * 4 + "<bos>x"
    counts = count_words(pa.array([text])).counts
    options = TrainSettings(900, character_coverage=1.0, hard_limit=False)
    ours, theirs = both(counts, options)
    assert ours == theirs
    monkeypatch.setattr(tokenizer.rows, "literal_pattern", lambda _: "never in the text")
    assert train([counts], options).model != theirs


# --- chunks, scripts, alphabet


def chunks_of(words: dict[str, int], **options: bool) -> dict[str, int]:
    """Return the chunks of words and their counts."""
    chosen = TrainSettings(900, **options)
    points = np.array(sorted({ord(c) for word in words for c in word}))
    gathering = Gathering(letters_of(points, chosen))
    text = pa.array(words)
    gathering.add(*tokenizer.bpe.string_buffers(text), np.array([*words.values()], np.int64))
    found = gathering.chunks()
    spelt = "".join(chr(points[k - 1]) if k else "\0" for k in found.letters.tolist()).strip("\0").split("\0")
    return dict(zip(spelt, found.counts.tolist(), strict=True))


@pytest.mark.parametrize(
    ("word", "chunks"),
    [
        pytest.param("▁abc", {"▁abc": 2}, id="a word"),
        pytest.param("▁日本のabc", {"▁日本の": 2, "abc": 2}, id="a script ends; kana and Han are one"),
        pytest.param("▁ab12cd", {"▁ab": 2, "cd": 2}, id="digits stand alone"),
        pytest.param("▁▁▁ab", {"▁▁▁ab": 2}, id="a run of spaces stays with its word"),
        pytest.param("ab,cd", {"ab": 2, "cd": 2}, id="a sign is a script of its own"),
        pytest.param("a\u0301日本", {"a\u0301日本": 2}, id="nothing ends beside a mark"),
        pytest.param("ab日ab", {"ab": 4}, id="equal chunks add up"),
    ],
)
def test_words_are_cut_where_nothing_merges(word, chunks):
    assert chunks_of({word: 2}) == chunks


def test_digits_stay_when_they_are_not_split():
    assert chunks_of({"▁12ab": 1}, split_digits=False) == {"▁12": 1, "ab": 1}


def test_scripts_are_those_of_unicode_9(unicode_data):
    age, script = properties(unicode_data / "DerivedAge.txt"), properties(unicode_data / "Scripts.txt")
    old = {point: script.get(point, "Common") for point, version in age.items() if float(version) <= 9.0}
    numbers: dict[str, set[int]] = {}
    odd = {0x589, 0x61C, 0x953, 0x954, 0x30FC}  # as the trainer has them
    for point, name in old.items():
        if point not in odd:
            numbers.setdefault("Han" if name in ("Hiragana", "Katakana") else name, set()).add(int(scripts()[point]))
    assert {name for name, found in numbers.items() if len(found) != 1} == set()
    assert len({min(found) for found in numbers.values()}) == len(numbers)
    assert numbers["Inherited"] == {INHERITED}


def properties(path) -> dict[int, str]:
    """Return the property of each code point that a file of Unicode's names."""
    found = {}
    for line in path.read_text("utf-8").splitlines():
        if ";" in line.split("#")[0]:
            points, value = (part.strip() for part in line.split("#")[0].split(";"))
            first, _, last = points.partition("..")
            found.update(dict.fromkeys(range(int(first, 16), int(last or first, 16) + 1), value))
    return found


def test_the_alphabet_covers_its_share_and_no_more():
    tally = np.zeros(0x110000, np.int64)
    tally[[ord("b"), ord("a"), ord("c"), 0]] = 60, 39, 1, 1000
    assert alphabet(tally, 0.99).tolist() == [ord("b"), ord("a")]
    assert alphabet(tally, 1.0).tolist() == [ord("b"), ord("a"), ord("c")]


# --- size, order, counts


@pytest.mark.parametrize(("size", "error"), [(5000, VocabularyTooLarge), (355, VocabularyTooSmall)])
def test_sizes_that_can_not_be_are_refused_in_the_same_words(size, error):
    counts = count_words(pa.array(["the cat sat on the mat"])).counts
    said = set()
    for engine in ("own", "sentencepiece"):
        with pytest.raises(error) as refused:
            train([counts], TrainSettings(size), engine=engine)
        said.add(str(refused.value))
    assert len(said) == 1


def test_counts_of_10_to_the_15_merge_as_small_ones(counts):
    options = TrainSettings(8000)
    huge = counts.set_column(2, "count", pc.multiply(counts["count"], 10**9))
    small = counts.set_column(2, "count", pc.multiply(counts["count"], 1))
    assert pc.max(huge["count"]).as_py() > 10**12
    assert train([huge], options).model == train([small], options).model


def test_any_order_and_cut_of_the_rows_gives_the_same_bytes(counts):
    options = TrainSettings(6000)
    order = np.argsort(-counts["count"].to_numpy(), kind="stable")
    turned = counts.take(pa.array(order))
    parts = [turned.slice(at, 999) for at in range(0, turned.num_rows, 999)]
    assert train(parts, options).model == train([counts], options).model


def test_a_word_counted_twice_is_one_counted_once(counts):
    options = TrainSettings(6000)
    twice = merge_counts([counts, counts])
    rows = [training_rows(part, options)[:2] for part in (counts, counts)]
    assert learn(rows, options) == learn([training_rows(twice, options)[:2]], options)
