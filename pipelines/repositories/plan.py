"""From an input to its repositories, and from a repository to units.

A unit is an archive, a bare git repository, row groups of a Parquet file, a range of JSON Lines (where an input
is one such file, or of that kind: elsewhere they are files like others), or the files of a checked-out repository
(`uri` is the folder, with a slash behind it; "" for the whole input). A large checked-out repository is several units;
each knows where the repository's licence texts stand. Files below `.git`, `.hg` and `.svn` are never planned.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from filters.code.names import is_license_name
from manifests.keys import digest_of
from manifests.limits import Limits
from manifests.store import Store
from pipelines.sources.files import pack_files
from pipelines.sources.parquet import row_group_bytes
from pipelines.sources.plan import pack_sizes, plan_units
from pipelines.sources.units import MAX_UNIT_FILES, Unit
from pipelines.stages.units import Inputs, Planned, generation_of

PLAN_VERSION = 2
ARCHIVES = (
    ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst", ".tzst",
    ".zip", ".whl", ".jar", ".egg", ".nupkg", ".deb", ".crate", ".gem",
)  # fmt: skip
JSON_LINES = (".jsonl", ".jsonl.gz", ".jsonl.zst", ".ndjson", ".ndjson.gz", ".ndjson.zst")
_CONTROL = re.compile(r"(?:^|/)\.(?:git|hg|svn|bzr)(?:/|$)")
_TOP_FILES = re.compile(
    r"^(?:readme|license|licence|copying|makefile|setup\.py|pyproject\.toml|package\.json|cargo\.toml|go\.mod)(?:\..*)?$",
    re.IGNORECASE,
)
_GIT_FILES = ("HEAD", "packed-refs", "config", "objects/", "refs/")


def is_archive(name: str) -> bool:
    return name.lower().endswith(ARCHIVES)


@dataclass(frozen=True)
class Listing:
    """What stands in an input: (name, bytes), sorted, without what version control keeps for itself."""

    files: tuple[tuple[str, int], ...]
    controlled: frozenset[str]  # folders that hold a .git: "" or "a/"

    @classmethod
    def of(cls, store: Store) -> "Listing":
        every = sorted(store.list())
        inside = [(name, size) for name, size in every if not _CONTROL.search(name)]
        controlled = {name[: found.start()] for name, _ in every if (found := _CONTROL.search(name))}
        return cls(tuple(inside), frozenset(f"{folder}/" if folder else "" for folder in controlled))

    def bare(self) -> list[str]:
        """Return the folders (with a slash) that are bare git repositories."""
        names = {name for name, _ in self.files}
        heads = [name.removesuffix("HEAD") for name in names if name == "HEAD" or name.endswith("/HEAD")]
        return sorted(
            folder
            for folder in heads
            if any(name.startswith(f"{folder}objects/") for name in names) and f"{folder}config" in names
        )


def code_units(store: Store, source: str, layout: str, unit_bytes: int, kind: str = "auto") -> list[Unit]:
    """Return the units of an input, in the order of names; nothing but Parquet's directories is read."""
    listing = Listing.of(store)
    if kind == "jsonl" or (kind == "auto" and _is_json_lines(listing)):
        return plan_units(store, source, "jsonl", unit_bytes=unit_bytes)
    spans: list[tuple[str, Any, int, int, tuple[str, ...]]] = []
    left: list[tuple[str, int]] = []
    bare = listing.bare()
    for folder in bare:
        own = [(name, size) for name, size in listing.files if name.startswith(folder) and _is_git(name, folder)]
        spans.append((folder, "files", 0, sum(size for _, size in own), tuple(name for name, _ in own)))
    archives_count = _archives_count(listing, kind)
    for name, size in listing.files:
        if any(name.startswith(folder) for folder in bare):
            continue
        if kind in ("auto", "tar") and archives_count and is_archive(name):
            spans.append((name, "tar", 0, size, ()))
        elif kind in ("auto", "parquet") and name.lower().endswith(".parquet"):
            spans += [
                (name, "parquet", start, end, ()) for start, end in pack_sizes(row_group_bytes(store, name), unit_bytes)
            ]
        elif kind in ("auto", "files"):
            left.append((name, size))
    spans += _trees(left, listing, layout, unit_bytes)
    spans.sort(key=lambda span: (span[0], span[2]))
    return [Unit(index, source, *span) for index, span in enumerate(spans)]


def _is_json_lines(listing: Listing) -> bool:
    """Return whether an input is one file of rows; among other files such a one is a file of its repository."""
    return len(listing.files) == 1 and listing.files[0][0].lower().endswith(JSON_LINES)


def _is_git(name: str, folder: str) -> bool:
    return name[len(folder) :].startswith(_GIT_FILES)


def _archives_count(listing: Listing, kind: str) -> int:
    """Return how many archives are units: all of them, but none in an input that is itself a checked-out repository."""
    if kind == "tar" or len(listing.files) == 1:
        return len(listing.files)
    return 0 if _is_repository(listing) else sum(is_archive(name) for name, _ in listing.files)


def _is_repository(listing: Listing) -> bool:
    return "" in listing.controlled or any("/" not in name and _TOP_FILES.match(name) for name, _ in listing.files)


def _trees(
    files: Sequence[tuple[str, int]], listing: Listing, layout: str, unit_bytes: int
) -> Iterator[tuple[str, Any, int, int, tuple[str, ...]]]:
    whole = layout == "repository" or (layout == "auto" and _is_repository(listing))
    by_folder: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for name, size in files:
        by_folder["" if whole or "/" not in name else f"{name.partition('/')[0]}/"].append((name, size))
    for folder, own in sorted(by_folder.items()):
        at = 0
        for names, total in pack_files(own, unit_bytes, MAX_UNIT_FILES):
            yield folder, "files", at, at + total, tuple(names)
            at += total


def license_files(store: Store, folder: str) -> list[str]:
    """Return the names of the licence texts of a checked-out repository."""
    return sorted(
        name for name, _ in store.list(folder) if is_license_name(name[len(folder) :]) and not _CONTROL.search(name)
    )


@dataclass
class CodeInputs(Inputs):
    """What the code job reads."""

    layout: str = "auto"

    def plan(self, job: str, settings: Any, limits: Limits) -> list[Planned]:
        """Return the units of all inputs; see Inputs.plan."""
        planned, settings = list[Planned](), self.keyed(settings)
        for name, store, kind in self.stores():
            units = code_units(store, name, self.layout, limits.unit_bytes, kind)
            if not units:
                raise FileNotFoundError(f"input {name}: {self.uris[name]} is not there, or holds nothing to read")
            beside: dict[str, Any] = {}
            for unit in units:
                if unit.kind == "files" and unit.uri not in beside:
                    beside[unit.uri] = [
                        (each, store.generation(each))
                        for each in (*license_files(store, unit.uri), *_config(store, unit.uri))
                    ]
                identity, generation = unit.identity(), generation_of(store, unit)
                known = {"unit": identity, "generation": generation, "beside": beside.get(unit.uri)}
                stage_key = digest_of({**settings, **known})
                unit_key = int(digest_of(identity)[:16], 16)
                planned.append(Planned(unit, unit_key, generation, f"{job}/staged/{stage_key[:32]}"))
        return planned


def _config(store: Store, folder: str) -> list[str]:
    return [name for name in (f"{folder}.git/config", f"{folder}config") if store.size(name) is not None]
