"""The units of a job's inputs in a fixed order, each with the names that follow from it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from manifests.keys import digest_of
from manifests.limits import Limits
from manifests.manifest import Manifest
from manifests.store import Listed, Store, open_input
from pipelines.recipe import CRAWLED, Input
from pipelines.sources import Unit, plan_units
from pipelines.sources.withdrawn import with_withdrawn
from pipelines.stages.nesting import refuse_nested
from pipelines.stages.opt_out import kept_lists
from pipelines.tasks import Task
from pipelines.url_list_block import UrlListBlock


@dataclass(frozen=True)
class Planned:
    """A unit with the names that follow from it."""

    unit: Unit
    key: int  # of the unit alone: the same in every plan and place
    generation: str
    prefix: str  # where its staged objects stand

    @property
    def task(self) -> Task:
        arguments = {
            "unit": asdict(self.unit),
            "unit_key": self.key,
            "generation": self.generation,
            "prefix": self.prefix,
        }
        return Task(f"{self.prefix}/done.json", arguments)


@dataclass
class Inputs:
    """What a job reads: the recipe's inputs, and the files of a crawl's snapshot where there is one."""

    named: Sequence[Input]
    out: Store
    crawled: Manifest | None = None
    opt_out: Sequence[UrlListBlock] = ()

    @cached_property
    def listed(self) -> list[dict[str, Any]]:
        """Return the opt-out lists as they are kept in the output."""
        return kept_lists(self.out, self.opt_out)

    @property
    def config(self) -> dict[str, Any]:
        """Return what a worker that stages needs of the inputs."""
        return {"uris": self.uris, "opt_out": self.listed}

    def keyed(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Return `settings` with the opt-out lists, where there are some."""
        return {**settings, "opt_out": self.listed} if self.listed else dict(settings)

    @property
    def uris(self) -> dict[str, str]:
        """Return the URI of each input by its name."""
        crawled = {CRAWLED: self.out.uri} if self.crawled is not None else {}
        return {each.name: each.uri for each in self.named} | crawled

    def stores(self) -> Iterator[tuple[str, Store, str]]:
        """Yield (name, store, kind) of each input; of a crawl exactly the files that its snapshot lists."""
        for each in self.named:
            store = open_input(each.uri)
            refuse_nested(each.name, store, self.out.uri)
            yield each.name, store, each.kind
        if self.crawled is not None:
            names = tuple(shard["name"] for shard in self.crawled["shards"] if shard["kind"] == "warc")
            yield CRAWLED, Listed(self.out, names), "warc"

    def plan(self, job: str, settings: Mapping[str, Any], limits: Limits) -> list[Planned]:
        """Return the units of all inputs; `settings` are all that the staged bytes of a unit depend on beside it.

        Raises FileNotFoundError where an input holds nothing.
        """
        planned, settings = list[Planned](), self.keyed(settings)
        for name, store, kind in self.stores():
            units = plan_units(store, name, kind, unit_bytes=limits.unit_bytes)
            if not units:
                raise FileNotFoundError(f"input {name}: {self.uris[name]} is not there, or holds nothing to read")
            for unit in with_withdrawn(units, store, self.crawled if name == CRAWLED else None):
                identity, generation = unit.identity(), generation_of(store, unit)
                stage_key = digest_of({**settings, "unit": identity, "generation": generation})
                unit_key = int(digest_of(identity)[:16], 16)
                planned.append(Planned(unit, unit_key, generation, f"{job}/staged/{stage_key[:32]}"))
        return planned

    def check_unchanged(self, planned: Sequence[Planned]) -> None:
        """Raise RuntimeError where an input changed while it was read."""
        stores = {name: open_input(uri) for name, uri in self.uris.items()}
        for each in planned:
            if generation_of(stores[each.unit.source], each.unit) != each.generation:
                raise RuntimeError(f"{each.unit.name}: the input changed while it was read; run the same command again")


def generation_of(store: Store, unit: Unit) -> str:
    """Return a digest of the store's generations of a unit's files: it changes when one of them does."""
    return digest_of([store.generation(name) for name in unit.files()])[:16]
