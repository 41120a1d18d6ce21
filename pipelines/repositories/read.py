"""From a unit to its files, with what is known of each: path, repository, the licence above it."""

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import pyarrow as pa

from filters.code.archives import ARCHIVE, judged, pack_git, shown
from filters.code.child import FILES
from filters.code.licenses import NONE, Folders, Verdict, normal
from filters.code.names import is_license_name
from filters.guard import Failure, GuardedPool
from manifests.limits import CodeLimits, Limits
from manifests.local_store import LocalStore
from manifests.reasons import CodeFault, Quarantine, RefusedCode, SkippedCode
from manifests.records import RAW
from manifests.store import Store
from pipelines.repositories.names import OptOuts, is_bare, repository_of
from pipelines.repositories.plan import license_files
from pipelines.sources.chunks import binary_array
from pipelines.sources.parquet import DAMAGED, open_parquet
from pipelines.sources.units import RawChunk, Unit

READ_VERSION = 1
MAX_LICENSE_BYTES = 1 << 20
TEXT_COLUMNS = ("content", "text", "code")
NAME_COLUMNS = ("max_stars_repo_name", "repo_name", "repository_name", "repo")
PATH_COLUMNS = ("max_stars_repo_path", "path", "file_path")
LICENSE_COLUMNS = ("max_stars_repo_licenses", "detected_licenses", "licenses", "license")
STARS_COLUMNS = ("max_stars_count", "star_events_count", "stars")


class Item(NamedTuple):
    """One member of a unit: a file with its bytes, or what became of it."""

    what: Literal["file", "fault", "skipped", "refused"]
    uri: str
    path: str = ""
    payload: bytes = b""
    reason: str = ""
    detail: str = ""
    limit: str | None = None
    observed: int | None = None
    repository: str = ""
    inherited: Verdict = NONE
    stars: int | None = None


@dataclass
class Files:
    """Some members of a unit in order: a chunk of the unit, its files with the columns that their child needs."""

    raw: RawChunk
    batch: pa.RecordBatch  # FILES, one row for each row of raw.batch
    refused: list[tuple[int, str, str]]  # (ordinal, uri, reason)


@dataclass
class _Gatherer:
    """Gathers the members of one chunk."""

    cursor: int
    rows: list[dict[str, Any]] = field(default_factory=list)
    payloads: list[bytes] = field(default_factory=list)
    faults: list[dict[str, Any]] = field(default_factory=list)
    skipped: Counter[Any] = field(default_factory=Counter)
    refused: list[tuple[int, str, str]] = field(default_factory=list)
    bytes: int = 0

    def add(self, item: Item) -> None:
        if item.what == "file":
            own = {"uri": item.uri, "path": item.path, "repository": item.repository, "stars": item.stars}
            known = json.dumps(item.inherited) if item.inherited.expression else None
            digest = hashlib.sha256(item.payload).digest()
            self.rows.append({**own, "inherited": known, "ordinal": self.cursor, "offset": -1, "digest": digest})
            self.payloads.append(item.payload)
            self.bytes += len(item.payload)
        elif item.what == "fault":
            told = {"limit": item.limit, "limit_value": None, "observed": item.observed, "detail": item.detail[:512]}
            place = {"uri": item.uri, "ordinal": self.cursor, "offset": -1, "bytes": item.observed or 0, "digest": None}
            self.faults.append({**place, **told, "reason": item.reason})
        elif item.what == "skipped":
            self.skipped[item.reason] += 1
        else:
            self.refused.append((self.cursor, item.uri, item.reason))
        self.cursor += 1

    def finish(self) -> Files:
        columns = {
            each.name: pa.array([row.get(each.name) for row in self.rows], each.type)
            for each in FILES
            if each.name != "payload"
        }
        columns["payload"] = binary_array(list(self.payloads))
        batch = pa.RecordBatch.from_pydict({each.name: columns[each.name] for each in FILES}, schema=FILES)
        raw = RawChunk(batch.select(RAW.names), self.cursor, self.skipped, self.faults)
        return Files(raw, batch, self.refused)


@dataclass
class Reader:
    """Reads units of code. `pool` runs filters.code.child."""

    pool: GuardedPool
    limits: Limits
    code_limits: CodeLimits
    opt_outs: OptOuts
    revision: str | None

    def read(self, store: Store, unit: Unit, cursor: int) -> Iterator[Files]:
        """Yield the unit's chunks from `cursor` on (members that came before): the same members however cut."""
        gatherer = _Gatherer(cursor)
        for item in self._items(store, unit, cursor):
            full = gatherer.bytes + len(item.payload) > self.limits.batch_bytes or (
                len(gatherer.rows) >= self.limits.batch_rows
            )
            if gatherer.rows and full:
                yield gatherer.finish()
                gatherer = _Gatherer(gatherer.cursor)
            gatherer.add(item)
        if gatherer.cursor > cursor:
            yield gatherer.finish()

    def _items(self, store: Store, unit: Unit, cursor: int) -> Iterator[Item]:
        if unit.kind == "parquet":
            items = self._rows(store, unit)
            for _ in zip(range(cursor), items, strict=False):
                pass
            yield from items
            return
        repository = repository_of(store, unit)
        refusal = self.opt_outs.refusal(repository)
        if refusal is not None:  # nothing of it is opened; it counts as one
            if cursor == 0:
                yield Item("refused", f"{unit.source}:{shown(unit.uri)}", reason=str(refusal), repository=repository)
        elif unit.kind == "tar" or is_bare(unit):
            yield from self._archive(store, unit, cursor, repository)
        else:
            yield from self._tree(store, unit, cursor, repository)

    # checked-out trees

    def _tree(self, store: Store, unit: Unit, cursor: int, repository: str) -> Iterator[Item]:
        texts = {}
        for name in license_files(store, unit.uri):
            size = store.size(name) or 0
            if size <= MAX_LICENSE_BYTES and not _is_link(store, name):
                texts[name[len(unit.uri) :]] = store.read(name)
        folders = Folders(self._verdicts(texts))
        for name in unit.members[cursor:]:
            yield self._tree_file(store, unit, name, folders, repository)

    def _tree_file(self, store: Store, unit: Unit, name: str, folders: Folders, repository: str) -> Item:
        uri, path = f"{unit.source}:{shown(name)}", name[len(unit.uri) :]
        if _is_link(store, name):
            return Item("skipped", uri, reason=str(SkippedCode.SYMLINK))
        refused = judged(path, store.size(name) or 0, self.limits)
        if refused is not None:
            told = (refused.reason or "", refused.detail, refused.limit, refused.observed)
            return Item("skipped" if refused.what == "skipped" else "fault", uri, "", b"", *told)
        inherited = folders.of(path)
        return Item("file", uri, path, store.read(name), repository=repository, inherited=inherited)

    def _verdicts(self, texts: Mapping[str, bytes]) -> dict[str, Verdict]:
        """Return the verdict of each licence text; one that its parser does not survive says nothing."""
        if not texts:
            return {}
        paths = sorted(texts)
        batch = pa.RecordBatch.from_pydict(
            {"path": pa.array(paths), "license_text": pa.array([texts[path] for path in paths], pa.large_binary())}
        )
        done = self.pool.run(batch).outputs["verdicts"]
        assert isinstance(done, pa.RecordBatch)
        told = zip(done["path"].to_pylist(), done["verdict"].to_pylist(), strict=True)
        return {path: Verdict(*json.loads(verdict)) for path, verdict in told}

    # archives and bare repositories

    def _archive(self, store: Store, unit: Unit, cursor: int, repository: str) -> Iterator[Item]:
        uri = f"{unit.source}:{shown(unit.uri).rstrip('/')}"
        size = sum(store.size(name) or 0 for name in unit.files())
        most = self.code_limits.max_archive_bytes
        if size > most:
            if cursor == 0:
                yield Item("fault", uri, "", b"", CodeFault.ARCHIVE_TOO_LARGE, "the archive", "max_archive_bytes", size)
            return
        kind, payload = self._payload(store, unit)
        first = list(self._windows(kind, payload, 0, only_licenses=True))
        top = "" if kind == "git" else _common_top([m["path"] for m in first if m["what"] == "file"])
        texts = {
            m["path"][len(top) :]: m["payload"]
            for m in first
            if m["what"] == "file" and is_license_name(m["path"]) and len(m["payload"]) <= MAX_LICENSE_BYTES
        }
        folders = Folders(self._verdicts(texts))
        for member in self._windows(kind, payload, cursor, only_licenses=False):
            yield self._member(member, uri, top, folders, repository)

    def _payload(self, store: Store, unit: Unit) -> tuple[str, bytes]:
        if unit.kind == "tar":
            return "archive", store.read(unit.uri)
        return "git", pack_git([(name[len(unit.uri) :], store.read(name)) for name in unit.members])

    def _windows(self, kind: str, payload: bytes, cursor: int, *, only_licenses: bool) -> Iterator[dict[str, Any]]:
        """Yield the members from `cursor` on; what the reading process did not survive is one fault at the end."""
        done = False
        while not done:
            columns = {
                "kind": [kind],
                "payload": [payload],
                "revision": [self.revision],
                "cursor": [cursor],
                "only_licenses": [only_licenses],
            }
            batch = pa.RecordBatch.from_pydict(
                {each.name: pa.array(columns[each.name], each.type) for each in ARCHIVE}, schema=ARCHIVE
            )
            found = self.pool.run(batch)
            if found.failures:
                yield _crash(found.failures[0])
                return
            members, ended = found.outputs["members"], found.outputs["done"]
            assert isinstance(members, pa.RecordBatch)
            rows = members.to_pylist()
            yield from rows
            done = json.loads(bytes(ended)) if isinstance(ended, bytes) else True
            cursor += len(rows)

    def _member(self, member: Mapping[str, Any], uri: str, top: str, folders: Folders, repository: str) -> Item:
        place = f"{uri}#{member['path']}" if member["path"] else uri
        if member["what"] != "file":
            told = (member["reason"], member["detail"] or "", member["limit"], member["observed"])
            return Item(member["what"], place, "", b"", *told)
        path = member["path"][len(top) :]
        return Item("file", place, path, member["payload"], repository=repository, inherited=folders.of(path))

    # rows of Parquet

    def _rows(self, store: Store, unit: Unit) -> Iterator[Item]:
        uri = f"{unit.source}:{shown(unit.uri)}"
        try:
            file = open_parquet(store, unit.uri)
            names = file.schema_arrow.names
            columns = _chosen(names, uri)
            for group in range(unit.start, unit.end):
                first = sum(file.metadata.row_group(i).num_rows for i in range(group))
                wanted = [name for name in columns.values() if name]
                for batch in file.iter_batches(256, row_groups=[group], columns=wanted, use_threads=False):
                    for number, row in enumerate(batch.to_pylist(), first):
                        yield self._row(row, columns, f"{uri}#{number}", unit.source)
                    first += batch.num_rows
        except DAMAGED as error:
            detail = str(error).partition("\n")[0][:200]
            yield Item("fault", uri, reason=str(Quarantine.DAMAGED_CONTAINER), detail=detail)

    def _row(self, row: Mapping[str, Any], columns: Mapping[str, str | None], uri: str, source: str) -> Item:
        def value(what: str) -> Any:
            name = columns[what]
            return row[name] if name else None

        content, repository = value("text"), str(value("name") or source)
        refusal: RefusedCode | None = self.opt_outs.refusal(repository)
        if refusal is not None:
            return Item("refused", uri, reason=str(refusal))
        payload = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
        if not isinstance(payload, bytes):
            return Item("fault", uri, reason=str(Quarantine.EMPTY_PAYLOAD), detail="no content")
        path = str(value("path") or uri.rpartition("#")[2])
        refused = judged(path, len(payload), self.limits)
        if refused is not None:
            told = (refused.reason or "", refused.detail, refused.limit, refused.observed)
            return Item("skipped" if refused.what == "skipped" else "fault", uri, "", b"", *told)
        stars = value("stars")
        said = _stated(value("license"))
        stars = int(stars) if isinstance(stars, int | float) and math.isfinite(stars) else None
        return Item("file", uri, path, payload, repository=repository, inherited=said, stars=stars)


def _chosen(names: Sequence[str], uri: str) -> dict[str, str | None]:
    wanted = {
        "text": TEXT_COLUMNS,
        "name": NAME_COLUMNS,
        "path": PATH_COLUMNS,
        "license": LICENSE_COLUMNS,
        "stars": STARS_COLUMNS,
    }
    found = {what: next((name for name in known if name in names), None) for what, known in wanted.items()}
    if found["text"] is None:
        raise ValueError(f"{uri} has no column {' or '.join(TEXT_COLUMNS)}; it has {', '.join(names)}")
    return found


def _stated(given: Any) -> Verdict:
    """Return the verdict of a row's own licences; several are all true of the repository."""
    names = [given] if isinstance(given, str) else [name for name in given or () if isinstance(name, str)]
    known = [normal(name) for name in dict.fromkeys(names) if name and " " not in name.strip()]
    return Verdict(" AND ".join(sorted(known)), "input", 1.0, "") if known else NONE


def _is_link(store: Store, name: str) -> bool:
    inner = getattr(store, "store", store)
    return isinstance(inner, LocalStore) and inner.path(name).is_symlink()


def _common_top(paths: Sequence[str]) -> str:
    """Return the one folder that all files of an archive lie in, with a slash; "" where there are several."""
    tops = {path.partition("/")[0] if "/" in path else None for path in paths}
    top = tops.pop() if len(tops) == 1 else None
    return f"{top}/" if top else ""


def _crash(failure: Failure) -> dict[str, Any]:
    told = {"limit": None, "observed": None, "payload": b""}
    return {"path": "", "what": "fault", "reason": str(failure.reason), "detail": failure.detail, **told}
