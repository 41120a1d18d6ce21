"""What kind of file some bytes are, by their first bytes; the demuxer is then named and probes nothing.

A playlist under any name has no magic of this list, so nothing that names other files is ever opened.
"""

from pathlib import PurePosixPath
from urllib.parse import urlsplit

_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"fLaC", "flac"),
    (0, b"OggS", "ogg"),
    (4, b"ftyp", "mov"),
    (4, b"moov", "mov"),
    (4, b"mdat", "mov"),
    (4, b"wide", "mov"),
    (4, b"free", "mov"),
    (0, b"\x1aE\xdf\xa3", "matroska"),
    (0, b".snd", "au"),
    (0, b"caff", "caf"),
    (0, b"#!AMR", "amr"),
    (0, b"wvpk", "wv"),
    (0, b"FLV\x01", "flv"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "asf"),
    (0, b"\x00\x00\x01\xba", "mpeg"),
)
_CHUNKED = {
    (b"RIFF", b"WAVE"): "wav",
    (b"RF64", b"WAVE"): "wav",
    (b"BW64", b"WAVE"): "wav",
    (b"RIFF", b"AVI "): "avi",
    (b"FORM", b"AIFF"): "aiff",
    (b"FORM", b"AIFC"): "aiff",
}
# Files without a header: only a name or a declared type can say what they are.
_HEADERLESS_SUFFIXES = {
    ".gsm": "gsm",
    ".g722": "g722",
    ".al": "alaw",
    ".alaw": "alaw",
    ".ul": "mulaw",
    ".ulaw": "mulaw",
    ".sln": "sln",
}
_HEADERLESS_TYPES = {"audio/gsm": "gsm", "audio/x-gsm": "gsm", "audio/g722": "g722", "audio/basic": "mulaw"}
_GSM_FRAME, _GSM_MAGIC = 33, 0xD  # bytes of 20 ms; the upper half of the first one
_TS_PACKET = 188


def format_of(payload: bytes, uri: str = "", media_type: str | None = None) -> str | None:
    """Return the name of libavformat's demuxer for these bytes, or None where they are none of the list.

    The bytes decide; the name and the declared type count only for formats without a magic number.
    """
    body = payload[id3_bytes(payload) :]
    for at, magic, name in _MAGIC:
        if body.startswith(magic, at):
            return name
    if chunked := _CHUNKED.get((bytes(body[:4]), bytes(body[8:12]))):
        return chunked
    if _is_transport_stream(body):
        return "mpegts"
    if named := _headerless(body, uri, media_type):
        return named
    return _mpeg_audio(body)


def id3_bytes(payload: bytes) -> int:
    """Return the length of the ID3v2 tag that stands before the sound, 0 where there is none."""
    if payload[:3] != b"ID3" or len(payload) < 10:
        return 0
    size = 0
    for byte in payload[6:10]:
        size = size << 7 | byte & 0x7F
    return size + (20 if payload[5] & 0x10 else 10)


def _headerless(body: bytes, uri: str, media_type: str | None) -> str | None:
    suffix = PurePosixPath(urlsplit(uri).path).suffix.lower() if uri else ""
    name = _HEADERLESS_SUFFIXES.get(suffix) or _HEADERLESS_TYPES.get((media_type or "").partition(";")[0].lower())
    if name == "gsm" and any(byte >> 4 != _GSM_MAGIC for byte in body[: 8 * _GSM_FRAME : _GSM_FRAME]):
        return None
    return name


def _mpeg_audio(body: bytes) -> str | None:
    """Tell ADTS AAC from MPEG-1/2 audio by the header's layer bits (ISO 13818-7, 6.2; ISO 11172-3, 2.4.2.3)."""
    if len(body) < 4 or body[0] != 0xFF or body[1] & 0xE0 != 0xE0:
        return None
    if body[1] & 0xF6 == 0xF0:
        return "aac"
    known = body[1] & 0x18 != 0x08 and body[1] & 0x06 != 0 and body[2] & 0xF0 != 0xF0 and body[2] & 0x0C != 0x0C
    return "mp3" if known else None


def _is_transport_stream(body: bytes) -> bool:
    return len(body) >= 3 * _TS_PACKET and all(body[k * _TS_PACKET] == 0x47 for k in range(3))


def missing_wav_fraction(payload: bytes) -> float:
    """Return the part of a WAV file's data chunk that isn't there, in [0, 1]; libavformat takes what there is.

    0 where there is no data chunk, or where its length is unknown (0 or 2^32 - 1: written to a pipe).
    """
    at = 12
    while at + 8 <= len(payload):
        name, size = payload[at : at + 4], int.from_bytes(payload[at + 4 : at + 8], "little")
        if name == b"data":
            present = len(payload) - at - 8
            return 0.0 if size in (0, 0xFFFFFFFF) else max(size - present, 0) / size
        at += 8 + size + (size & 1)
    return 0.0
