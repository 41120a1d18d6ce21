"""E-mail addresses: the practical part of RFC 5322, with the letters of RFC 6531 and internationalised domains.

The local part: letters and digits of any script with . _ % + - ' & ! # * ~ ^ between them, at most 64 bytes; no
comments and no quoted strings. The domain: labels of letters, digits and hyphens up to a top-level domain of the
public suffix list, or an address literal in brackets. Full-width ＠ and ． and the ideographic full stop count as
theirs (RFC 5895). Where a script has no spaces, the address starts and ends where the script changes.
Disguised forms ("user at example dot com") are left.
"""

from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt
import regex

from filters.native import kernel
from filters.personal.places import Batch, Found, is_east_asian

MAX_LOCAL_BYTES, MAX_DOMAIN_BYTES = 64, 255  # RFC 5321, section 4.5.3.1
MAX_EAST_ASIAN = 16  # characters of a local part without any Latin letter
_LABEL = regex.compile(r"[^\W_](?:[\w\p{M}-]{0,61}(?:[^\W_]|\p{M}))?")
_LITERAL = regex.compile(r"\[(?:IPv6:[0-9A-Fa-f:.]+|\d{1,3}(?:\.\d{1,3}){3})\]")
_INNER = regex.compile(r"[\w\p{M}.%+'’&!#*~^=-]*\Z")
_LATIN_TAIL = regex.compile(r"[A-Za-z0-9_.%+'&!#*~^=-]+\Z")


def _class_table() -> npt.NDArray[np.uint8]:
    """Return 1 for bytes that may stand in a local part, 2 in a domain: all beyond ASCII are for the second look."""
    table = np.zeros(256, np.uint8)
    table[128:] = 3
    for start, end in ((48, 58), (65, 91), (97, 123)):
        table[start:end] = 3
    table[[ord(c) for c in "_%+'&!#*~^="]] = 1
    table[[ord(c) for c in ".-"]] = 3
    table.flags.writeable = False
    return table


_CLASSES = _class_table()


@kernel
def _extents(body: Any, row: Any, classes: Any, out: Any, filled: int) -> int:
    """Write (start, at, after, end) of what may be an address around each @ of a text."""
    begin, last = row
    for i in range(begin, last):
        if body[i] == 64:
            at, after = i, i + 1
        elif body[i] == 0xA0 and i - 2 >= begin and body[i - 1] == 0xBC and body[i - 2] == 0xEF:
            at, after = i - 2, i + 1
        else:
            continue
        start, end = at, after
        while start > begin and at - start < MAX_LOCAL_BYTES and classes[body[start - 1]] & 1:
            start -= 1
        while start < at and body[start] & 0xC0 == 0x80:
            start += 1
        dots = 0
        literal = end < last and body[end] == 91
        while end < last and end - after < MAX_DOMAIN_BYTES and (classes[body[end]] & 2 or literal):
            dots += body[end] in (46, 0x82, 0xA1, 0x8E)  # . and the last bytes of its other forms
            end += 1
            if literal and body[end - 1] == 93:
                break
        while end > after and end < last and body[end] & 0xC0 == 0x80:
            end -= 1
        if start == at or dots == 0 or (not literal and end - after < 4):
            continue
        if filled < len(out):
            out[filled, 0], out[filled, 1], out[filled, 2], out[filled, 3] = start, at, after, end
        filled += 1
    return filled


@kernel
def _places(body: Any, offsets: Any, classes: Any, out: Any) -> int:
    filled = 0
    for row in range(len(offsets) - 1):
        filled = _extents(body, (offsets[row], offsets[row + 1]), classes, out, filled)
    return filled


def _candidates(batch: Batch) -> npt.NDArray[np.int64]:
    out = np.empty((256, 4), np.int64)
    while (count := int(_places(batch.body, batch.offsets, _CLASSES, out))) > len(out):
        out = np.empty((count, 4), np.int64)
    return out[:count]


def find_mail(batch: Batch) -> Iterator[Found]:
    """Yield the e-mail addresses of a batch; the detail is the top-level domain in lower case, or "literal"."""
    past = 0
    for start, at, after, end in _candidates(batch).tolist():
        local = local_part(batch.cut(max(start, min(past, at)), at))  # a@b.com.c@d.org: the second starts at c
        domain, suffix = domain_of(batch.cut(after, end)) if local else ("", "")
        if local and domain:
            past = after + len(domain.encode())
            yield Found(at - len(local.encode()), past, suffix)


def local_part(before: str) -> str:
    """Return the local part that a text before an @ ends with, or ""."""
    inner = _INNER.search(before)
    said = inner.group() if inner else ""
    if not said or said[-1] in ".=":
        return ""
    if any(map(is_east_asian, said)):
        latin = _LATIN_TAIL.search(said)
        said = latin.group() if latin else said if len(said) <= MAX_EAST_ASIAN else ""
    head, _, tail = said.rpartition("=")
    if "+" not in head:  # bounces+user=example.com is one name, to=user is not
        said = tail
    said = said.rpartition("..")[2].lstrip(".%+'’&!#*~^=-")
    return said if any(map(str.isalnum, said)) else ""


def domain_of(after: str) -> tuple[str, str]:
    """Return (domain, top-level domain) that a text after an @ starts with, both "" where there is none."""
    if literal := _LITERAL.match(after):
        return literal.group(), "literal"
    best, used = ("", ""), 0
    labels = regex.split(r"[.．。｡]", after)
    for place, label in enumerate(labels):
        suffix = _suffix_at(label) if place else ""
        if suffix:
            best = after[: used + len(suffix)], suffix.lower()
        whole = _LABEL.match(label)
        if not whole or whole.group() != label:
            break
        used += len(label) + 1
    return best


def _suffix_at(label: str) -> str:
    """Return the top-level domain that a label is, or starts with where the script changes after it."""
    said = _LABEL.match(label)
    whole = said.group() if said else ""
    if whole.lower() in top_level_domains():
        return whole
    for size in range(min(len(whole), 24) - 1, 1, -1):
        changes = is_east_asian(whole[size]) or is_east_asian(whole[size - 1])
        if changes and whole[:size].lower() in top_level_domains():
            return whole[:size]
    return ""


@cache
def top_level_domains() -> frozenset[str]:
    """Return the top-level domains of the public suffix list's ICANN part, as they are written and in ASCII."""
    listed = (files("publicsuffixlist") / "public_suffix_list.dat").read_text("utf-8")
    rules = listed.partition("===END ICANN DOMAINS===")[0].splitlines()
    suffixes = {rule.strip().rpartition(".")[2].lower() for rule in rules if rule.strip() and rule[:2] != "//"}
    return frozenset(suffixes | {suffix.encode("idna").decode() for suffix in suffixes})
