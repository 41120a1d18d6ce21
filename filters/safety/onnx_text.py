"""ONNX graphs that take strings, made to answer alike on every machine.

Such graphs lower-case by the locale "en_US.UTF-8" unless they name another, and fail where the machine has none. They
are given "C.UTF-8", which every C library of today has. Nothing else of the graph is touched.
"""

from collections.abc import Iterator
from typing import Any

from filters.images.onnx import session

_GRAPH, _NODE, _OP_TYPE, _ATTRIBUTE = 7, 1, 4, 5  # field numbers: ModelProto, GraphProto, NodeProto (onnx.proto)
_NAME, _STRING, _TYPE, _IS_STRING = 1, 4, 20, 3  # AttributeProto
_VARINT, _SIZED = 0, 2  # wire types
_WIDTHS = {1: 8, 5: 4}

LOCALE = b"C.UTF-8"


def text_session(content: bytes) -> Any:
    """Return an onnxruntime session of a graph that takes strings, on one thread."""
    return session(with_locale(content))


def with_locale(model: bytes) -> bytes:
    """Return the model with a locale in each StringNormalizer that names none; other bytes stay as they are."""
    return b"".join(
        _sized(number, _graph(body)) if number == _GRAPH else whole for number, whole, body in _fields(model)
    )


def _graph(graph: bytes) -> bytes:
    return b"".join(_sized(number, _node(body)) if number == _NODE else whole for number, whole, body in _fields(graph))


def _node(node: bytes) -> bytes:
    fields = list(_fields(node))
    if (_OP_TYPE, b"StringNormalizer") not in [(number, body) for number, _, body in fields]:
        return node
    attributes = [{n: b for n, _, b in _fields(body)} for number, _, body in fields if number == _ATTRIBUTE]
    if any(attribute.get(_NAME) == b"locale" for attribute in attributes):
        return node
    own = _sized(_NAME, b"locale") + _sized(_STRING, LOCALE) + _varint(_TYPE << 3 | _VARINT) + _varint(_IS_STRING)
    return node + _sized(_ATTRIBUTE, own)


def _fields(message: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield (number, the field with its tag, its content) of a protobuf message; content is b"" for numbers."""
    i = 0
    while i < len(message):
        start = i
        tag, i = _read_varint(message, i)
        kind, body = tag & 7, b""
        if kind == _VARINT:
            _, i = _read_varint(message, i)
        elif kind == _SIZED:
            size, i = _read_varint(message, i)
            body, i = message[i : i + size], i + size
        elif kind in _WIDTHS:
            i += _WIDTHS[kind]
        else:
            raise ValueError(f"no protobuf: wire type {kind}")
        if i > len(message):
            raise ValueError("no protobuf: it ends in a field")
        yield tag >> 3, message[start:i], body


def _read_varint(message: bytes, i: int) -> tuple[int, int]:
    value, shift = 0, 0
    while True:
        if i >= len(message) or shift > 63:
            raise ValueError("no protobuf: a number does not end")
        value |= (message[i] & 0x7F) << shift
        i, shift = i + 1, shift + 7
        if message[i - 1] < 0x80:
            return value, i


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _sized(number: int, body: bytes) -> bytes:
    return _varint(number << 3 | _SIZED) + _varint(len(body)) + body
