"""From a unit to its files, with what is known of each: path, repository, the licence above it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from filters.code.archives import ARCHIVE, judged, pack_git, shown
from filters.code.dep5 import Paragraph
from filters.code.licenses import Folders, Verdict
from filters.code.names import is_license_name
from filters.guard import Failure, GuardedPool
from manifests.limits import CodeLimits, Limits
from manifests.local_store import LocalStore
from manifests.reasons import CodeFault, SkippedCode
from manifests.store import Store
from pipelines.repositories.items import Files, Gatherer, Item
from pipelines.repositories.names import OptOuts, is_bare, repository_of
from pipelines.repositories.plan import license_files
from pipelines.repositories.rows import RowReader
from pipelines.sources.units import Unit

READ_VERSION = 4
MAX_LICENSE_BYTES = 1 << 20


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
        gatherer = Gatherer(cursor)
        for item in self._items(store, unit, cursor):
            full = gatherer.bytes + len(item.payload) > self.limits.batch_bytes or (
                len(gatherer.rows) >= self.limits.batch_rows
            )
            if gatherer.rows and full:
                yield gatherer.finish()
                gatherer = Gatherer(gatherer.cursor)
            gatherer.add(item)
        if gatherer.cursor > cursor:
            yield gatherer.finish()

    def _items(self, store: Store, unit: Unit, cursor: int) -> Iterator[Item]:
        if unit.kind in ("parquet", "jsonl"):
            items = RowReader(self.limits, self.opt_outs).items(store, unit)
            for _ in zip(range(cursor), items, strict=False):
                pass
            yield from items
            return
        repository, address = repository_of(store, unit)
        refusal = self.opt_outs.refusal(repository, address)
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
        folders = self._folders(texts)
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

    def _folders(self, texts: Mapping[str, bytes]) -> Folders:
        """Return what licence texts say of the folders; one that its parser does not survive says nothing."""
        if not texts:
            return Folders({})
        paths = sorted(texts)
        batch = pa.RecordBatch.from_pydict(
            {"path": pa.array(paths), "license_text": pa.array([texts[path] for path in paths], pa.large_binary())}
        )
        done = self.pool.run(batch).outputs["verdicts"]
        assert isinstance(done, pa.RecordBatch)
        told = {path: json.loads(said) for path, said in zip(*done.to_pydict().values(), strict=True)}
        stated = {path: said["paragraphs"] for path, said in told.items() if isinstance(said, dict)}
        return Folders(
            {path: Verdict(*said) for path, said in told.items() if isinstance(said, list)},
            {path: [Paragraph(tuple(names), named) for names, named in said] for path, said in stated.items()},
        )

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
        folders = self._folders(texts)
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
