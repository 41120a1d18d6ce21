"""A page or file of the site: its codings, its validators, and what a request for it gets (RFC 9110, 8, 12 and 13)."""

import gzip
import hashlib
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate, parsedate_to_datetime
from functools import lru_cache

from pipelines.demo_site.message import Fields, Request, Response

CODINGS = ("br", "gzip", "zstd", "deflate", "identity")
MIN_CODED_BYTES = 256


@dataclass(slots=True)
class Resource:
    """A representation in every coding that was asked for. `load` gives the bytes; they are coded once and kept."""

    load: Callable[[], bytes]
    media_type: str | Callable[[bytes], str]
    modified_s: int
    fields: Fields = ()
    coded: bool = True  # whether it is text, worth a content coding
    turn: int = 0  # which of the codings that a client likes alike it gets
    _made: dict[str, tuple[Fields, bytes]] = field(default_factory=dict)

    def answer(self, request: Request) -> Response:
        """Return 200 with the body, 304 where the client's copy is good, 412 or 406."""
        accept = request.fields.get("accept-encoding")
        coding = chosen_coding(accept, self.turn) if self.coded else "identity"
        if coding is None:
            return Response(406, (("Vary", "Accept-Encoding"),))
        fields, body = self._made.get(coding) or self._make(coding)
        if "if-none-match" in request.fields or "if-modified-since" in request.fields or "if-match" in request.fields:
            status = precondition(request, fields[0][1], self.modified_s)
            if status != 200:
                kept = tuple(each for each in fields if not each[0].startswith("Content-")) if status == 304 else ()
                return Response(status, kept)
        return Response(200, fields, body)

    def _make(self, coding: str) -> tuple[Fields, bytes]:
        plain = self.load()
        coded = encode(plain, coding) if len(plain) >= MIN_CODED_BYTES else plain
        label = coding if coded is not plain else "identity"
        tag = hashlib.sha256(plain).hexdigest()[:20] + ("" if label == "identity" else f"-{label}")
        media_type = self.media_type if isinstance(self.media_type, str) else self.media_type(plain)
        fields: Fields = (
            ("ETag", f'"{tag}"'),
            ("Last-Modified", formatdate(self.modified_s, usegmt=True)),
            *((("Vary", "Accept-Encoding"),) if self.coded else ()),
            ("Cache-Control", "max-age=3600"),
            ("Content-Type", media_type),
            *((("Content-Encoding", label),) if label != "identity" else ()),
            *self.fields,
        )
        self._made[coding] = made = (fields, coded)
        return made


def encode(plain: bytes, coding: str) -> bytes:
    """Return the bytes in a content coding; equal bytes give equal bytes."""
    if coding == "gzip":
        return gzip.compress(plain, 5, mtime=0)
    if coding == "deflate":
        return zlib.compress(plain, 5)
    if coding == "br":
        import brotli  # type: ignore[import-untyped]

        return bytes(brotli.compress(plain, quality=4))
    if coding == "zstd":
        import zstandard

        return zstandard.ZstdCompressor(level=3).compress(plain)
    return plain


@lru_cache(maxsize=256)
def acceptable(accept: str | None) -> tuple[str, ...]:
    """Return the codings that a client likes best, all alike (RFC 9110, 12.5.3); () where even identity is refused."""
    if accept is None:
        return ("identity",)
    weights = dict(_weighted(each) for each in accept.lower().split(",") if each.strip())
    rest = weights.get("*", 0.0)
    scores = {coding: weights.get("x-gzip" if coding == "gzip" and "x-gzip" in weights else coding, rest)
              for coding in CODINGS[:-1]}  # fmt: skip
    scores["identity"] = weights.get("identity", 0.0 if weights.get("*") == 0.0 else 0.0001)
    best = max(scores.values())
    return tuple(coding for coding, score in scores.items() if score == best) if best > 0 else ()


def _weighted(part: str) -> tuple[str, float]:
    name, *parameters = (each.strip() for each in part.split(";"))
    weight = next((each[2:] for each in parameters if each.startswith("q=")), "1")
    try:
        return name, float(weight)
    except ValueError:
        return name, 1.0


def chosen_coding(accept: str | None, turn: int) -> str | None:
    """Return one of the codings that the client likes best: another one each turn, so that all are seen."""
    liked = acceptable(accept)
    return liked[turn % len(liked)] if liked else None


def precondition(request: Request, etag: str, modified_s: int) -> int:
    """Return 200, 304 or 412, in the order of RFC 9110, 13.2.2: a date counts only where no tag is given."""
    match, none_match = request.fields.get("if-match"), request.fields.get("if-none-match")
    if match is not None and match != "*" and etag not in _tags(match):
        return 412
    if none_match is not None:
        known = none_match.strip() == "*" or etag in [each.removeprefix("W/") for each in _tags(none_match)]
        return 304 if known else 200
    since = http_date(request.fields.get("if-modified-since", ""))
    return 304 if since is not None and modified_s <= since else 200


def _tags(listed: str) -> list[str]:
    return [each.strip() for each in listed.split(",")]


def http_date(text: str) -> float | None:
    """Return the seconds since 1970 of a date in any of the three forms of RFC 9110, 5.6.7; None for others."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except ValueError:
        return None
