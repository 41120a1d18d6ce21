"""Languages: the model's own answers, one text a row, and nothing said about what has no letters."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.language import CHARACTERS, UNDETERMINED, identify, load_model
from filters.models import fetch_model


@pytest.fixture(scope="module", autouse=True)
def model():
    fetch_model("lid.176.ftz")
    return load_model()


@pytest.mark.parametrize(
    ("text", "language"),
    [
        pytest.param("This is a perfectly ordinary English sentence.", "en", id="English"),
        pytest.param("これは普通の日本語の文章です。", "ja", id="Japanese"),
        pytest.param("Это обычное русское предложение.", "ru", id="Russian"),
        pytest.param("هذه جملة عربية عادية تماما.", "ar", id="Arabic"),
        pytest.param("นี่คือประโยคภาษาไทยธรรมดา", "th", id="Thai"),
        pytest.param("이것은 평범한 한국어 문장입니다.", "ko", id="Korean"),
        pytest.param("123 + 456 = 579!", UNDETERMINED, id="no letters"),
        pytest.param("", UNDETERMINED, id="empty"),
        pytest.param(None, UNDETERMINED, id="null"),
        pytest.param("1" * CHARACTERS + " Plain English follows here.", UNDETERMINED, id="letters come too late"),
        pytest.param("Bonjour\nle monde,\nvoici des lignes.", "fr", id="newlines are spaces"),
    ],
)
def test_identify(text, language):
    code, score = identify(pa.array([text], pa.string()))
    assert code.to_pylist() == [language]
    assert (score[0] > 0.5) == (language != UNDETERMINED)


def test_a_slice_gives_its_own_rows():
    text = pa.array(["Hello, this is English.", "Ceci est du français.", None, "Das hier ist Deutsch."])
    assert identify(text.slice(1)).__getitem__(0).to_pylist() == ["fr", "und", "de"]
    assert len(identify(text.slice(0, 0))[0]) == 0


@given(st.lists(st.one_of(st.none(), st.text(max_size=50)), max_size=20))
def test_any_texts_give_one_score_each(texts):
    code, score = identify(pa.array(texts, pa.string()))
    assert (len(code), score.shape, score.dtype) == (len(texts), (len(texts),), np.float32)
    assert ((score >= 0) & (score <= 1)).all()
    assert code.null_count == 0


def test_real_pages_are_in_the_language_of_their_folder(pages, model):
    folders = {"ja", "ko", "ru", "el", "zh_CN", "de", "fr", "cs"}
    texts = [(path.split("/")[0], payload.decode()) for path, payload in pages("installation-guide-amd64")[::6]]
    plain = [(folder, text.split("<body")[1]) for folder, text in texts if folder in folders and "<body" in text]
    stripped = pa.array([" ".join(part.split(">")[-1] for part in text.split("<")) for _, text in plain])
    code, _ = identify(stripped)
    right = sum(folder[:2] == found for (folder, _), found in zip(plain, code.to_pylist(), strict=True))
    assert len(plain) > 50
    assert right / len(plain) > 0.8  # a translated manual leaves pages in English


def test_the_same_answers_as_the_librarys_own_call(pages, model):
    texts = [payload.decode("utf-8", "replace") for _, payload in pages("debian-handbook")[::60]]
    own = model.predict([text[:CHARACTERS].replace("\n", " ") for text in texts])
    code, score = identify(pa.array(texts))
    assert code.to_pylist() == [label[0].removeprefix("__label__") for label in own[0]]
    assert np.allclose(score, np.clip([s[0] for s in own[1]], 0, 1))
