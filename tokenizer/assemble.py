"""Make a .model file of learnt pieces: the bytes that SentencePiece's own trainer would write."""

from collections.abc import Collection, Sequence
from typing import Any

from tokenizer.model import PIECE_TYPES, empty_model, serialize_model
from tokenizer.settings import TrainSettings

_TYPES = {name: number for number, name in PIECE_TYPES.items()}
_BPE = 2  # enum TrainerSpec.ModelType
_IDENTITY = "identity"


def _fixed(settings: TrainSettings) -> list[tuple[str, str]]:
    """Return piece and type of what is there whatever the counts say."""
    return [
        *settings.special_pieces,
        *((piece, "control") for piece in settings.all_controls),
        *((piece, "user_defined") for piece in settings.all_symbols),
        *((piece, "byte") for piece in settings.byte_pieces),
    ]


def assemble(learnt: Sequence[str], settings: TrainSettings, helpers: Collection[str] = ()) -> bytes:
    """Return the model of learnt pieces, best first: ids follow the fixed pieces, scores are 0, -1, -2 ...

    `helpers` lead to other pieces and are none: they get ids behind all others and the type "unused", so that an
    encoder merges through them and never gives one out.
    """
    message = empty_model()
    for piece, kind in _fixed(settings):
        message.pieces.add(piece=piece, score=0.0, type=_TYPES[kind])
    ranked = [*enumerate(learnt)]
    for rank, piece in ranked:
        if piece not in helpers:
            message.pieces.add(piece=piece, score=-float(rank))
    for rank, piece in ranked if helpers else []:
        if piece in helpers:
            message.pieces.add(piece=piece, score=-float(rank), type=_TYPES["unused"])
    _state(message, settings)
    return serialize_model(message)


def _state(message: Any, settings: TrainSettings) -> None:
    """Say in the model how it was trained and how it encodes."""
    trainer, normalizer = message.trainer_spec, message.normalizer_spec
    for name, value in settings.trainer_arguments().items():
        if name in ("model_type", "normalization_rule_name", "remove_extra_whitespaces", "minloglevel", "num_threads"):
            continue
        if isinstance(value, list):
            getattr(trainer, name).extend(value)
        else:
            setattr(trainer, name, value)
    size = sum(piece.type != _TYPES["unused"] for piece in message.pieces)
    trainer.model_type, trainer.input_format, trainer.vocab_size = _BPE, "tsv", size
    normalizer.name, normalizer.precompiled_charsmap = _IDENTITY, b""
    normalizer.add_dummy_prefix, normalizer.remove_extra_whitespaces = settings.add_dummy_prefix, False
