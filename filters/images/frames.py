"""How many frames an image file has, without decoding any of them."""

from PIL import Image

_EXTENSION, _IMAGE, _END = 0x21, 0x2C, 0x3B


def frame_count(image: Image.Image, payload: bytes, most: int) -> int:
    """Return 1 to `most`; `most` stands for more."""
    if image.format == "GIF":
        return max(gif_frames(payload, most), 1)
    if image.format == "TIFF":
        return _tiff_pages(payload, most)
    return min(int(getattr(image, "n_frames", 1)), most)


def gif_frames(payload: bytes, most: int) -> int:
    """Return the image blocks of a GIF file, at most `most`; those before the damage where it is damaged."""
    frames, at = 0, 13 + _table_bytes(payload[10:11])
    while at < len(payload) and frames < most:
        kind = payload[at]
        if kind == _IMAGE:
            frames += 1
            at += 11 + _table_bytes(payload[at + 9 : at + 10])
        elif kind == _EXTENSION:
            at += 2
        else:  # the end, or nothing that GIF knows
            break
        while at < len(payload) and payload[at]:
            at += payload[at] + 1
        at += 1
    return frames


def _table_bytes(flags: bytes) -> int:
    return 3 << (flags[0] & 7) + 1 if flags and flags[0] & 0x80 else 0


def _tiff_pages(payload: bytes, most: int) -> int:
    """Return the directories of a TIFF file, each counted once, at least 1; BigTIFF is 1."""
    order = "little" if payload[:2] == b"II" else "big"

    def number(at: int, size: int) -> int:
        return int.from_bytes(payload[at : at + size], order)  # type: ignore[arg-type]

    if number(2, 2) != 42:
        return 1
    seen: set[int] = set()
    at = number(4, 4)
    while 0 < at < len(payload) and at not in seen and len(seen) < most:
        seen.add(at)
        at = number(at + 2 + 12 * number(at, 2), 4)
    return max(len(seen), 1)
