"""Masking: an edit whose ranges add up, that does nothing the second time and moves offsets with the text."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.personal.find import find
from filters.personal.mask import count_by_class, mask
from filters.personal.style import TOKENS, Style
from filters.views import apply_view
from manifests.records import PART

PIECES = st.sampled_from(
    ["a@b.com", "taro＠例え.jp", "212-555-0123", "+44 20 7946 0958", "03-1234-5678", "電話",
     "tel ", "4111 1111 1111 1111",
     "GB82 WEST 1234 5698 7654 32", "93.184.216.34", "2001:4860:4860::8888",
    "SSN ", "219-09-9998", 
     "〒100-0013",
     
     "東京都千代田区霞が関1-2-3", "AKIAIOSFODNN7EXAMPLE", "https://u:pw@", "12345678Z",
    "900101-1234568", " ", "\n", ",",
     "-", ".", "/", "x", "が", "😀", "1", "マイナンバー", "1234 5678 9018", "@", "(", ")", "<", ":", "é"]
)  # fmt: skip
TEXTS = st.lists(PIECES, max_size=12).map("".join)


def masked(texts, style=None, language="ja"):
    column = pa.array(texts, pa.string())
    return mask(column, find(column, languages=[language] * len(texts)), style)


@settings(max_examples=300, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=3))
def test_masking_again_changes_nothing(texts):
    once = masked(texts)
    again = masked(once.text.to_pylist())
    assert again.text.to_pylist() == once.text.to_pylist()


@settings(max_examples=200, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=3))
def test_spans_are_sorted_apart_and_on_characters(texts):
    spans = find(pa.array(texts), languages=["ja"] * len(texts)).to_pylist()
    past = (0, 0)
    for span in spans:
        assert past <= (span["row"], span["start"])
        assert span["start"] < span["end"]
        texts[span["row"]].encode()[span["start"] : span["end"]].decode()
        past = (span["row"], span["end"])


@settings(max_examples=200, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=3))
def test_kept_and_replaced_ranges_add_up(texts):
    column = pa.array(texts, pa.string())
    spans = find(column, languages=["ja"] * len(texts))
    result = mask(column, spans)
    left = apply_view(column, result.kept).to_pylist()
    for row, text in enumerate(texts):
        mine = [span for span in spans.to_pylist() if span["row"] == row]
        data, out = text.encode(), result.text[row].as_py().encode()
        gone = b"".join(data[s["start"] : s["end"]] for s in mine)
        assert len(left[row].encode()) + len(gone) == len(data)
        said = [out[r["start"] : r["end"]].decode() for r in result.replaced[row].as_py()]
        assert said == [TOKENS[s["class"]] for s in mine]


def parts(*places):
    rows = [[{"kind": k, "start": s, "end": e, "uri": None, "alt": None} for k, s, e in row] for row in places]
    return pa.array(rows, pa.list_(PART))


def test_parts_move_with_the_text():
    before = "😀 a@b.com が03-1234-5678 end"
    result = masked([before, "no data"])
    assert result.text.to_pylist() == ["😀 <EMAIL> が<PHONE> end", "no data"]
    given_parts = parts([("text", 0, 9), ("image", 9, 9), ("text", 10, 27), ("text", 4, 6)], [("text", 0, 7)])
    moved = result.move_parts(given_parts).to_pylist()
    cut = [result.text[row].as_py()[p["start"] : p["end"]] for row, some in enumerate(moved) for p in some]
    assert cut == ["😀 <EMAIL>", "", "が<PHONE> end", "<EMAIL>", "no data"]
    assert moved[0][1]["start"] == moved[0][1]["end"] == 9


def test_numbered_tokens_say_who_comes_back():
    style = Style("numbered")
    once = masked(["a@b.com to c@d.org, then a@b.com", "c@d.org"], style)
    assert once.text.to_pylist() == ["<EMAIL_1> to <EMAIL_2>, then <EMAIL_1>", "<EMAIL_1>"]
    assert masked(once.text.to_pylist(), style).text.to_pylist() == once.text.to_pylist()


def test_own_tokens_stand_for_their_class():
    style = Style(tokens={"email": "email@example.com", "phone": "|||PHONE_NUMBER|||"})
    once = masked(["x@y.com 03-1234-5678"], style)
    assert once.text.to_pylist() == ["email@example.com |||PHONE_NUMBER|||"]
    assert masked(once.text.to_pylist(), style).text.to_pylist() == once.text.to_pylist()


def test_counts_are_by_class_and_only_of_chosen_texts():
    column = pa.array(["a@b.com c@d.org", "+44 20 7946 0958 e@f.com"])
    spans = find(column)
    assert count_by_class(spans) == {"email": 3, "phone": 1}
    assert count_by_class(spans, pa.array([True, False]).to_numpy(zero_copy_only=False)) == {"email": 2}


def test_nothing_to_mask_gives_the_same_text():
    column = pa.array(["", "plain", None, "日本語"], pa.string())
    result = mask(column, find(column))
    assert result.text.to_pylist() == ["", "plain", "", "日本語"]
    assert result.kept.to_pylist() == [[], [{"start": 0, "end": 5}], [], [{"start": 0, "end": 9}]]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"naming": "hashed"}, "naming"), ({"tokens": {"mail": "x"}}, "unknown classes"),
     ({"naming": "numbered", "tokens": {"email": "x"}}, "end with '>'")],
)  # fmt: skip
def test_wrong_styles_are_told(wrong, message):
    with pytest.raises(ValueError, match=message):
        Style(**wrong)
