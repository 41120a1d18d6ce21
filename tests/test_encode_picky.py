"""Picky vocabularies through `encode`: their pieces of type "unused" are merged through and never given out.

SentencePiece's own encoder, on whole texts, is the oracle: real text in many scripts, and hostile text.
"""

from functools import cache
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
import sentencepiece
from encode_world import HOSTILE, all_texts, model, texts
from hypothesis import given
from hypothesis import strategies as st

from tokenizer.encode import TokenEncoder
from tokenizer.encode_documents import DocumentEncoder, Parts
from tokenizer.encode_policy import Policy
from tokenizer.model import parse_model

UNUSED = 5
VARIANTS = [
    pytest.param({"picky": 1.0}, id="nothing but what is never given out is dropped"),
    pytest.param({"picky": 0.5}, id="many helpers, some of helpers"),
    pytest.param({"picky": 0.5, "add_dummy_prefix": True}, id="a space before each text"),
    pytest.param({"picky": 0.7, "newline_runs": 0, "tab_runs": 0, "space_runs": 0}, id="runs of spaces are merged"),
    pytest.param({"picky": 0.7, "user_symbols": ("日本", "->", "<x>")}, id="symbols of one's own"),
]


@cache
def loaded(**options) -> tuple[TokenEncoder, sentencepiece.SentencePieceProcessor]:
    made = model(4500, **options)
    return TokenEncoder(made), sentencepiece.SentencePieceProcessor(model_proto=made)


def encoded(encoder, given: list[str]) -> list[list[int]]:
    found = encoder.encode(pa.array(given, pa.string()))
    return [found.ids[a:b].tolist() for a, b in pairwise(found.offsets.tolist())]


def helpers(options) -> set[int]:
    return {i for i, piece in enumerate(parse_model(model(4500, **options)).pieces) if piece.type == UNUSED}


@pytest.mark.parametrize("options", VARIANTS)
def test_real_and_hostile_texts_have_the_ids_that_sentencepiece_gives(options):
    encoder, whole = loaded(**options)
    assert len(helpers(options)) > 20
    for own in ([*all_texts()[::4], *HOSTILE], [*HOSTILE, *all_texts()[1::5]]):  # the second meets known words
        assert encoded(encoder, own) == [whole.encode(text) for text in own]


def test_texts_of_every_language_come_back_and_hold_no_helper():
    encoder, whole = loaded(picky=0.5)
    unused = np.array(sorted(helpers({"picky": 0.5})))
    assert {"en", "ja", "zh", "ko", "ar", "ru", "th", "hi"} <= texts().keys()
    for code, own in texts().items():
        found = encoder.encode(pa.array(own))
        assert not np.isin(found.ids, unused).any(), code
        assert whole.decode(encoded(encoder, list(own))) == list(own), code


def test_a_helper_is_merged_through():
    """A helper's own text is taken apart again, in the two pieces that it was merged of: no word is empty or lost."""
    encoder, whole = loaded(picky=0.5)
    pieces = [whole.id_to_piece(i).replace("▁", " ") for i in sorted(helpers({"picky": 0.5}))]
    found = encoded(encoder, pieces)
    assert found == [whole.encode(piece) for piece in pieces]
    assert all(len(ids) > 1 for ids in found)


ODD = st.text(st.sampled_from("theing ation \n\t\rébre日本語データの設定。▁กาที่हिप्रеныالم\u0301"), max_size=60)


@given(st.lists(ODD, max_size=4))
def test_any_text_has_the_ids_that_sentencepiece_gives(given):
    for options in ({"picky": 0.5}, {"picky": 0.5, "add_dummy_prefix": True}):
        encoder, whole = loaded(**options)
        assert encoded(encoder, given) == [whole.encode(text) for text in given]


def test_documents_of_a_picky_vocabulary_end_as_others_do():
    encoder, whole = loaded(picky=0.5)
    given = list(all_texts()[:6])
    made = DocumentEncoder(encoder, Policy()).encode(Parts.whole(pa.array(given)))
    found = [made.ids[a:b].tolist() for a, b in pairwise(made.offsets.tolist())]
    assert found == [[*whole.encode(text), whole.eos_id()] for text in given]
