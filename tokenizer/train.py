"""Train a SentencePiece BPE model from counts: the model of the raw text, at the cost of its unique words.

Two engines give the same bytes: `own` (tokenizer.bpe), and `sentencepiece`, which reads the same rows as TSV.
"""

import io
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pyarrow as pa

from tokenizer.alphabet import usable
from tokenizer.assemble import assemble
from tokenizer.ledger import TrainLedger
from tokenizer.model import parse_model, serialize_model
from tokenizer.rows import training_rows, tsv_lines, weight
from tokenizer.sample import Sampling
from tokenizer.settings import TrainSettings
from tokenizer.table import read_counts

_MAX_CHARACTERS = 1 << 62  # the trainer sums counts of characters in an int64
_NOTHING = "there is nothing to train from: the counts hold no character"
_TOO_MANY = "the counts hold more than 2^62 characters, more than the trainer can add: scale them down"


class VocabularyTooLarge(ValueError):
    """The counts don't hold that many pieces; `largest` is the number that they do hold."""

    def __init__(self, asked: int, largest: int) -> None:
        """Name both sizes."""
        super().__init__(
            f"vocab_size={asked} is more than these counts allow: the largest possible is {largest} "
            "(or set hard_limit=False to take what there is)"
        )
        self.largest = largest


class VocabularyTooSmall(ValueError):
    """The alphabet doesn't fit; `smallest` is the size that holds it."""

    def __init__(self, asked: int, smallest: int, coverage: float) -> None:
        """Name both sizes."""
        super().__init__(
            f"vocab_size={asked} is too small for the alphabet: fixed pieces and the characters that cover "
            f"{coverage:.2%} of the text take {smallest}; raise vocab_size or lower character_coverage"
        )
        self.smallest = smallest


Engine = Literal["own", "sentencepiece"]


class Trained(NamedTuple):
    """A .model file, and what became of each counted character."""

    model: bytes
    ledger: TrainLedger
    sampling: Sampling | None = None  # of chunks, by our engine


class _Lines:
    """The trainer's input, read once; `ledger` is complete when the lines are."""

    def __init__(self, counts: Iterable[pa.RecordBatch], settings: TrainSettings, is_parity: bool) -> None:
        self.has_parts = is_parity or settings.script_free == "code"
        self.counts, self.settings, self.ledger = counts, settings, TrainLedger()
        self.weight = 0.0  # characters, which an int64 might not hold

    def rows(self) -> Iterator[tuple[Any, Any, int]]:
        """Give words and counts of each batch, and the part of the mixture that they belong to."""
        for batch in self.counts:
            self.weight += weight(batch)
            if self.weight > _MAX_CHARACTERS:
                raise OverflowError(_TOO_MANY)  # past the first batch the trainer makes it an error of its own
            for rows, part in self._by_part(batch):
                words, counts, ledger = training_rows(rows, self.settings)
                self.ledger += ledger
                yield words, counts, part

    def _by_part(self, batch: pa.RecordBatch) -> Iterator[tuple[pa.RecordBatch, int]]:
        """Give the rows of each part of the mixture, where it matters to which they belong."""
        group: Any = batch["group"].to_numpy()
        parts = np.unique(group).tolist() if self.has_parts else []
        if len(parts) < 2:
            yield batch, int(parts[0]) if parts else 0
            return
        for part in parts:
            yield batch.filter(pa.array(group == part)), int(part)

    def __iter__(self) -> Iterator[str]:
        for words, counts, _ in self.rows():
            yield from tsv_lines(words, counts)


def train(
    counts: Iterable[pa.RecordBatch] | Path | str,
    settings: TrainSettings,
    engine: Engine = "own",
    alphabet: Any = None,
    parallel: Sequence[str] = (),
    max_chunks: int | None = None,
) -> Trained:
    """Train from counts (batches of schema COUNTS, or a table's path), in any order and cut into any batches.

    The model's bytes depend on counts and settings alone: no path, no number of threads, no engine is in them.

    `parallel` are the same text in several languages; the counts are then of groups 1, 2 ... as these, 0 for others,
    and each merge is the best one of the language that needs most tokens for its text.

    `max_chunks` is how many unique chunks our engine trains on at most: of more, a threshold sample. `alphabet` (code
    points, int64[n]) is that of our engine alone: SentencePiece cuts a given one off at its coverage.

    Raises:
        VocabularyTooLarge, VocabularyTooSmall: and name the size that would do.
        OverflowError: the counts hold more characters than 2^62.
        ValueError: there is nothing to train from.
    """
    if alphabet is not None and engine != "own":
        raise ValueError(f"an alphabet of one's own goes with engine own, not {engine}")
    if settings.own_options and engine != "own":
        raise ValueError(f"{', '.join(settings.own_options)}: goes with engine own, not {engine}")
    if settings.superwords:
        raise ValueError("superwords: come from phrases; train `settings.first_stage`, then tokenizer.superwords")
    alphabet = alphabet if alphabet is None else usable(alphabet, settings)
    if parallel:
        _check_parity(settings, engine)
    lines = _Lines(read_counts(counts) if isinstance(counts, Path | str) else counts, settings, bool(parallel))
    sampling = None
    if settings.algorithm == "unigram":
        model = _run_unigram(lines, settings, alphabet)
    elif engine == "own":
        model, sampling = _learn(lines, settings, alphabet, parallel, max_chunks)
    else:
        model = _run_trainer(lines, settings)
    if not lines.ledger.balanced:
        raise AssertionError(f"characters are neither trained nor accounted for: {lines.ledger}")
    return Trained(_canonical(model, settings), lines.ledger, sampling)


def _check_parity(settings: TrainSettings, engine: str) -> None:
    if engine != "own" or settings.algorithm != "bpe":
        raise ValueError("parity: goes with algorithm bpe and engine own alone")
    if settings.picky or settings.script_free == "code":
        raise ValueError("parity: goes neither with picky nor with script_free=code")


def _dev_rows(parallel: Sequence[str], settings: TrainSettings) -> list[tuple[Any, Any, int]]:
    """Return the words of parallel texts, their language as their part."""
    from tokenizer.count import count_words

    rows = []
    for language, text in enumerate(parallel, 1):
        words, counts, _ = training_rows(count_words(pa.array([text])).counts, settings)
        rows.append((words, counts, language))
    return rows


def _learn(
    lines: _Lines, settings: TrainSettings, alphabet: Any, parallel: Sequence[str], max_chunks: int | None
) -> tuple[bytes, Any]:
    """Run our own trainer."""
    from tokenizer.bpe import learn

    merges, letters, helpers, sampling = learn(
        lines.rows(), settings, alphabet, _dev_rows(parallel, settings), max_chunks
    )
    if not letters:
        raise ValueError(_NOTHING)
    smallest = len(settings.fixed_pieces) + len(letters)
    if smallest > settings.vocab_size:
        raise VocabularyTooSmall(settings.vocab_size, smallest, settings.character_coverage)
    largest = smallest + len(merges) - len(helpers)
    if settings.hard_limit and largest < settings.vocab_size:
        raise VocabularyTooLarge(settings.vocab_size, largest)
    return assemble([*merges, *letters], settings, helpers), sampling


def _run_unigram(lines: _Lines, settings: TrainSettings, alphabet: Any) -> bytes:
    from tokenizer.unigram import learn_unigram

    try:
        return learn_unigram(lines.rows(), settings, alphabet)
    except RuntimeError as error:
        raise _explained(str(error), lines, settings) from error


def _run_trainer(lines: _Lines, settings: TrainSettings) -> bytes:
    from sentencepiece import SentencePieceTrainer

    trainer: Any = SentencePieceTrainer
    written = io.BytesIO()
    try:
        trainer.train(
            sentence_iterator=iter(lines),
            model_writer=written,
            input_format="tsv",
            add_dummy_prefix=False,
            **settings.trainer_arguments(),
        )
    except RuntimeError as error:
        raise _explained(str(error), lines, settings) from error
    return written.getvalue()


def _explained(message: str, lines: _Lines, settings: TrainSettings) -> Exception:
    """Say in our words what the trainer's error means for the settings."""
    if found := re.search(r"Vocabulary size too high .* value <= (\d+)", message):
        return VocabularyTooLarge(settings.vocab_size, int(found[1]))
    if found := re.search(r"smaller than required_chars\. \d+ vs (\d+)", message):
        return VocabularyTooSmall(settings.vocab_size, int(found[1]), settings.character_coverage)
    if lines.weight > _MAX_CHARACTERS:
        return OverflowError(_TOO_MANY)
    if not lines.ledger.trained:
        return ValueError(_NOTHING)
    return RuntimeError(f"SentencePiece could not train: {message}")


def _canonical(model: bytes, settings: TrainSettings) -> bytes:
    """Say in the model how it encodes, and not how this machine trained it."""
    message = parse_model(model)
    message.normalizer_spec.add_dummy_prefix = settings.add_dummy_prefix
    message.trainer_spec.character_coverage = settings.character_coverage
    for machine in ("num_threads", "input", "model_prefix", "seed_sentencepieces_file"):
        message.trainer_spec.ClearField(machine)
    return serialize_model(message)
