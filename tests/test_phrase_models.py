"""The kernel against BudouX itself: on real lines, on every feature of its models and on noise."""

import json
from functools import cache
from itertools import pairwise
from pathlib import Path

import budoux.parser
import pyarrow as pa
import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st
from resiliparse.extract.html2text import extract_plain_text

from filters.native import string_buffers
from filters.phrase_models import JAPANESE, MODELS, SIMPLIFIED, THAI, TRADITIONAL, phrases
from filters.segmentation import segment

LOCALES = {"ja-JP": JAPANESE, "zh-CN": SIMPLIFIED, "zh-TW": TRADITIONAL}
MARK = r"[\p{WB=Extend}\p{WB=Format}\p{WB=ZWJ}]"


@cache
def parser(model: int) -> budoux.parser.Parser:
    path = Path(budoux.parser.MODEL_DIR) / f"{MODELS[model]}.json"
    return budoux.parser.Parser(json.loads(path.read_text(encoding="utf-8")))


@cache
def known(model: int) -> frozenset[str]:
    return frozenset("".join(feature for group in parser(model).model.values() for feature in group))


def expected_phrases(sentence: str, model: int) -> list[str]:
    """Cut by BudouX, which does not see marks that its model has no feature of; no phrase starts with a mark."""
    seen = [i for i, c in enumerate(sentence) if not regex.match(MARK, c) or c in known(model)]
    pieces = parser(model).parse("".join(sentence[i] for i in seen))
    lengths = [0]
    for piece in pieces:
        lengths.append(lengths[-1] + len(piece))
    cuts = [seen[n] for n in lengths[1:-1] if not regex.match(MARK, sentence[seen[n]])]
    return [sentence[a:b] for a, b in pairwise([0, *cuts, len(sentence)])] if sentence else []


@pytest.fixture(scope="module")
def lines(pages) -> dict[str, list[str]]:
    """The lines of text of a real manual in Japanese and both Chinese scripts."""
    found: dict[str, list[str]] = {locale: [] for locale in LOCALES}
    for path, payload in pages("debian-handbook"):
        locale = next((locale for locale in LOCALES if f"{locale}/" in path), None)
        if locale:
            text = extract_plain_text(payload.decode())
            found[locale] += [line.strip() for line in text.splitlines() if line.strip()]
    return found


@pytest.mark.parametrize("locale", LOCALES)
def test_real_lines_are_cut_where_budoux_cuts_them(lines, locale):
    model, some = LOCALES[locale], sorted(set(lines[locale]))[::2]
    assert len(some) >= 1_000
    assert [line for line in some if phrases(line, model) != parser(model).parse(line)] == []


@pytest.mark.parametrize("model", range(4), ids=MODELS)
def test_every_feature_weighs_what_it_weighs_for_budoux(model):
    features = sorted({feature for group in parser(model).model.values() for feature in group})
    sentences = [a + b for a, b in pairwise(features)] + [
        a + "x" + b for a, b in zip(features, features[7:], strict=False)
    ]
    assert [s for s in sentences if phrases(s, model) != expected_phrases(s, model)] == []


@pytest.mark.parametrize("model", range(4), ids=MODELS)
@given(data=st.data())
def test_noise_is_cut_where_budoux_cuts_it(model, data):
    alphabet = st.one_of(st.sampled_from(sorted(known(model))), st.sampled_from("\u3099\ufe0f\u200d𠮷a0。"))
    sentence = data.draw(st.text(alphabet, max_size=40))
    assert phrases(sentence, model) == expected_phrases(sentence, model)


THAI_TEXT = """วันนี้อากาศดีมาก เราจะไปเที่ยวทะเลกับเพื่อนที่โรงเรียน
ฉันชอบอ่านหนังสือทุกวันก่อนนอนเพราะทำให้หลับสบาย
คอมพิวเตอร์เครื่องใหม่ทำงานได้เร็วกว่าเครื่องเก่ามาก
แม่ทำอาหารเย็นแล้วทุกคนในบ้านกินข้าวด้วยกัน
รถไฟขบวนนี้ออกจากกรุงเทพตอนเช้าและถึงเชียงใหม่ตอนค่ำ
น้ำท่วมถนนหลายสายหลังฝนตกหนักเมื่อคืนที่ผ่านมา"""


def test_thai_sentences_are_cut_where_budoux_cuts_them():
    words = sorted({word for line in THAI_TEXT.splitlines() for word in parser(THAI).parse(line)})
    made = ["".join(words[(i * k) % len(words)] for k in range(1, 12)) for i in range(1, 1_000)]
    sentences = THAI_TEXT.splitlines() + made
    assert [s for s in sentences if phrases(s, THAI) != parser(THAI).parse(s)] == []


# ---- which model cuts a document, and what it is given


def words_of(text: str) -> list[str]:
    array = pa.array([text])
    data, found = bytes(string_buffers(array)[0]), segment(array)
    return [data[a:b].decode() for a, b in zip(found.starts.tolist(), found.ends.tolist(), strict=True)]


RUN = r"(?V1)[[\p{Han}&&[\p{L}\p{Nl}]][\p{Hiragana}&&\p{L}]\p{WB=Katakana}\u3006--\u30A0]"


@pytest.mark.parametrize("locale", LOCALES)
def test_a_page_is_cut_by_the_model_of_its_language_run_by_run(lines, locale):
    text = "\n".join(lines[locale][:5_000])
    runs = regex.findall(rf"{RUN}(?:{RUN}|{MARK})*", text)
    found = [word for word in words_of(text) if regex.match(RUN, word)]
    assert len(runs) > 2_000
    assert found == [phrase for run in runs for phrase in expected_phrases(run, LOCALES[locale])]


@pytest.mark.parametrize("locale", LOCALES)
def test_pages_of_a_locale_choose_their_model(pages, locale):
    others = [m for m in LOCALES.values() if m != LOCALES[locale]]
    chosen = total = 0
    for path, payload in pages("debian-handbook"):
        if f"{locale}/" in path:
            runs = regex.findall(rf"{RUN}+", text := extract_plain_text(payload.decode()))
            cut = {m: [p for run in runs for p in phrases(run, m)] for m in (LOCALES[locale], *others)}
            if len(runs) > 50 and all(cut[LOCALES[locale]] != cut[m] for m in others):
                total += 1
                chosen += [w for w in words_of(text) if regex.match(RUN, w)] == cut[LOCALES[locale]]
    assert total >= 50
    assert chosen == total


@pytest.mark.parametrize(
    ("text", "model"),
    [
        pytest.param("国会は法律を制定することができます", JAPANESE, id="kana make it Japanese"),
        pytest.param("これは國會" + "大韓民國" * 30, TRADITIONAL, id="three kana in a hundred and twenty-five do not"),
        pytest.param("我们今天讨论这个问题", SIMPLIFIED, id="characters of GB 2312 alone"),
        pytest.param("我們今天討論這個問題", TRADITIONAL, id="characters of Big5 alone"),
        pytest.param("天地人大小中", SIMPLIFIED, id="characters of both"),
        pytest.param("ภาษาไทยไม่มีช่องว่าง", THAI, id="thai"),
    ],
)
def test_the_document_chooses_the_model(text, model):
    assert words_of(text) == expected_phrases(text, model)
