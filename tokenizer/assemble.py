"""Make a .model file of learnt pieces: the bytes that SentencePiece's own trainer would write."""

from collections.abc import Sequence
from typing import Any

from tokenizer.model import PIECE_TYPES, empty_model, serialize_model
from tokenizer.settings import TrainSettings

_TYPES = {name: number for number, name in PIECE_TYPES.items()}
_BPE = 2  # enum TrainerSpec.ModelType
_IDENTITY = "identity"


def _fixed(settings: TrainSettings) -> list[tuple[str, str]]:
    """Return piece and type of what is there whatever the counts say."""
    pad, eos, bos, unknown = settings.special_pieces
    return [
        *((piece, "control") for piece in (pad, eos, bos)),
        (unknown, "unknown"),
        *((piece, "control") for piece in settings.control_symbols),
        *((piece, "user_defined") for piece in (*settings.user_symbols, *settings.run_symbols)),
        *((piece, "byte") for piece in settings.byte_pieces),
    ]


def assemble(learnt: Sequence[str], settings: TrainSettings) -> bytes:
    """Return the model of learnt pieces, best first: ids follow the fixed pieces, scores are 0, -1, -2 ..."""
    message = empty_model()
    for piece, kind in _fixed(settings):
        message.pieces.add(piece=piece, score=0.0, type=_TYPES[kind])
    for rank, piece in enumerate(learnt):
        message.pieces.add(piece=piece, score=-float(rank))
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
    trainer.model_type, trainer.input_format, trainer.vocab_size = _BPE, "tsv", len(message.pieces)
    normalizer.name, normalizer.precompiled_charsmap = _IDENTITY, b""
    normalizer.add_dummy_prefix, normalizer.remove_extra_whitespaces = settings.add_dummy_prefix, False
