"""Stage: one unit in; sorted runs of documents, signals and bands out, and a marker that accounts for the unit."""

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from filters.code.child import Settings
from filters.guard import GuardedPool
from manifests.keys import keys_of, record_ids
from manifests.limits import CodeLimits, Limits
from manifests.store import Store, open_input
from pipelines.repositories.items import Files
from pipelines.repositories.names import OptOuts
from pipelines.repositories.read import Reader
from pipelines.sources import Unit
from pipelines.stages.parts import STAGED_REFUSED, Layout, Rows, Staging
from pipelines.text.part import ORDER, TextPart, _failed

LAYOUT = Layout("code", {"documents": ORDER, "signals": ORDER, "bands": ("key", "id")}, sums=("text_bytes",))


class CodePart(TextPart):
    """Documents of a unit of code with what was measured of them."""

    def __init__(self, unit: Unit, unit_key: int, pool: GuardedPool, most_bytes: int) -> None:
        super().__init__(unit, unit_key, pool, most_bytes)
        self.rows = Rows(unit, unit_key, LAYOUT)

    def take_files(self, files: Files) -> None:
        """Measure the files of a chunk and add what came of them."""
        self.rows.count(files.raw)
        self.rows.read += len(files.refused)
        self._refuse(files)
        if files.batch.num_rows:
            done = self.pool.run(files.batch)
            self._add(files.batch.take(pa.array(done.rows)), done.outputs)
            self.rows.quarantine([_failed(files.batch, failure) for failure in done.failures])

    def _refuse(self, files: Files) -> None:
        """Say who refused, and where: nothing of the content was looked at."""
        if not files.refused:
            return
        ordinals, uris, reasons = (list(column) for column in zip(*files.refused, strict=True))
        ids, count = record_ids(uris, [b""] * len(uris)), len(uris)
        columns: dict[str, Any] = {
            "key": keys_of(ids),
            "id": ids,
            "uri": uris,
            "source": [self.unit.source] * count,
            "unit": [self.unit_key] * count,
            "ordinal": ordinals,
            "reason": reasons,
        }
        made = {
            each.name: pa.array(columns[each.name], each.type) if each.name in columns else pa.nulls(count, each.type)
            for each in STAGED_REFUSED
        }
        self.rows.add("refused", pa.table(made, schema=STAGED_REFUSED))


class CodeStaging(Staging):
    """Stages units of code: the same parts and markers, another reader."""

    reader: Reader

    def _stage(self, unit: Unit, arguments: Mapping[str, Any], cursor: int, number: int) -> Iterator[dict[str, Any]]:
        part = self.part(unit, arguments["unit_key"])
        source = open_input(self.inputs["uris"][unit.source])
        for files in self.reader.read(source, unit, cursor):
            assert isinstance(part, CodePart)
            part.take_files(files)
            if part.is_full:
                yield self._finish(part, arguments["prefix"], number, last=False)
                part, number = self.part(unit, arguments["unit_key"]), number + 1
        yield self._finish(part, arguments["prefix"], number, last=True)


class StageCode:
    """Worker of the stage phase. config: {inputs, settings, opt_out: [repositories, owners], revision}."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        settings = Settings(**config["settings"])
        limits, code_limits = Limits(**settings.limits), CodeLimits(**settings.code_limits)
        self.pool = GuardedPool("filters.code.child:factory", config["settings"], limits, code_limits.archive_cpu_s)
        repositories, owners = config["opt_out"]
        self.staging = CodeStaging(
            store, LAYOUT, config["inputs"], limits, lambda unit, key: CodePart(unit, key, self.pool, limits.part_bytes)
        )
        said = OptOuts(frozenset(repositories), frozenset(owners), self.staging.opt_out.table)
        self.staging.reader = Reader(self.pool, limits, code_limits, said, config["revision"])

    def close(self) -> None:
        self.pool.close()

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """arguments: {unit, unit_key, generation, prefix: where the unit's staged objects go}."""
        return self.staging.run(arguments)
