"""Content codings of a fetched body, undone piece by piece under a cap: a bomb costs its cap, not its size.

RFC 9110 section 8.4 (gzip, deflate), RFC 7932 (br), RFC 8878 (zstd). No layer of a nested coding is ever held as a
whole, and each is under the ratio limit of its own. As in the text job, a body that can't be in the coding that its
header names is taken as it stands.
"""

import io
import zlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import brotli  # type: ignore[import-untyped]
import zstandard

from manifests.limits import KIB, MIB, CrawlLimits
from manifests.reasons import FetchFailed
from pipelines.sources.codings import codings_of

STEP_BYTES = 64 * KIB
_FED_BYTES = 16 * KIB  # of coded bytes at once
_SPOON_BYTES = 256  # of zstd: at most 64 blocks of 128 KiB, 8 MiB, come out at once
_MAX_MEMBERS = 65_536
_ZSTD_WINDOW = 8 * MIB  # RFC 9659, section 3: HTTP's limit
_MAGIC = {"gzip": b"\x1f\x8b", "x-gzip": b"\x1f\x8b", "zstd": b"\x28\xb5\x2f\xfd"}


class DecodeError(ValueError):
    """A body that can't be decoded, with the reason of the closed list."""

    def __init__(self, reason: FetchFailed, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


class Decoded(NamedTuple):
    """A payload; `cut` says that there was more of it than the cap."""

    payload: bytes
    cut: bool


def decode(
    body: bytes, content_encoding: str, *, max_bytes: int, limits: CrawlLimits, partial: bool = False
) -> Decoded:
    """Return `body` without its content codings, at most `max_bytes` of it.

    `partial` says that the body itself was cut: then its decodable beginning is no damage.
    Raises DecodeError: too_many_codings, damaged_coding, decoded_too_large (a ratio no honest page has).
    """
    codings = codings_of(content_encoding)
    if len(codings) > limits.max_codings:
        raise DecodeError(
            FetchFailed.TOO_MANY_CODINGS, f"{len(codings)} content codings, max_codings is {limits.max_codings}"
        )
    if not codings or not body or not body.startswith(_MAGIC.get(codings[-1], b"")):
        return Decoded(body[:max_bytes], len(body) > max_bytes)
    try:
        return _collect(_layers(body, codings, max_bytes, limits), max_bytes)
    except _EndsEarly as error:
        if partial:
            return Decoded(error.got, True)
        failure = "the coded body ends early"
    except (zlib.error, zstandard.ZstdError, brotli.error):
        failure = "the body does not decode"
    if _looks_decoded(body):
        return Decoded(body[:max_bytes], len(body) > max_bytes)
    raise DecodeError(FetchFailed.DAMAGED_CODING, f"{', '.join(codings)}: {failure}")


class _EndsEarly(Exception):
    got = b""


def _layers(body: bytes, codings: list[str], max_bytes: int, limits: CrawlLimits) -> Iterator[bytes]:
    """Undo one coding after the other.

    What is still coded is never larger than its content by much, so it ends with the cap too: else a layer could be
    made to swell for nothing.
    """
    view = memoryview(body)
    pieces: Iterator[bytes] = (bytes(view[at : at + _FED_BYTES]) for at in range(0, len(body), _FED_BYTES))
    allowed = max(MIB, limits.max_coding_ratio * len(body))
    still_coded = min(allowed, max_bytes + max_bytes // 64 + MIB)
    for depth, name in enumerate(reversed(codings), 1):
        pieces = _at_most(allowed if depth == len(codings) else still_coded, _DECODERS[name](pieces), len(body))
    return pieces


def _at_most(allowed: int, pieces: Iterator[bytes], coded_bytes: int) -> Iterator[bytes]:
    total = 0
    for piece in pieces:
        total += len(piece)
        if total > allowed:
            raise _bomb(f"{coded_bytes} bytes become more than {allowed}: beyond max_coding_ratio")
        yield piece


def _bomb(detail: str) -> DecodeError:
    return DecodeError(FetchFailed.DECODED_TOO_LARGE, detail)


def _numbered(members: int) -> int:
    """Return the number of the next member or frame: each costs time, be there nothing in it."""
    if members >= _MAX_MEMBERS:
        raise _bomb(f"more than {_MAX_MEMBERS} members")
    return members + 1


def _collect(pieces: Iterable[bytes], max_bytes: int) -> Decoded:
    payload = io.BytesIO()  # grows in place, and gives its bytes without a copy
    try:
        for piece in pieces:
            payload.write(piece)
            if payload.tell() > max_bytes:
                payload.truncate(max_bytes)
                return Decoded(payload.getvalue(), True)
    except _EndsEarly as error:
        error.got = payload.getvalue()
        raise
    return Decoded(payload.getvalue(), False)


def _inflate(pieces: Iterator[bytes], wbits: int) -> Iterator[bytes]:
    """Yield the content of zlib-family members; bytes behind the last one are ignored, as browsers do."""
    inflater, members = zlib.decompressobj(wbits), 1
    for piece in pieces:
        rest = piece
        while rest:
            if inflater.eof:
                if not rest.startswith(b"\x1f\x8b"[: len(rest)]):
                    return
                inflater, members = zlib.decompressobj(wbits), _numbered(members)
            yield from _drained(inflater, rest)
            rest = inflater.unused_data
    if not inflater.eof:
        raise _EndsEarly


def _drained(inflater: "zlib._Decompress", fed: bytes) -> Iterator[bytes]:
    while True:
        if out := inflater.decompress(fed, STEP_BYTES):
            yield out
        fed = inflater.unconsumed_tail
        if inflater.eof or not (fed or len(out) == STEP_BYTES):
            return


def _gunzip(pieces: Iterator[bytes]) -> Iterator[bytes]:
    return _inflate(pieces, 31)


def _undeflate(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the content of `deflate`: the zlib format, as RFC 9110 says, or raw, as some servers send it."""
    first = next(pieces, b"")
    zlib_header = len(first) > 1 and first[0] & 0x0F == 8 and (first[0] << 8 | first[1]) % 31 == 0
    return _inflate(_chain(first, pieces), 15 if zlib_header else -15)


def _chain(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _unbrotli(pieces: Iterator[bytes]) -> Iterator[bytes]:
    decoder = brotli.Decompressor()
    for piece in pieces:
        fed = piece
        while True:
            if out := decoder.process(fed, output_buffer_limit=STEP_BYTES):
                yield out
            if decoder.is_finished():
                return
            if not out and decoder.can_accept_more_data():
                break
            fed = b""
    raise _EndsEarly


def _unzstd(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the content of zstd frames; the decoder has no output limit, so it is fed by the spoonful."""
    new = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).decompressobj
    frame, frames = new(), 1
    for piece in pieces:
        for at in range(0, len(piece), _SPOON_BYTES):
            rest = piece[at : at + _SPOON_BYTES]
            while rest:
                if frame.eof:
                    frame, frames = new(), _numbered(frames)
                if out := frame.decompress(rest):
                    yield out
                rest = frame.unused_data
    if not frame.eof:
        raise _EndsEarly


_DECODERS = {"gzip": _gunzip, "x-gzip": _gunzip, "deflate": _undeflate, "br": _unbrotli, "zstd": _unzstd}


def _looks_decoded(body: bytes) -> bool:
    """Return whether a body that is said to be coded is mark-up as it stands."""
    return body[:256].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")
