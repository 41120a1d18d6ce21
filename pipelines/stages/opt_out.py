"""Opt-out lists of a recipe: what stands in one is refused with the reason `opt_out` before anything looks at it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from filters import policy
from filters.safety import url_lists
from filters.safety.url_lists import UrlList, compiled, opted_out
from manifests.reasons import Refused
from manifests.store import Store
from pipelines.sources import RawChunk
from pipelines.stages.files import bring, keep
from pipelines.url_list_block import UrlListBlock


def kept_lists(store: Store, lists: Sequence[UrlListBlock]) -> list[dict[str, Any]]:
    """Put the lists into the output and return what says which they are; no place of theirs is in it."""
    return [
        {
            "name": each.name,
            "scope": each.scope,
            "file": keep(store, "opt_out", Path(each.path), f"opt_out: {each.name}"),
            "version": url_lists.VERSION,
        }
        for each in lists
    ]


class OptOut:
    """The lists of a job, where a worker runs."""

    def __init__(self, store: Store, lists: Sequence[Mapping[str, Any]]) -> None:
        local = [UrlList(each["name"], str(bring(store, each["file"])), each["scope"]) for each in lists]
        self.table = compiled(local) if local else None

    def marked(self, chunk: RawChunk) -> RawChunk:
        """Return a chunk whose listed records say so first in their policy; filters.policy refuses them always."""
        batch = chunk.batch
        if self.table is None or not batch.num_rows:
            return chunk
        listed = opted_out(batch["uri"], self.table)
        if not listed.any():
            return chunk
        line = policy.withdrawn(str(Refused.OPT_OUT), "opt-out list")
        said = [
            "\n".join(filter(None, (line, lines))) if out else lines
            for out, lines in zip(listed.tolist(), batch["policy"].to_pylist(), strict=True)
        ]
        place = batch.schema.get_field_index("policy")
        return replace(chunk, batch=batch.set_column(place, batch.schema.field(place), pa.array(said, pa.string())))
