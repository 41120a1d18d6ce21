"""Real pages in ten scripts and real code: equal to the trainer's own model, lossless, and sensible in Japanese."""

import io
import random
import re
import statistics
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import sentencepiece
from resiliparse.extract.html2text import extract_plain_text

from filters.segmentation import segment
from tokenizer.count import characters, count_words, merge_counts
from tokenizer.evaluate import ALL, RATIOS, Compression, Encoder, add_up, as_table, evaluate, evaluate_batch
from tokenizer.model import pieces
from tokenizer.settings import TrainSettings
from tokenizer.train import train

LOCALES = ("en-US", "ja-JP", "zh-CN", "zh-TW", "ko-KR", "ar-MA", "fa-IR", "ru-RU", "el-GR", "vi-VN", "de-DE")
# Scripts that the manuals don't have: words drawn from these syllables, the short ones more often.
SYLLABLES = {
    "th": "กา รบ ที่ เป็น ได้ ใน ของ คน ไทย ระบบ แฟ้ม ข้อมูล เครื่อง คือ และ ไม่ มี ให้ ว่า จะ",
    "hi": "क्या है में के लिए से को और हिं दी का की फ़ाइल प्र णाली पर एक नहीं कि यह",
    "my": "မြန် မာ ကို သည် များ ၏ တွင် နှင့် ဖြစ် ပါ",
}


@pytest.fixture(scope="session")
def corpus(pages) -> dict[str, list[str]]:
    """Texts by language: every ninth page of the handbook, the standard library's code, three more scripts."""
    texts: dict[str, list[str]] = {}
    for path, page in pages("debian-handbook"):
        texts.setdefault(path.split("/")[0], []).append(page.decode())
    chosen = {name: [extract_plain_text(page) for page in texts[name][::9]] for name in LOCALES}
    return {**chosen, "code": code(), **{name: [made_up(name)] for name in SYLLABLES}}


def code() -> list[str]:
    """Return twelve files of the standard library: indentation, tabs, literal pieces of its own."""
    files = sorted(Path(statistics.__file__).parent.glob("*.py"))
    return [path.read_text("utf-8") for path in files[::13]][:12]


def made_up(name: str) -> str:
    """Return 300 lines of words in a script."""
    rng, syllables = random.Random(name), SYLLABLES[name].split()
    weights = [1 / rank for rank in range(1, len(syllables) + 1)]
    words = [[*rng.choices(syllables, weights, k=rng.randint(1, 5))] for _ in range(300)]
    joint = "" if name != "hi" else " "
    return "\n".join(joint.join("".join(rng.choice(words)) for _ in range(rng.randint(1, 12))) for _ in range(300))


def all_texts(corpus) -> list[str]:
    return [text for texts in corpus.values() for text in texts]


@pytest.fixture(scope="session")
def counts(corpus) -> pa.RecordBatch:
    """Counts of the corpus, from batches of five texts."""
    texts = all_texts(corpus)
    parts = [count_words(pa.array(texts[i : i + 5])) for i in range(0, len(texts), 5)]
    assert all(part.ledger.balanced and not part.ledger.over_long for part in parts)
    return merge_counts(part.counts for part in parts)


@pytest.fixture(scope="session")
def raw_lines(corpus, tmp_path_factory) -> Path:
    """Give the same texts as a file of lines."""
    path = tmp_path_factory.mktemp("raw") / "lines.txt"
    path.write_text("\n".join(all_texts(corpus)), "utf-8", newline="")
    return path


@pytest.fixture(scope="session")
def model(counts) -> bytes:
    """Return an 8,192-piece model of the corpus."""
    return train([counts], TrainSettings(8192)).model


# size, coverage: the alphabet of these scripts needs 2,500 pieces at 0.9999
SIZES = [(1000, 0.98), (4000, 0.9995), (8192, 0.9999)]


@pytest.mark.parametrize(
    ("size", "byte_fallback", "dummy_prefix"),
    list(product(SIZES, [True, False], [True, False])),
    ids=str,
)
def test_the_model_from_counts_is_the_model_from_raw_lines(counts, raw_lines, size, byte_fallback, dummy_prefix):
    options = TrainSettings(
        *size,
        byte_fallback=byte_fallback,
        add_dummy_prefix=dummy_prefix,
        **({"newline_runs": 2, "tab_runs": 2, "space_runs": 8} if size[0] == 1000 else {}),
    )
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        input=str(raw_lines), model_writer=written, add_dummy_prefix=dummy_prefix, **options.trainer_arguments()
    )
    ours, theirs = train([counts], options), pieces(written.getvalue())
    assert pieces(ours.model).equals(theirs)  # id, piece, score and type
    assert len(theirs) == size[0]
    assert ours.ledger.balanced
    assert not ours.ledger.tabs and not ours.ledger.reserved


def test_characters_of_the_corpus_are_counted_exactly(corpus, counts):
    expected: dict[str, int] = {}
    for text in all_texts(corpus):
        for character in text.replace(" ", "▁"):
            expected[character] = expected.get(character, 0) + 1
    del expected["\n"]
    assert {row["character"]: row["count"] for row in characters([counts]).to_pylist()} == expected


# --- what the model does to the texts


def test_every_text_comes_back_as_it_was(corpus, model):
    batches = [(pa.array(texts), pa.array([name] * len(texts)), None) for name, texts in corpus.items()]
    measured = evaluate(model, batches)
    assert set(measured) == {*corpus, ALL}
    assert {name: m.lossless_fraction for name, m in measured.items()} == dict.fromkeys(measured, 1.0)
    assert {name: m.unknown_tokens for name, m in measured.items()} == dict.fromkeys(measured, 0)


def test_measures_are_those_of_a_plain_reading(corpus, model):
    texts = [*corpus["ja-JP"], *corpus["en-US"], "", "\U00013000 outside the alphabet"]
    language = ["ja"] * len(corpus["ja-JP"]) + ["en"] * len(corpus["en-US"]) + ["en", "en"]
    text = pa.array(texts)
    words = segment(text)
    measured = evaluate(model, [(text, pa.array(language), words)])
    loaded = sentencepiece.SentencePieceProcessor(model_proto=model)
    for code in ("ja", "en"):
        mine = [t for t, c in zip(texts, language, strict=True) if c == code]
        tokens = [piece for t in mine for piece in loaded.encode(t, out_type=str)]
        assert measured[code].tokens == len(tokens)
        assert measured[code].bytes_per_token == sum(len(t.encode()) for t in mine) / len(tokens)
        assert measured[code].tokens_per_character == len(tokens) / sum(map(len, mine))
        assert measured[code].byte_tokens == sum(p.startswith("<0x") and len(p) == 6 for p in tokens)
        assert measured[code].used_pieces == len(set(tokens))
        assert measured[code].documents == len(mine)
    assert measured["en"].byte_tokens >= 4
    assert measured[ALL].words == len(words.starts)
    assert 1.0 < measured["en"].fertility < 4.0


def test_measures_add_up_in_any_batches(corpus, model):
    encoder = Encoder(model)
    text = pa.array([t for name in ("ru-RU", "ko-KR") for t in corpus[name]])
    language = pa.array(["ru"] * len(corpus["ru-RU"]) + ["ko"] * len(corpus["ko-KR"]))
    whole = evaluate_batch(encoder, text, language)
    parts = [evaluate_batch(encoder, text.slice(i, 4), language.slice(i, 4)) for i in range(0, len(text), 4)]
    assert as_table(add_up(parts[::-1])).equals(as_table(whole))
    assert np.array_equal(add_up(parts)["ru"].uses, whole["ru"].uses)


def test_a_text_that_sentencepiece_can_not_keep_is_seen():
    model = train([count_words(pa.array(["a▁b c"])).counts], TrainSettings(900, hard_limit=False)).model
    measured = evaluate(model, [(pa.array(["a▁b", "a b"]), pa.array(["xx", None]), None)])
    assert (measured["xx"].lossless_documents, measured["und"].lossless_documents) == (0, 1)


def test_measuring_nothing_gives_zeros(model):
    measured = evaluate(model, [])
    assert measured == {ALL: Compression(uses=measured[ALL].uses)}
    assert [as_table(measured)[name].to_pylist() for name in RATIOS] == [[0.0]] * len(RATIOS)


# --- Japanese


@cache
def loaded(model: bytes) -> sentencepiece.SentencePieceProcessor:
    return sentencepiece.SentencePieceProcessor(model_proto=model)


def test_japanese_pages_encode_into_words_and_come_back(corpus, model):
    for page in corpus["ja-JP"]:
        found = loaded(model).encode(page, out_type=str)
        assert loaded(model).decode(found) == page
        of_bytes = sum(re.fullmatch("<0x..>", piece) is not None for piece in found)
        assert of_bytes < 0.03 * len(found)  # characters too rare for this small corpus's alphabet
    common = {"パッケージ", "システム", "ファイル", "インストール", "します", "ています"}
    assert common <= set(pieces(model)["piece"].to_pylist())


def test_a_japanese_sentence_is_cut_sensibly(model):
    sentence = "Debian パッケージをインストールします。\n\n  設定ファイル\t2 つ"
    found = loaded(model).encode(sentence, out_type=str)
    assert "".join(found).replace("▁", " ") == sentence
    assert {"パッケージ", "インストール", "します", "ファイル", "\n\n", "▁▁", "\t", "2"} <= {
        f.lstrip("▁") or f for f in found
    }
