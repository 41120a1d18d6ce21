"""Lists of hosts, domains and URLs as one file that is mapped into memory: sorted keys of 128 bits, and which lists.

A look-up reads two or three cache lines for each parent of a host, and for each prefix of a path where the host has
entries with paths. The pages of the file are the page cache's, so all workers of a machine share them. The entries
themselves are not in it: a name that stands in no list passes for a listed one with a probability of n / 2**128 a
look-up, 1.4e-32 with 4.6 million entries.

The file: 16 bytes of magic, the length of the header (uint64, little-endian), the header (canonical JSON), then from
multiples of 64 bytes on `starts`, `keys`, `sets`, as the header says. Equal lists give equal bytes.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters.native import kernel
from filters.safety import url_keys
from filters.safety.url_keys import DOMAIN, HOST, SITE, URL, Places
from manifests.keys import canonical_json

VERSION = 1
MAX_LISTS = 63  # bits of a mask
IS_SITE = np.uint64(1 << 63)  # the mask of a SITE: paths are looked at on these hosts only

_MAGIC = b"corpusmill urls\n"
_ALIGN = 64
_KEYS_A_START = 4  # on average


class UrlTableError(ValueError):
    """A file is no table of URLs, or is damaged."""


class Arrays(NamedTuple):
    """What is mapped.

    keys    uint64[n, 2]: both hashes of an entry, ascending by the first, then the second
    starts  uint32[2**bits + 1]: keys whose first hash has the top bits k are keys[starts[k] : starts[k + 1]]
    sets    uint16[n]: in which lists an entry stands, as an index of `masks`
    masks   uint64[sets]: bit i: list i
    shift   64 - bits
    """

    keys: Any
    starts: Any
    sets: Any
    masks: Any
    shift: Any


@dataclass(frozen=True)
class UrlTable:
    """A table that is open: its lists' names, in the order of the mask's bits, and how many entries of each."""

    names: tuple[str, ...]
    counts: tuple[int, ...]
    digest: str  # sha256 of names, scopes and contents
    arrays: Arrays

    def search(self, urls: pa.StringArray) -> npt.NDArray[np.uint64]:
        """Return in which lists each URL stands: uint64[len(urls)], bit i for list i; 0 for what is no http(s) URL.

        A domain's entry holds for all hosts below it, a host's for that host, a URL's for what is below its path.
        """
        data, places = url_keys.regular(urls, bare=False)
        found = np.zeros(len(urls), np.uint64)
        _search(data, places, self.arrays, found)
        return found


def build(keys: Any, masks: Any) -> Arrays:
    """Return the arrays of a table; keys uint64[n, 2] in any order, masks uint64[n]; of equal keys the masks unite."""
    order = np.lexsort((keys[:, 1], keys[:, 0]))
    keys, masks = keys[order], masks[order]
    first = np.ones(len(keys), bool)
    first[1:] = (keys[1:] != keys[:-1]).any(axis=1)
    at = np.flatnonzero(first)
    united = np.bitwise_or.reduceat(masks, at) if len(at) else masks
    known, sets = np.unique(united, return_inverse=True)
    if len(known) > 1 << 16:
        raise ValueError(f"the lists overlap in {len(known)} ways; 65,536 fit")
    bits = max(1, int(np.log2(max(len(at), 1) / _KEYS_A_START)) if len(at) > _KEYS_A_START else 1)
    keys = np.ascontiguousarray(keys[at])
    edges = np.arange(1 << bits, dtype=np.uint64) << np.uint64(64 - bits)
    starts = np.append(np.searchsorted(keys[:, 0], edges), len(keys)).astype(np.uint32)
    arrays = Arrays(keys, starts, sets.astype(np.uint16), known, np.uint64(64 - bits))
    for array in arrays[:-1]:
        array.setflags(write=False)  # as mapped ones are: one type, one compilation
    return arrays


def write_table(path: Path, names: Sequence[str], counts: Sequence[int], digest: str, arrays: Arrays) -> None:
    """Write the file, whole or not at all."""
    bodies = {name: np.ascontiguousarray(getattr(arrays, name)) for name in ("keys", "starts", "sets", "masks")}
    sha256 = hashlib.sha256()
    for body in bodies.values():
        sha256.update(body.data)
    header = canonical_json(
        {
            "version": VERSION,
            "names": list(names),
            "counts": list(counts),
            "digest": digest,
            "shift": int(arrays.shift),
            "sha256": sha256.hexdigest(),
            "arrays": [[name, body.dtype.str, list(body.shape)] for name, body in bodies.items()],
        }
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        try:
            file.write(_MAGIC + len(header).to_bytes(8, "little") + header)
            for body in bodies.values():
                file.write(bytes(-file.tell() % _ALIGN))
                file.write(body.data)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


def open_table(path: Path) -> UrlTable:
    """Map a table. Every byte is held against the file's own sha256 once; raises UrlTableError where they differ."""
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise UrlTableError(f"{path} is no table of URLs")
        length = int.from_bytes(file.read(8), "little")
        at = len(_MAGIC) + 8 + length
        try:
            header = json.loads(file.read(length))
        except ValueError as error:
            raise UrlTableError(f"{path} is damaged; delete it and it is made again") from error
    if header["version"] != VERSION:
        raise UrlTableError(f"{path} is of version {header['version']}, not {VERSION}")
    mapped, sha256 = {}, hashlib.sha256()
    for name, dtype, shape in header["arrays"]:
        at += -at % _ALIGN
        mapped[name] = _mapped(path, np.dtype(dtype), at, tuple(shape))
        sha256.update(mapped[name].data)
        at += mapped[name].nbytes
    if sha256.hexdigest() != header["sha256"]:
        raise UrlTableError(f"{path} is damaged; delete it and it is made again")
    arrays = Arrays(**mapped, shift=np.uint64(header["shift"]))
    return UrlTable(tuple(header["names"]), tuple(header["counts"]), header["digest"], arrays)


def _mapped(path: Path, dtype: Any, offset: int, shape: tuple[int, ...]) -> Any:
    try:
        return np.asarray(np.memmap(path, dtype, "r", offset, shape))
    except ValueError as error:  # the file is shorter than its header says
        raise UrlTableError(f"{path} is damaged; delete it and it is made again") from error


@kernel
def _lists_of(a: Any, b: Any, table: Arrays) -> Any:
    """Return the mask of the lists that hold a key."""
    bucket = a >> table.shift
    for i in range(table.starts[bucket], table.starts[bucket + np.uint64(1)]):
        if table.keys[i, 0] >= a:
            if table.keys[i, 0] == a and table.keys[i, 1] == b:
                return table.masks[table.sets[i]]
            if table.keys[i, 0] > a:
                return np.uint64(0)
    return np.uint64(0)


@kernel
def _in_scope(a: Any, b: Any, scope: int, table: Arrays) -> Any:
    return _lists_of(url_keys.finished(a, scope, 0), url_keys.finished(b, scope, 1), table)


@kernel
def _of_host(data: Any, start: int, stop: int, table: Arrays) -> Any:
    """Return the lists that hold the host or one of its parents."""
    a, b = url_keys._SEEDS[0], url_keys._SEEDS[1]
    found = np.uint64(0)
    i = stop - 1
    while i >= start:
        byte = url_keys.lower(data[i])
        if byte == 46:
            found |= _in_scope(a, b, DOMAIN, table)
        a, b = url_keys.step(a, byte, 0), url_keys.step(b, byte, 1)
        i -= 1
    return found | _in_scope(a, b, DOMAIN, table)


@kernel
def _of_prefixes(data: Any, row: int, places: Places, table: Arrays) -> Any:
    """Return the lists that hold the host alone, the URL, or a URL that it lies below."""
    start = url_keys.without_www(data, places.host[row], places.port[row])
    a, b = url_keys.host_states(data, start, places.port[row])
    if not _in_scope(a, b, SITE, table):
        return np.uint64(0)
    whole = url_keys.host_states(data, places.host[row], places.port[row])
    found = _in_scope(whole[0], whole[1], HOST, table)
    end = url_keys.trimmed(data, places.path[row], places.end[row])
    for i in range(places.port[row], end):
        byte = data[i]
        if i >= places.path[row] and byte in (47, 63, 38):
            found |= _in_scope(a, b, URL, table)
        a, b = url_keys.step(a, byte, 0), url_keys.step(b, byte, 1)
    return found | _in_scope(a, b, URL, table)


@kernel
def _search(data: Any, places: Places, table: Arrays, found: Any) -> None:
    for row in range(len(found)):
        if places.kind[row] == url_keys._REGULAR:
            found[row] = _of_host(data, places.host[row], places.port[row], table)
            found[row] |= _of_prefixes(data, row, places, table)
