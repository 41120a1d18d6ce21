"""What is written beside the .model encodes as it does: in Hugging Face's tokenizers and in tiktoken."""

import base64

import corpora
import pyarrow as pa
import pytest
import sentencepiece
import tiktoken
import tokenizers
from resiliparse.extract.html2text import extract_plain_text

from tokenizer.count import count_words
from tokenizer.model import parse_model
from tokenizer.settings import TrainSettings
from tokenizer.train import train
from tokenizer.write import exports, tiktoken_pattern

LOCALES = ("en-US", "ja-JP", "zh-CN", "ko-KR", "ar-MA", "ru-RU", "el-GR", "vi-VN", "de-DE")
ODD = [
    "",
    " ",
    "a",
    "  a\n\n\t b",
    "\u0939\u093f\u0928\u094d\u0926\u0940 \u0e44\u0e17\u0e22",
    "x<image>y <bos>",
    "\U00013000 e\u0301",
    "aaaaaaa aaaa",
    "a" * 400,
]


@pytest.fixture(scope="module")
def texts() -> list[str]:
    """Give every fifth page of a manual in nine languages."""
    pages = [p for p in corpora.pages("debian-handbook") if p[0].split("/")[0] in LOCALES][::5]
    return [extract_plain_text(page.decode()) for _, page in pages]


@pytest.fixture(scope="module", params=[False, True], ids=["as it is", "dummy prefix"])
def model(request, texts) -> bytes:
    options = TrainSettings(
        12_000, add_dummy_prefix=request.param, user_symbols=("<image>",), control_symbols=("<end>",)
    )
    return train([count_words(pa.array(texts[::2])).counts], options).model


def test_hugging_face_gives_the_same_ids(model, texts):
    theirs = tokenizers.Tokenizer.from_str(exports(model)[".tokenizer.json"].decode())
    theirs.encode_special_tokens = True  # <bos> in a text is text
    ours = sentencepiece.SentencePieceProcessor(model_proto=model)
    has_prefix = parse_model(model).normalizer_spec.add_dummy_prefix
    for text in [*texts, *ODD]:
        if has_prefix and text.startswith(" "):  # said in tokenizer.write
            continue
        ids = theirs.encode(text, add_special_tokens=False).ids
        assert ids == ours.encode(text)
        assert theirs.decode(ids, skip_special_tokens=False) == ours.decode(ids)


def test_tiktoken_gives_the_same_pieces(texts):
    options = TrainSettings(12_000, character_coverage=1.0, user_symbols=("<image>",))
    model = train([count_words(pa.array(texts))[0]], options).model
    lines = (line.split() for line in exports(model)[".tiktoken"].splitlines())
    ranks = {base64.b64decode(token): int(rank) for token, rank in lines}
    theirs = tiktoken.Encoding("own", pat_str=tiktoken_pattern(model), mergeable_ranks=ranks, special_tokens={})
    ours = sentencepiece.SentencePieceProcessor(model_proto=model)
    for text in [*texts, *ODD[:4], "x<image>y <bos>"]:
        pieces = [as_bytes(piece) for piece in ours.encode(text, out_type=str)]
        assert theirs.decode_tokens_bytes(theirs.encode_ordinary(text)) == pieces


def as_bytes(piece: str) -> bytes:
    """Return what a piece stands for."""
    if len(piece) == 6 and piece.startswith("<0x"):
        return bytes([int(piece[3:5], 16)])
    return piece.replace("▁", " ").encode()


def test_the_same_model_gives_the_same_files(model):
    assert exports(model) == exports(bytes(model))
