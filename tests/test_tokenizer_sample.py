"""Samples of chunks keep every sum on average, whatever the order of the rows."""

import corpora
import numpy as np
import pyarrow as pa
import pytest
import sentencepiece
from resiliparse.extract.html2text import extract_plain_text

import tokenizer.sample
from tokenizer.chunks import NONE, Chunks, Letters
from tokenizer.count import count_words
from tokenizer.groups import Group
from tokenizer.sample import sample
from tokenizer.settings import TrainSettings
from tokenizer.train import train
from tokenizer.unigram import chunks_of

LOCALES = ("en-US", "ja-JP", "zh-CN", "ko-KR", "ar-MA", "ru-RU")
GROUP = Group("manual", "und", "text")


@pytest.fixture(scope="module")
def texts() -> list[str]:
    """Give every sixth page of a manual in six languages."""
    pages = [p for p in corpora.pages("debian-handbook") if p[0].split("/")[0] in LOCALES][::6]
    return [extract_plain_text(page.decode()) for _, page in pages]


@pytest.fixture(scope="module")
def counts(texts) -> pa.RecordBatch:
    return count_words(pa.array(texts[1:]), group=GROUP.key).counts


@pytest.fixture(scope="module")
def chunks(counts) -> tuple[Chunks, Letters]:
    return chunks_of([(counts["word"], counts["count"].to_numpy())], TrainSettings(4000))


def masses(chunks: Chunks, letters: Letters) -> dict[str, int]:
    """Return the counted letters of some scripts."""
    sizes, ends = np.repeat(chunks.counts, np.diff(np.flatnonzero(chunks.letters == NONE))), chunks.letters[1:] != NONE
    points, weights = letters.points[chunks.letters[1:][ends]], sizes[ends]
    ranges = {"ja": (0x3040, 0x3100), "zh": (0x4E00, 0x9FFF), "ko": (0xAC00, 0xD7A4), "ru": (0x400, 0x500)}
    return {name: int(weights[(points >= low) & (points < high)].sum()) for name, (low, high) in ranges.items()}


def test_every_script_keeps_its_mass_on_average(chunks, monkeypatch):
    held, letters = chunks
    whole, never = masses(held, letters), np.zeros(len(held.counts), np.bool_)
    sums = dict.fromkeys(whole, 0.0)
    for salt in range(40):
        monkeypatch.setattr(tokenizer.sample, "_SALT", 7919 * salt + 1)
        kept, done = sample(held, letters.points, 8000, never)
        assert done.kept == len(kept.counts) == pytest.approx(8000, rel=0.03)
        assert done.kept_mass == pytest.approx(done.mass, rel=0.05)
        for name, mass in masses(kept, letters).items():
            sums[name] += mass * done.tau / 16 / whole[name] / 40
    assert sums == pytest.approx(dict.fromkeys(sums, 1.0), abs=0.03)


def test_few_chunks_stay_as_they_are_and_those_that_must_stay_do(chunks):
    held, letters = chunks
    kept, done = sample(held, letters.points, 10**9, np.zeros(len(held.counts), np.bool_))
    assert kept is held
    assert (done.tau, done.kept) == (0.0, len(held.counts))
    always = np.arange(len(held.counts)) % 7 == 0
    kept, done = sample(held, letters.points, 1000, always)
    assert done.kept == pytest.approx(1000 + always.sum(), rel=0.05)


def test_any_order_of_the_rows_gives_the_same_model(counts):
    options, order = TrainSettings(4000), np.argsort(-counts["count"].to_numpy(), kind="stable")
    found = [train([rows], options, max_chunks=9000) for rows in (counts, counts.take(pa.array(order)))]
    assert found[0].model == found[1].model
    assert found[0].sampling == found[1].sampling
    assert found[0].sampling.kept < found[0].sampling.chunks


def test_half_of_the_chunks_lose_little(counts, texts):
    options, loaded = TrainSettings(8000, hard_limit=False), sentencepiece.SentencePieceProcessor
    whole = train([counts], options, max_chunks=10**9)
    half = train([counts], options, max_chunks=whole.sampling.chunks // 2)
    sizes = [sum(map(len, loaded(model_proto=each.model).encode(texts))) for each in (whole, half)]
    assert half.sampling.kept == pytest.approx(whole.sampling.chunks // 2, rel=0.03)
    assert sizes[0] < sizes[1] < 1.015 * sizes[0]
