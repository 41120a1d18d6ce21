"""SentencePiece's model file, read and written through a descriptor made at run time.

sentencepiece's own generated module needs a newer protobuf than apache-beam allows. The fields are those of
sentencepiece_model.proto of sentencepiece 0.2.3; fields unknown here pass through untouched.
"""

from functools import cache
from typing import Any

import pyarrow as pa
from google.protobuf import (  # type: ignore[import-untyped, unused-ignore]
    descriptor_pb2,
    descriptor_pool,
    message_factory,
)
from google.protobuf.message import DecodeError  # type: ignore[import-untyped, unused-ignore]

_PIECE = "piece:string:1 score:float:2 type:int32:3"
_NORMALIZER = (
    "name:string:1 precompiled_charsmap:bytes:2 add_dummy_prefix:bool:3 remove_extra_whitespaces:bool:4 "
    "escape_whitespaces:bool:5 normalization_rule_tsv:string:6"
)
_TRAINER = (
    "*input:string:1 input_format:string:7 model_prefix:string:2 model_type:int32:3 vocab_size:int32:4 "
    "*accept_language:string:5 self_test_sample_size:int32:6 character_coverage:float:10 "
    "input_sentence_size:uint64:11 shuffle_input_sentence:bool:19 mining_sentence_size:int32:12 "
    "training_sentence_size:int32:13 seed_sentencepiece_size:int32:14 shrinking_factor:float:15 "
    "max_sentence_length:int32:18 num_threads:int32:16 num_sub_iterations:int32:17 "
    "max_sentencepiece_length:int32:20 split_by_unicode_script:bool:21 split_by_number:bool:23 "
    "split_by_whitespace:bool:22 treat_whitespace_as_suffix:bool:24 allow_whitespace_only_pieces:bool:26 "
    "split_digits:bool:25 pretokenization_delimiter:string:53 *control_symbols:string:30 "
    "*user_defined_symbols:string:31 required_chars:string:36 byte_fallback:bool:35 "
    "vocabulary_output_piece_score:bool:32 hard_vocab_limit:bool:33 use_all_vocab:bool:34 unk_id:int32:40 "
    "bos_id:int32:41 eos_id:int32:42 pad_id:int32:43 unk_piece:string:45 bos_piece:string:46 "
    "eos_piece:string:47 pad_piece:string:48 unk_surface:string:44 train_extremely_large_corpus:bool:49 "
    "enable_differential_privacy:bool:50 differential_privacy_noise_level:float:51 "
    "differential_privacy_clipping_threshold:uint64:52 seed_sentencepieces_file:string:54 "
    "auto_character_coverage:bool:55"
)
_MODEL = "*pieces:Piece:1 trainer_spec:Trainer:2 normalizer_spec:Normalizer:3 denormalizer_spec:Normalizer:5"
_MESSAGES = {"Piece": _PIECE, "Normalizer": _NORMALIZER, "Trainer": _TRAINER, "Model": _MODEL}
# enum ModelProto.SentencePiece.Type; an enum travels as an int32
PIECE_TYPES = {1: "normal", 2: "unknown", 3: "control", 4: "user_defined", 5: "unused", 6: "byte"}
_NORMAL = 1


def _add_field(message: descriptor_pb2.DescriptorProto, field: str) -> None:
    kinds = descriptor_pb2.FieldDescriptorProto
    name, kind, number = field.lstrip("*").split(":")
    added = message.field.add(name=name, number=int(number))
    added.label = kinds.LABEL_REPEATED if field.startswith("*") else kinds.LABEL_OPTIONAL
    if kind in _MESSAGES:
        added.type, added.type_name = kinds.TYPE_MESSAGE, f".corpusmill.{kind}"
    else:
        added.type = kinds.Type.Value(f"TYPE_{kind.upper()}")


@cache
def _model_class() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="corpusmill.proto", package="corpusmill", syntax="proto2")
    for name, layout in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field in layout.split():
            _add_field(message, field)
    pool = descriptor_pool.DescriptorPool()  # its own: nothing to clash with
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("corpusmill.Model"))


def empty_model() -> Any:
    """Return a message that holds nothing yet."""
    return _model_class()()


def parse_model(model: bytes) -> Any:
    """Return the message of a .model file.

    Raises ValueError if the bytes are no model.
    """
    message = _model_class()()
    try:
        message.ParseFromString(model)
    except DecodeError as error:
        raise ValueError(f"these {len(model)} bytes are no SentencePiece model: {error}") from None
    if not message.pieces:
        raise ValueError(f"these {len(model)} bytes are no SentencePiece model: they hold no piece")
    return message


def serialize_model(message: Any) -> bytes:
    """Return the bytes of a model, fields in the order of their numbers."""
    model: bytes = message.SerializeToString(deterministic=True)
    return model


def pieces(model: bytes) -> pa.RecordBatch:
    """Return the vocabulary by id: {id: int32, piece: string, score: float32, type: string}.

    U+2581 in a piece is a space; type is one of PIECE_TYPES.
    """
    listed = parse_model(model).pieces
    types = [PIECE_TYPES[p.type if p.HasField("type") else _NORMAL] for p in listed]
    return pa.RecordBatch.from_pydict(
        {
            "id": pa.array(range(len(listed)), pa.int32()),
            "piece": pa.array([p.piece for p in listed], pa.string()),
            "score": pa.array([p.score for p in listed], pa.float32()),
            "type": pa.array(types, pa.string()),
        }
    )
