"""Transfer and content codings of HTTP bodies, undone under caps: a bomb costs its cap, not its size.

RFC 9112 section 7.1 (chunked), RFC 9110 section 8.4 (gzip, deflate), RFC 7932 (br), RFC 8878 (zstd). Archives
often keep a header whose coding the crawler has undone already; a body that can't be in the coding is taken
as it stands.
"""

import io
import re
import zlib
from collections.abc import Callable, Iterator

import zstandard

from manifests.limits import MIB, Limits
from manifests.reasons import Quarantine

MAX_CODINGS = 2
STEP_BYTES = 1 << 16
_CHUNK_SIZE = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?\r?\n")
_ZSTD_WINDOW = 128 * MIB


class CodingError(ValueError):
    """A body that can't be decoded, with the reason of the closed list."""

    def __init__(self, reason: Quarantine, detail: str, limit: str | None = None, observed: int | None = None) -> None:
        super().__init__(detail)
        self.reason, self.detail, self.limit, self.observed = reason, detail, limit, observed


def dechunk(body: bytes) -> bytes:
    """Return the content of a chunked body; a body that does not begin with a chunk is returned as it is.

    Raises CodingError: damaged_coding for bytes that are no chunk, truncated_record where the last chunk is
    missing.
    """
    if not _CHUNK_SIZE.match(body):
        return body
    pieces: list[bytes] = []
    at = 0
    while match := _CHUNK_SIZE.match(body, at):
        size, begin = int(match.group(1), 16), match.end()
        if size == 0:
            return b"".join(pieces)
        if begin + size > len(body):
            raise CodingError(Quarantine.TRUNCATED_RECORD, "the body ends inside a chunk")
        pieces.append(body[begin : begin + size])
        at = begin + size
        at += 2 if body.startswith(b"\r\n", at) else body.startswith(b"\n", at)
    if at >= len(body):
        raise CodingError(Quarantine.TRUNCATED_RECORD, "the last chunk is missing")
    raise CodingError(Quarantine.DAMAGED_CODING, f"no chunk size at byte {at} of the body")


def _inflate(body: bytes, wbits: int) -> Iterator[bytes]:
    """Yield the content of zlib-family members; bytes behind the last member are ignored, as browsers do."""
    rest: bytes = body
    while rest:
        inflater = zlib.decompressobj(wbits)
        while not inflater.eof:
            piece = inflater.decompress(rest, STEP_BYTES)
            rest = inflater.unconsumed_tail
            yield piece
            if not (piece or rest or inflater.eof):
                raise CodingError(Quarantine.DAMAGED_CODING, "the coded body ends early")
        rest = inflater.unused_data if inflater.unused_data.startswith(b"\x1f\x8b") else b""


def _inflate_deflate(body: bytes) -> Iterator[bytes]:
    """Yield the content of `deflate`.

    The zlib format, as RFC 9110 says, or raw deflate, as some servers send it.
    """
    zlib_header = len(body) > 1 and body[0] & 0x0F == 8 and (body[0] << 8 | body[1]) % 31 == 0
    return _inflate(body, 15 if zlib_header else -15)


def _unbrotli(body: bytes) -> Iterator[bytes]:
    try:
        import brotli  # type: ignore[import-untyped]
    except ImportError:
        raise CodingError(Quarantine.DAMAGED_CODING, "br: the package brotli is not installed") from None
    decoder = brotli.Decompressor()
    try:
        piece = decoder.process(body, output_buffer_limit=STEP_BYTES)
        while piece or not decoder.is_finished():
            yield piece
            if not piece and decoder.can_accept_more_data():
                raise CodingError(Quarantine.DAMAGED_CODING, "the coded body ends early")
            piece = b"" if decoder.is_finished() else decoder.process(b"", output_buffer_limit=STEP_BYTES)
    except brotli.error as error:
        raise CodingError(Quarantine.DAMAGED_CODING, f"br: {error}") from None


def _unzstd(body: bytes) -> Iterator[bytes]:
    decoder = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    source = io.BytesIO(body)
    with decoder.stream_reader(source, read_across_frames=True) as reader:
        while piece := reader.read(STEP_BYTES):
            yield piece


_GZIP: Callable[[bytes], Iterator[bytes]] = lambda body: _inflate(body, 31)  # noqa: E731
_DECODERS: dict[str, tuple[Callable[[bytes], Iterator[bytes]], bytes]] = {
    "gzip": (_GZIP, b"\x1f\x8b"),  # decoder, first bytes (b"" = any)
    "x-gzip": (_GZIP, b"\x1f\x8b"),
    "deflate": (_inflate_deflate, b""),
    "br": (_unbrotli, b""),
    "zstd": (_unzstd, b"\x28\xb5\x2f\xfd"),
}


def codings_of(value: str) -> list[str]:
    """Return the known codings of a Content-Encoding value in the order they were applied.

    Others don't code.
    """
    return [name for part in value.split(",") if (name := part.strip().lower()) in _DECODERS]


def _capped(pieces: Iterator[bytes], coded_bytes: int, limits: Limits) -> bytes:
    decoded, total = [], 0
    for piece in pieces:
        total += len(piece)
        decoded.append(piece)
        if total > limits.max_record_bytes:
            raise CodingError(
                Quarantine.DECODED_TOO_LARGE,
                "the decoded body goes beyond the limit",
                "max_record_bytes",
                total,
            )
        if total > MIB and total > limits.max_coding_ratio * coded_bytes:
            ratio = -(-total // max(coded_bytes, 1))
            raise CodingError(
                Quarantine.DECODED_TOO_LARGE, "the body expands beyond the limit", "max_coding_ratio", ratio
            )
    return b"".join(decoded)


def decode_body(body: bytes, content_encoding: str, limits: Limits) -> bytes:
    """Return `body` without its content codings, at most limits.max_record_bytes.

    Raises CodingError: decoded_too_large at a cap, damaged_coding for a body that does not decode.
    """
    codings = codings_of(content_encoding)
    if len(codings) > MAX_CODINGS:
        raise CodingError(
            Quarantine.DECODED_TOO_LARGE, f"{len(codings)} content codings, at most {MAX_CODINGS} are undone"
        )
    for name in reversed(codings):
        decoder, magic = _DECODERS[name]
        if not body or not body.startswith(magic):
            continue
        try:
            body = _capped(decoder(body), len(body), limits)
        except (zlib.error, zstandard.ZstdError) as error:
            if not _looks_decoded(body):
                raise CodingError(Quarantine.DAMAGED_CODING, f"{name}: {error}") from None
        except CodingError as error:
            if error.reason != Quarantine.DAMAGED_CODING or not _looks_decoded(body):
                raise
    return body


def _looks_decoded(body: bytes) -> bool:
    """Return whether a body that is said to be coded is mark-up as it stands."""
    return body[:256].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")
