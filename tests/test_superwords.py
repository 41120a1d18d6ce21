"""Superwords against a recount of every pair of words in plain Python, and their encoders against each other."""

import base64
import itertools
import unicodedata
from collections import Counter
from dataclasses import replace
from functools import cache

import encode_world as world
import numpy as np
import pyarrow as pa
import pytest
import sentencepiece
import tiktoken
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st

import tokenizer.phrases
from pipelines.recipe import Tokenizer
from pipelines.tokenizer_jobs.phrases import is_exact
from tokenizer.chunks import ALONE
from tokenizer.count import COUNTS, count_words, merge_counts
from tokenizer.encode import TokenEncoder
from tokenizer.groups import Group
from tokenizer.mix import heaviest, mix_weighted
from tokenizer.model import parse_model, pieces
from tokenizer.phrases import Phrases
from tokenizer.pieces_report import Usage, unreachable
from tokenizer.settings import TrainSettings
from tokenizer.superwords import Superwords, learn_superwords, phrase_rows, with_superwords
from tokenizer.train import train
from tokenizer.write import exports, tiktoken_pattern

LONG = pytest.mark.long
GROUP = Group("manual", "en", "text")
WORDS = [
    *("the", "of", "in", "a", "The", "Linux", "system", "サーバ", "Debian", "です", "を", "は", "서버", "가", "를"),
    *("на", "в", "и", "сервер", "كل", "من", "في", "है", "का", "ไทย", "ของ"),
]
SEPARATORS = [" ", " ", " ", " ", "  ", "\n", ", ", "。", " 12 ", "-", ""]


@cache
def base() -> TrainSettings:
    return TrainSettings(3000, character_coverage=0.9995, hard_limit=False, control_symbols=world.SIGNS)


def asked(number: int, **options) -> TrainSettings:
    """Return the settings of a model of `number` superwords more than the model of these texts has pieces."""
    own = {"character_coverage": 0.9995, "hard_limit": False, "control_symbols": world.SIGNS, **options}
    return TrainSettings(3000 + number, superwords=number, **own)


def phrases_of(texts, model: bytes, chosen: TrainSettings, most: int | None = None, batch: int = 7):
    """Return the counts of rows of kept pairs (all, or about `most`), and the pairs that were kept."""

    def counted(kept):
        counter = Phrases(model, chosen, kept)
        parts = [
            counter.count(pa.array(texts[at : at + batch], pa.string()), GROUP.key)
            for at in range(0, len(texts), batch)
        ]
        assert all(part.ledger.balanced for part in parts)
        return merge_counts([pa.RecordBatch.from_pylist([], schema=COUNTS), *(part.counts for part in parts)])

    pairs = counted(None)
    kept = heaviest(lambda: [pairs], {GROUP: 1.0}, False, most or 1 << 20)
    return counted(kept.words), kept


def learnt(texts, model: bytes, chosen: TrainSettings, most: int | None = None) -> Superwords:
    rows, _ = phrases_of(texts, model, chosen, most)
    return learn_superwords([phrase_rows(rows)], model, chosen)


@cache
def grown(number: int = 300, **options) -> bytes:
    """Return the model of these texts with superwords."""
    first = world.model(3000, **{name: value for name, value in options.items() if name != "superword_signs"})
    found = learnt(world.all_texts(), first, asked(number, **options))
    assert len(found.pieces) == number
    return with_superwords(first, found.pieces)


def encoded(encoder: TokenEncoder, given_texts) -> list[list[int]]:
    found = encoder.encode(pa.array(given_texts, pa.string()))
    return [part.tolist() for part in np.split(found.ids, found.offsets[1:-1])] if len(given_texts) else []


# --- an oracle that asks SentencePiece for tokens and recounts every pair before each merge


def script(character: str) -> str:
    """Return what parts words here: the script of a letter, digits apart, all else together."""
    if character == "▁" or character.isdecimal():
        return character if character == "▁" else "digit"
    name = unicodedata.name(character, "none").split()[0]
    han = name in ("CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA")
    return "han" if han else name if unicodedata.category(character)[0] in "LM" else "common"


def parts(before: str, behind: str) -> bool:
    """Say whether no piece reaches over the place between two tokens."""
    if before.startswith("<0x") or behind.startswith("<0x") or not before.strip("▁\n\t") or not behind.strip("\n\t"):
        return before != "▁" or behind.startswith("<0x")
    a, b = script(before[-1]), script(behind[0])
    return b == "▁" or "digit" in (a, b) or a != b


def is_word(token: str, signs: bool) -> bool:
    body = token[1:] if token.startswith("▁") else token
    kinds = {unicodedata.category(character)[0] for character in body}
    wanted = {"L", "P", "S"} if signs else {"L"}
    byte = token.startswith("<0x") and len(token) == 6
    return "▁" not in body and bool(kinds & wanted) and not kinds & {"N", "Z", "C"} and not byte


def runs_of_words(tokens: list[str], signs: bool) -> list[tuple[str, ...]]:
    edges = [True, *(parts(a, b) for a, b in itertools.pairwise(tokens)), True]
    runs, run = [], []
    for number, token in enumerate([*tokens, "\n"]):
        if token != "\n" and is_word(token, signs) and edges[number] and edges[number + 1]:
            run.append(token)
        else:
            runs.append(tuple(run))
            run = []
    return [run for run in runs if len(run) > 1]


def recounted(runs, merges: int, words: int = 4, characters: int = 32) -> list[str]:
    """Merge the commonest pair again and again; ties go to fewer words, then to the first by its words' bytes."""
    cut = [([(word,) for word in run], count) for run, count in sorted(Counter(runs).items())]
    found: list[str] = []
    while len(found) < merges:
        counted: Counter = Counter()
        for symbols, count in cut:
            for pair in itertools.pairwise(symbols):
                counted[pair] += count
        able = [
            (-n, len(a + b), [word.encode() for word in a + b], (a, b))
            for (a, b), n in counted.items()
            if len(a + b) <= words and len("".join(a + b)) <= characters and "".join(a + b) not in found
        ]
        if not able:
            break
        *_, (a, b) = min(able)
        found.append("".join(a + b))
        for symbols, _ in cut:
            at = 0
            while at + 1 < len(symbols):
                if (symbols[at], symbols[at + 1]) == (a, b):
                    symbols[at : at + 2] = [a + b]
                at += 1
    return found


@cache
def processor(model: bytes) -> sentencepiece.SentencePieceProcessor:
    return sentencepiece.SentencePieceProcessor(model_proto=model)


@cache
def oracle(texts: tuple[str, ...], model: bytes, merges: int, signs: bool = False, **caps: int) -> list[str]:
    loaded = processor(model)
    runs = [run for tokens in loaded.encode(list(texts), out_type=str) for run in runs_of_words(tokens, signs)]
    return recounted(runs, merges, **caps)


def expected(texts, model: bytes, merges: int, **caps: int) -> list[str]:
    return oracle(tuple(texts), model, merges, **caps)


LINES = st.lists(st.tuples(st.sampled_from(WORDS), st.sampled_from(SEPARATORS)), max_size=40).map(
    lambda drawn: "".join(word + separator for word, separator in drawn)
)


@settings(max_examples=20)
@given(st.lists(LINES, min_size=1, max_size=5), st.sampled_from([2, 3, 4]), st.sampled_from([8, 32]), st.booleans())
def test_superwords_are_those_of_a_full_recount(texts, words, characters, signs):
    chosen = asked(40, superword_words=words, superword_characters=characters, superword_signs=signs)
    found = learnt(texts, world.model(3000), chosen)
    assert found.pieces == expected(texts, world.model(3000), 40, signs=signs, words=words, characters=characters)


@pytest.mark.parametrize(
    "code", ["en", "ko", "hi", "ja", "th", *(pytest.param(c, marks=LONG) for c in ("ru", "ar", "zh", "Python"))]
)
def test_superwords_of_real_text_are_those_of_a_full_recount(code):
    texts, model = world.texts()[code], world.model(3000)
    found = learnt(texts, model, asked(40)).pieces
    assert found == expected(texts, model, 40)
    assert learnt(texts, model, asked(20, superword_signs=True)).pieces == expected(texts, model, 20, signs=True)
    assert bool(found) == (code not in ("th",))


def test_a_piece_over_a_change_of_script_needs_no_space():
    texts = ["Debianの「Linuxカーネル」とDebianのAPI、Linuxカーネル"] * 9
    model = train([count_words(pa.array(texts)).counts], TrainSettings(450, hard_limit=False)).model
    chosen = TrainSettings(453, superwords=3, hard_limit=False)
    assert learnt(texts, model, chosen).pieces[:2] == expected(texts, model, 2) == ["Debianの", "Linuxカーネル"]


def test_without_the_rule_of_units_superwords_differ(monkeypatch):
    texts, model = world.texts()["en"], world.model(3000)
    wanted = expected(texts, model, 60)
    assert learnt(texts, model, asked(60)).pieces == wanted
    monkeypatch.setattr(tokenizer.phrases, "is_unit", lambda *_: True)
    assert learnt(texts, model, asked(60)).pieces != wanted


@LONG
def test_without_the_rule_of_whole_words_superwords_differ(monkeypatch):
    texts, model = world.texts()["en"], world.model(3000)
    read = tokenizer.phrases.tokens_of
    always = lambda tokens: tokens._replace(first=np.full(len(tokens.first), ALONE, np.int16))  # noqa: E731
    monkeypatch.setattr(tokenizer.phrases, "tokens_of", lambda *given_to: always(read(*given_to)))
    assert learnt(texts, model, asked(60)).pieces != expected(texts, model, 60)


# --- order, shards, bounds


def test_any_shards_and_order_give_the_same_superwords():
    texts, model, chosen = list(world.all_texts()), world.model(3000), asked(100)
    rows, _ = phrases_of(texts, model, chosen)
    turned, _ = phrases_of(texts[::-1], model, chosen, batch=3)
    assert rows.equals(turned)
    cut = [rows.slice(at, 501) for at in range(0, rows.num_rows, 501)]
    learnt_so = learn_superwords([phrase_rows(part) for part in cut[::-1]], model, chosen)
    assert learnt_so.pieces == learn_superwords([phrase_rows(rows)], model, chosen).pieces


@settings(max_examples=15)
@given(st.lists(LINES, min_size=1, max_size=5), st.integers(1, 6), st.integers(1, 40))
def test_what_is_called_exact_is_what_all_pairs_give(texts, number, most):
    chosen, model = asked(number), world.model(3000)
    rows, kept = phrases_of(texts, model, chosen, most)
    mixed, made = mix_weighted(lambda: [rows], {GROUP: 1.0})
    found = learn_superwords(map(phrase_rows, mixed), model, chosen)
    ledger = Phrases(model, chosen, kept.words).count(pa.array(texts)).ledger
    if is_exact(found, kept, made, ledger, False, chosen):
        assert found.pieces == expected(texts, model, number)
    if not kept.left_out:
        assert is_exact(found, kept, made, ledger, False, chosen)


def test_too_few_pairs_are_not_called_exact():
    texts, model, chosen = world.texts()["en"], world.model(3000), asked(60)
    exact = {}
    for most in (10, 240):
        rows, kept = phrases_of(texts, model, chosen, most)
        mixed, made = mix_weighted(lambda rows=rows: [rows], {GROUP: 1.0})
        found = learn_superwords(map(phrase_rows, mixed), model, chosen)
        ledger = Phrases(model, chosen, kept.words).count(pa.array(texts)).ledger
        exact[most] = is_exact(found, kept, made, ledger, False, chosen)
        assert exact[most] == (found.pieces == expected(texts, model, 60))
        assert not is_exact(
            found, kept, made._replace(tau=2.0) if hasattr(made, "_replace") else made, ledger, True, chosen
        )
    assert exact == {10: False, 240: True}


@given(st.lists(st.integers(1, 6), max_size=60), st.integers(1, 8), st.integers(1, 20))
def test_the_heaviest_are_the_same_however_they_come(counts, most, size):
    words = [f"w{number:02d}" for number in range(len(counts))]
    columns = [pa.array(range(len(counts)), pa.uint64()), pa.array(words, pa.string())]
    numbers = [pa.array(counts, pa.int64()), *(pa.array([0] * len(counts), pa.int64()) for _ in range(3))]
    groups = [pa.array([GROUP.key] * len(counts), pa.uint64())]
    table = pa.RecordBatch.from_arrays([*columns, *numbers, *groups], schema=COUNTS)
    found = heaviest(lambda: [table.slice(at, size) for at in range(0, len(counts), size)], {GROUP: 1.0}, False, most)
    ordered = sorted(counts, reverse=True)
    last = ordered[most - 1] if len(ordered) > most else 0
    ties = sum(count >= last for count in counts) <= 2 * most
    kept = [(-n, w) for n, w in zip(counts, words, strict=True) if not last or (n >= last if ties else n > last)]
    assert found.words == [word for _, word in sorted(kept)]
    assert found.left_out == max([n for n, w in zip(counts, words, strict=True) if w not in found.words], default=0)


# --- encoders

ODD = st.text(st.sampled_from("ab1 \n\t\r\0é日本ー。▁▅<s>กา\u0301\U0001f600\u3000"), max_size=60)
OPTIONS = [
    pytest.param({}, id="as Gemma's"),
    pytest.param({"add_dummy_prefix": True}, id="a space before each text", marks=LONG),
    pytest.param({"newline_runs": 0, "tab_runs": 0, "space_runs": 0}, id="no runs of white space", marks=LONG),
    pytest.param({"user_symbols": ("the", "日本", "->", "<x>")}, id="symbols of one's own", marks=LONG),
    pytest.param({"script_free": "all", "split_digits": False}, id="pieces of several scripts", marks=LONG),
    pytest.param({"script_free": "code"}, id="code of several scripts", marks=LONG),
    pytest.param({"superword_signs": True}, id="signs are words"),
    pytest.param({"picky": 0.9}, id="picky"),
]
REPEATED = ["of the " * 900, "the the the " * 300, "of the\nof the" * 5, "in theory of themes", "x of the"]


@pytest.mark.parametrize("options", OPTIONS)
def test_every_text_has_the_ids_that_sentencepiece_gives(options):
    model = grown(300, **options)
    loaded, encoder = sentencepiece.SentencePieceProcessor(model_proto=model), TokenEncoder(model)
    texts = [*world.all_texts()[::2], *world.HOSTILE, *REPEATED]
    assert encoder.is_cut == ("picky" not in options)
    assert encoded(encoder, texts) == loaded.encode(texts)
    assert encoded(encoder, texts[::-1]) == loaded.encode(texts[::-1])
    plain = sentencepiece.SentencePieceProcessor(model_proto=world.model(3000))
    assert options.keys() - {"superword_signs"} or sum(map(len, loaded.encode(texts))) < sum(
        map(len, plain.encode(texts))
    )
    assert unreachable(model) == []


@given(st.lists(st.one_of(LINES, ODD), max_size=5))
def test_any_text_has_the_ids_that_sentencepiece_gives(texts):
    loaded, encoder = _loaded()
    assert encoded(encoder, texts) == loaded.encode(texts)


@cache
def _loaded():
    return sentencepiece.SentencePieceProcessor(model_proto=grown()), TokenEncoder(grown())


def test_a_vocabulary_whose_superwords_come_in_between_is_encoded_all_the_same():
    message = parse_model(grown())
    scores = [piece.score for piece in message.pieces]
    for piece in message.pieces:
        if "▁" in piece.piece.lstrip("▁"):
            piece.score = min(scores) - piece.score - 5000.0  # the last ones first
        elif len(piece.piece) > 4:
            piece.score -= 4000.0  # and behind some of them what words are made of
    odd = message.SerializeToString()
    loaded = sentencepiece.SentencePieceProcessor(model_proto=odd)
    texts = [*world.all_texts()[::7], *REPEATED]
    assert encoded(TokenEncoder(odd), texts) == loaded.encode(texts)


def test_hugging_face_and_tiktoken_give_the_same_pieces():
    texts = [*world.texts()["en"], *world.texts()["ko"], *REPEATED[2:], *world.HOSTILE[:7]]
    chosen = TrainSettings(1500, character_coverage=1.0, hard_limit=False, user_symbols=("<image>",))
    first = train([count_words(pa.array(texts)).counts], chosen).model
    model = with_superwords(first, learnt(texts, first, replace(chosen, vocab_size=1700, superwords=200)).pieces)
    loaded = sentencepiece.SentencePieceProcessor(model_proto=model)
    files = exports(model)
    theirs = tokenizers.Tokenizer.from_str(files[".tokenizer.json"].decode())
    theirs.encode_special_tokens = True
    ranks = {base64.b64decode(t): int(r) for t, r in (line.split() for line in files[".tiktoken"].splitlines())}
    bytewise = tiktoken.Encoding("own", pat_str=tiktoken_pattern(model), mergeable_ranks=ranks, special_tokens={})
    for text in [*texts, "x<image>of the <bos>"]:
        ids = loaded.encode(text)
        assert theirs.encode(text, add_special_tokens=False).ids == ids
        found = bytewise.decode_tokens_bytes(bytewise.encode_ordinary(text))
        assert found == [loaded.id_to_piece(i).replace("▁", " ").encode() for i in ids]


def test_a_picky_vocabulary_is_written_as_model_alone():
    assert [*exports(grown(300, picky=0.9))] == [".model"]


def test_the_name_of_a_control_piece_is_no_superword():
    texts = ["(end) (s) a<b>c 1<end>2 3<s>4", "5<end>6 7<s>8"] * 9
    options = {"special": "llama", "control_symbols": ("<end>",), "hard_limit": False}
    first = train([count_words(pa.array(texts)).counts], TrainSettings(400, **options)).model
    chosen = TrainSettings(460, superwords=60, superword_signs=True, **options)
    found = learnt(texts, first, chosen).pieces
    wanted = expected(texts, first, len(found) + 4, signs=True)
    assert {"<end", "<s"} <= {*found}
    assert not {"<end>", "<s>"} & {*found}
    assert {"<end>", "<s>"} <= {*wanted}
    loaded = sentencepiece.SentencePieceProcessor(model_proto=with_superwords(first, found))
    assert encoded(TokenEncoder(with_superwords(first, found)), texts) == loaded.encode(texts)


# --- what stays, what is reported, what is refused


def test_the_first_ids_are_those_of_the_vocabulary_without_superwords():
    first, whole = pieces(world.model(3000)), pieces(grown())
    assert whole.slice(0, first.num_rows).equals(first)
    assert parse_model(grown()).trainer_spec.vocab_size == first.num_rows + 300


def test_uses_are_those_of_the_texts_where_every_word_is_one_piece():
    texts = ["the state of the art", "of the people by the people", "state of the state", "the art of the art"]
    counts = count_words(pa.array(texts)).counts
    first = train([counts], TrainSettings(400, hard_limit=False, space_runs=0)).model
    chosen = TrainSettings(404, superwords=4, hard_limit=False)
    rows, _ = phrases_of(texts, first, chosen)
    model = with_superwords(first, learn_superwords([phrase_rows(rows)], first, chosen).pieces)
    usage = Usage(model, len(texts), first)
    usage.add(counts)
    usage.add_phrases(rows)
    loaded = sentencepiece.SentencePieceProcessor(model_proto=model)
    told = Counter(i for ids in loaded.encode(texts) for i in ids)
    assert {i: n for i, n in enumerate(usage.uses.tolist()) if n} == told


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param({"algorithm": "unigram"}, "goes with algorithm bpe", id="unigram"),
        pytest.param({"byte_fallback": False}, "needs byte_fallback", id="no bytes"),
        pytest.param({"superword_words": 1}, r"not in \[2, 16\]", id="of one word"),
        pytest.param({"superwords": 3900}, "leaves no room", id="no room for words"),
    ],
)
def test_what_superwords_do_not_go_with_is_refused(options, said):
    with pytest.raises(ValueError, match=said):
        TrainSettings(**{"vocab_size": 4000, "superwords": 100, **options})


def test_a_recipe_with_parity_and_superwords_is_refused():
    with pytest.raises(ValueError, match="goes not with parity"):
        Tokenizer(superwords=100, vocabulary=4000, parity="udhr")


def test_one_stage_alone_is_refused():
    with pytest.raises(ValueError, match="come from phrases"):
        train([count_words(pa.array(["a b"])).counts], TrainSettings(4000, superwords=100))
