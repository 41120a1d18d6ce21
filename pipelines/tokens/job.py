"""The encode job: published shards of every job and a trained model to a committed snapshot of tokens.

encode   a published shard  -> its documents' tokens, runs sorted by the records' keys
write    a key range        -> a pair of Megatron's files for each source and language, and Parquet with all places
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from manifests.keys import digest_of
from manifests.ledger import LedgerError
from manifests.limits import Limits
from manifests.manifest import Manifest, commit, newest_version
from manifests.reader import ManifestError, read_manifest
from manifests.runs import RUN_VERSION, partitions_for
from pipelines.launcher import Launcher
from pipelines.stages.compact import compact
from pipelines.stages.files import keep
from pipelines.stages.ranges import Ranges
from pipelines.stages.snapshot import snapshot_body
from pipelines.stages.staged import Staged
from pipelines.tasks import Marker, Phase, Task
from pipelines.tokens.block import Encode
from pipelines.tokens.records import JOB, LAYOUT
from pipelines.tokens.sources import CONVERSATIONS, CORPORA, JOBS, SOURCES_VERSION, shards_of
from pipelines.tokens.stage import STAGE_VERSION
from pipelines.tokens.write import MEGATRON, WRITE_VERSION
from tokenizer.encode import ENCODE_VERSION, TokenEncoder, token_type
from tokenizer.encode_chat import TEMPLATES, signs_of
from tokenizer.encode_documents import DocumentEncoder

VERSION = 1


@dataclass
class EncodeJob:
    """A recipe's encode block over the newest snapshots of OUT."""

    block: Encode
    limits: Limits
    launcher: Launcher

    def __post_init__(self) -> None:
        self.ranges = Ranges(
            self.launcher, JOB, f"{VERSION}.{WRITE_VERSION}.{RUN_VERSION}", self.limits.partition_bytes
        )

    def run(self) -> tuple[int, Manifest, bool]:
        """Run what is not done, commit, and return (version, manifest, whether it stood already)."""
        store = self.launcher.store
        before = newest_version(store, JOB)
        parents = self.parents()
        model = self.model()
        settings = self.described(parents, model)
        staged = self._encode(parents, model)
        written = self._write(staged, settings["tokenizer"]["dtype"])
        body = self._body(parents, model, settings, staged, written)
        version, manifest = commit(store, JOB, body)
        return version, manifest, version <= before

    def chosen(self) -> tuple[str, ...]:
        """Return the names of the corpora: those asked for, or all that are no copies of others."""
        return self.block.corpora or tuple(
            name for name, corpus in CORPORA.items() if not corpus.is_copy and name not in self.left_out
        )

    @cached_property
    def left_out(self) -> dict[str, str]:
        """Return why corpora that nobody asked for by name are not encoded: conversations whose signs are no pieces."""
        if self.block.corpora or not newest_version(self.launcher.store, CONVERSATIONS):
            return {}
        encoder = TokenEncoder(self.launcher.store.read(self.model()["model"]))
        missing = sorted(signs_of([TEMPLATES[self.block.template]]) - set(encoder.special))
        return {"conversations": f"the vocabulary has no piece {missing[0]}"} if missing else {}

    def parents(self) -> dict[str, Manifest]:
        """Return the manifests that are read.

        Raises ManifestError where a corpus that was asked for is not there, or none is.
        """
        store, wanted = self.launcher.store, self.chosen()
        there = {job for job in JOBS if newest_version(store, job)}
        for name in wanted:
            if self.block.corpora and not there & {job for job, _ in CORPORA[name].places}:
                raise ManifestError(f"{store.uri}: corpora names {name}, and there is no snapshot that holds it")
        read = [job for job in JOBS if job in there and any(job == j for n in wanted for j, _ in CORPORA[n].places)]
        if not read:
            raise ManifestError(f"{store.uri}: there is no snapshot to encode: {', '.join(JOBS)}")
        return {job: read_manifest(store, job) for job in read}

    def model(self) -> dict[str, str]:
        """Return {model: its name in the output, sha256}.

        Raises ManifestError where no model is named and none was trained, ModelDamagedError for one that is not pinned.
        """
        store, pinned = self.launcher.store, self.block.sha256
        if self.block.model is not None:
            name = keep(store, JOB, Path(self.block.model), "encode.model", pinned)
            return {"model": name, "sha256": name.rpartition("/")[2].partition(".")[0]}
        trained = read_manifest(store, "tokenizer")
        shard = next(each for each in trained["shards"] if each["kind"] == "model")
        if pinned not in (None, shard["sha256"]):
            raise ValueError(f"encode.sha256 is {pinned}, the newest tokenizer of {store.uri} is {shard['sha256']}")
        return {"model": shard["name"], "sha256": shard["sha256"]}

    def described(self, parents: Mapping[str, Manifest], model: Mapping[str, str]) -> dict[str, Any]:
        """Return the settings that decide the bytes of the snapshot; raises ValueError where the model lacks a sign."""
        encoder = TokenEncoder(self.launcher.store.read(model["model"]))
        documents = DocumentEncoder(encoder, self.block.policy())
        signs = set(self.block.media_signs.values())
        if CONVERSATIONS in parents:
            signs |= signs_of([TEMPLATES[self.block.template]])
        return {
            **self.block.model_dump(mode="json", exclude={"model", "sha256"}),
            "corpora": [name for name in self.chosen() if any(job in parents for job, _ in CORPORA[name].places)],
            "left_out": self.left_out,
            "snapshots": {job: manifest["digest"] for job, manifest in parents.items()},
            "tokenizer": {
                "sha256": model["sha256"],
                "vocabulary": encoder.vocabulary,
                "dtype": np.dtype(token_type(encoder.vocabulary)).name,
                "bos_id": documents.bos if self.block.bos else None,
                "eos_id": documents.eos if self.block.eos else None,
                "signs": {name: documents.sign(name) for name in sorted(signs)},
            },
            "versions": {
                "encode": ENCODE_VERSION,
                "stage": STAGE_VERSION,
                "sources": SOURCES_VERSION,
                "write": WRITE_VERSION,
                "runs": RUN_VERSION,
            },
        }

    def _encode(self, parents: Mapping[str, Manifest], model: Mapping[str, str]) -> list[Marker]:
        config: dict[str, Any] = {
            **model,
            "policy": asdict(self.block.policy()),
            "template": self.block.template,
            "media_signs": dict(self.block.media_signs),
        }
        versions = [ENCODE_VERSION, STAGE_VERSION, SOURCES_VERSION, RUN_VERSION]
        tasks = []
        for name in self.chosen():
            for found in shards_of(name, parents):
                key = digest_of({**config, "model": "", **found, "versions": versions})
                unit_key = int(digest_of([name, found["shard"]["sha256"]])[:16], 16)
                arguments = {**found, "unit_key": unit_key, "output": f"{JOB}/encode/{key[:32]}"}
                tasks.append(Task(f"{JOB}/encode/{key[:32]}.json", arguments))
        config |= {"part_bytes": self.limits.part_bytes}
        return self.launcher.run(JOB, Phase("encode", tasks, "pipelines.tokens.stage:EncodeShard", config))

    def _write(self, markers: Sequence[Marker], dtype: str) -> list[Marker]:
        staged = Staged.from_markers(markers, LAYOUT.orders)
        if not staged.runs["tokens"]:
            return []
        shards = self.block.shards
        if shards == "auto":
            shards = partitions_for(staged.memory_bytes("tokens"), self.limits.shard_bytes)
        staged = compact(self.launcher, LAYOUT, staged, self.limits, shards)
        config = {
            "policy": asdict(self.block.policy()),
            "dtype": dtype,
            "staged": staged.save(self.launcher.store, JOB),
            "formats": sorted(set(self.block.formats)),
        }
        return self.ranges.write("pipelines.tokens.write:WriteTokens", config, shards)

    def _body(
        self,
        parents: Mapping[str, Manifest],
        model: Mapping[str, str],
        settings: dict[str, Any],
        staged: Sequence[Marker],
        written: Sequence[Marker],
    ) -> Manifest:
        """Return the manifest's body; raises where records or tokens do not balance."""
        digests = [manifest["digest"] for manifest in parents.values()]
        body = snapshot_body(self.launcher.store, JOB, settings, staged, written, kept="tokens", parents=digests)
        if MEGATRON in self.block.formats:
            check_tokens(body, np.dtype(settings["tokenizer"]["dtype"]).itemsize)
        return body | {"models": {"tokenizer": model["sha256"]}}


def check_tokens(body: Manifest, width: int) -> None:
    """Hold the counted tokens against the bytes of the published files; raises LedgerError."""
    sizes = Counter[str]()
    for shard in body["shards"]:
        sizes[shard["kind"]] += shard["bytes"] if shard["name"].endswith(".bin") else 0
    counted = sum(
        numbers["tokens"]
        for sources in body["statistics"].get("tokens", {}).values()
        for languages in sources.values()
        for numbers in languages.values()
    )
    if counted * width != sizes[MEGATRON]:
        raise LedgerError(f"{counted} tokens were counted, the files hold {sizes[MEGATRON] / width}")
