"""Stage: one unit in; sorted runs of documents, signals and bands out, and a marker that accounts for the unit."""

from collections.abc import Mapping
from typing import Any

from filters.annotate import Settings
from filters.guard import GuardedPool
from manifests.limits import Limits
from manifests.store import Store
from pipelines.stages.parts import Staging
from pipelines.text.part import LAYOUT, TextPart
from pipelines.text.watch import local_watch


class StageText:
    """Worker of the stage phase. config: {inputs: {name: uri}, settings: Settings as JSON}."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        settings = {**config["settings"], "watch": local_watch(store, config["settings"]["watch"])}
        limits = Limits(**Settings(**settings).limits)
        self.pool = GuardedPool("filters.annotate:factory", settings, limits, limits.book_cpu_s)
        self.staging = Staging(
            store, LAYOUT, config["inputs"], limits, lambda unit, key: TextPart(unit, key, self.pool, limits.part_bytes)
        )

    def close(self) -> None:
        self.pool.close()

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """arguments: {unit, unit_key, generation, prefix: where the unit's staged objects go}."""
        return self.staging.run(arguments)
