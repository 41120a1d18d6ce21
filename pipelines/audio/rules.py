"""What segments say and how the rules judge them, by their measurements and their transcripts."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from filters.rules import Rule
from manifests.runs import Run, gather
from manifests.store import Store
from pipelines.audio.records import JOINED, ORDER, SAID, TRANSCRIPT_ORDER
from pipelines.audio.transcripts import spoken
from pipelines.stages.judges import from_json, one_batch
from pipelines.stages.published import Judged
from pipelines.stages.sidecars import first_of_each
from pipelines.stages.speech import Safety


class Judge:
    """Reads rows of a key range and judges them. config: {rules}, and that of Safety."""

    def __init__(
        self, store: Store, rows: Sequence[Run], transcripts: Sequence[Run], config: Mapping[str, Any]
    ) -> None:
        from manifests.runs import run_schema

        self.store, self.rows, self.transcripts = store, rows, transcripts
        self.rules: tuple[Rule, ...] = from_json(config["rules"])
        self.safety = Safety(store, config)
        self.schema = run_schema(store, rows[0])

    def read(self, low: int, high: int) -> Judged:
        """Return the rows with low <= key < high, with what they say and the verdicts of the rules."""
        rows = gather(self.store, self.rows, self.schema, low, high, ORDER)
        texts = gather(self.store, self.transcripts, JOINED, low, high, ("key", "id", *TRANSCRIPT_ORDER[1:]))
        rows = with_transcripts(rows, first_of_each(texts, TRANSCRIPT_ORDER[1:]))
        signals = one_batch(rows)
        measured = self.safety.measure(rows["transcript"].combine_chunks())
        for name, column in zip(measured.schema.names, measured.columns, strict=True):
            signals = signals.append_column(name, column)
        return Judged(rows, signals, self.rules, signals["transcript_language"])


def with_transcripts(rows: pa.Table, texts: pa.Table) -> pa.Table:
    """Append `transcript`, its parts and where it comes from; where nobody gave one, what the transcriber heard."""
    given = {text["id"]: text for text in texts.to_pylist()}
    parts: list[list[dict[str, Any]]] = []
    kinds: list[str | None] = []
    for row in rows.select(["id", "start_s", "end_s", "holds_all_speech", "heard"]).to_pylist():
        text = given.get(row["id"])
        said, kind = spoken(row, text), text["kind"] if text else None
        if not said and row["heard"]:
            said, kind = row["heard"], "transcriber"
        parts.append(said)
        kinds.append(kind if said else None)
    joined = ["\n".join(each["text"] for each in said) or None for said in parts]
    stated = [next((each["language"] for each in said if each["language"]), None) for said in parts]
    columns = {
        "transcript": pa.array(joined, pa.string()),
        "transcript_kind": pa.array(kinds, pa.string()),
        "stated_language": pa.array(stated, pa.string()),
        "transcript_parts": pa.array(parts, pa.list_(SAID)),
    }
    for name, column in columns.items():
        rows = rows.append_column(name, column)
    return rows
