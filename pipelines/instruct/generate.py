"""Mode b: passages go to an endpoint, what comes back goes through every check, and what passes is a candidate.

Rounds of two: *draft* works through the shards as far as responses go and lists the requests that it needs; *ask* puts
them to the endpoint. Three rounds write, judge and settle which citations are needed; a shard that needs nothing
more has its candidates. Given the same responses, the same bytes.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from filters.instruct.endpoint.asking import Dead, Model, Request, Waiting
from filters.instruct.endpoint.drafts import DRAFTS_VERSION, Rejected, Writers, of_passage
from filters.instruct.endpoint.entailment import Judged, Scorer, Verbatim
from filters.instruct.endpoint.prompts import PROMPTS_VERSION
from filters.instruct.passages import Stretch, stretches
from filters.instruct.record import Evidence, Source, draw
from manifests.keys import canonical_json, digest_of
from manifests.objects import read_json
from manifests.reasons import CandidateRefused, CandidateStage
from manifests.runs import Run, put_same
from manifests.store import Store
from pipelines.instruct.compose import KINDS, Composer
from pipelines.instruct.documents import sources_of
from pipelines.instruct.endpoint_block import EndpointBlock
from pipelines.instruct.finish import Finished, verdict
from pipelines.instruct.records import JOB
from pipelines.launcher import Launcher
from pipelines.tasks import Marker, Phase, Task

GENERATE_VERSION = 1
MAX_ROUNDS = 16  # a citation is dropped a round, so as many as an item may have quotes and sentences; then it is a bug
OF_HEDGES = (CandidateRefused.NOT_CHANGED, CandidateRefused.NOT_UNANSWERABLE)
REJECT_TEXT = 2000  # code points of what was rejected that are kept


class OfStore:
    """The responses in a store; `dead`: keys of requests that get none."""

    def __init__(self, store: Store, dead: frozenset[str]) -> None:
        from pipelines.instruct.endpoint import Kept

        self.kept, self.dead = Kept(store), dead

    def get(self, request: Request) -> str | None:
        """Return the content of a response."""
        found = self.kept.get(request.key)
        if found is not None:
            return str(found["response"]["content"])
        if request.key in self.dead:
            raise Dead(request.key)
        return None


class DraftShard(Composer):
    """Worker: a shard of documents -> candidates, or the requests that are needed first.

    config: {settings, splits, part_bytes, publishers, endpoint: what decides, dead: name of a list of keys}.
    """

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        super().__init__(store, config)
        own = config["endpoint"]
        writer, reader, judge = (
            Model(name, own["parameters"])
            for name in (own["model"], own["reader"] or own["model"], own["judge"] or own["model"])
        )
        self.responses = OfStore(store, frozenset(read_json(store, config["dead"], kind=list, what="list of keys")))
        self.writers = Writers(writer, reader, judge)
        self.scorer: Scorer = Judged(judge, self.responses) if own["entailment"] == "judge" else Verbatim()

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """arguments: {shard, unit, output}."""
        finished = self._finished(arguments["unit"])
        runs: dict[str, list[Run]] = {kind: [] for kind in KINDS}
        needed: dict[str, Request] = {}
        for sources in sources_of(self.store, arguments["shard"], self.config["publishers"], stated=False):
            for source in sources:
                for stretch in self._stretches(source):
                    self._take(stretch, finished, needed)
            if not needed:
                self._flush(finished, runs, arguments["output"], least=self._rows_at_once)
        if needed:
            listed = [needed[key].body() for key in sorted(needed)]
            name = f"{arguments['output']}-requests.json"
            put_same(self.store, name, canonical_json(listed))
            return {"requests": name, "counts": {"requests": len(listed)}}
        self._flush(finished, runs, arguments["output"])
        return {**self._marker(finished, runs), "requests": None}

    def _stretches(self, source: Source) -> list[Stretch]:
        """Return the passages of a document that go to the endpoint, drawn by hash."""
        wanted = self.settings.languages
        if wanted and source.language not in wanted:
            return []
        found = stretches(source, self.settings)
        found.sort(key=lambda each: draw(self.settings.seed, "endpoint", source.doc_id, each.start))
        return found[: self.config["endpoint"]["passages"]]

    def _take(self, stretch: Stretch, finished: Finished, needed: dict[str, Request]) -> None:
        count = self.config["endpoint"]["questions"]
        try:
            outcomes = list(of_passage(stretch, self.writers, self.scorer, self.responses, self.settings, count))
        except Waiting as error:
            needed.update({request.key: request for request in error.requests})
            return

        def text_of(evidence: Evidence) -> str | None:
            return stretch.source.text if evidence.text_sha256 == stretch.source.text_sha256 else None

        for each in outcomes:
            if isinstance(each, Rejected):
                _reject(each, finished, stretch)
            else:
                finished.add(each, text_of)


def _reject(rejected: Rejected, finished: Finished, stretch: Stretch) -> None:
    """Account for an item that became no record; what was written is kept, for it was paid for."""
    finished.made += 1
    finished.rejected[verdict(CandidateStage.ENDPOINT, rejected.reason)] += 1
    place = {"doc_id": stretch.source.doc_id, "start": stretch.start, "end": stretch.end}
    body = {"prompt_sha256": rejected.prompt, "text": rejected.text[:REJECT_TEXT], **place}
    digest = hashlib.blake2b(canonical_json([rejected.reason, body]), digest_size=16).digest()
    task = "generated_hedge" if rejected.reason in OF_HEDGES else "generated_qa"
    finished.rejects.append(
        {
            "key": int.from_bytes(digest[:8], "big"),
            "id": digest,
            "unit": finished.unit,
            "stage": CandidateStage.ENDPOINT,
            "reason": rejected.reason,
            "behaviour": "hedge" if task == "generated_hedge" else "attribution",
            "task": task,
            "lang": rejected.language,
            "template": "",
            "hedge_reason": "",
            "body": canonical_json(body).decode(),
        }
    )


def generated(
    launcher: Launcher, block: EndpointBlock, shards: Sequence[Mapping[str, Any]], config: Mapping[str, Any]
) -> list[Marker]:
    """Return the markers of what the endpoint's responses came to, one a shard of documents.

    config: as Composer's, with publishers. Raises RuntimeError where the endpoint answered nothing at all.
    """
    dead: list[str] = []
    for _ in range(MAX_ROUNDS):
        markers = _draft(launcher, block, shards, config, dead)
        lists = [marker["requests"] for marker in markers if marker["requests"]]
        if not lists:
            return markers
        dead = sorted({*dead, *_asked(launcher, block, lists)})
    raise RuntimeError(f"the endpoint's records need more than {MAX_ROUNDS} rounds of requests")


def _draft(
    launcher: Launcher,
    block: EndpointBlock,
    shards: Sequence[Mapping[str, Any]],
    config: Mapping[str, Any],
    dead: Sequence[str],
) -> list[Marker]:
    """Run the drafts until none of them waits for responses that are there already."""
    store = launcher.store
    listed = f"{JOB}/plans/dead-{digest_of(dead)[:32]}.json"
    put_same(store, listed, canonical_json(dead))
    own = {**config, "endpoint": block.decisive(), "dead": listed}
    key = [own, GENERATE_VERSION, DRAFTS_VERSION, PROMPTS_VERSION]
    waiting, markers = dict(enumerate(shards)), {}
    turn = 0
    while waiting:
        tasks = []
        for unit, shard in waiting.items():
            stem = f"{JOB}/generate/{digest_of([shard, unit, key])[:32]}-{turn:02d}"
            tasks.append(Task(f"{stem}.json", {"shard": dict(shard), "unit": unit, "output": stem}))
        made = launcher.run(JOB, Phase("generate", tasks, "pipelines.instruct.generate:DraftShard", own))
        markers.update(dict(zip(waiting, made, strict=True)))
        waiting = {unit: shards[unit] for unit in waiting if _goes_on(store, markers[unit], dead)}
        turn += 1
    return [markers[unit] for unit in range(len(shards))]


def _goes_on(store: Store, marker: Marker, dead: Sequence[str]) -> bool:
    """Tell whether all that a draft waited for is there now."""
    return bool(marker["requests"]) and not any(True for _ in _missing(store, [marker["requests"]], dead))


def _missing(store: Store, lists: Iterable[str], dead: Iterable[str] = ()) -> Iterator[str]:
    """Yield the keys of listed requests that have no response."""
    from pipelines.instruct.endpoint import response_name

    gone = set(dead)
    for name in lists:
        for body in read_json(store, name, kind=list, what="list of requests"):
            key = digest_of(body)
            if key not in gone and store.size(response_name(key)) is None:
                yield key


def _asked(launcher: Launcher, block: EndpointBlock, lists: Sequence[str]) -> list[str]:
    """Ask what is listed and has no response; return the keys that stay without one."""
    from pipelines.instruct.endpoint import Ask, AskAll, Endpoint

    store = launcher.store
    before = sorted(set(_missing(store, lists)))
    if not before:
        return []
    endpoint = Endpoint(block.url, block.api_key_env, block.timeout_s)
    each = block.per_minute / launcher.workers if block.per_minute else None  # a worker has a limiter of its own
    handler = Ask(endpoint, launcher.store_uri, block.concurrency, each, block.tries)
    launcher.run_pipeline(lambda pipeline: pipeline | "ask" >> AskAll(launcher.store_uri, lists, handler))
    dead = sorted(set(_missing(store, lists)))
    if dead and len(dead) == sum(len(read_json(store, name, kind=list, what="list of requests")) for name in lists):
        raise RuntimeError(f"{block.url} answered none of {len(dead):,} requests: {_first_letter(store, dead[0])}")
    return dead


def _first_letter(store: Store, key: str) -> str:
    from pipelines.instruct.endpoint import letter_name

    return str(read_json(store, letter_name(key), ("error",), what="dead letter")["error"])
