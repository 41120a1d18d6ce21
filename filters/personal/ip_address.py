"""Public IPv4 and IPv6 addresses: globally reachable ones of the IANA registries, as FineWeb does.

Private, loopback, link-local and documentation addresses (RFC 5737, 3849, 9637) name nobody and stay. A dotted
quad that follows the word version, or a name and a slash or hyphen, is a version; four numbers below 20 are taken
for a section unless a word before them speaks of addresses.
"""

import ipaddress
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from filters.native import kernel
from filters.personal.digit_groups import QUAD, Windows
from filters.personal.places import Batch, Found, word_pattern

_VERSION = word_pattern(
    (r"v(?:er)?\.?", "versions?", "releases?", "rev(?:ision)?", "build", "firmware",
     "kernel", "patch", "sections?", "see",
     "§", "chapter", "oid", "バージョン", "版本", "版", "第", "версия", "버전", "章", "節")
)  # fmt: skip
_ADDRESS = word_pattern(
    (r"ips?", "ipv4", "address(?:es)?", "hosts?", "servers?", "dns", "ping", "nameserver", "gateway", "router",
     "proxy", "アドレス", "地址", "サーバ", "адрес", "주소", "adresse", "dirección")
)  # fmt: skip
_SECTION_MAX = 20
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_ASSIGNED = ipaddress.ip_network("2000::/3")  # what IANA hands out as global unicast
_NO_PERSON = (ipaddress.ip_network("2001:db8::/32"), ipaddress.ip_network("3fff::/20"))


def find_ipv4(batch: Batch, windows: Windows) -> Iterator[Found]:
    """Yield the public IPv4 addresses among windows of digits."""
    chosen = windows.having(QUAD)
    rows = batch.rows_of(chosen.start).tolist()
    for row, start, end in zip(rows, chosen.start.tolist(), chosen.end.tolist(), strict=True):
        said = batch.cut(start, end)
        at, said = start + len(said) - len(said.lstrip("(")), said.lstrip("(")
        if _is_public_quad(said) and _reads_as_address(batch, row, (at, end), said):
            yield Found(at, end, "4")


def _is_public_quad(said: str) -> bool:
    try:
        address = ipaddress.IPv4Address(said)  # refuses leading zeros and all digits but ASCII ones
        return address.is_global and not address.is_multicast
    except ValueError:
        return False


def _reads_as_address(batch: Batch, row: int, place: tuple[int, int], said: str) -> bool:
    before, after = batch.before(row, place[0]), batch.after(row, place[1], 4)
    if not batch.apart(row, *place) or before[-1:] in ("-", "~", "+", ".") or after[:1] in ("-", "+", "~"):
        return False
    if before[-1:] == "/" and before[-2:-1] != "/":
        return False
    near = before[-24:]
    if _VERSION.search(near):
        return False
    small = max(map(int, said.split("."))) <= _SECTION_MAX
    return not small or near.endswith("//") or _ADDRESS.search(near) is not None


@kernel
def _in_group(byte: int) -> bool:
    return 48 <= byte <= 57 or 65 <= byte <= 70 or 97 <= byte <= 102


@kernel
def _is_word(byte: int) -> bool:
    return 48 <= byte <= 57 or 65 <= byte <= 90 or 97 <= byte <= 122 or byte == 95


@kernel
def _colon_runs(body: Any, offsets: Any, out: Any) -> int:
    """Write (start, end) of runs of hexadecimal digits, colons and dots that hold what an IPv6 address must."""
    filled = 0
    for row in range(len(offsets) - 1):
        begin, last = offsets[row], offsets[row + 1]
        i = begin
        while i < last:
            if body[i] != 58:
                i += 1
                continue
            start = i
            while start > begin and i - start < 5 and _in_group(body[start - 1]):
                start -= 1
            end, colons, double = i, 0, False
            while end < last and end - start < 64 and (_in_group(body[end]) or body[end] in (58, 46)):
                colons += body[end] == 58
                double |= body[end] == 58 and end + 1 < last and body[end + 1] == 58
                end += 1
            i = end
            if end - start < 4 or not (colons == 7 or (double and 2 <= colons <= 7)):
                continue
            if (start > begin and _is_word(body[start - 1])) or (end < last and _is_word(body[end])):
                continue
            if filled < len(out):
                out[filled, 0], out[filled, 1] = start, end
            filled += 1
    return filled


def _runs(batch: Batch) -> npt.NDArray[np.int64]:
    out = np.empty((64, 2), np.int64)
    while (count := int(_colon_runs(batch.body, batch.offsets, out))) > len(out):
        out = np.empty((count, 2), np.int64)
    return out[:count]


def find_ipv6(batch: Batch) -> Iterator[Found]:
    """Yield the public IPv6 addresses of a batch."""
    for start, run_end in _runs(batch).tolist():
        run = batch.cut(start, run_end)
        said = run.rstrip(".")
        if said.endswith(":") and not said.endswith("::"):
            said = said[:-1]
        row = int(batch.rows_of(np.array([start]))[0])
        cut_off = said.endswith("::") and batch.after(row, run_end, 1) == "<"  # its last group went into other data
        if _is_public_ipv6(said) and not cut_off:
            yield Found(start, start + len(said), "6")


def _is_public_ipv6(said: str) -> bool:
    try:
        address = ipaddress.IPv6Address(said)
    except ValueError:
        return False
    if address in _NAT64 or address.ipv4_mapped:
        return _is_public_quad(said.rpartition(":")[2])
    return address in _ASSIGNED and address.is_global and not any(address in net for net in _NO_PERSON)
