"""The words of an English text as datatrove 0.10 counts them: tokens of spaCy 3.8's blank English tokenizer.

A reading of its published rules, not its code: text is cut at white space; a stretch is cut further from both ends
by prefixes and suffixes (punctuation, quotes, symbols, units), then inside by infixes, unless it is an address or one
of the listed strings; listed strings that come about by that are put together again. Punctuation marks are tokens.

What a stretch becomes depends on nothing but the stretch, so each distinct one is cut once a process. One thing is
left out: spaCy lets a listed string that its tokens spell across white space (": )") hide one that overlaps it.
"""

import re
from functools import cache, lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters.native import decode_utf8, kernel, mix64, string_buffers
from filters.peer_characters import ALPHA, ICON, LOWER, SPACE, UPPER, flags
from filters.peer_contractions import special_cases

PEER_WORDS_VERSION = 1
MAX_REMEMBERED = 1 << 19  # distinct stretches, about 100 MB
_K = np.uint64(0x9FB21C651E98DF25)
_BASE = np.uint64(0xD1342543DE82EF95)

_MARKS = "…,:;!?¿؟¡()[]{}<>_#*&。？！，、；：～·।،۔؛٪"
_QUOTES = "'\"”“`‘´’‚,„»«「」『』（）〔〕【】《》〈〉〈〉⟦⟧"
_CURRENCY = r"\$|£|€|¥|฿|US\$|C\$|A\$|" + "|".join("₽﷼₴₠₡₢₣₤₥₦₧₨₩₪₫€₭₮₯₰₱₲₳₴₵₶₷₸₹₺₻₼₽₾₿")
_UNITS = r"""
km km² km³ m m² m³ dm dm² dm³ cm cm² cm³ mm mm² mm³ ha µm nm yd in ft kg g mg µg t lb oz m/s km/h kmh mph hPa Pa
mbar mb MB kb KB gb GB tb TB T G M K % км км² км³ м м² м³ дм дм² дм³ см см² см³ мм мм² мм³ нм кг г мг м/с км/ч
кПа Па мбар Кб КБ кб Мб МБ мб Гб ГБ гб Тб ТБ тбكم كم² كم³ م م² م³ سم سم² سم³ مم مم² مم³ كم غرام جرام جم كغ ملغ
كوب اكواب
""".split()  # noqa: SIM905
_HYPHENS = "-|–|—|--|---|——|~"


def _one_of(characters: str) -> str:
    return "".join(map(re.escape, characters))


_SHARED = [f"[{_one_of(_MARKS)}]", "……", r"\.\.+", f"[{_one_of(_QUOTES)}]"]
_PREFIXES = ["[§%=—–]", r"\+(?![0-9])", *_SHARED, _CURRENCY, f"[{ICON}]"]
_SUFFIXES = [
    *_SHARED,
    f"[{ICON}]",
    "['’][sS]|[—–]",
    r"(?<=[0-9])\+|(?<=°[FfCcKk])\.",
    f"(?<=[0-9])(?:{_CURRENCY}|{'|'.join(map(re.escape, _UNITS))})",
    rf"(?<=[0-9{LOWER}%²\-+|(?:){_one_of(_MARKS + _QUOTES)}])\.",
    rf"(?<=[{UPPER}][{UPPER}])\.",
]
_INFIXES = [
    rf"\.\.+|…|[{ICON}]",
    r"(?<=[0-9])[+\-*^](?=[0-9-])",
    rf"(?<=[{LOWER}{_one_of(_QUOTES)}])\.(?=[{UPPER}{_one_of(_QUOTES)}])",
    f"(?<=[{ALPHA}]),(?=[{ALPHA}])",
    f"(?<=[{ALPHA}0-9])(?:{_HYPHENS})(?=[{ALPHA}])",
    f"(?<=[{ALPHA}0-9])[:<>=/](?=[{ALPHA}])",
]
# an address: scheme, user, then an IPv4 address that is public or a host with a top-level domain, port, path
_HOST = r"[A-Za-z0-9\u00a1-\uffff]"
_ADDRESS = (
    r"(?:[\w+\-.]{2,}://)?(?:\S+(?::\S*)?@)?(?:"
    r"(?!(?:10|127)(?:\.\d{1,3}){3})(?!(?:169\.254|192\.168)(?:\.\d{1,3}){2})(?!172\.(?:1[6-9]|2\d|3[01])(?:\.\d{1,3}){2})"
    r"(?:[1-9]\d?|1\d\d|2[01]\d|22[0-3])(?:\.(?:1?\d{1,2}|2[0-4]\d|25[0-5])){2}\.(?:[1-9]\d?|1\d\d|2[0-4]\d|25[0-4])"
    rf"|(?:(?:{_HOST}[A-Za-z0-9\u00a1-\uffff_-]{{0,62}})?{_HOST}\.)+[{LOWER}]{{2,63}}"
    r")(?::\d{2,5})?(?:[/?#]\S*)?$"
)


class _Patterns(NamedTuple):
    prefix: re.Pattern[str]
    suffix: re.Pattern[str]
    infix: re.Pattern[str]
    address: re.Pattern[str]
    joined: dict[tuple[str, ...], str]  # pieces without the list -> the listed string that they spell
    longest: int


@cache
def _patterns() -> _Patterns:
    prefix, infix = re.compile("|".join(_PREFIXES)), re.compile("|".join(_INFIXES))
    suffix = re.compile("(?:" + "|".join(_SUFFIXES) + ")$")
    bare = _Patterns(prefix, suffix, infix, re.compile(_ADDRESS), {}, 0)
    cuttable = [
        whole for whole in special_cases() if prefix.match(whole) or infix.search(whole) or suffix.search(whole)
    ]
    joined = {tuple(_affixes(whole, bare, {})): whole for whole in cuttable}
    return bare._replace(joined=joined, longest=max(map(len, joined)))


def _affixes(stretch: str, patterns: _Patterns, listed: dict[str, tuple[str, ...]]) -> list[str]:
    """Cut prefixes and suffixes off a stretch, in turn, until what is left is listed or has neither."""
    before: list[str] = []
    after: list[str] = []
    left = stretch
    while left and left not in listed:
        prefix = patterns.prefix.match(left)
        start = prefix.end() if prefix else 0
        if start and left[start:] in listed:
            before.append(left[:start])
            left = left[start:]
            break
        suffix = patterns.suffix.search(left, start) if start == 0 else patterns.suffix.search(left[start:])
        size = len(suffix.group()) if suffix else 0
        if not start and not size:
            break
        if size and left[:-size] in listed:
            after.append(left[-size:])
            left = left[:-size]
            break
        if start:
            before.append(left[:start])
        if size:
            after.append(left[len(left) - size :])
        left = left[start : len(left) - size]
    return [*before, *_inside(left, patterns, listed), *reversed(after)]


def _inside(left: str, patterns: _Patterns, listed: dict[str, tuple[str, ...]]) -> list[str]:
    """Cut what prefixes and suffixes leave."""
    if not left or left in listed:
        return list(listed.get(left, ()))
    if patterns.address.match(left):
        return [left]
    pieces, start = [], 0
    for found in patterns.infix.finditer(left):
        if found.start() == 0:
            continue
        pieces += [left[start : found.start()], found.group()]
        start = found.end()
    return [piece for piece in (*pieces, left[start:]) if piece]


@lru_cache(maxsize=MAX_REMEMBERED)
def tokens_of(stretch: str) -> tuple[str, ...]:
    """Return the tokens of a stretch without white space; joined they are the stretch."""
    patterns, listed = _patterns(), special_cases()
    pieces = _affixes(stretch, patterns, listed)
    spans = [
        (size, start)
        for size in range(2, min(patterns.longest, len(pieces)) + 1)
        for start in range(len(pieces) - size + 1)
        if tuple(pieces[start : start + size]) in patterns.joined
    ]
    taken: set[int] = set()
    for size, start in sorted(spans, key=lambda span: (-span[0], span[1])):
        if start not in taken and start + size - 1 not in taken:
            whole = patterns.joined[tuple(pieces[start : start + size])]
            pieces[start : start + size] = [*special_cases()[whole], *[""] * size][:size]
        taken.update(range(start, start + size))
    return tuple(filter(None, pieces))


class Tokens(NamedTuple):
    """The tokens of a batch of texts, in order; offsets are absolute in `string_buffers(text)[0]`.

    starts, ends   int32[n]: bytes of a token
    doc_offsets    int64[len(text) + 1]: the tokens of text i are doc_offsets[i] to doc_offsets[i + 1]
    chars          int32[n]: code points of a token
    hashes         uint64[n]: of its bytes as they stand, letter case with them
    some, every    uint8[n]: flags (filters.peer_characters) that one of its characters has, and that all have
    rolling        uint64[2, n]: hash h and factor f such that tokens a, b joined have the hash h(a) f(b) + h(b)
    """

    starts: npt.NDArray[np.int32]
    ends: npt.NDArray[np.int32]
    doc_offsets: npt.NDArray[np.int64]
    chars: npt.NDArray[np.int32]
    hashes: npt.NDArray[np.uint64]
    some: npt.NDArray[np.uint8]
    every: npt.NDArray[np.uint8]
    rolling: npt.NDArray[np.uint64]


def split_words(text: pa.StringArray) -> Tokens:
    """Return the stretches between white space, as `str.split()` has them."""
    body, offsets = string_buffers(text)
    room = (int(offsets[-1]) - int(offsets[0])) // 2 + len(text) + 1
    starts, ends = np.empty(room, np.int32), np.empty(room, np.int32)
    doc_offsets = np.zeros(len(text) + 1, np.int64)
    count = _split(body, offsets, flags(), (starts, ends), doc_offsets)
    return _measured(body, starts[:count].copy(), ends[:count].copy(), doc_offsets)


def peer_words(text: pa.StringArray, stretches: Tokens | None = None) -> Tokens:
    """Return the tokens of every text; `stretches` are `split_words(text)` if they are there already."""
    body, _ = string_buffers(text)
    whole = split_words(text) if stretches is None else stretches
    if not len(whole.starts):
        return whole
    _, first, kinds = np.unique(whole.hashes, return_index=True, return_inverse=True)
    spans = zip(whole.starts[first].tolist(), whole.ends[first].tolist(), strict=True)
    view = memoryview(body)
    pieces = [tokens_of(str(view[start:end], "utf-8")) for start, end in spans]
    sizes = np.array([len(piece.encode()) for tokens in pieces for piece in tokens], np.int32)
    bounds = np.zeros(len(pieces) + 1, np.int64)
    np.cumsum([len(tokens) for tokens in pieces], out=bounds[1:])
    counts = np.diff(bounds)[kinds]
    reach = np.zeros(len(kinds) + 1, np.int64)
    np.cumsum(counts, out=reach[1:])
    starts, ends = np.empty(reach[-1], np.int32), np.empty(reach[-1], np.int32)
    _lay_out(whole.starts, kinds, bounds, sizes, (starts, ends))
    return _measured(body, starts, ends, reach[whole.doc_offsets])


def _measured(body: Any, starts: Any, ends: Any, doc_offsets: Any) -> Tokens:
    count = len(starts)
    found = (
        np.empty(count, np.int32), np.empty(count, np.uint64), np.empty(count, np.uint8), np.empty(count, np.uint8),
        np.empty((2, count), np.uint64),
    )  # fmt: skip
    _measure(body, starts, ends, flags(), found)
    return Tokens(starts, ends, doc_offsets, *found)


@kernel
def _split(body: Any, offsets: Any, kinds: Any, spans: Any, doc_offsets: Any) -> int:
    starts, ends = spans
    count = 0
    for doc in range(len(offsets) - 1):
        i, end, start = offsets[doc], offsets[doc + 1], -1
        while i < end:
            byte = body[i]
            if ord("!") <= byte <= ord("~"):
                space, size = False, 1
            else:
                point, size = decode_utf8(body, i)
                space = (kinds[point] & SPACE) != 0
            if space and start >= 0:
                starts[count], ends[count], start = start, i, -1
                count += 1
            elif not space and start < 0:
                start = i
            i += size
        if start >= 0:
            starts[count], ends[count] = start, end
            count += 1
        doc_offsets[doc + 1] = count
    return count


@kernel
def _lay_out(whole: Any, kinds: Any, bounds: Any, sizes: Any, spans: Any) -> None:
    starts, ends = spans
    count = 0
    for stretch in range(len(whole)):
        at = whole[stretch]
        for piece in range(bounds[kinds[stretch]], bounds[kinds[stretch] + 1]):
            starts[count] = at
            at += sizes[piece]
            ends[count] = at
            count += 1


@kernel
def _measure(body: Any, starts: Any, ends: Any, kinds: Any, found: Any) -> None:
    chars, hashes, some, every, rolling = found
    for token in range(len(starts)):
        i, end = starts[token], ends[token]
        count, one, each, state, factor = 0, 0, 255, np.uint64(0), np.uint64(1)
        while i < end:
            point, size = decode_utf8(body, i)
            one |= kinds[point]
            each &= kinds[point]
            state = state * _BASE + np.uint64(point + 1)
            factor *= _BASE
            count += 1
            i += size
        chars[token], some[token], every[token] = count, one, each
        rolling[0, token], rolling[1, token] = state, factor
        hashes[token] = mix64((state ^ factor) * _K)
