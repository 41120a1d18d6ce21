"""Items of evaluation sets are found in texts that hold them, in every script, and not in texts that don't."""

import hashlib
import re

import pyarrow as pa
import pytest
from real_texts import extracted

from filters.contamination import Grams, build_index, find, items_of

QUESTION = "What is the airspeed velocity of an unladen swallow when it flies from Africa to England in winter?"
CAT = "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。何でも薄暗い所でニャーニャー泣いて居た"
SHORT = "The quick brown fox jumps over the lazy dog"
THAI = "ประเทศไทยมีเมืองหลวงชื่อกรุงเทพมหานครซึ่งเป็นเมืองที่มีประชากรมากที่สุดของประเทศ"


@pytest.mark.parametrize(
    ("item", "text", "is_found"),
    [
        pytest.param(QUESTION, f"He asked: {QUESTION} Nobody knew.", True, id="as it stands"),
        pytest.param(QUESTION, QUESTION.upper().replace(" ", "\n"), True, id="in capitals, one word a line"),
        pytest.param(QUESTION, QUESTION.replace("swallow when", "swallow, when").replace("?", "!"), True, id="commas"),
        pytest.param(QUESTION, QUESTION.replace("flies", "flew"), True, id="one word changed in the middle"),
        pytest.param(QUESTION, "What is the airspeed velocity of an unladen duck?", False, id="it only begins alike"),
        pytest.param(QUESTION, " ".join(reversed(QUESTION.split())), False, id="its words in another order"),
        pytest.param(CAT, f"先生は読んだ。「{CAT}」", True, id="Japanese as it stands"),
        pytest.param(
            CAT, CAT.replace("。", "、").replace("無い", "ない"), True, id="Japanese, one word spelt otherwise"
        ),
        pytest.param(
            CAT, "吾輩は犬である。名前はもうある。どこで生れたかはよく知っている。", False, id="other Japanese"
        ),
        pytest.param(THAI, f"ครูบอกว่า {THAI} ครับ", True, id="Thai"),
        pytest.param(SHORT, f"{SHORT} again", True, id="shorter than an exact n-gram, held whole"),
        pytest.param(SHORT, SHORT.replace("lazy", "old"), False, id="shorter than an exact n-gram, changed"),
    ],
)
def test_what_counts_as_held(item, text, is_found):
    hits = find(
        pa.array(["nothing of it", text]), build_index(["another item that nobody ever asks for", item], Grams())
    )
    assert list(zip(hits.rows.tolist(), hits.items.tolist(), strict=True)) == ([(1, 1)] if is_found else [])


def test_items_that_say_too_little_are_named():
    assert build_index(["Yes", QUESTION, "はい。", ""], Grams()).too_short == (0, 2, 3)


def test_items_are_the_strings_of_the_fields_that_are_asked_for():
    row = {"q": "Who?", "choices": ["A", {"text": "B"}], "n": 3, "answer": "C"}
    assert items_of([row], ["q", "choices"]) == ["Who?\nA\nB"]
    assert items_of([row]) == ["Who?\nA\nB\nC"]


@pytest.mark.parametrize("bad", [{"words": 7}, {"fuzzy_words": 9}, {"min_fraction": 0.0}, {"characters": 10}])
def test_lengths_that_find_nothing_are_refused(bad):
    with pytest.raises(ValueError, match="contamination"):
        Grams(**bad)


def _sentences(text: str) -> list[str]:
    sentences = [each for each in re.split(r"(?<=[.!?。])\s*", text) if "\n" not in each]
    return [each for each in sentences if 80 <= len(each) <= 400 or len(each.encode()) > 240]


def _coin(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


@pytest.mark.parametrize("changed", [False, True], ids=["word by word", "one word changed"])
@pytest.mark.parametrize("locales", [("en-US", "en"), ("ja-JP", "ja")], ids=["English", "Japanese"])
def test_planted_items_are_found_and_clean_texts_are_not(pages, locales, changed):
    """At least 99 % of real sentences planted in other real texts, at most 0.1 % of the texts that hold none."""
    items = _sentences(" ".join(_texts(pages("debian-handbook"), locales[0])))
    hosts = [text for text in _texts(pages("installation-guide-amd64"), locales[1]) if len(text) > 500]
    everything = "".join(hosts)
    items = [item for item in dict.fromkeys(items) if not any(item[i : i + 25] in everything for i in range(0, 60, 5))]
    if changed:  # shorter ones lose too many of their short n-grams with one word
        items = [
            item
            for item in items
            if len(re.findall(r"\w+", item)) >= 25
            or (re.search("[ぁ-ん]", item) and len(re.findall(r"\w", item)) >= 60)
        ]
    items = sorted(items, key=_coin)[:300]
    index = build_index(items, Grams())
    sought = [number for number in range(len(items)) if number not in index.too_short]
    assert len(sought) >= 200
    planted = [
        _planted(hosts[place % len(hosts)], _one_word_changed(items[number]) if changed else items[number])
        for place, number in enumerate(sought)
    ]
    hits = find(pa.array(planted), index)
    found = set(zip(hits.rows.tolist(), hits.items.tolist(), strict=True))
    assert len(found & set(enumerate(sought))) >= 0.99 * len(sought)
    clean = find(pa.array(hosts), index)
    assert len(set(clean.rows.tolist())) <= 0.001 * len(hosts)


def _texts(pages: list[tuple[str, bytes]], locale: str) -> list[str]:
    return [extracted(page) for path, page in pages if path.startswith(f"{locale}/")]


def _planted(host: str, item: str) -> str:
    half = len(host) // 2
    return f"{host[:half]}\n{item}\n{host[half:]}"


def _one_word_changed(item: str) -> str:
    """Return the item with the word, or the two characters, in its middle replaced: the worst place."""
    middle = len(item) // 2
    if re.search("[ぁ-ん]", item):
        return item[:middle] + "変更" + item[middle + 2 :]
    return item[:middle] + re.sub(r"\w+\W+(\w+)", r"zebra \1", item[middle:], count=1)
