"""From URLs to the keys that lists are searched by: one for the host and each parent domain, one for each URL prefix.

A key is two independent hashes of 64 bits. Names of hosts are hashed from their end, so that one pass over a name
gives the keys of all its parents. A scope is mixed in: "example.org" as a domain (with all below it), as that host
alone and as the URL prefix of its pages are three keys.

What is hashed of a URL is its canonical form (`filters.url`), without scheme, credentials, default port, fragment and
the slashes at its end; the key of a URL prefix leaves out a "www." in front, too. Most URLs are canonical but for the
case of their host; only the others, which hold escapes, dots in their path or characters beyond ASCII, go through the
parser.
"""

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from filters.native import kernel, mix64, string_buffers
from filters.url import UrlError, canonical_url

VERSION = 1

DOMAIN, HOST, URL, SITE = range(4)  # scopes; SITE: a host that URLs or hosts of a list are of

_REGULAR, _IRREGULAR, _NO_URL = range(3)
_SEEDS = np.array([0x243F6A8885A308D3, 0x13198A2E03707344], np.uint64)
_FACTORS = np.array([0xD6E8FEB86659FD93, 0x9FB21C651E98DF25], np.uint64)
_SALTS = np.array(
    [
        [0xA4093822299F31D0, 0x082EFA98EC4E6C89],
        [0x452821E638D01377, 0xBE5466CF34E90C6C],
        [0xC0AC29B7C97C50DD, 0x3F84D5B5B5470917],
        [0x9216D5D98979FB1B, 0xD1310BA698DFB5AC],
    ],
    np.uint64,
)

# a byte that the canonical form may spell otherwise
_STRANGE = np.array([b <= 0x20 or b >= 0x7F or chr(b) in "%\\\"<>`{}|^'" for b in range(256)])


class Places(NamedTuple):
    """Where the pieces of each URL lie, int32[n] offsets: [host, port) [port, path) [path, end); kind: uint8[n]."""

    host: Any
    port: Any
    path: Any
    end: Any
    kind: Any  # _REGULAR: as it stands; _IRREGULAR: the parser has to see it; _NO_URL


def regular(urls: pa.StringArray, bare: bool) -> tuple[Any, Places]:
    """Return bytes and the places of each URL in them; those that no parser takes, and nulls, are _NO_URL.

    `bare`: a host without a scheme in front is a URL too, as in lists.
    """
    data, offsets = string_buffers(urls)
    places = _places(data, offsets, bare)
    strange = np.flatnonzero(places.kind == _IRREGULAR)
    if not len(strange):
        return data, places
    spelled = [_canonical(url, bare) for url in urls.take(pa.array(strange)).to_pylist()]
    more, ends = string_buffers(pa.array(spelled, pa.string()))
    anew = _places(more, ends, False)
    for of, own in zip(places, anew, strict=True):
        of[strange] = own if of is places.kind else own + np.int32(len(data))
    places.kind[strange[anew.kind == _IRREGULAR]] = _REGULAR  # escapes that stay, in the one spelling
    both = np.concatenate([data, more])
    both.setflags(write=False)
    return both, places


def _canonical(url: str, bare: bool) -> str:
    text = f"http://{url}" if bare and "://" not in url else url
    try:
        return canonical_url(text)
    except UrlError:
        return ""


def _places(data: Any, offsets: Any, bare: bool) -> Places:
    n = len(offsets) - 1
    host, port, path, end = (np.zeros(n, np.int32) for _ in range(4))
    places = Places(host, port, path, end, np.zeros(n, np.uint8))
    _find_places(data, offsets, bare, places)
    return places


@kernel
def _after_scheme(data: Any, i: int, stop: int, bare: bool) -> int:
    """Return where the authority starts behind http:// or https://; -1 where there is none."""
    k = i
    for letter in (104, 116, 116, 112):  # http
        if k >= stop or data[k] | 0x20 != letter:
            return i if bare else -1
        k += 1
    if k < stop and data[k] | 0x20 == 115:
        k += 1
    if k + 2 < stop and data[k] == 58 and data[k + 1] == 47 and data[k + 2] == 47:
        return k + 3
    return i if bare else -1


@kernel
def _find_places(data: Any, offsets: Any, bare: bool, out: Places) -> None:
    for row in range(len(offsets) - 1):
        stop = offsets[row + 1]
        i = _after_scheme(data, offsets[row], stop, bare)
        if i < 0 or i >= stop:
            out.kind[row] = _NO_URL
            continue
        out.kind[row] = _cut(data, i, stop, row, out)


@kernel
def _cut(data: Any, i: int, stop: int, row: int, out: Places) -> int:
    """Write the places of a URL whose authority starts at i; return its kind."""
    kind = _REGULAR
    out.host[row], port, path, label, before = i, -1, -1, i, np.uint8(46)
    while i < stop and data[i] != 35:  # "#"
        byte = data[i]
        if _STRANGE[byte]:
            kind = _IRREGULAR
        if path < 0:
            if byte in (47, 63):
                path = i
            elif byte == 58 and port < 0:
                port = i
            elif byte == 46 and port < 0:
                label = i + 1
            if byte in (64, 91) or (byte == 46 and before == 46):  # credentials, IPv6, an empty label
                kind = _IRREGULAR
        elif byte == 46 and before == 47:  # "/." may be a dot segment
            kind = _IRREGULAR
        before = byte
        i += 1
    out.path[row] = i if path < 0 else path
    out.port[row] = out.path[row] if port < 0 else port
    out.end[row] = i
    if out.port[row] == out.host[row]:
        return _IRREGULAR
    if data[out.port[row] - 1] == 46 or data[out.port[row] - 1] == 45 or 48 <= data[label] <= 57:
        kind = _IRREGULAR  # a dot at the end, or an address, which has many spellings
    return _IRREGULAR if _may_be_default(data, out.port[row], out.path[row]) else kind


@kernel
def _may_be_default(data: Any, i: int, stop: int) -> bool:
    """Say whether ":", or a port that begins with 0, 4 or 8, stands at i: the parser drops 80 and 443."""
    return i < stop and (stop - i == 1 or data[i + 1] == 48 or data[i + 1] == 52 or data[i + 1] == 56)


@kernel
def step(state: Any, byte: Any, lane: int) -> Any:
    """Return the state of a lane's hash after one more byte, in lower case where it is a letter of a host."""
    mixed = (state ^ np.uint64(byte)) * _FACTORS[lane]
    return mixed ^ (mixed >> np.uint64(32))


@kernel
def finished(state: Any, scope: int, lane: int) -> Any:
    """Return the hash for a scope, uniform."""
    return mix64(state ^ _SALTS[scope, lane])


@kernel
def lower(byte: Any) -> Any:
    """Return an ASCII letter in lower case, any other byte as it is."""
    if 65 <= byte <= 90:
        return np.uint8(byte | 0x20)
    return np.uint8(byte)


@kernel
def host_states(data: Any, start: int, stop: int) -> tuple[Any, Any]:
    """Return both lanes' states of a host."""
    a, b = _SEEDS[0], _SEEDS[1]
    i = stop - 1
    while i >= start:
        byte = lower(data[i])
        a, b = step(a, byte, 0), step(b, byte, 1)
        i -= 1
    return a, b


@kernel
def without_www(data: Any, start: int, stop: int) -> int:
    """Return where the host starts behind a "www."."""
    if stop - start > 4 and data[start + 3] == 46:
        for k in range(3):
            if lower(data[start + k]) != 119:
                return start
        return start + 4
    return start


@kernel
def trimmed(data: Any, start: int, stop: int) -> int:
    """Return the end of a path without the slashes, and the "?" without a query, at its end."""
    while stop > start and (data[stop - 1] == 47 or data[stop - 1] == 63):
        stop -= 1
    return stop
