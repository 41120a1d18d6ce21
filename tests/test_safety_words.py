"""Listed words: whole words of the text's own language, the same as a search by hand; quiet on clean manuals."""

import json
import os
import re
import shlex
import shutil
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import real_texts
from hypothesis import given
from hypothesis import strategies as st
from test_language_fairness import npm

from filters.language import identify
from filters.lines import split_lines
from filters.models import ModelDamagedError, ModelMissingError
from filters.rules import judge, reasons
from filters.safety import word_lists
from filters.safety.word_lists import fetch_lists, lists_digest, load
from filters.safety.word_signals import find_listed, line_counts, word_rules, word_signals
from filters.segmentation import segment


@cache
def listed():
    """Return the 28 lists."""
    return load(fetched())


@cache
def fetched() -> Path:
    """Return the folder of the lists; where there is no npm, one from the Python package index fetches them."""
    if shutil.which("npm"):
        return fetch_lists()
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "npm"
        script.write_text(f'#!/bin/sh\nexec {shlex.join(npm())} "$@"\n')
        script.chmod(0o755)
        with pytest.MonkeyPatch.context() as patched:
            patched.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
            return fetch_lists()


@pytest.fixture
def own(tmp_path):
    """Give `own({language: terms})`: lists of one's own."""

    def make(terms):
        for code, words in terms.items():
            (tmp_path / f"{code}.json").write_text(json.dumps(words))
        return load(tmp_path)

    return make


def hits(text: str, language: str, lists) -> list[str]:
    texts = pa.array([text])
    found = find_listed(texts, pa.array([language]), segment(texts), lists)
    body = text.encode()
    return [body[start:end].decode() for start, end in zip(found.starts, found.ends, strict=True)]


@pytest.mark.parametrize(
    ("language", "terms", "text", "found"),
    [
        pytest.param("en", ["cunt"], "Scunthorpe, cunt-like", ["cunt"], id="Scunthorpe"),
        pytest.param("en", ["sex", "ass"], "Sussex, Essex, class, assess, bass", [], id="parts of words"),
        pytest.param("en", ["cock"], "a peacock and a cocktail. COCK!", ["COCK"], id="letter case"),
        pytest.param("en", ["ball gag"], "ball  gag, ball\ngag; ballgag", ["ball  gag", "ball\ngag"], id="white space"),
        pytest.param("en", ["ball gag"], "ball. gag", [], id="a sentence between"),
        pytest.param("en", ["ball gag"], "ball\n\n\n\ngag", [], id="a paragraph between"),
        pytest.param("en", ["big", "big one"], "big one big", ["big one", "big"], id="the longest counts"),
        pytest.param("en", ["a b", "b c"], "a b c", ["a b"], id="no overlaps"),
        pytest.param("en", ["s&m"], "S&M, s & m", ["S&M"], id="a mark inside"),
        pytest.param("de", ["arsch"], "Der Arsch, das Arschloch, Marsch", ["Arsch"], id="German"),
        pytest.param("ru", ["хуй"], "Хуй, страхуй", ["Хуй"], id="Russian"),
        pytest.param("ar", ["كس"], "كس عكس كسر", ["كس"], id="Arabic: not the inside of other words"),
        pytest.param("hi", ["गांड"], "वह गांड है", ["गांड"], id="Hindi with its marks"),
        pytest.param("ko", ["보지"], "보지 못했다. 살펴보지", ["보지"], id="Korean: a homograph is a false alarm"),
        pytest.param("ja", ["巨乳"], "彼女は巨乳だ。", ["巨乳"], id="Japanese, a verb behind"),
        pytest.param(
            "ja", ["セックス"], "セックスをしたユニセックス", ["セックス"], id="Japanese, katakana inside katakana"
        ),
        pytest.param("zh", ["妓院"], "他去了妓院。", ["妓院"], id="Chinese"),
        pytest.param("th", ["หี"], "ในหีบ", [], id="Thai: the beginning of another word (chest)"),
        pytest.param("fr", ["con"], "contre le con", ["con"], id="French"),
        pytest.param("xx", [], "cunt", [], id="no list of the language"),
    ],
)
def test_what_is_found(own, language, terms, text, found):
    assert hits(text, language, own({"en": ["cunt"], language: terms or ["zzz"]} if terms else {"en": ["x"]})) == found


WORDS = st.sampled_from(["ass", "ball", "gag", "class", "bass", "a", "ASS", "gagball"])


@given(st.lists(st.tuples(WORDS, st.sampled_from([" ", "\n", ". ", "-", "  "])), max_size=12))
def test_as_a_regular_expression_finds_them(pieces):
    text = "".join(word + mark for word, mark in pieces)
    lists = word_lists._compiled((("en", ("ass", "ball gag", "gag")),))
    expected = re.findall(r"(?<!\w)(?:ball\s{1,3}gag|ass|gag)(?!\w)", text, re.IGNORECASE)
    assert hits(text, "en", lists) == expected


@given(st.lists(st.text(max_size=30), max_size=8), st.sampled_from(["en", "ja", "zh", "th", "ko", "ar", "hi"]))
def test_neighbours_change_nothing(texts, language):
    batch, lists = pa.array(texts, pa.string()), listed()
    codes = pa.array([language] * len(texts), pa.string())
    together = find_listed(batch, codes, segment(batch), lists)
    assert np.diff(together.doc_offsets).tolist() == [len(hits(text, language, lists)) for text in texts]


def test_signals_are_null_without_a_list_and_rules_leave_such_texts_alone():
    texts = pa.array(["fuck this\nfine\nshit fuck", "fine", "fuck", "", None], pa.string())
    language = pa.array(["en", "en", "cy", "en", None], pa.string())
    signals = word_signals(texts, language, segment(texts), split_lines(texts), listed())
    assert signals.to_pydict() == {
        "listed_word_count": [3, 0, None, 0, None],
        "listed_line_count": [2, 0, None, 0, None],
    }
    counted = signals.append_column("word_count", pa.array([5, 1, 1, 0, 0]))
    sets = word_rules(listed())
    strict, soft = sets["badwords_c4_v1"], sets["badwords_soft_v1"]
    assert reasons(strict, judge(strict, counted, language), counted, language).to_pylist() == [
        *("badwords_c4_v1/listed_word_count>0", None, None, None, None)
    ]
    assert judge(soft, counted, language).first.tolist() == [0, -1, -1, -1, -1]


@pytest.mark.parametrize(
    ("hits_of", "words", "kept"),
    [
        pytest.param(45, 1000, True, id="4.5 % is kept"),
        pytest.param(46, 1000, False, id="4.6 % is not"),
        pytest.param(0, 0, True, id="no words"),
    ],
)
def test_the_soft_bound(hits_of, words, kept):
    (rule,) = word_rules(listed())["badwords_soft_v1"]
    signals = pa.RecordBatch.from_pydict({"listed_word_count": [hits_of], "word_count": [words]})
    assert (not rule.fails(signals, pa.array(["en"]))[0]) is kept


def test_hits_are_told_by_line():
    text = pa.array(["fine\nshit and shit\n", "shit"])
    found = find_listed(text, pa.array(["en", "en"]), segment(text), listed())
    assert line_counts(found, split_lines(text)).tolist() == [0, 2, 0, 1]


def test_there_are_28_real_lists_with_hardly_a_term_lost():
    lists = listed()
    assert len(lists.sizes) == 28
    assert {"en", "ja", "zh", "th", "ko", "ar", "hi", "tl", "nn"} <= set(lists.numbers)
    assert lists.unusable <= 3
    assert sum(lists.sizes.values()) > 2500


CARRIERS = {
    "en": ("They said {} twice.", 1.0),
    "ko": ("그것은 {} 이다", 1.0),
    "hi": ("वह {} है", 1.0),
    "ar": ("هذا {} هنا", 1.0),
    "ja": ("彼は{}をしたと言った。", 0.97),  # here and below the model cuts some words elsewhere
    "zh": ("他说{}是不好的。", 0.8),
    "th": ("เขาพูดว่า{}ครับ", 0.9),
}


@pytest.mark.parametrize("language", CARRIERS)
def test_nearly_every_term_is_found_in_a_sentence(language):
    carrier, share = CARRIERS[language]
    terms = json.loads((fetched() / f"{language}.json").read_text())
    usable, _ = word_lists._usable(language, tuple(terms))
    found = [bool(hits(carrier.format(term), language, listed())) for term in usable]
    assert np.mean(found) >= share


@pytest.mark.parametrize(
    ("folder", "language", "most"),
    [
        pytest.param("en", "en", 0.03, id="English"),
        pytest.param("ja", "ja", 0.03, id="Japanese"),
        pytest.param("ko", "ko", 0.03, id="Korean"),
        *[pytest.param(folder, folder[:2], 0.0, id=folder) for folder in ("zh_CN", "de", "fr", "ru")],
    ],
)
def test_clean_manuals_have_next_to_none(pages, folder, language, most):
    texts = [
        real_texts.extracted(page) for path, page in pages("installation-guide-amd64") if path.startswith(f"{folder}/")
    ]
    batch = pa.array(texts)
    code, _ = identify(batch)
    found = word_signals(batch, code, segment(batch), split_lines(batch), listed())
    own = np.array(code.to_pylist()) == language
    assert own.sum() > 50
    assert np.mean(found["listed_word_count"].to_numpy(zero_copy_only=False)[own] > 0) <= most


def test_other_lists_than_those_wanted_are_refused(tmp_path):
    (tmp_path / "en.txt").write_text("one\ntwo\n")
    (tmp_path / "package.json").write_text("{}")
    digest = lists_digest({"en": ["two", "one"]})
    assert load(tmp_path, digest).sizes == {"en": 2}
    with pytest.raises(ModelDamagedError, match=f"{digest}, not 00"):
        load(tmp_path, "00")
    with pytest.raises(ModelMissingError, match="no word list in"):
        load(tmp_path / "none")


def test_a_machine_without_npm_is_told_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("CORPUSMILL_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ModelMissingError, match=r"no npm here .* run `npm pack naughty-words"):
        fetch_lists()
