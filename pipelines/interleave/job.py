"""The interleave job: the newest snapshots of OUT to a committed snapshot of interleaved documents.

Pages, of text and images: read -> join -> attach -> judge -> merge -> write. Films, of video: pipelines.interleave.
film_job. Each key digests what its phase reads: read the bytes of one shard,
join and attach the runs before them, judge the rules as well, write how images are stored and how many shards there
are. So a changed rule joins nothing again, and a changed container judges nothing again.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from filters.images.profiles import applicable
from filters.interleave.addresses import ADDRESSES_VERSION
from filters.interleave.profiles import PROFILES
from filters.interleave.signals import DOCUMENT_SIGNALS, PART_SIGNALS, SIGNALS_VERSION
from filters.interleave.words import WORDS_VERSION
from filters.rules import Rule
from filters.segmentation import segmentation_digest
from manifests.keys import canonical_json, digest_of
from manifests.ledger import Account, LedgerError, balance, total
from manifests.limits import Limits
from manifests.manifest import Manifest, commit, newest_version
from manifests.reader import read_manifest
from manifests.runs import RUN_VERSION, Run, partitions_for, put_same, run_schema, save_runs
from pipelines.interleave.block import Interleave
from pipelines.interleave.join import JOIN_VERSION, MAX_HOPS
from pipelines.interleave.judge import JUDGE_VERSION, LARGEST_NSFW, NSFW
from pipelines.interleave.read import READ_VERSION
from pipelines.interleave.records import DOCUMENT
from pipelines.interleave.write import JOB, WRITE_VERSION
from pipelines.launcher import Launcher
from pipelines.stages.judges import to_json
from pipelines.stages.ranges import Ranges
from pipelines.stages.statistics import merge_statistics
from pipelines.tasks import Marker, Phase, Task

if TYPE_CHECKING:
    from pipelines.interleave.film_job import Films

TEXT, IMAGES, AUDIO, VIDEO, CRAWL = "text", "images", "audio", "video", "crawl"
MEDIA_JOBS = (IMAGES, AUDIO, VIDEO)  # whose snapshots give media to parts
_OF_MEDIA = ("records", "dropped", "refused", "quarantine", "index")
READ_OF = {
    TEXT: ("documents",),
    IMAGES: _OF_MEDIA,
    AUDIO: _OF_MEDIA,
    VIDEO: (*_OF_MEDIA, "films"),
    CRAWL: ("requests",),
}
_CONTENT = re.compile(r"-[0-9a-f]{8}\.[a-z]+$")


@dataclass
class InterleaveJob:
    """A recipe's interleave block over the newest snapshots of OUT."""

    block: Interleave
    limits: Limits
    launcher: Launcher

    def run(self) -> tuple[int, Manifest, bool]:
        """Run what is not done, commit, and return (version, manifest, whether it stood already)."""
        store = self.launcher.store
        parents = self.parents()
        before = newest_version(store, JOB)
        read = self._read(parents)
        documents, written = self._runs(read, "documents"), list[Marker]()
        settings = self.described(parents)
        films = self._films(parents)
        if films:
            shown = films.read()
            written += films.write(shown)
            read += shown
        if documents:
            joined, lost = self._join(read)
            attached = self._attach(joined, read)
            rules = self._rules(read, documents)
            judged = self._judge(rules, attached, lost, documents)
            merged = self._merge(judged, rules)
            written += self._write(parents[TEXT], judged, merged)
            settings |= {"rules": rules.as_json(), "rules_without_scorer": list(rules.without_scorer)}
        body = self._body(parents, read, written, settings)
        version, manifest = commit(store, JOB, body)
        return version, manifest, version <= before

    def parents(self) -> dict[str, Manifest]:
        """Return the manifests that are read; with pages, that of the crawl which they come from.

        Raises ManifestError where there is nothing to join: no video snapshot, and text or all media missing.
        """
        store = self.launcher.store
        there = [job for job in (TEXT, *MEDIA_JOBS) if newest_version(store, job)]
        is_joined = TEXT in there and len(there) > 1
        wanted = there if is_joined else [VIDEO] if VIDEO in there else [TEXT, IMAGES]
        found = {job: read_manifest(store, job) for job in wanted}
        if is_joined and newest_version(store, CRAWL):
            crawl = read_manifest(store, CRAWL)
            if any(crawl["digest"] in manifest["parents"] for manifest in found.values()):
                found[CRAWL] = crawl
        return found

    def _films(self, parents: Mapping[str, Manifest]) -> "Films | None":
        if VIDEO not in parents:
            return None
        from pipelines.interleave.film_job import Films

        return Films(parents[VIDEO], self.block, self.limits, self.launcher, len(_text_shards(parents)))

    def described(self, parents: Mapping[str, Manifest]) -> dict[str, Any]:
        """Return the settings that decide the bytes of the snapshot."""
        versions = {
            "addresses": ADDRESSES_VERSION,
            "read": READ_VERSION,
            "join": JOIN_VERSION,
            "judge": JUDGE_VERSION,
            "write": WRITE_VERSION,
            "runs": RUN_VERSION,
            **self._judging(),
        }
        snapshots = {job: manifest["digest"] for job, manifest in parents.items()}
        settings = {**self.block.model_dump(mode="json"), "snapshots": snapshots, "versions": versions}
        if films := self._films(parents):
            from pipelines.interleave.film_job import VERSIONS

            settings |= {"films": films.described(), "versions": versions | VERSIONS}
        return settings

    @staticmethod
    def _judging() -> dict[str, Any]:
        return {"signals": SIGNALS_VERSION, "words": WORDS_VERSION, "segmentation": segmentation_digest()}

    def _ranges(self, version: int | str) -> Ranges:
        return Ranges(self.launcher, JOB, version, self.limits.partition_bytes)

    def _read(self, parents: Mapping[str, Manifest]) -> list[Marker]:
        version = f"{READ_VERSION} {ADDRESSES_VERSION} {RUN_VERSION}"
        tasks = []
        for job, manifest in parents.items():
            entries = [shard for shard in manifest["shards"] if shard["kind"] in READ_OF.get(job, ())]
            tars = {
                _stem(shard["name"]): shard["name"] for shard in manifest["shards"] if shard["name"].endswith(".tar")
            }
            for unit, entry in enumerate(entries):
                arguments = {"shard": entry, "job": job, "unit": unit if job == TEXT else 0}
                if entry["kind"] == "index":
                    arguments["tar"] = tars[_stem(entry["name"])]
                stem = f"{JOB}/read/{digest_of([arguments, version])[:32]}"
                tasks.append(Task(f"{stem}.json", {**arguments, "output": stem}))
        return self.launcher.run(JOB, Phase("read", tasks, "pipelines.interleave.read:ReadShard", {}))

    def _runs(self, markers: Iterable[Marker], kind: str) -> list[Run]:
        return [Run(**marker["runs"][kind]) for marker in markers if kind in marker["runs"]]

    def _saved(self, runs: Sequence[Run]) -> str:
        return save_runs(self.launcher.store, JOB, runs)

    def _join(self, read: Sequence[Marker]) -> tuple[list[Marker], list[Run]]:
        """Join parts and records, and once more for each hop of redirects; return the markers, and what met nothing."""
        asked, known, hops = (self._runs(read, kind) for kind in ("asked", "known", "hops"))
        joined: list[Marker] = []
        for hop in range(MAX_HOPS + 1):
            runs = {"asked": asked, "known": known, "hops": hops if hop < MAX_HOPS else []}
            config = {name: self._saved(each) for name, each in runs.items()}
            size = sum(run.memory_bytes for each in runs.values() for run in each)
            markers = self._ranges(JOIN_VERSION).run("join", "pipelines.interleave.join:Join", config, size)
            joined += markers
            asked = self._runs(markers, "asked")
            if not sum(run.rows for run in asked):
                break
        return joined, [*self._runs(joined, "lost"), *self._runs(read, "lost")]

    def _attach(self, joined: Sequence[Marker], read: Sequence[Marker]) -> list[Marker]:
        runs = {name: self._runs(joined, name) for name in ("found", "found_clips")}
        runs |= {name: self._runs(read, name) for name in ("media", "located", "pieces", "piece_files")}
        config = {name: self._saved(each) for name, each in runs.items()}
        size = sum(run.memory_bytes for each in runs.values() for run in each)
        return self._ranges(JOIN_VERSION).run("attach", "pipelines.interleave.attach:Attach", config, size)

    def _rules(self, read: Sequence[Marker], documents: Sequence[Run]) -> "ChosenRules":
        media = self._runs(read, "media")
        columns = run_schema(self.launcher.store, media[0]).names if media else []
        text = run_schema(self.launcher.store, documents[0]).names
        return ChosenRules.of(self.block, columns, text)

    def _judge(
        self, rules: "ChosenRules", attached: Sequence[Marker], lost: Sequence[Run], documents: Sequence[Run]
    ) -> list[Marker]:
        runs = {name: self._runs(attached, name) for name in ("attached", "clips")}
        runs |= {"lost": list(lost), "documents": list(documents)}
        config = {name: self._saved(each) for name, each in runs.items()} | rules.as_json()
        size = sum(run.memory_bytes for each in runs.values() for run in each)
        version = digest_of([JUDGE_VERSION, self._judging()])
        return self._ranges(version).run("judge", "pipelines.interleave.judge:Judge", config, size)

    def _merge(self, judged: Sequence[Marker], rules: "ChosenRules") -> list[Run]:
        if not rules.merges:
            return []
        sets = self._runs(judged, "sets")
        size = sum(run.memory_bytes for run in sets)
        config = {"sets": self._saved(sets)}
        merged = self._ranges(JUDGE_VERSION).run("merge", "pipelines.interleave.judge:Merge", config, size)
        return [Run(**marker["run"]) for marker in merged]

    def _write(self, text: Manifest, judged: Sequence[Marker], merged: Sequence[Run]) -> list[Marker]:
        store = self.launcher.store
        entries = [shard for shard in text["shards"] if shard["kind"] in READ_OF[TEXT]]
        listed = f"{JOB}/plans/text-{digest_of(entries)[:32]}.json"
        put_same(store, listed, canonical_json(entries))
        config = {
            "text": listed,
            "documents": self._saved(self._runs(judged, "documents")),
            "parts": self._saved(self._runs(judged, "parts")),
            "merged": self._saved(merged),
            "images": self.block.images,
        }
        shards = self.block.shards
        if shards == "auto":
            shards = partitions_for(sum(marker["bytes"] for marker in judged), max(1, 2 * self.limits.shard_bytes))
        return self._ranges(WRITE_VERSION).write("pipelines.interleave.write:WriteShard", config, shards)

    def _body(
        self,
        parents: Mapping[str, Manifest],
        read: Sequence[Marker],
        written: Sequence[Marker],
        settings: dict[str, Any],
    ) -> Manifest:
        """Return the manifest's body; raises LedgerError unless every document and every part is somewhere."""
        accounts = {
            str(unit): Account(entry["name"], str(unit), entry["records"])
            for unit, entry in enumerate(_text_shards(parents))
        }
        if films := self._films(parents):
            accounts |= films.accounts()
        for marker in written:
            for unit, counts in marker["accounts"].items():
                accounts[unit].reasons.update(counts)
        shards = [shard for marker in written for shard in marker["shards"]]
        statistics = merge_statistics([marker["statistics"] for marker in written])
        return {
            "job": JOB,
            "settings": settings,
            "inputs": [{"job": job, "digest": manifest["digest"]} for job, manifest in parents.items()],
            "shards": sorted(shards, key=lambda shard: str(shard["name"])),
            "units": balance(accounts.values()),
            "ledger": total(accounts.values()).as_json(),
            "parts": part_ledger(read, statistics.get("parts", {})),
            "statistics": statistics,
            "parents": [manifest["digest"] for manifest in parents.values()],
        }


def part_ledger(read: Sequence[Marker], out: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    """Return {kind: {in, out}} of the parts of documents; raises LedgerError unless both are equal."""
    given = sum((Counter(marker["parts"]) for marker in read), Counter[str]())
    for kind in sorted(given.keys() | out.keys()):
        found = sum(out.get(kind, {}).values())
        if given[kind] != found:
            raise LedgerError(f"{given[kind]} {kind} parts read, {found} accounted for")
    return {kind: {"in": given[kind], "out": dict(out[kind])} for kind in sorted(given)}


@dataclass(frozen=True)
class ChosenRules:
    """The rules of the chosen profiles, as far as what they read is measured."""

    images: tuple[Rule, ...]
    documents: tuple[Rule, ...]
    merges: bool
    without_scorer: tuple[str, ...]

    @classmethod
    def of(cls, block: Interleave, media: Sequence[str], text: Sequence[str]) -> "ChosenRules":
        """media, text: the columns that images and documents are measured in."""
        chosen = [PROFILES[name] for name in block.profiles]
        images, silent = applicable(
            [rule for profile in chosen for rule in profile.images], {*media, *PART_SIGNALS.names, "occurrence_count"}
        )
        largest = {LARGEST_NSFW} if NSFW in media else set()
        documents, mute = applicable(
            [rule for profile in chosen for rule in profile.documents],
            {*text, *(name for name, _ in DOCUMENT), *DOCUMENT_SIGNALS.names, *largest},
        )
        merges = block.merge_image_sets
        if merges is None:
            merges = any(profile.merges_image_sets for profile in chosen)
        return cls(images, documents, merges, (*silent, *mute))

    def as_json(self) -> dict[str, Any]:
        return {
            "image_rules": to_json(self.images),
            "document_rules": to_json(self.documents),
            "merges": self.merges,
        }


def _text_shards(parents: Mapping[str, Manifest]) -> list[dict[str, Any]]:
    shards = parents[TEXT]["shards"] if TEXT in parents else ()
    return [shard for shard in shards if shard["kind"] in READ_OF[TEXT]]


def _stem(name: str) -> str:
    """Return a shard's name without its content: a tar and its index share it."""
    return _CONTENT.sub("", name)
