"""One walk over a page's bytes before any parser sees them: limits, and the places of images, tables and code.

Deep nesting and tags with very many attributes hang every HTML parser there is, so they are found here, in linear
time, by a tokeniser of tags after the HTML standard (WHATWG, section 13.2.5: tags, comments, raw text; 13.1.2: void
elements and omitted end tags). What it can't know, since it builds no tree, only costs a place, never a page.
"""

import re
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from filters.native import kernel
from filters.tag_lexer import hash_name, inlined, is_letter, read_attributes, read_name, skip_no_tag, skip_raw_text

# What a tag name means here. Numbers above PLAIN are kinds that the walk treats specially.
PLAIN, VOID, OPTIONAL_END, RAW_TEXT, PLAINTEXT, FOREIGN, IMAGE, META, BASE, DETAILS, TABLE, CODE = range(12)

# What a page may hold beside its text: bits of `Scan.hints`.
HAS_POLICY, HAS_JSON_LD, HAS_BASE, HAS_DETAILS = 1, 2, 4, 8
HAS_HIGH_PLANES, HAS_REFERENCES, HAS_FAQ, HAS_LICENSE, HAS_FILMS, HAS_ITEMS = 16, 32, 64, 128, 256, 512

# Kinds of places: what begins or ends there.
IMAGE_HERE, TABLE_BEGINS, TABLE_ENDS, CODE_BEGINS, CODE_ENDS, CLOSE_TAG_MISSING = range(6)

OK, TOO_DEEP, TOO_MANY_ATTRIBUTES = range(3)

MAX_PLACES = 0x1FFF0  # as many as there are sentinels: planes 15 and 16 of Unicode
FIRST_SENTINEL = 0xF0000  # private use; place i is marked by code point FIRST_SENTINEL + i
SENTINEL_BYTES = 4

_NAMES = {
    VOID: "area basefont bgsound br col embed frame hr input keygen link param source track wbr",
    OPTIONAL_END: "html head body p li dt dd rt rp rb rtc option optgroup thead tbody tfoot tr td th colgroup caption",
    RAW_TEXT: "script style textarea title xmp iframe noembed noframes",
    PLAINTEXT: "plaintext",
    FOREIGN: "svg math",
    IMAGE: "img image",
    META: "meta",
    BASE: "base",
    DETAILS: "details",
    TABLE: "table",
    CODE: "pre listing",
}
_TABLE_SIZE = 1024
_TAG_NAME = re.compile(rb"[^\t\n\f\r />]*")


# The memory of a walk is one int64 array: these fields, then the stack of open elements, then rows of places.
COUNT, DEPTH, MAX_DEPTH, DEEPEST, FOREIGN_DEPTH, XML, HINTS, STACK = range(8)
KIND, AT, MORE, COLUMNS = range(4)
_KIND_MASK = 15  # an element on the stack: the hash of its name, its kind in the lowest bits


class Scan(NamedTuple):
    """The verdict on a page, and what stands where in it."""

    verdict: int  # OK | TOO_DEEP | TOO_MANY_ATTRIBUTES
    observed: int  # the first depth or attribute count beyond the limit; else the greatest depth
    hints: int  # HAS_POLICY ...
    places: np.ndarray  # int64[n, 3]: KIND; AT, byte offset, ascending; MORE, offset after an image's tag or 0


def scan(page: bytes, max_depth: int, max_attributes: int, *, xml: bool = False) -> Scan:
    """Walk over a page in UTF-8 (or another superset of ASCII).

    Depth counts open elements whose end tag may not be left out; so an unclosed `<p>` counts nothing. With `xml`,
    `<a/>` is an element without content whatever its name.
    """
    room = min(len(page) // 4, MAX_PLACES) + 2 * max_depth + 2
    walk = np.empty(STACK + max_depth + COLUMNS * room, np.int64)
    walk[:STACK] = (0, 0, max_depth, 0, 0, xml, 0)
    verdict, observed = _walk(np.frombuffer(page, np.uint8), walk, max_attributes)
    rows = walk[STACK + max_depth :][: COLUMNS * walk[COUNT]]
    return Scan(verdict, observed, int(walk[HINTS]), rows.reshape(-1, COLUMNS))


def mark(page: bytes, places: np.ndarray) -> bytes:
    """Return the page (UTF-8) with the sentinel of each place, and the end tags that XML leaves out."""
    pieces, done = [], 0
    for index, (kind, at, name) in enumerate(places.tolist()):
        missing = kind == CLOSE_TAG_MISSING
        pieces += [page[done:at], b"</%s>" % _name_at(page, name) if missing else sentinel(index)]
        done = at
    return b"".join([*pieces, page[done:]])


@cache
def sentinel(index: int) -> bytes:
    """Return the UTF-8 bytes that mark place `index`."""
    return chr(FIRST_SENTINEL + index).encode()


def _name_at(page: bytes, start: int) -> bytes:
    found = _TAG_NAME.match(page, start)
    return found[0] if found else b""


def survey(page: bytes) -> int:
    """Return bits for what stands anywhere in a page: HAS_HIGH_PLANES (maybe), HAS_REFERENCES, HAS_FAQ ..."""
    return int(_survey(np.frombuffer(page, np.uint8)))


def _name_table() -> tuple[np.ndarray, np.ndarray]:
    keys, kinds = np.zeros(_TABLE_SIZE, np.int64), np.zeros(_TABLE_SIZE, np.uint8)
    for kind, names in _NAMES.items():
        for name in names.split():
            slot = hash_name(name) & (_TABLE_SIZE - 1)
            while keys[slot]:
                slot = (slot + 1) & (_TABLE_SIZE - 1)
            keys[slot], kinds[slot] = hash_name(name), kind
    return keys, kinds


_KEYS, _KINDS = _name_table()
_MP, _M4, _OG, _VIDEO, _AUDIO, _OG_VIDEO, _OG_AUDIO, _WEB, _MOV, _MKV, _WAV, _FLA, _OPU = (
    np.uint32(int.from_bytes(word))
    for word in (
        *(b".mp", b".m4", b".og", b"<vid", b"<aud", b"og:v", b"og:a"),
        *(b".web", b".mov", b".mkv", b".wav", b".fla", b".opu"),
    )
)
_ITEM, _CAPITAL = np.uint32(int.from_bytes(b"item")), np.uint32(0x20000000)
_ROBOTS, _TDM, _CONTENT, _US, _LD_JSON = (
    np.frombuffer(word, np.uint8) for word in (b"robots", b"tdm-", b"content-", b"corpusmill", b"ld+json")
)


@inlined
def _kind_of(key: int) -> int:
    slot = key & (_TABLE_SIZE - 1)
    while _KEYS[slot] != 0:
        if _KEYS[slot] == key:
            return int(_KINDS[slot])
        slot = (slot + 1) & (_TABLE_SIZE - 1)
    return PLAIN


@inlined
def _place(walk: Any, kind: int, at: int, more: int) -> None:
    row = STACK + walk[MAX_DEPTH] + COLUMNS * walk[COUNT]
    if row + COLUMNS <= len(walk):
        walk[row + KIND], walk[row + AT], walk[row + MORE] = kind, at, more
        walk[COUNT] += 1


@inlined
def _has_room(walk: Any) -> bool:
    """Say whether one more place leaves room for the ends of all open tables."""
    after = STACK + walk[MAX_DEPTH] + COLUMNS * (walk[COUNT] + 1 + walk[MAX_DEPTH])
    return bool(after <= len(walk) and walk[COUNT] + walk[MAX_DEPTH] < MAX_PLACES)


@inlined
def _end_element(walk: Any, key: int, begin: int, end: int) -> None:
    """Close the innermost open element of this name, and all inside it, at the end tag [begin, end)."""
    depth = walk[DEPTH]
    top = depth - 1
    while top >= 0 and (walk[STACK + top] | _KIND_MASK) != (key | _KIND_MASK):
        top -= 1
    if top < 0:
        return
    for level in range(depth - 1, top - 1, -1):
        what = walk[STACK + level] & _KIND_MASK
        if what >= TABLE:
            _place(walk, TABLE_ENDS if what == TABLE else CODE_ENDS, end if level == top else begin, 0)
    walk[DEPTH] = top
    if top < walk[FOREIGN_DEPTH]:
        walk[FOREIGN_DEPTH] = 0


@inlined
def _begin_element(walk: Any, key: int, what: int, begin: int) -> bool:
    """Open an element; return False where that is one too many."""
    depth = walk[DEPTH]
    if depth >= walk[MAX_DEPTH]:
        return False
    if what >= TABLE:
        if _has_room(walk):
            _place(walk, TABLE_BEGINS if what == TABLE else CODE_BEGINS, begin, 0)
        else:
            what = PLAIN
    walk[STACK + depth] = (key & ~_KIND_MASK) | what
    walk[DEPTH] = depth + 1
    walk[DEEPEST] = max(walk[DEEPEST], depth + 1)
    if what == FOREIGN and walk[FOREIGN_DEPTH] == 0:
        walk[FOREIGN_DEPTH] = depth + 1
    return True


@kernel
def _survey(data: Any) -> int:
    """Find "&#", "FAQP", "=\"lic", "items", bytes of planes 15 and 16, and what films and sounds are named by.

    One pass that the compiler makes vectors of.
    """
    highest = references = faq = license = films = items = 0
    for i in range(len(data) - 4):
        highest = max(highest, data[i])
        references += (data[i] == 38) & (data[i + 1] == 35)
        faq += (data[i] == 70) & (data[i + 1] == 65) & (data[i + 2] == 81) & (data[i + 3] == 80)
        license += (data[i] == 34) & (data[i + 1] == 108) & (data[i + 2] == 105) & (data[i + 3] == 99)
        three = np.uint32(data[i]) << 16 | np.uint32(data[i + 1] | 32) << 8 | np.uint32(data[i + 2] | 32)
        four = three << 8 | np.uint32(data[i + 3] | 32)
        films += (three == _MP) | (three == _M4) | (three == _OG) | (four == _VIDEO) | (four == _AUDIO)
        films += (four == _OG_VIDEO) | (four == _OG_AUDIO) | ((four == _WEB) & (data[i + 4] | 32 == 109))
        items += (four | _CAPITAL == _ITEM) & (data[i + 4] | 32 == 115)
        films += (four == _MOV) | (four == _MKV) | (four == _WAV) | (four == _FLA) | (four == _OPU)
    bits = HAS_HIGH_PLANES if highest >= 0xF3 else 0
    bits |= (films > 0) * HAS_FILMS | (items > 0) * HAS_ITEMS
    return bits | (references > 0) * HAS_REFERENCES | (faq > 0) * HAS_FAQ | (license > 0) * HAS_LICENSE


@kernel
def _hint(what: int, data: Any, begin: int, end: int) -> int:
    """Return the bit for what a start tag of this kind promises."""
    if what == BASE:
        return HAS_BASE
    if what == DETAILS:
        return HAS_DETAILS
    if what == META:
        found = _contains(data, begin, end, _ROBOTS) or _contains(data, begin, end, _TDM)
        found = found or _contains(data, begin, end, _CONTENT)  # content-usage, content-signal
        return HAS_POLICY if found or _contains(data, begin, end, _US) else 0
    return HAS_JSON_LD if _contains(data, begin, end, _LD_JSON) else 0


@kernel
def _contains(data: Any, begin: int, end: int, word: Any) -> bool:
    """Say whether a word of lower-case ASCII stands in data[begin:end] in any case."""
    for i in range(begin, end - len(word) + 1):
        k = 0
        while k < len(word) and (data[i + k] == word[k] or (data[i + k] | 32) == word[k] >= 97):
            k += 1
        if k == len(word):
            return True
    return False


@inlined
def _start_tag(walk: Any, data: Any, begin: int, key: int, end: int, empty: bool) -> int:
    """Take in the start tag [begin, end); return the offset to go on from, or -1 where it opens one too many."""
    what = _kind_of(key)
    foreign = walk[FOREIGN_DEPTH] > 0
    if what == IMAGE and not foreign and _has_room(walk):
        _place(walk, IMAGE_HERE, begin, end)
    if META <= what <= DETAILS or what == RAW_TEXT:
        walk[HINTS] |= _hint(what, data, begin, end)
    if what in (VOID, IMAGE, META, BASE) or (empty and foreign):
        return end
    if empty and walk[XML] != 0:
        if _has_room(walk):
            _place(walk, CLOSE_TAG_MISSING, end, begin + 1)
        return end
    if what == OPTIONAL_END:
        return end
    if what == PLAINTEXT and not foreign:
        return len(data)
    if what == RAW_TEXT and not foreign:
        return skip_raw_text(data, end, begin + 1)
    return end if _begin_element(walk, key, what, begin) else -1


@kernel
def _walk(data: Any, walk: Any, max_attributes: int) -> tuple[int, int]:
    """Fill the places; return (verdict, observed)."""
    n, i = len(data), 0
    while True:
        while i < n and data[i] != 60:
            i += 1
        if i + 2 >= n:
            return OK, walk[DEEPEST]
        begin, closing = i, data[i + 1] == 47
        if not is_letter(data[i + 2] if closing else data[i + 1]):
            i = skip_no_tag(data, i, walk[XML] + walk[FOREIGN_DEPTH] > 0)
            continue
        key, i = read_name(data, i + 2 if closing else i + 1)
        i, attributes, empty = read_attributes(data, i, max_attributes)
        if attributes > max_attributes:
            return TOO_MANY_ATTRIBUTES, attributes
        if closing:
            _end_element(walk, key, begin, i)
            continue
        i = _start_tag(walk, data, begin, key, i, empty)
        if i < 0:
            return TOO_DEEP, walk[DEPTH] + 1
