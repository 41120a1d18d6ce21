"""The tokenizer job: counts of the whole corpus by Beam, a model from the counts, an evaluation by language.

The phases stand in pipelines.tokenizer_jobs: `count`, `train` (one process, from the rows of the table), `phrases`
(superwords, between two stages of training), `evaluate`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from manifests.manifest import Manifest, commit, newest_version
from manifests.reader import read_manifest
from manifests.store import Store, open_store
from pipelines.launcher import Launcher
from pipelines.recipe import Tokenizer
from pipelines.tokenizer_jobs.count import JOB as COUNTS
from pipelines.tokenizer_jobs.count import CountJob, Counts
from pipelines.tokenizer_jobs.evaluate import Evaluation
from pipelines.tokenizer_jobs.phrases import SuperwordsJob
from pipelines.tokenizer_jobs.texts import READ
from pipelines.tokenizer_jobs.train import Training
from tokenizer.gather import KEY_VERSION

JOB = "tokenizer"


def newest_texts(store: Store) -> dict[str, Manifest]:
    """Return the newest snapshot of each job whose texts are counted."""
    return {job: read_manifest(store, job) for job in READ if newest_version(store, job)}


def newest_counts(uri: str) -> Counts:
    """Return the newest table of counts of an output; raises ManifestError where there is none."""
    store = open_store(uri)
    return Counts(store, read_manifest(store, COUNTS))


@dataclass
class TokenizerJob:
    """A recipe's tokenizer block over the texts of an output."""

    block: Tokenizer
    launcher: Launcher

    def __post_init__(self) -> None:
        self.training = Training(self.block, self.launcher.store)

    def described(self, manifests: Mapping[str, Manifest], counts: Counts | None = None) -> dict[str, Any]:
        """Return what decides the model's bytes."""
        read = {job: manifests[job]["digest"] for job in READ if job in manifests}
        source: dict[str, Any] = {"texts": read} if counts is None else {"counts": counts.manifest["digest"]}
        return {**source, **self.training.described(), "keys": KEY_VERSION}

    def _superwords(self, manifests: Mapping[str, Manifest], counts: Counts) -> SuperwordsJob | None:
        """Return who counts phrases, where the block asks for superwords: in the texts that were counted."""
        if not self.training.settings.superwords:
            return None
        is_own = counts.store.uri == self.launcher.store.uri
        texts = manifests if is_own else newest_texts(counts.store)
        job = SuperwordsJob(self.launcher, counts.store, texts, self.training.settings)
        job.check(counts)
        return job

    def run(self, manifests: Mapping[str, Manifest], counts: Counts | None = None) -> tuple[int, Manifest, bool]:
        """Count (unless `counts` are given), train, evaluate, commit.

        Return (version, manifest, whether it stood already).
        """
        before = newest_version(self.launcher.store, JOB)
        settings = self.described(manifests, counts)
        if counts is None:
            _, counted, _ = CountJob(self.launcher).run(manifests)
            counts = Counts(self.launcher.store, counted)
        files, mixture = self.training.run(counts, self._superwords(manifests, counts))
        is_own = counts.store.uri == self.launcher.store.uri
        body = {
            "job": JOB,
            "settings": settings,
            "shards": [*(counts.shards if is_own else []), *(file.as_json() for file in files)],
            "characters": counts.manifest["characters"],
            "statistics": {"evaluation": Evaluation(self.launcher).run(manifests, files[0]), "mixture": mixture},
            "parents": counts.manifest["parents"],
        }
        version, manifest = commit(self.launcher.store, JOB, body)
        return version, manifest, version <= before
