"""Checking a snapshot: every published byte against the manifest, and two snapshots against each other."""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pyarrow.parquet as pq

from manifests.contents import DOCUMENTS, Contents
from manifests.integrity import Problem, open_hashed
from manifests.ledger import VERDICTS, accountable, funnel
from manifests.manifest import FORMAT, Manifest, manifest_name, newest_version, seal
from manifests.reader import ManifestError, locate, open_shard, shard_of
from manifests.shards import Shard
from manifests.store import Store, check_name
from manifests.tar_shards import read_members

_LISTED = 20  # problems or ids that a printed report shows
_ASIDE = (
    "dropped",
    "quarantine",
    "refused",
    "index",
    "diagnostics",
    "cdxj",
    "requests",
    "frontier",
    "hosts",
    "withdrawn",
    "withdrawn_urls",
    "records",
    "parts",
    "contamination",
    "contact",
    "films",
    "time_lines",
    "repositories",
    "lines",
    "sources",
    "megatron",
    "megatron_mask",
)  # kinds that hold no kept record


@dataclass
class Report:
    """What `verify` found; sound when there is no problem."""

    snapshot: str
    shards: int = 0
    records: int = 0
    bytes: int = 0
    problems: list[Problem] = field(default_factory=list)

    @property
    def is_sound(self) -> bool:
        return not self.problems

    def __str__(self) -> str:
        size = f"{self.shards} shards, {self.records:,} records, {self.bytes:,} bytes"
        if self.is_sound:
            return f"{self.snapshot}: sound ({size})"
        lines = [f"{self.snapshot}: {len(self.problems)} problems ({size})"]
        return "\n".join(lines + _some([str(problem) for problem in self.problems]))


def verify(store: Store, job: str, version: int | None = None, progress: Callable[[int], None] | None = None) -> Report:
    """Check a snapshot (the newest by default) against its manifest and report every problem.

    Checked are the manifest's digest and ledger, and of each shard its name, presence, size, sha256, record
    count, order of ids, first and last id. A shard with the wrong bytes is read as far as it goes, to say
    where it breaks. `progress` gets the bytes of each shard that is done. Raises StoreError where the store
    itself fails.
    """
    check_name(job)
    number = newest_version(store, job) if version is None else version
    report = Report(f"{store.uri}/{manifest_name(job, number)}")
    manifest = _load(store, manifest_name(job, number), report.problems)
    if manifest is None:
        return report
    for entry in manifest.get("shards", []):
        try:
            shard = shard_of(entry)
        except ManifestError as error:
            report.problems.append(Problem(str(entry.get("name")), "entry", "a shard that can be read", str(error)))
            continue
        report.problems.extend(_shard_problems(store, shard))
        report.shards, report.records = report.shards + 1, report.records + shard.records
        report.bytes += shard.bytes
        if progress is not None:
            progress(shard.bytes)
    report.problems.extend(_ledger_problems(manifest, manifest_name(job, number)))
    return report


def _load(store: Store, name: str, problems: list[Problem]) -> Manifest | None:
    """Return the manifest even if its digest is wrong, and None where there is nothing to go on with."""
    if store.size(name) is None:
        problems.append(Problem(name, "missing", "a manifest", "no such object"))
        return None
    try:
        manifest = json.loads(store.read(name))
    except ValueError as error:
        problems.append(Problem(name, "unreadable", "JSON", str(error)))
        return None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        problems.append(Problem(name, "format", f"a manifest of format {FORMAT}", "another"))
        return None
    if (found := seal(manifest)["digest"]) != manifest.get("digest"):
        problems.append(Problem(name, "digest", str(manifest.get("digest")), f"a body with digest {found}"))
    return manifest


def _shard_problems(store: Store, shard: Shard) -> Iterator[Problem]:
    where, name = locate(store, shard)
    size = where.size(name)
    if size is None:
        yield Problem(shard.name, "missing", f"{shard.bytes} bytes", "no such object")
        return
    hashed = open_hashed(where, name)
    with hashed.file:
        if hashed.bytes != shard.bytes:
            yield Problem(shard.name, "size", f"{shard.bytes} bytes", f"{hashed.bytes} bytes")
        is_right = hashed.sha256 == shard.sha256
        if not is_right:
            yield Problem(shard.name, "sha256", shard.sha256, hashed.sha256)
        contents = Contents(shard)
        if shard.name.endswith(".tar"):
            yield from contents.tar(hashed.file)
        elif not shard.name.endswith(".parquet"):
            return  # a model: its size and sha256 say it all
        else:
            yield from contents.parquet(hashed.file, is_right)
        yield from contents.totals()


def _ledger_problems(manifest: Manifest, name: str) -> Iterator[Problem]:
    """Hold the ledger against itself and against the records that the shards are said to hold."""
    ledger = manifest.get("ledger")
    if not isinstance(ledger, dict) or "in" not in ledger or "out" not in ledger:
        return
    counts = funnel(ledger)
    out = sum(counts[verdict] for verdict in VERDICTS)
    if (expected := accountable(ledger)) != out:
        yield Problem(name, "ledger", f"{expected} records in", f"{out} records out")
    held = sum(int(entry.get("records", 0)) for entry in manifest.get("shards", []) if entry.get("kind") not in _ASIDE)
    if counts["kept"] != held:
        yield Problem(name, "ledger", f"{counts['kept']} records kept", f"{held} records in its shards")


@dataclass
class Difference:
    """How two snapshots differ; ids are hex and ascend. Empty when their manifests have one digest."""

    left: str
    right: str
    only_left: list[str] = field(default_factory=list)
    only_right: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)  # the same id, another content
    fields: list[str] = field(default_factory=list)  # other top-level entries of the manifests

    @property
    def is_empty(self) -> bool:
        return self.left == self.right

    def __str__(self) -> str:
        if self.is_empty:
            return f"the same snapshot: {self.left}"
        lines = [f"two snapshots: {self.left} and {self.right}"]
        for what, ids in (
            ("only in the first", self.only_left),
            ("only in the second", self.only_right),
            ("in both, not the same", self.changed),
        ):
            lines += [f"{len(ids)} ids {what}", *_some(ids)] if ids else []
        if self.fields:
            lines.append(f"the manifests differ in: {', '.join(self.fields)}")
        return "\n".join(lines)


def compare(
    left_store: Store, left: Manifest, right_store: Store, right: Manifest, kind: str = DOCUMENTS
) -> Difference:
    """List the ids of the records of one kind that two snapshots do not share, or hold with another content.

    Shards with one sha256 on both sides are not read; the others cost about 100 bytes of memory a record.
    Raises IntegrityError for a shard that is not what its own manifest says.
    """
    found = Difference(str(left["digest"]), str(right["digest"]))
    if found.is_empty:
        return found
    names = sorted((set(left) | set(right)) - {"digest"})
    found.fields = [name for name in names if left.get(name) != right.get(name)]
    sides = [{shard.sha256: shard for shard in map(shard_of, m["shards"]) if shard.kind == kind} for m in (left, right)]
    shared = sides[0].keys() & sides[1].keys()
    rows = [
        dict(row for sha256, shard in side.items() if sha256 not in shared for row in _digests(store, shard))
        for store, side in zip((left_store, right_store), sides, strict=True)
    ]
    found.only_left = sorted(id_.hex() for id_ in rows[0].keys() - rows[1].keys())
    found.only_right = sorted(id_.hex() for id_ in rows[1].keys() - rows[0].keys())
    both = rows[0].keys() & rows[1].keys()
    found.changed = sorted(id_.hex() for id_ in both if rows[0][id_] != rows[1][id_])
    return found


def _digests(store: Store, shard: Shard) -> Iterator[tuple[bytes, bytes]]:
    """Yield (id, short digest of the content) of each record of a shard."""
    with open_shard(store, shard) as file:
        if shard.name.endswith(".tar"):
            contents: dict[bytes, Any] = {}
            for key, extension, _, content in read_members(file, shard.name):
                contents.setdefault(bytes.fromhex(key), hashlib.blake2b(digest_size=8)).update(
                    extension.encode() + b"\0" + hashlib.sha256(content).digest()
                )
            yield from ((id_, digest.digest()) for id_, digest in contents.items())
            return
        for batch in pq.ParquetFile(file).iter_batches(1024):
            for row in batch.to_pylist():
                yield (
                    row["id"],
                    hashlib.blake2b(repr(row).encode("utf-8", "surrogatepass"), digest_size=8).digest(),
                )


def _some(lines: list[str]) -> list[str]:
    rest = len(lines) - _LISTED
    return [f"  {line}" for line in lines[:_LISTED]] + ([f"  ... and {rest} more"] if rest > 0 else [])
