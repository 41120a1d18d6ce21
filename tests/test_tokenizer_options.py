"""Options and presets of the trainer: what each does to real pages, and equality where SentencePiece has it too."""

import re
import statistics
from collections import Counter
from pathlib import Path

import corpora
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import sentencepiece
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st
from resiliparse.extract.html2text import extract_plain_text

from pipelines.recipe import Tokenizer
from tokenizer.balance import Balance
from tokenizer.count import count_words, merge_counts
from tokenizer.groups import Group
from tokenizer.mix import mix, parts_by_kind, parts_by_language
from tokenizer.model import pieces
from tokenizer.pieces_report import Usage, gini
from tokenizer.presets import PRESETS
from tokenizer.scripts import HAN, scripts
from tokenizer.seeds import seeds
from tokenizer.settings import TrainSettings
from tokenizer.train import train
from tokenizer.unigram import chunks_of
from tokenizer.write import exports

LOCALES = ("en-US", "ja-JP", "zh-CN", "ko-KR", "ar-MA", "fa-IR", "ru-RU", "el-GR", "vi-VN")
DIGITS = "१२३४५ ๑๒๓๔๕ ٠١٢٣٤ ১২৩৪৫ 12345 ２０２６ "


@pytest.fixture(scope="module")
def texts() -> list[str]:
    """Give every eighth page of a manual in nine languages."""
    pages = [p for p in corpora.pages("debian-handbook") if p[0].split("/")[0] in LOCALES][::8]
    return [extract_plain_text(page.decode()) for _, page in pages]


@pytest.fixture(scope="module")
def code() -> list[str]:
    """Give files of the standard library."""
    return [path.read_text("utf-8") for path in sorted(Path(statistics.__file__).parent.glob("*.py"))[::19]]


@pytest.fixture(scope="module")
def counts(texts) -> pa.RecordBatch:
    return count_words(pa.array(texts)).counts


def learnt(model: bytes) -> list[str]:
    """Return the learnt pieces."""
    listed = pieces(model)
    return listed["piece"].filter(pc.equal(listed["type"], "normal")).to_pylist()


def loaded(model: bytes) -> sentencepiece.SentencePieceProcessor:
    return sentencepiece.SentencePieceProcessor(model_proto=model)


EQUAL = {
    "several scripts in a piece": {"script_free": "all"},
    "several scripts, digits too": {"script_free": "all", "split_digits": False},
    "Llama 2's": {**PRESETS["llama2"], "vocab_size": 4000, "character_coverage": 0.9999},
    "media, places, slots": {"modalities": ("image", "audio"), "location_tokens": 64, "reserved": 32},
}


@pytest.mark.parametrize("options", EQUAL.values(), ids=EQUAL)
def test_options_that_sentencepiece_has_give_its_bytes(counts, options):
    given = TrainSettings(**{"vocab_size": 4000, "hard_limit": False, **options})
    assert train([counts], given).model == train([counts], given, engine="sentencepiece").model


@pytest.mark.long
@pytest.mark.parametrize("size", [16_000, 64_000])
@pytest.mark.parametrize("options", EQUAL.values(), ids=EQUAL)
def test_options_that_sentencepiece_has_give_its_bytes_at_any_size(counts, options, size):
    given = TrainSettings(**{**options, "vocab_size": size, "hard_limit": False})
    assert train([counts], given).model == train([counts], given, engine="sentencepiece").model


def test_code_makes_pieces_of_several_scripts_and_text_does_not(texts, code):
    groups = [Group("manual", "en", "text"), Group("python", "und", "code")]
    parts = [count_words(pa.array(each), group=g.key).counts for g, each in zip(groups, (texts, code), strict=True)]
    table, named = merge_counts(parts), {g.key: g for g in groups}
    rows, _ = mix(lambda: [table], named, Balance(), parts=parts_by_kind(named))
    held = list(rows)
    assert {*np.concatenate([batch["group"].to_numpy() for batch in held]).tolist()} == {0, 1}
    model = train(held, TrainSettings(8000, script_free="code")).model
    found = learnt(model)
    assert {"(self", "):", "()"} <= {piece.strip("▁") for piece in found}
    assert not [p for p in found if re.search("[a-z]", p) and any(scripts()[ord(c)] == HAN for c in p)]
    plain = train([table], TrainSettings(8000)).model
    sizes = [sum(map(len, loaded(each).encode(code))) for each in (model, plain)]
    assert sizes[0] < 0.97 * sizes[1]
    assert loaded(model).decode(loaded(model).encode(code)) == code


def test_kinds_apart_or_not_the_rows_are_the_same_in_all(texts, code):
    groups = [Group("manual", "en", "text"), Group("python", "und", "code")]
    parts = [count_words(pa.array(each), group=g.key).counts for g, each in zip(groups, (texts, code), strict=True)]
    table = merge_counts(parts)
    named = {g.key: g for g in groups}
    apart = pa.Table.from_batches(mix(lambda: [table], named, Balance(), parts=parts_by_kind(named))[0])
    joint = pa.Table.from_batches(mix(lambda: [table], named, Balance())[0])
    sums = apart.group_by("word").aggregate([("count", "sum")]).sort_by("word")
    assert sums["count_sum"].to_pylist() == joint.sort_by("word")["count"].to_pylist()


def test_engines_that_can_not_do_an_option_refuse_it(counts):
    with pytest.raises(ValueError, match="split_all_digits, picky: goes with engine own"):
        train([counts], TrainSettings(4000, split_all_digits=True, picky=1.0), engine="sentencepiece")


def test_digits_of_every_script_stand_alone_where_that_is_asked_for():
    counts = count_words(pa.array([DIGITS * 50])).counts
    free = learnt(train([counts], TrainSettings(900, hard_limit=False)).model)
    alone = learnt(train([counts], TrainSettings(900, hard_limit=False, split_all_digits=True)).model)
    assert "१२३" in {piece.strip("▁")[:3] for piece in free}
    assert not [piece for piece in alone if len(piece) > 1 and any(c.isdecimal() for c in piece)]


def test_groups_of_digits_are_no_longer_than_asked_for():
    counts = count_words(pa.array(["1234567 v2026 12:30 1000000 100"] * 30)).counts
    given = TrainSettings(900, split_digits=False, max_digits=3, hard_limit=False)
    found = learnt(train([counts], given).model)
    assert {"123", "100", "202"} <= set(found)
    assert not [piece for piece in found if re.search(r"\d{4}|\d\D|\D\d", piece)]


def test_a_picky_vocabulary_holds_no_idle_piece_and_gives_out_no_helper(counts, texts):
    options = TrainSettings(8000, picky=1.0)
    model, plain = train([counts], options).model, train([counts], TrainSettings(8000)).model
    listed = pieces(model)
    helpers = listed["id"].filter(pc.equal(listed["type"], "unused")).to_pylist()
    assert helpers == list(range(8000, len(listed)))
    assert len(helpers) > 50
    ids = loaded(model).encode(texts)
    assert max(map(max, ids)) < 8000
    assert loaded(model).decode(ids) == texts
    idle = []
    for each in (model, plain):
        usage = Usage(each, len(texts))
        usage.add(counts)
        idle.append(usage.found()["never_used"] / usage.found()["learnt"])
    assert idle[0] <= 0.005 < idle[1]
    assert list(exports(model)) == [".model"]
    assert sum(map(len, ids)) <= sum(map(len, loaded(plain).encode(texts)))


def test_slots_and_media_are_never_what_a_text_says_and_places_are():
    given = TrainSettings(700, modalities=("image", "video"), location_tokens=16, reserved=4, hard_limit=False)
    model = train([count_words(pa.array(["a cat at <loc0007> and <unused3>"])).counts], given).model
    sp = loaded(model)
    found = sp.encode("<loc0007><unused3><image_soft_token>", out_type=str)
    assert "<loc0007>" in found
    assert not {"<unused3>", "<image_soft_token>"} & set(found)
    for name in ("<unused3>", "<image_soft_token>", "<start_of_video>", "<end_of_image>"):
        assert sp.is_control(sp.piece_to_id(name))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"modalities": ("smell",)}, "modalities .'smell'. are not among image"),
        ({"reserved": -1}, "reserved=-1"),
        ({"location_tokens": 10_000}, r"location_tokens=10000 is not in \[0, 9999\]"),
        ({"picky": 1.5}, r"picky=1.5 is not in \[0, 1\]"),
        ({"split_digits": False, "split_all_digits": True}, "needs split_digits"),
        ({"max_digits": 3}, "a digit alone is in no group"),
        ({"algorithm": "unigram", "picky": 1.0}, "picky: goes with algorithm bpe"),
        ({"reserved": 2, "user_symbols": ("<unused1>",)}, "defined twice"),
    ],
    ids=str,
)
def test_options_that_make_no_sense_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        TrainSettings(**{"vocab_size": 20_000, **options})


# --- presets


def test_gemma_3_has_its_pieces():
    given = TrainSettings(**PRESETS["gemma3"])
    sets = {"▁": 30, "\n": 31, "\t": 31}
    assert {sign: sum(set(p) == {sign} for p in given.run_symbols) for sign in sets} == sets
    assert given.vocab_size == 262_144
    assert given.reserved_symbols[-1] == "<unused6241>"
    assert given.fixed_pieces[:6] == ("<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "[multimodal]")


def test_llama_2_has_its_ids_and_learns_its_runs_of_spaces(code):
    given = TrainSettings(**{**PRESETS["llama2"], "vocab_size": 1500, "hard_limit": False})
    model = train([count_words(pa.array(code)).counts], given).model
    listed = pieces(model)["piece"].to_pylist()
    assert listed[:4] == ["<unk>", "<s>", "</s>", "<0x00>"]
    assert max(len(p) for p in listed if set(p) == {"▁"}) == 16
    sp = loaded(model)
    assert (sp.unk_id(), sp.bos_id(), sp.eos_id(), sp.pad_id()) == (0, 1, 2, -1)
    assert sp.encode("x\ny", out_type=str)[1] == "<0x0A>"
    assert sp.decode(sp.encode(code)) == code


@pytest.mark.parametrize("preset", PRESETS)
def test_a_recipe_takes_a_preset_and_changes_what_it_names(preset):
    assert Tokenizer(preset=preset).train_settings() == TrainSettings(**PRESETS[preset])
    changed = Tokenizer(preset=preset, vocabulary=50_000, reserved=7).train_settings()
    assert changed == TrainSettings(**{**PRESETS[preset], "vocab_size": 50_000, "reserved": 7})


# --- parity


PARALLEL = {"en": "en-US", "ja": "ja-JP", "ar": "ar-MA", "ru": "ru-RU", "el": "el-GR"}


@pytest.fixture(scope="module")
def by_language() -> dict[str, list[str]]:
    """Give every sixth page of the manual in five languages: the same pages."""
    found: dict[str, list[str]] = {}
    for code, locale in PARALLEL.items():
        pages = [page for path, page in corpora.pages("debian-handbook") if path.startswith(locale)]
        found[code] = [extract_plain_text(page.decode()) for page in pages[::6]]
    return found


def parallel_tokens(model: bytes, texts: dict[str, str]) -> dict[str, int]:
    return {code: len(loaded(model).encode(text)) for code, text in texts.items()}


@pytest.mark.long
def test_parity_serves_the_worst_language_better_and_all_nearly_as_well(by_language):
    dev = {code: texts[0] for code, texts in by_language.items()}
    groups = [Group("manual", code, "text") for code in by_language]
    parts = [
        count_words(pa.array(texts[1:] * (30 if code == "en" else 1)), group=group.key).counts
        for group, (code, texts) in zip(groups, by_language.items(), strict=True)
    ]
    table, named = merge_counts(parts), {group.key: group for group in groups}
    languages = parts_by_language(named, [*dev])
    rows = list(mix(lambda: [table], named, Balance(), parts=languages)[0])
    options = TrainSettings(6000, character_coverage=0.999)
    plain, fair = train([table], options).model, train(rows, options, parallel=[*dev.values()]).model
    before, after = parallel_tokens(plain, dev), parallel_tokens(fair, dev)
    assert len(pieces(fair)) == len(pieces(plain)) == 6000
    assert max(after.values()) < 0.93 * max(before.values())
    assert gini(after.values()) < 0.8 * gini(before.values())
    texts = [text for each in by_language.values() for text in each]
    assert loaded(fair).decode(loaded(fair).encode(texts)) == texts
    assert train(rows[::-1], options, parallel=[*dev.values()]).model == fair


def test_parity_of_one_language_is_plain(by_language):
    texts = by_language["ru"]
    counts = count_words(pa.array(texts)).counts
    ones = counts.set_column(6, "group", pa.array(np.ones(counts.num_rows, np.uint64)))
    options = TrainSettings(3000)
    assert train([ones], options, parallel=[" ".join(texts)]).model == train([counts], options).model


def test_parity_goes_with_our_own_trainer_alone(counts):
    with pytest.raises(ValueError, match="goes with algorithm bpe and engine own alone"):
        train([counts], TrainSettings(4000), engine="sentencepiece", parallel=["a"])


# --- unigram


def plain_seeds(chunks: dict[str, int]) -> dict[str, int]:
    """Return substring -> count of those that two letters follow, or that end chunks counting twice."""
    count, behind, ends = Counter(), {}, Counter()
    for chunk, n in chunks.items():
        for i in range(len(chunk)):
            for j in range(i + 2, min(len(chunk), i + 16) + 1):
                count[chunk[i:j]] += n
                behind.setdefault(chunk[i:j], set()).add(chunk[j : j + 1])
                ends[chunk[i:j]] += n if j == len(chunk) else 0
    chosen = {t for t in count if len(behind[t]) > 1 or ends[t] == count[t]}
    return {t: count[t] for t in chosen if count[t] >= 2 and "▁" not in t[1:]}


@settings(max_examples=30)
@given(st.dictionaries(st.text("▁abc", min_size=1, max_size=14).filter(str.strip), st.integers(1, 5), min_size=1))
def test_seeds_are_the_substrings_of_a_plain_reading(words):
    rows = [(pa.array(words), np.array([*words.values()], np.int64))]
    chunks, letters = chunks_of(rows, TrainSettings(900, character_coverage=1.0))
    signs = "".join(chr(letters.points[k]) if k else "\0" for k in chunks.letters.tolist()).strip("\0").split("\0")
    found = seeds(chunks, letters, 1000, space_runs=False)
    expected = plain_seeds(dict(zip(signs, chunks.counts.tolist(), strict=True)))
    assert {text: score // len(text) for text, score in found} == expected
    assert [score for _, score in found] == sorted((score for _, score in found), reverse=True)


def test_unigram_does_not_depend_on_how_often_a_corpus_is_counted(texts):
    counts = count_words(pa.array(texts[::6])).counts
    options = TrainSettings(5000, algorithm="unigram")
    model = train([counts], options).model
    often = counts.set_column(2, "count", pc.multiply(counts["count"], 1000))
    halves = [counts.slice(0, 3000), counts.slice(3000)]
    assert train([often], options).model == model
    assert train(halves[::-1], options).model == model
    assert len(pieces(model)) == 5000


@pytest.mark.long
def test_unigram_is_read_by_hugging_face(texts):
    """Alike but for ties: there the two searches choose differently."""
    counts = count_words(pa.array(texts[::6])).counts
    model = train([counts], TrainSettings(5000, algorithm="unigram")).model
    files = exports(model)
    assert list(files) == [".model", ".tokenizer.json"]
    theirs = tokenizers.Tokenizer.from_str(files[".tokenizer.json"].decode())
    theirs.encode_special_tokens = True
    for text in texts[::5]:
        ids = theirs.encode(text, add_special_tokens=False).ids
        assert theirs.decode(ids, skip_special_tokens=False) == text == loaded(model).decode(loaded(model).encode(text))
        assert abs(len(ids) - len(loaded(model).encode(text))) <= 0.001 * len(ids)


@pytest.mark.long
def test_unigram_from_counts_beats_unigram_from_raw_text(texts, tmp_path):
    import io

    kept, held = [t for i, t in enumerate(texts) if i % 5], texts[::5]
    options = TrainSettings(12_000, algorithm="unigram")
    (tmp_path / "raw.txt").write_text("\n".join(kept), "utf-8", newline="")
    written = io.BytesIO()
    arguments = options.trainer_arguments()
    sentencepiece.SentencePieceTrainer.train(
        input=str(tmp_path / "raw.txt"), model_writer=written, add_dummy_prefix=False, **arguments
    )
    ours = train([count_words(pa.array(kept)).counts], options).model
    sizes = [sum(map(len, loaded(model).encode(held))) for model in (ours, written.getvalue())]
    assert sizes[0] < 0.995 * sizes[1]


@pytest.mark.parametrize(
    ("values", "expected"),
    [([], 0.0), ([0, 0], 0.0), ([3, 3, 3], 0.0), ([0, 0, 0, 1], 0.75), ([1, 2, 3], 2 / 9)],
    ids=["nothing", "zeros", "all equal", "one has all", "rising"],
)
def test_gini(values, expected):
    assert gini(values) == pytest.approx(expected)
