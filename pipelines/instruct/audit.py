"""Auditing a committed set: its shards and the texts that they cite are read, nothing else is believed.

Of the job it reads what it published: `conversations`, `sources` (captions and transcripts), and of the text snapshot
the documents. What generators thought of a record is looked at as a claim, and the claim is looked up.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from filters.instruct_audit.examine import Examined, examine
from filters.instruct_audit.gates import Gate, as_text
from filters.instruct_audit.prompts import Row
from filters.instruct_audit.table import gates_of, sampled
from manifests.contents import DOCUMENTS
from manifests.keys import canonical_json
from manifests.manifest import Manifest, newest_version
from manifests.reader import Reader, read_manifest
from manifests.store import Store

AUDIT_VERSION = 2
JOB, KIND, SOURCES, TEXT = "instruct", "conversations", "sources", "text"
ROWS_AT_ONCE = 512
EXAMPLES = 20  # problems that are named


@dataclass(frozen=True)
class Audit:
    """What an audit came to; `body` is its JSON."""

    gates: tuple[Gate, ...]
    body: dict[str, Any]

    @property
    def is_passed(self) -> bool:
        return not any(gate.verdict == "fail" for gate in self.gates)

    def __str__(self) -> str:
        """Return the table, what is wrong by name, and one line that says how it came out."""
        return "\n".join([as_text(self.gates), *self.body["examples"], outcome(self.body)])


def outcome(body: Mapping[str, Any]) -> str:
    """Say in one line how an audit came out; `body` is its JSON."""
    verdicts = Counter(gate["verdict"] for gate in body["gates"])
    failed = [gate["name"] for gate in body["gates"] if gate["verdict"] == "fail"]
    said = f"{len(failed)} gates failed: {'; '.join(failed)}" if failed else "every gate that was measured is met"
    return f"{said} ({verdicts['not measured']} not measured)" if verdicts["not measured"] else said


def audit(store: Store, version: int | None = None, share: float = 1.0) -> Audit:
    """Audit a snapshot (the newest by default) and write the table beside it, as `audit_name` says.

    share: of the records, by a hash of the id, hedges with their twins. Raises ManifestError where there is no such
    snapshot, IntegrityError for a damaged shard.
    """
    manifest = read_manifest(store, JOB, version)
    rows = list(_rows(store, manifest, share))
    wanted = {each["doc_id"] for row in rows for each in row["evidence"]}
    cited = cited_texts(store, manifest, wanted)
    records = [examine(row, cited.texts, cited.fetched) for row in rows]
    table, twins = gates_of(records, cited.corpus)
    examples = [f"{each.id}: {problem}" for each in records for problem in each.problems]
    examples += [f"{e.id}: unsupported, {e.support.wrong}" for e in records if e.support and e.support.wrong]
    body = {
        "audit": AUDIT_VERSION,
        "manifest_digest": manifest["digest"],
        "share": share,
        "records": len(records),
        "gates": [gate.as_json() for gate in table],
        "counts": counts_of(records),
        "corpus": dict(sorted(cited.corpus.items())),
        "examples": [*examples[:EXAMPLES], *twins.examples[:EXAMPLES]],
    }
    _write(store, audit_name(manifest, share), canonical_json(body))
    return Audit(tuple(table), body)


def audit_name(manifest: Manifest, share: float = 1.0) -> str:
    """Return where the audit of a snapshot stands."""
    part = "" if share == 1.0 else f"-{share:g}"
    return f"{JOB}/audit/{manifest['digest'][:16]}-v{AUDIT_VERSION}{part}.json"


def _write(store: Store, name: str, data: bytes) -> None:
    """Leave the table; one of an auditor that judged otherwise gives way."""
    if not store.put_new(name, data) and store.read(name) != data:
        store.delete(name)
        store.put_new(name, data)


def _rows(store: Store, manifest: Manifest, share: float) -> Iterator[Row]:
    for batch in Reader(store, manifest, KIND).batches(batch_rows=ROWS_AT_ONCE):
        yield from (row for row in batch.to_pylist() if share == 1.0 or sampled(_drawn_by(row), share))


def _drawn_by(row: Row) -> bytes:
    """Return the id that decides whether a record is drawn: a hedge goes with its twin."""
    twin = (row["hedge"] or {}).get("contrast_id")
    return bytes.fromhex(twin) if twin else bytes(row["id"])


@dataclass
class Cited:
    """What the records cite: texts by (doc_id, sha256), days of fetching by doc_id (under "" the newest of all), and
    the bytes of text by language of the whole corpus.
    """

    texts: dict[tuple[str, str], str]
    fetched: dict[str, str]
    corpus: Counter[str]


def cited_texts(store: Store, manifest: Manifest, wanted: Iterable[str]) -> Cited:
    """Return the texts of the wanted documents; a document's mark-up (JSON-LD, FAQ) counts among its texts."""
    ids = pa.array(sorted({bytes.fromhex(each) for each in wanted if len(each) == 32}), pa.binary(16))
    found = Cited({}, {}, Counter())
    for reader, columns in _corpora(store, manifest):
        for batch in reader.batches(columns, ROWS_AT_ONCE):
            _weigh(batch, found.corpus)
            newest = pc.max(batch["fetched_at"]).as_py()
            found.fetched[""] = max(found.fetched.get("", ""), _day(newest))
            for row in batch.filter(pc.is_in(batch["id"], ids)).to_pylist():
                name = row["id"].hex()
                found.fetched[name] = _day(row["fetched_at"])
                found.texts.update({(name, sha256_of(text)): text for text in texts_of(row)})
    return found


def texts_of(row: Mapping[str, Any]) -> list[str]:
    """Return the texts of a document's row that evidence may count in: its own, and its mark-up's."""
    return [row["text"] or "", *(each["content"] for each in row.get("markup") or ())]


def _day(fetched_at: Any) -> str:
    return str(fetched_at)[:10] if fetched_at is not None else ""


def _corpora(store: Store, manifest: Manifest) -> Iterator[tuple[Reader, list[str]]]:
    if newest_version(store, TEXT):
        text = read_manifest(store, TEXT, text_version(store, manifest))
        yield Reader(store, text, DOCUMENTS), ["id", "language", "fetched_at", "text", "markup"]
    yield Reader(store, manifest, SOURCES), ["id", "language", "fetched_at", "text"]


def text_version(store: Store, manifest: Manifest) -> int | None:
    """Return the text snapshot that the set names by its digest; the newest where it names none that is there."""
    stated = canonical_json([manifest.get("parents"), manifest.get("inputs"), manifest.get("settings")]).decode()
    for version in range(newest_version(store, TEXT), 0, -1):
        if read_manifest(store, TEXT, version)["digest"] in stated:
            return version
    return None


def _weigh(batch: pa.RecordBatch, corpus: Counter[str]) -> None:
    """Add the bytes of a batch's texts to their languages."""
    sizes = pa.table({"language": batch["language"], "bytes": pc.binary_length(batch["text"])})
    for row in sizes.group_by("language").aggregate([("bytes", "sum")]).to_pylist():
        corpus[row["language"] or "und"] += row["bytes_sum"] or 0


def sha256_of(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def counts_of(records: Iterable[Examined]) -> list[dict[str, Any]]:
    """Return how many records there are of each behaviour, task and language, sorted."""
    counted = Counter((each.behaviour, each.task, each.reason, each.language) for each in records)
    names = ("behaviour", "task", "reason", "language")
    return [{**dict(zip(names, key, strict=True)), "records": n} for key, n in sorted(counted.items())]


def load_audit(store: Store, manifest: Manifest) -> Mapping[str, Any] | None:
    """Return the table that an audit of all of a snapshot's records left, None where there was none."""
    import json

    name = audit_name(manifest)
    if store.size(name) is None:
        return None
    found: Mapping[str, Any] = json.loads(store.read(name))
    return found
