"""Rows of Parquet and JSON Lines: source files as The Stack has them, issues as the-stack-github-issues has them."""

import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from filters.code.archives import judged, shown
from filters.code.issues import COLUMNS as ISSUE_COLUMNS
from filters.code.issues import MEDIA_TYPE as ISSUE_TYPE
from filters.code.issues import is_issue
from filters.code.licenses import NONE, Verdict, normal
from manifests.limits import MIB, Limits
from manifests.reasons import Quarantine
from manifests.store import Store
from pipelines.repositories.items import Item
from pipelines.repositories.names import OptOuts
from pipelines.sources.jsonl import Line, lines
from pipelines.sources.parquet import DAMAGED, open_parquet
from pipelines.sources.streams import DecodedStream
from pipelines.sources.units import Unit

ROWS_VERSION = 1
HOST = "https://github.com/"  # of rows that name a repository as The Stack does
TEXT_COLUMNS = ("content", "text", "code")
NAME_COLUMNS = ("max_stars_repo_name", "repo_name", "repository_name", "repo", "repository")
PATH_COLUMNS = ("max_stars_repo_path", "path", "file_path")
LICENSE_COLUMNS = ("max_stars_repo_licenses", "detected_licenses", "licenses", "license")
STARS_COLUMNS = ("max_stars_count", "star_events_count", "stars")
NUMBER_COLUMNS = ("issue_number", "number", "issue_id")
KNOWN = {
    "text": TEXT_COLUMNS,
    "name": NAME_COLUMNS,
    "path": PATH_COLUMNS,
    "license": LICENSE_COLUMNS,
    "stars": STARS_COLUMNS,
    "number": NUMBER_COLUMNS,
}
Row = Mapping[str, Any]


@dataclass
class RowReader:
    """Reads units whose records are rows."""

    limits: Limits
    opt_outs: OptOuts

    def items(self, store: Store, unit: Unit) -> Iterator[Item]:
        """Yield one item for each row."""
        return self._parquet(store, unit) if unit.kind == "parquet" else self._json_lines(store, unit)

    def _parquet(self, store: Store, unit: Unit) -> Iterator[Item]:
        uri = f"{unit.source}:{shown(unit.uri)}"
        try:
            file = open_parquet(store, unit.uri)
            wanted = _wanted(file.schema_arrow.names, uri)
            for group in range(unit.start, unit.end):
                first = sum(file.metadata.row_group(i).num_rows for i in range(group))
                for batch in file.iter_batches(256, row_groups=[group], columns=wanted, use_threads=False):
                    for number, row in enumerate(batch.to_pylist(), first):
                        yield self._row(row, f"{uri}#{number}", unit.source)
                    first += batch.num_rows
        except DAMAGED as error:
            detail = str(error).partition("\n")[0][:200]
            yield Item("fault", uri, reason=str(Quarantine.DAMAGED_CONTAINER), detail=detail)

    def _json_lines(self, store: Store, unit: Unit) -> Iterator[Item]:
        uri, name = f"{unit.source}:{shown(unit.uri)}", unit.uri.lower()
        size, most = store.size(unit.uri) or 0, self.limits.max_record_bytes
        with store.open(unit.uri) as file:
            if not name.endswith((".gz", ".zst")):
                for line in lines(file, unit.start, unit.end, most):
                    yield from self._line(line, uri, unit.source)
                return
            stream = DecodedStream(file, size, self.limits, zstd=name.endswith(".zst"))
            for line in lines(io.BufferedReader(stream, MIB), 0, None, most):
                if line.whole or stream.failure is None:
                    yield from self._line(line, uri, unit.source)
            if stream.failure is not None:
                why = stream.failure
                yield Item("fault", uri, "", b"", str(why.reason), why.detail, why.limit, why.observed)

    def _line(self, line: Line, uri: str, source: str) -> Iterator[Item]:
        place, data = f"{uri}#{line.offset}", line.data.strip()
        if line.digest is not None:
            told = (str(Quarantine.RECORD_TOO_LARGE), "the line", "max_record_bytes", line.size)
            yield Item("fault", place, "", b"", *told)
        elif data:
            try:
                row = json.loads(data.removeprefix(b"\xef\xbb\xbf") if line.offset == 0 else data)
            except (ValueError, RecursionError) as error:
                yield Item("fault", place, reason=str(Quarantine.MALFORMED_RECORD), detail=type(error).__name__)
                return
            if isinstance(row, dict):
                yield self._row(row, place, source)
            else:
                yield Item("fault", place, reason=str(Quarantine.MALFORMED_RECORD), detail="JSON, and no object")

    def _row(self, row: Row, uri: str, source: str) -> Item:
        repository = str(_value(row, "name") or _named(row) or source)
        refusal = self.opt_outs.refusal(repository, f"{HOST}{repository}" if repository.count("/") == 1 else None)
        if refusal is not None:
            return Item("refused", uri, reason=str(refusal))
        if is_issue(list(row)):
            return self._issue(row, uri, repository)
        content = _value(row, "text")
        payload = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
        if not isinstance(payload, bytes):
            return Item("fault", uri, reason=str(Quarantine.EMPTY_PAYLOAD), detail="no content")
        path, stars = str(_value(row, "path") or uri.rpartition("#")[2]), _value(row, "stars")
        stars = int(stars) if isinstance(stars, int | float) and math.isfinite(stars) else None
        said = _stated(_value(row, "license"))
        return self._judged(
            Item("file", uri, path, payload, repository=repository, inherited=said, stars=stars)
        )  # fmt: skip

    def _issue(self, row: Row, uri: str, repository: str) -> Item:
        own = {name: row[name] for name in ISSUE_COLUMNS if row.get(name) is not None}
        payload = json.dumps(own, sort_keys=True, default=str).encode()
        path = f"issues/{_value(row, 'number') or uri.rpartition('#')[2]}"
        return self._judged(Item("file", uri, path, payload, repository=repository, media_type=ISSUE_TYPE))

    def _judged(self, item: Item) -> Item:
        refused = judged(item.path, len(item.payload), self.limits)
        if refused is None:
            return item
        told = (refused.reason or "", refused.detail, refused.limit, refused.observed)
        return Item("skipped" if refused.what == "skipped" else "fault", item.uri, "", b"", *told)


def _value(row: Row, what: str) -> Any:
    return next((row[name] for name in KNOWN[what] if row.get(name) is not None), None)


def _named(row: Row) -> str | None:
    """Return "owner/name" of the address that GitHub gives an issue."""
    address = row.get("html_url")
    parts = address.split("/") if isinstance(address, str) and address.startswith(HOST) else []
    return "/".join(parts[3:5]) if len(parts) >= 5 else None


def _wanted(names: Sequence[str], uri: str) -> list[str]:
    """Return the columns that are read; raises ValueError where rows hold neither files nor issues."""
    if is_issue(names):
        return [name for name in names if name in ISSUE_COLUMNS]
    if not any(name in names for name in TEXT_COLUMNS):
        raise ValueError(f"{uri} has no column {' or '.join(TEXT_COLUMNS)}, nor events; it has {', '.join(names)}")
    every = {name for known in KNOWN.values() for name in known}
    return [name for name in names if name in every]


def _stated(given: Any) -> Verdict:
    """Return the verdict of a row's own licences; several are all true of the repository."""
    names = [given] if isinstance(given, str) else [name for name in given or () if isinstance(name, str)]
    known = [normal(name) for name in dict.fromkeys(names) if name and " " not in name.strip()]
    return Verdict(" AND ".join(sorted(known)), "input", 1.0, "") if known else NONE
