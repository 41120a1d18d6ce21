"""From a tokenizer's manifest and its model file to what the report shows of it."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from manifests.manifest import Manifest
from manifests.store import Store
from pipelines.report.article import ARTICLE
from pipelines.report.data import Compression, Pieces, Sample, TokenizerData

SENTENCES = 8
SENTENCE_CHARACTERS = 160
SPACE = "▁"
PREFERRED = ("ja", "en", "ar", "zh", "ru", "th", "hi", "ko", "el", "de")  # scripts that differ most, first
_BREAKS = re.compile(r"(?<=[.!?؟।])\s+|(?<=[。！？])|\n")
_ENDS = tuple(".!?。！？؟।။")
_SCRIPTS = {"CJK": "Han", "IDEOGRAPHIC": "Han", "KATAKANA-HIRAGANA": "Katakana", "FULLWIDTH": "Latin", "MICRO": "Greek"}
KINDS_SHOWN = 12


def tokenizer_data(store: Store, trained: Manifest, samples: Iterable[Sample]) -> TokenizerData:
    """Return the model's facts, its compression as the job measured it, and how it cuts sentences of `samples`."""
    import sentencepiece

    model = next(shard for shard in trained["shards"] if shard["kind"] == "model")
    processor: Any = sentencepiece.SentencePieceProcessor(model_proto=store.read(model["name"]))
    evaluation, mixture = trained["statistics"]["evaluation"], trained["statistics"]["mixture"]
    pieces, over = mixture.get("pieces", {}), mixture.get("superwords", {})
    ids = range(processor.get_piece_size())
    texts = [processor.id_to_piece(i) for i in ids if not processor.is_byte(i) and not processor.is_control(i)]
    byte_pieces = sum(processor.is_byte(i) for i in ids)
    return TokenizerData(
        algorithm=trained["settings"]["train"].get("algorithm", "bpe"),
        vocabulary=len(ids),
        digest=model["sha256"],
        distinct_words=mixture["rows"],
        words=mixture["trained"]["words"] if mixture["scale"] == 1 else None,
        used_pieces=evaluation.get("used_pieces"),
        pieces_by_kind=pieces_by_kind(texts) | {"byte": byte_pieces, "special": len(ids) - len(texts) - byte_pieces},
        compression=_compressions(evaluation.get("languages", {})),
        samples=_cut(processor, first_sentences(samples)),
        same=_cut(processor, ARTICLE),
        sources=_compressions(evaluation.get("sources", {})),
        learnt_pieces=pieces.get("learnt"),
        never_used=pieces.get("never_used"),
        unreachable=pieces.get("unreachable"),
        bursty=tuple(pieces.get("burstiest", ())),
        lossless=_lossless(evaluation.get("languages", {})),
        superwords=tuple(over.get("first", ())[:12]),
        superword_count=over.get("superwords", 0),
        superwords_exact=over.get("exact", True),
    )


def _cut(processor: Any, sentences: dict[str, str]) -> tuple[Pieces, ...]:
    return tuple(
        Pieces(code, sentence, tuple(processor.encode(sentence, out_type=str))) for code, sentence in sentences.items()
    )


def _compressions(measured: dict[str, dict[str, int]]) -> tuple[Compression, ...]:
    names = ("words", "byte_tokens", "placed_words", "single_words")
    return tuple(
        Compression(
            code, counts["bytes"], counts["characters"], counts["tokens"], **{name: counts.get(name) for name in names}
        )
        for code, counts in sorted(measured.items())
    )


def _lossless(measured: dict[str, dict[str, int]]) -> tuple[int, int] | None:
    if not measured:
        return None
    sums = [sum(counts[name] for counts in measured.values()) for name in ("lossless_documents", "documents")]
    return sums[0], sums[1]


def first_sentences(samples: Iterable[Sample]) -> dict[str, str]:
    """Return a sentence of each of at most SENTENCES languages: one that ends as sentences do, if any."""
    found: dict[str, str] = {}
    for sample in samples:
        lines = [line.strip() for line in _BREAKS.split(sample.text) if len(line.strip()) >= 20]
        ended = [line for line in lines if line.endswith(_ENDS) and len(line) <= SENTENCE_CHARACTERS]
        if lines:
            found.setdefault(sample.language, ended[0] if ended else lines[0][:SENTENCE_CHARACTERS])
    order = {code: n for n, code in enumerate(PREFERRED)}
    ranked = sorted(found, key=lambda code: (order.get(code, len(order)), code))
    return {code: found[code] for code in ranked[:SENTENCES]}


def pieces_by_kind(pieces: Sequence[str]) -> dict[str, int]:
    """Count pieces by the script of their first letter; the rarest scripts together."""
    counts = Counter(_kind(piece) for piece in pieces)
    ranked = counts.most_common()
    shown, rest = ranked[:KINDS_SHOWN], sum(count for _, count in ranked[KINDS_SHOWN:])
    return dict(shown) | ({"other scripts": rest} if rest else {})


def _kind(piece: str) -> str:
    letter = next((character for character in piece if character.isalpha()), None)
    if letter is None:
        return "white space" if not piece.strip(f"{SPACE} \n\t") else "digits and signs"
    first = unicodedata.name(letter, "unnamed").split()[0]
    return _SCRIPTS.get(first, first.capitalize())
