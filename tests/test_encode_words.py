"""Texts in pieces encode as SentencePiece encodes them whole, whatever was encoded before."""

import io
from functools import cache

import numpy as np
import pyarrow as pa
import pytest
import sentencepiece
from encode_world import HOSTILE, all_texts, model, processor, texts
from hypothesis import given
from hypothesis import strategies as st

from filters.native import string_buffers
from tokenizer import encode
from tokenizer.encode import TokenEncoder, token_type
from tokenizer.encode_words import PADDING, Pairs, cut
from tokenizer.model import parse_model, serialize_model

OPTIONS = [
    pytest.param({}, id="as Gemma's"),
    pytest.param({"add_dummy_prefix": True}, id="a space before each text"),
    pytest.param({"newline_runs": 0, "tab_runs": 0, "space_runs": 0}, id="no pieces for runs of white space"),
    pytest.param({"size": 1800, "user_symbols": ("日本", "->", "<x>")}, id="symbols of one's own"),
    pytest.param({"split_digits": False, "allow_whitespace_only_pieces": False}, id="digits in one piece"),
]
ODD = st.text(st.sampled_from("ab1 \n\t\r\0é日本ー。▁▅<s>กา\u0301\U0001f600\u3000"), max_size=80)


@cache
def loaded(**options) -> TokenEncoder:
    return TokenEncoder(model(**options))


def expected(processor: sentencepiece.SentencePieceProcessor, given: list[str]) -> list[list[int]]:
    return [processor.encode(text) for text in given]


def encoded(encoder: TokenEncoder, given: list[str | None]) -> list[list[int]]:
    found = encoder.encode(pa.array(given, pa.string()))
    return [part.tolist() for part in np.split(found.ids, found.offsets[1:-1])] if given else []


@pytest.mark.parametrize("options", OPTIONS)
def test_real_and_hostile_texts_have_the_ids_that_sentencepiece_gives(options):
    encoder = TokenEncoder(model(**options))
    assert encoder.is_cut
    given = [*all_texts()[::3], *HOSTILE]
    assert encoded(encoder, given) == expected(processor(**options), given)
    assert encoded(encoder, given[::-1]) == expected(processor(**options), given[::-1])  # all known now


@given(st.lists(ODD, max_size=5))
def test_any_text_has_the_ids_that_sentencepiece_gives(given):
    for options in ({}, {"add_dummy_prefix": True}):
        assert encoded(loaded(**options), given) == expected(processor(**options), given)


def test_text_of_every_language_is_cut_and_comes_back():
    encoder = loaded()
    for code, own in texts().items():
        found = encoded(encoder, list(own))
        assert [processor().decode(ids) for ids in found] == list(own), code


def test_japanese_words_are_shorter_than_lines():
    pairs, (text, *_) = loaded().pairs, texts()["ja"]
    data, offsets = string_buffers(pa.array([text]))
    ends, _ = cut(np.concatenate([data, np.zeros(PADDING, np.uint8)]), offsets, *pairs)
    assert np.diff(ends).mean() < 20  # bytes; sentences without a space have hundreds
    assert ends[-1] == len(text.encode())


def test_a_cut_stands_between_characters_that_no_piece_joins():
    message = parse_model(model())
    joined = {
        piece[i : i + 2] for each in message.pieces for piece in [each.piece.replace("▁", " ")] for i in range(64)
    }
    for text in (*all_texts()[::9], *HOSTILE):
        data, offsets = string_buffers(pa.array([text]))
        ends, _ = cut(np.concatenate([data, np.zeros(PADDING, np.uint8)]), offsets, *Pairs.of([]))
        places = {len(text.encode()[:end].decode()) for end in ends.tolist()}  # where it would look
        ends, _ = cut(np.concatenate([data, np.zeros(PADDING, np.uint8)]), offsets, *loaded().pairs)
        made = {len(text.encode()[:end].decode()) for end in ends.tolist()}
        assert made <= places
        assert not [place for place in made if text[place - 1 : place + 1] in joined and 0 < place < len(text)]


def test_a_vocabulary_that_joins_words_is_not_cut_there():
    message = parse_model(model())
    for piece in message.pieces:
        if piece.piece == "▁of":
            piece.piece = "of▁the"  # a superword
    changed = serialize_model(message)
    whole = sentencepiece.SentencePieceProcessor(model_proto=changed)
    given = [text for text in all_texts() if "of the" in text][:5]
    assert given
    assert encoded(TokenEncoder(changed), given) == expected(whole, given)


def changed(change) -> bytes:
    message = parse_model(model())
    for number, piece in enumerate(message.pieces):
        change(number, piece)
    return serialize_model(message)


def equal_scores(_, piece) -> None:
    piece.score = float(int(piece.score / 40))


def unused(number, piece) -> None:
    if piece.type in (0, 1) and number % 7 == 0 and len(piece.piece) > 1:
        piece.type = 5


def missing(_, piece) -> None:
    if piece.piece in ("e", "の"):
        piece.piece = f"{piece.piece}{piece.piece}{piece.piece}"  # no piece of its own, but in others


@pytest.mark.parametrize(
    ("change", "own_merges"),
    [
        pytest.param(equal_scores, True, id="pieces of equal scores"),
        pytest.param(unused, False, id="pieces that are taken apart again"),
        pytest.param(missing, False, id="characters that are no pieces"),
    ],
)
def test_odd_vocabularies_merge_as_sentencepiece_does(change, own_merges):
    odd = changed(change)
    encoder, given = TokenEncoder(odd), [*all_texts()[::6], *HOSTILE]
    assert encoder.is_cut
    assert (encoder.merges is not None) == own_merges
    whole = sentencepiece.SentencePieceProcessor(model_proto=odd)
    assert expected(whole, given) != expected(processor(), given)
    assert encoded(encoder, given) == expected(whole, given)


def test_our_merges_and_sentencepieces_are_the_same():
    ours, theirs, given = TokenEncoder(model()), TokenEncoder(model()), [*all_texts()[::2], *HOSTILE]
    theirs.merges = None
    assert ours.merges is not None
    assert encoded(ours, given) == encoded(theirs, given)


def test_without_the_rule_of_pairs_the_ids_would_be_others():
    encoder, given = TokenEncoder(model()), list(texts()["ja"][:2])
    encoder.pairs = Pairs.of([])  # cuts wherever it looks
    assert encoded(encoder, given) != expected(processor(), given)


def trained(**options) -> bytes:
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=(line for text in texts()["en"] for line in text.splitlines()),
        model_writer=written,
        vocab_size=400,
        hard_vocab_limit=False,
        minloglevel=2,
        **options,
    )
    return written.getvalue()


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"model_type": "unigram", "byte_fallback": True}, id="unigram"),
        pytest.param({"model_type": "bpe", "byte_fallback": True}, id="a normaliser that changes the text"),
        pytest.param({"model_type": "bpe", "normalization_rule_name": "identity"}, id="no byte fallback"),
    ],
)
def test_other_models_encode_whole_texts(options):
    made = trained(**options)
    encoder = TokenEncoder(made)
    assert not encoder.is_cut
    given = [*texts()["en"][:2], *texts()["ja"][:1], *HOSTILE]
    assert encoded(encoder, given) == expected(sentencepiece.SentencePieceProcessor(model_proto=made), given)


def test_forgetting_changes_no_id(monkeypatch):
    encoder, given = TokenEncoder(model()), list(all_texts()[::5])
    before = encoded(encoder, given)
    monkeypatch.setattr(encode, "MAX_WORDS", 10)
    assert encoded(encoder, given) == before
    assert encoded(encoder, given[::-1]) == before[::-1]


def test_batches_nulls_and_slices_change_no_id():
    encoder = TokenEncoder(model())
    given = ["one two", None, "", "日本語 です", "two one"]
    whole = encoded(encoder, given)
    sliced = encoder.encode(pa.array(given, pa.string()).slice(2, 2))
    assert [sliced.ids[: sliced.offsets[1]].tolist(), sliced.ids[sliced.offsets[1] :].tolist()] == whole[2:4]
    assert whole[1] == whole[2] == []
    assert encoded(encoder, []) == []


@pytest.mark.parametrize(
    ("vocabulary", "dtype"), [(300, np.uint16), (65_499, np.uint16), (65_500, np.int32), (262_144, np.int32)]
)
def test_two_bytes_hold_a_token_below_megatrons_bound(vocabulary, dtype):
    assert token_type(vocabulary) is dtype


def test_what_is_no_model_is_refused():
    with pytest.raises(ValueError, match="no SentencePiece model"):
        TokenEncoder(b"\x01\x02nonsense")
