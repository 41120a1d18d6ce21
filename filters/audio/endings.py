"""Whether a file is all there: what its own structure says about its end.

libavformat plays what it finds, so half an Ogg or MP3 file is a shorter sound to it. An Ogg stream says which page is
its last (RFC 3533, section 6); an MP3 file with a Xing or Info header says how many frames it has; a file of frames
can end inside one.
"""

import struct

from filters.audio.sniff import id3_bytes

_PAGE = struct.Struct("<4sBB8x4x4x4xB")  # capture pattern, version, flags, granule, serial, number, checksum, lacings
_LAST_PAGE = 4
GSM_FRAME = 33  # bytes of 20 ms
_RATES_HZ = (44_100, 48_000, 32_000)
_KBITS = {  # (MPEG-1?, layer) -> by index; ISO 11172-3, 2.4.2.3 and ISO 13818-3, 2.4.2.3
    (True, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}


def ends_early(payload: bytes, format_name: str, last_packet: bytes) -> bool:
    """Return whether the bytes stop before the sound does, as far as the format tells; False where it can't.

    `format_name` is libavformat's, `last_packet` the last one that was demuxed.
    """
    if format_name == "ogg":
        return not has_last_page(payload)
    if format_name == "mp3":
        whole = mpeg_frame_bytes(last_packet)
        return whole is not None and len(last_packet) < whole
    if format_name == "aac":
        return len(last_packet) < adts_frame_bytes(last_packet)
    return False


def has_last_page(payload: bytes) -> bool:
    """Return whether the last page of an Ogg file is whole and marked as the last of its stream."""
    at, is_last = 0, False
    while at + _PAGE.size <= len(payload):
        pattern, _, flags, lacings = _PAGE.unpack_from(payload, at)
        if pattern != b"OggS":
            at = payload.find(b"OggS", at + 1)
            if at < 0:
                return is_last  # what follows is no page: a tag, or padding
            continue
        body = at + _PAGE.size + lacings
        end = body + sum(payload[at + _PAGE.size : body])
        if end > len(payload):
            return False
        at, is_last = end, bool(flags & _LAST_PAGE)
    return is_last


def stated_mp3_s(payload: bytes) -> float | None:
    """Return the seconds of sound that an MP3 file's Xing or Info header states, None where there is no such header."""
    start = id3_bytes(payload)
    head = payload[start : start + 64]
    if len(head) < 64 or head[0] != 0xFF:
        return None
    is_mpeg1, is_mono = head[1] >> 3 & 3 == 3, head[3] >> 6 == 3
    side = (17 if is_mono else 32) if is_mpeg1 else (9 if is_mono else 17)
    at = 4 + side
    if head[at : at + 4] not in (b"Xing", b"Info") or not head[at + 7] & 1:
        return None
    rate_hz = _rate_hz(head)
    if rate_hz is None:
        return None
    return int.from_bytes(head[at + 8 : at + 12]) * (1152 if is_mpeg1 else 576) / rate_hz


def _rate_hz(head: bytes) -> int | None:
    """Return the sample rate that an MPEG audio frame's header states."""
    version, index = head[1] >> 3 & 3, head[2] >> 2 & 3
    return None if index == 3 or version == 1 else _RATES_HZ[index] // {3: 1, 2: 2, 0: 4}[version]


def mpeg_frame_bytes(head: bytes) -> int | None:
    """Return the length of the MPEG audio frame that begins with `head`, None where none does."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    is_mpeg1, layer = head[1] >> 3 & 3 == 3, 4 - (head[1] >> 1 & 3)
    rate_hz, index, padding = _rate_hz(head), head[2] >> 4, head[2] >> 1 & 1
    if rate_hz is None or layer == 4 or index in (0, 15):
        return None
    bits = _KBITS[is_mpeg1, layer][index] * 1000
    if layer == 1:
        return (12 * bits // rate_hz + padding) * 4
    return (72 if layer == 3 and not is_mpeg1 else 144) * bits // rate_hz + padding


def adts_frame_bytes(head: bytes) -> int:
    """Return the length that an ADTS header states (ISO 13818-7, 6.2), 0 where there is none."""
    if len(head) < 7 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0:
        return 0
    return (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
