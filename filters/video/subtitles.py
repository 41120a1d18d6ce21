"""Subtitles: SubRip and WebVTT -> cues on a time line. The reader forgives what players do, and counts what it skips.

SubRip has no standard; WebVTT is the W3C's (section 4 for the syntax). Mark-up is taken off: what is spoken stays.
"""

import html
import re
from dataclasses import dataclass

from filters import charset

MAX_CUES = 100_000
_TIMES = re.compile(
    r"^\s*(?:(\d{1,4}):)?(\d{1,2}):(\d{1,2})[,.:](\d{1,3})\s*-+>\s*(?:(\d{1,4}):)?(\d{1,2}):(\d{1,2})[,.:](\d{1,3})(?=\s|$)"
)
_TAGS = re.compile(r"</?(?:[a-zA-Z][^<>\n]*)?>|<\d[\d:.]*>")
_OVERRIDES = re.compile(r"\{\\[^{}\n]*\}")  # {\an8}, {\i1}: SubStation's, in many .srt files
_NOT_CUES = re.compile(r"^(?:NOTE|STYLE|REGION)(?:\s|$)")
_RUBY_TEXT = re.compile(r"<rt>.*?</rt>", re.DOTALL)  # the reading beside the word: the word stays once


@dataclass(frozen=True)
class Cue:
    """One subtitle, shown in [start_us, end_us); its lines are joined by "\\n"."""

    start_us: int
    end_us: int
    text: str


@dataclass(frozen=True)
class Subtitles:
    """The cues by time, and how many blocks were skipped: without text, or ending before they start."""

    cues: list[Cue]
    skipped: int
    left_out: int  # beyond `max_cues`


def read_subtitles(payload: bytes, max_cues: int = MAX_CUES) -> Subtitles:
    """Return the cues of a SubRip or WebVTT file, sorted by time; what has no time line in it has no cues.

    The character set is found as for text (byte order mark, UTF-8, then statistics).
    """
    text = charset.decode(payload, None, is_markup=False).text.decode()
    return read_cues(text, max_cues)


def read_cues(text: str, max_cues: int = MAX_CUES) -> Subtitles:
    """Return the cues of SubRip or WebVTT text. A cue starts with its line of times and ends with an empty line."""
    lines = re.split(r"\r\n|\r|\n", text.removeprefix("\ufeff").replace("\0", "\ufffd"))
    is_vtt = lines[0].startswith("WEBVTT")
    cues: list[Cue] = []
    skipped = left_out = i = 0
    while i < len(lines):
        times = _TIMES.match(lines[i])
        i += 1
        if times is None:
            i = _after_block(lines, i) if is_vtt and _NOT_CUES.match(lines[i - 1]) else i
            continue
        body_start = i
        while i < len(lines) and lines[i].strip() and not _starts_cue(lines, i):
            i += 1
        start_us, end_us = _time_us(times.groups()[:4]), _time_us(times.groups()[4:])
        spoken = plain_text("\n".join(lines[body_start:i]), is_vtt=is_vtt)
        if not spoken or end_us <= start_us:
            skipped += 1
        elif len(cues) >= max_cues:
            left_out += 1
        else:
            cues.append(Cue(start_us, end_us, spoken))
    return Subtitles(sorted(cues, key=lambda cue: (cue.start_us, cue.end_us)), skipped, left_out)


def plain_text(body: str, *, is_vtt: bool = True) -> str:
    """Return what a cue says: without tags, character references resolved (WebVTT), lines stripped."""
    bare = _OVERRIDES.sub("", _TAGS.sub("", _RUBY_TEXT.sub("", body)))
    if is_vtt:
        bare = html.unescape(bare)
    return "\n".join(line for line in (one.strip() for one in bare.split("\n")) if line)


def without_repeats(cues: list[Cue]) -> list[Cue]:
    """Return the cues without lines that the cue before shows already: rolled-up captions say each line twice.

    A line counts as a repeat only where its cue starts no later than 100 ms after the one before ends.
    """
    kept: list[Cue] = []
    shown: list[str] = []
    end_us = 0
    for cue in cues:
        lines = cue.text.split("\n")
        is_next = cue.start_us <= end_us + 100_000
        new = lines[_overlap(shown, lines) :] if is_next else lines
        shown, end_us = lines, cue.end_us
        if new:
            kept.append(Cue(cue.start_us, cue.end_us, "\n".join(new)))
    return kept


def transcript(cues: list[Cue]) -> str:
    """Return all that is said, a cue a line: the text that language and safety rules read."""
    return "\n".join(cue.text.replace("\n", " ") for cue in without_repeats(cues))


def _overlap(before: list[str], lines: list[str]) -> int:
    """Return how many lines at the start of `lines` stand at the end of `before`."""
    return max(
        (k for k in range(min(len(before), len(lines)) + 1) if before[len(before) - k :] == lines[:k]), default=0
    )


def _starts_cue(lines: list[str], i: int) -> bool:
    """Say whether a cue starts here: a line of times, or SubRip's number followed by one (the empty line forgotten)."""
    if _TIMES.match(lines[i]):
        return True
    return lines[i].strip().isdecimal() and i + 1 < len(lines) and _TIMES.match(lines[i + 1]) is not None


def _after_block(lines: list[str], i: int) -> int:
    while i < len(lines) and lines[i].strip():
        i += 1
    return i


def _time_us(fields: tuple[str | None, ...]) -> int:
    hours, minutes, seconds, fraction = fields
    whole_s = int(hours or 0) * 3600 + int(minutes or 0) * 60 + int(seconds or 0)
    return whole_s * 1_000_000 + int((fraction or "0").ljust(3, "0")) * 1000
