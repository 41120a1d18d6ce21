"""From positive and negative examples to a classifier, the same bytes each time on one type of processor.

Examples are taken in the order of a keyed hash of their text, whatever order they came in; a text that is in one class
twice counts once, one that is in both counts in none. The hash also says which are held back for the evaluation.
"""

import hashlib
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from filters.language import identify
from filters.quality import lines
from filters.quality.evaluate import evaluated
from filters.quality.fit import fit
from filters.quality.model import PREFIX, file_sha256, load_fasttext, probabilities
from filters.segmentation import segment, segmentation_digest
from manifests.keys import digest_of

VERSION = 1
POSITIVE, NEGATIVE = "positive", "negative"
_HELD_BACK, _CHOSEN = b"held back", b"order"


@dataclass(frozen=True)
class Training:
    """What a model depends on, besides its examples; fastText's own names and meanings.

    held_back_fraction   of the examples, for the evaluation
    max_examples         of a class: those whose keyed hash is smallest; None: all
    """

    epoch: int = 5
    lr: float = 0.1
    dim: int = 32
    word_ngrams: int = 2
    min_count: int = 3
    bucket: int = 1 << 18
    seed: int = 0
    held_back_fraction: float = 0.1
    max_examples: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.held_back_fraction < 1:
            raise ValueError(f"held_back_fraction is between 0 and 1, not {self.held_back_fraction}")
        counts = {"epoch": self.epoch, "dim": self.dim, "word_ngrams": self.word_ngrams, "min_count": self.min_count}
        for name, value in counts.items():
            if value < 1:
                raise ValueError(f"{name} is at least 1, not {value}")


@dataclass(frozen=True, order=True)
class Example:
    """A text as fastText sees it; `order` is a keyed hash of its digest: examples sort by it."""

    order: bytes
    digest: bytes
    language: str
    line: str


def examples(texts: Iterable[pa.StringArray]) -> dict[bytes, Example]:
    """Return the examples of some batches of texts by their digest; a text without a word is none."""
    found: dict[bytes, Example] = {}
    for text in texts:
        language = identify(text)[0].to_pylist()
        for code, line in zip(language, lines.word_lines(text, segment(text)).to_pylist(), strict=True):
            if line:
                digest = hashlib.sha256(line.encode()).digest()
                found[digest] = Example(_keyed(digest, _CHOSEN), digest, code, line)
    return found


def train(
    positive: Mapping[bytes, Example], negative: Mapping[bytes, Example], settings: Training, out: Path
) -> dict[str, Any]:
    """Write the model to `out`, whole or not at all, and return its card.

    Raises ValueError where a class is too small to train on and to hold some back.
    """
    both = positive.keys() & negative.keys()
    classes = {
        label: _chosen([example for digest, example in own.items() if digest not in both], settings)
        for label, own in ((POSITIVE, positive), (NEGATIVE, negative))
    }
    split = {label: _split(own, settings.held_back_fraction) for label, own in classes.items()}
    for label, (seen, held) in split.items():
        if not seen or not held:
            raise ValueError(f"{label}: {len(seen)} texts to train on and {len(held)} held back; both need some")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as work:
        made = _fit({label: seen for label, (seen, _) in split.items()}, settings, Path(work))
        sha256 = file_sha256(made)
        evaluation = _evaluate(made, sha256, {label: held for label, (_, held) in split.items()})
        made.replace(out)
    return _card(split, settings, len(both)) | {"sha256": sha256, "evaluation": evaluation}


def _card(split: Mapping[str, tuple[list[Example], list[Example]]], settings: Training, both: int) -> dict[str, Any]:
    return {
        "format": 1,
        "task": "quality",
        "settings": asdict(settings),
        "versions": {"train": VERSION, "lines": lines.VERSION, "segmentation": segmentation_digest()},
        "max_words": lines.MAX_WORDS,
        "in_both_classes": both,
        "classes": {label: _class_card(seen, held) for label, (seen, held) in split.items()},
    }


def _class_card(seen: Sequence[Example], held: Sequence[Example]) -> dict[str, Any]:
    return {
        "trained": len(seen),
        "held_back": len(held),
        "digest": digest_of(sorted(example.digest.hex() for example in (*seen, *held))),
        "languages": dict(sorted(Counter(example.language for example in (*seen, *held)).items())),
    }


def _chosen(own: list[Example], settings: Training) -> list[Example]:
    return sorted(own)[: settings.max_examples]


def _split(own: list[Example], fraction: float) -> tuple[list[Example], list[Example]]:
    limit = int(fraction * (1 << 64))
    held = [int.from_bytes(_keyed(example.digest, _HELD_BACK)[:8], "big") < limit for example in own]
    return (
        [example for example, is_held in zip(own, held, strict=True) if not is_held],
        [example for example, is_held in zip(own, held, strict=True) if is_held],
    )


def _keyed(digest: bytes, key: bytes) -> bytes:
    return hashlib.blake2b(digest, digest_size=16, key=key).digest()


def _fit(seen: Mapping[str, list[Example]], settings: Training, work: Path) -> Path:
    """Train on one thread, for with more of them the order of their steps is left to chance."""
    given, made = work / "examples.txt", work / "model.bin"
    labelled = sorted((example, label) for label, own in seen.items() for example in own)
    with given.open("w", encoding="utf-8") as file:
        file.writelines(f"{PREFIX}{label} {example.line}\n" for example, label in labelled)
    own = {"epoch": settings.epoch, "lr": settings.lr, "dim": settings.dim, "wordNgrams": settings.word_ngrams}
    own |= {"minCount": settings.min_count, "bucket": settings.bucket, "seed": settings.seed}
    fit(given, made, own)
    return made


def _evaluate(model: Path, sha256: str, held: Mapping[str, list[Example]]) -> dict[str, Any]:
    every = [(example, label == POSITIVE) for label, own in sorted(held.items()) for example in own]
    loaded = load_fasttext(model, sha256)
    scores = probabilities(loaded, pa.array([example.line for example, _ in every], pa.string()), [POSITIVE])
    return evaluated(scores, [positive for _, positive in every], [example.language for example, _ in every])
