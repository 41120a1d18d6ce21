"""Train a unigram vocabulary: SentencePiece's own search on our chunks, counts and seeds.

The result must not depend on how often a corpus is counted: the trainer's cut at half an expected use and its prior
know no scale. So counts are scaled until the lightest row counts 1, whatever they were: with that row at 2, a sixth of
the bytes a token are lost.
"""

import io
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from filters.native import string_buffers
from tokenizer.alphabet import alphabet
from tokenizer.bpe import Rows
from tokenizer.chunks import NONE, Chunks, Gathering, Letters, letters_of
from tokenizer.gather import tally_code_points
from tokenizer.seeds import seeds
from tokenizer.settings import TrainSettings

SEEDS = 1_000_000
_LINES = 1 << 16


def chunks_of(rows: Iterable[Rows], settings: TrainSettings, points: Any = None) -> tuple[Chunks, Letters]:
    """Return the chunks of one letter or more, and the alphabet."""
    held = list(rows)
    tally = np.zeros(0x110000, np.int64)
    for row in held:
        tally_code_points(*string_buffers(row[0]), row[1], tally)
    letters = letters_of(alphabet(tally, settings.character_coverage) if points is None else points, settings)
    gathering = Gathering(letters, least=1)
    for words, counts, *_ in held:
        gathering.add(*string_buffers(words), counts)
    return gathering.chunks(), letters


def scaled(counts: Any) -> Any:
    """Return counts of which the lightest is 1, int64[n]."""
    lightest = max(int(counts.min(initial=1 << 62)), 1)
    return np.maximum(np.rint(counts / lightest), 1).astype(np.int64)


def learn_unigram(rows: Iterable[Rows], settings: TrainSettings, points: Any = None) -> bytes:
    """Return the .model; one thread, so that the same rows give the same bytes.

    Raises RuntimeError in SentencePiece's words, ValueError where there is no letter.
    """
    from sentencepiece import SentencePieceTrainer

    chunks, letters = chunks_of(rows, settings, points)
    if not len(chunks.counts):
        raise ValueError("there is nothing to train from: the counts hold no character")
    chunks = chunks._replace(counts=scaled(chunks.counts))
    order = _by_text(chunks)
    found = seeds(chunks, letters, SEEDS, settings.allow_whitespace_only_pieces)
    trainer: Any = SentencePieceTrainer
    written = io.BytesIO()
    given = settings.trainer_arguments() | {"character_coverage": 1.0}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "seeds.tsv"
        path.write_text("".join(f"{text}\t{score}\n" for text, score in found), "utf-8", newline="")
        trainer.train(
            sentence_iterator=_lines(chunks, letters, order),
            model_writer=written,
            input_format="tsv",
            add_dummy_prefix=False,
            seed_sentencepieces_file=str(path),
            seed_sentencepiece_size=SEEDS + len(letters.points),
            **given,
        )
    return written.getvalue()


def _by_text(chunks: Chunks) -> list[int]:
    """Return the numbers of chunks in the order of their letters: no order of the input shows in the model."""
    spelt = _spelt(chunks)
    return sorted(range(len(spelt)), key=spelt.__getitem__)


def _spelt(chunks: Chunks) -> list[bytes]:
    """Return the letters of each chunk, four bytes each, so that they order as numbers do."""
    ends: Any = np.flatnonzero(chunks.letters == NONE)
    body = chunks.letters.astype(">u4").tobytes()
    return [body[4 * (a + 1) : 4 * b] for a, b in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True)]


def _lines(chunks: Chunks, letters: Letters, order: list[int]) -> Iterator[str]:
    spelt, counts = _spelt(chunks), chunks.counts.tolist()
    for number in order:
        points = letters.points[np.frombuffer(spelt[number], ">u4")]
        yield "".join(map(chr, points.tolist())) + f"\t{counts[number]}"
