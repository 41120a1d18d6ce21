"""Lists of URLs: what blocks a page (rules `blocked_url/<list>`) and what its owners keep out (refused: opt_out).

A list is a text file, one entry a line: a domain (with all hosts below it), a host or a URL (with all below its path).
"#" and "!" begin comments; the forms of hosts files ("0.0.0.0 example.org") and of ad blockers ("||example.org^") are
understood, "*." in front of a domain is dropped. Files may be compressed (.gz, .bz2, .zst). Lists are compiled into a
table (`url_table`) in the cache once; it is named by their contents.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from filters.models import ModelDamagedError, ModelMissingError
from filters.native import cache_root, kernel
from filters.rules import Rule
from filters.safety import url_keys, url_table
from filters.safety.url_keys import DOMAIN, HOST, SITE, URL, Places
from filters.safety.url_table import IS_SITE, Arrays, UrlTable
from manifests.keys import digest_of

VERSION = 1
Scope = Literal["auto", "domain", "host", "url"]

_SCOPES = {"domain": DOMAIN, "host": HOST, "url": URL}
_AUTO = -1
_NAME = re.compile(r"[a-z0-9_]{1,32}")
_HOSTS_FILE = re.compile(r"^(?:0\.0\.0\.0|127\.0\.0\.1|::1?)\s+")
_BLOCK = 16 << 20


@dataclass(frozen=True)
class UrlList:
    """A list of the user's, or one that a package carries.

    name     stands in reasons and columns: lower-case letters, digits and "_"
    path     the file; which place it lies at changes no result
    scope    what an entry is; "auto": one with a path is a URL, any other a domain
    sha256   of the file as it lies there; None: whatever it holds, and its digest is told by `identity`
    """

    name: str
    path: str
    scope: Scope = "auto"
    sha256: str | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"a list's name is 1 to 32 of a-z, 0-9 and _, not {self.name!r}")
        if self.scope not in ("auto", *_SCOPES):
            raise ValueError(f"{self.name}: scope is auto, domain, host or url, not {self.scope!r}")


def identity(lists: Sequence[UrlList]) -> list[dict[str, str]]:
    """Return what results depend on, for stage keys: names, scopes and contents, in order; never paths.

    Raises ModelMissingError where there is no file, ModelDamagedError where it isn't the one that is pinned.
    """
    return [{"name": each.name, "scope": each.scope, "sha256": _checked(each)} for each in lists]


def compiled(lists: Sequence[UrlList]) -> UrlTable:
    """Return the table of some lists, at most 63, from the cache or made now: 2 to 4 s for 4.6 million entries."""
    names = [each.name for each in lists]
    if len(set(names)) != len(names) or len(names) > url_table.MAX_LISTS:
        raise ValueError(f"at most {url_table.MAX_LISTS} lists, each name once, got {', '.join(names)}")
    digest = digest_of([VERSION, url_keys.VERSION, url_table.VERSION, identity(lists)])
    path = cache_root() / "url_lists" / f"{digest[:32]}.table"
    if not path.is_file():
        _compile(lists, path, digest)
    return _open(path)


@cache
def _open(path: Path) -> UrlTable:
    return url_table.open_table(path)


def url_signals(uri: pa.StringArray, table: UrlTable) -> pa.RecordBatch:
    """Return a column `blocked_url_<list>` for each list, int8: 1 where a record's URI stands in it, else 0."""
    found = table.search(uri)
    columns = [pa.array((found >> np.uint64(bit) & np.uint64(1)).astype(np.int8)) for bit in range(len(table.names))]
    return pa.RecordBatch.from_arrays(columns, [f"blocked_url_{name}" for name in table.names])


def url_rules(names: Sequence[str]) -> tuple[Rule, ...]:
    """Return the rules `blocked_url/<list>`, which drop what stands in a list."""
    return tuple(Rule(f"blocked_url/{name}", f"blocked_url_{name}", max=0) for name in names)


def opted_out(uri: pa.StringArray, table: UrlTable) -> npt.NDArray[np.bool_]:
    """Return which records an opt-out list names, bool[len(uri)]: they are refused with the reason `opt_out`."""
    listed: npt.NDArray[np.bool_] = table.search(uri) != 0
    return listed


def _checked(each: UrlList) -> str:
    file = Path(each.path)
    if not file.is_file():
        raise ModelMissingError(f"list {each.name}: there is no file at {file}")
    with file.open("rb") as opened:
        found = hashlib.file_digest(opened, "sha256").hexdigest()
    if each.sha256 not in (None, found):
        raise ModelDamagedError(f"list {each.name} in {file}: sha256 {found}, not {each.sha256}")
    return found


def _compile(lists: Sequence[UrlList], path: Path, digest: str) -> None:
    arrays, counts = arrays_of([(_entries(each), each.scope) for each in lists])
    for each, count in zip(lists, counts, strict=True):
        if not count:
            raise ValueError(f"list {each.name} in {each.path} has no entry")
    url_table.write_table(path, [each.name for each in lists], counts, digest, arrays)


def arrays_of(lists: Sequence[tuple[Iterable[pa.StringArray], Scope]]) -> tuple[Arrays, list[int]]:
    """Return the table of some lists' entries, and how many entries each has; bit i of a mask is list i."""
    keys, masks, counts = [np.zeros((0, 2), np.uint64)], [np.zeros(0, np.uint64)], []
    for bit, (batches, scope) in enumerate(lists):
        count = 0
        for entries in batches:
            own, sites = _keys_of(entries, scope)
            keys += [own, sites]
            masks += [np.full(len(own), 1 << bit, np.uint64), np.full(len(sites), IS_SITE)]
            count += len(own)
        counts.append(count)
    return url_table.build(np.concatenate(keys), np.concatenate(masks)), counts


def _entries(each: UrlList) -> Iterator[pa.StringArray]:
    """Yield the lines of a file as plain entries."""
    rest = b""
    with pa.input_stream(each.path, compression="detect") as file:
        while block := file.read(_BLOCK):
            whole, _, rest = (rest + block).rpartition(b"\n")
            yield _plain(whole)
    yield _plain(rest)


def _plain(lines: bytes) -> pa.StringArray:
    """Return the entries of some lines: no comments, no blanks, nothing around them."""
    split = pc.list_flatten(pc.split_pattern(pa.array([lines.decode("utf-8", "replace")], pa.large_string()), "\n"))
    text = pc.utf8_trim_whitespace(split.cast(pa.string()))
    text = text.filter(pc.and_(pc.greater(pc.binary_length(text), 0), pc.invert(_starts(text, "#", "!", "["))))
    if pc.any(pc.match_substring_regex(text, r"[\s|^]")).as_py():
        text = pc.replace_substring_regex(text, _HOSTS_FILE.pattern, "")
        text = pc.replace_substring_regex(text, r"\s+#.*$", "")
        text = pc.replace_substring_regex(text, r"^\|\|([^/^$]+)\^?$", r"\1")
    return pc.replace_substring_regex(text, r"^(\*\.|\.)", "") if pc.any(_starts(text, "*.", ".")).as_py() else text


def _starts(text: pa.StringArray, *prefixes: str) -> pa.BooleanArray:
    found = pc.starts_with(text, prefixes[0])
    for prefix in prefixes[1:]:
        found = pc.or_(found, pc.starts_with(text, prefix))
    return found


def _keys_of(entries: pa.StringArray, scope: Scope) -> tuple[Any, Any]:
    """Return the keys of entries that are hosts or URLs, and those of their sites: uint64[n, 2] each.

    What is neither gives none; domains have no site.
    """
    data, places = url_keys.regular(entries, bare=True)
    keys, sites = np.zeros((len(entries), 2), np.uint64), np.zeros((len(entries), 2), np.uint64)
    is_entry, has_site = np.zeros(len(entries), np.bool_), np.zeros(len(entries), np.bool_)
    _make_keys(data, places, _SCOPES.get(scope, _AUTO), (keys, is_entry), (sites, has_site))
    return keys[is_entry], np.unique(sites[has_site], axis=0)


@kernel
def _make_keys(data: Any, places: Places, scope: int, entries: Any, sites: Any) -> None:
    for row in range(len(places.kind)):
        host, port, path = places.host[row], places.port[row], places.path[row]
        if places.kind[row] != url_keys._REGULAR or not _names_host(data, host, port):
            continue
        end = url_keys.trimmed(data, path, places.end[row])
        own = scope
        if own == _AUTO:
            own = URL if end > port else DOMAIN
        a, b = url_keys.host_states(data, host, port)
        if own != DOMAIN:
            bare = url_keys.host_states(data, url_keys.without_www(data, host, port), port)
            _put(sites, row, bare, SITE)
            if own == URL:
                a, b = bare
                for i in range(port, end):
                    a, b = url_keys.step(a, data[i], 0), url_keys.step(b, data[i], 1)
        _put(entries, row, (a, b), own)


@kernel
def _put(out: Any, row: int, states: Any, scope: int) -> None:
    keys, given = out
    keys[row, 0], keys[row, 1] = url_keys.finished(states[0], scope, 0), url_keys.finished(states[1], scope, 1)
    given[row] = True


@kernel
def _names_host(data: Any, start: int, stop: int) -> bool:
    """Say whether a letter or a digit is in the host: "-" or "_" alone is a slip of the list."""
    for i in range(start, stop):  # noqa: SIM110 (compiled)
        if data[i] > 64 or 48 <= data[i] <= 57:
            return True
    return False
