"""What the report shows of a snapshot of instruction sets: counts, the auditor's table, some records with evidence."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from manifests.manifest import Manifest, load_manifest, newest_version
from manifests.store import Store, arrow_file

BEHAVIOURS = ("attribution", "closed_book", "hedge")
SHOWN = 20  # records of a behaviour
LOOKED_AT = 4096  # records of a shard
SHARDS_LOOKED_AT = 8
AROUND = 160  # code points of the source's text around a quote
_BLANK = re.compile(r"[ \t]*\n\s*")
WINDOWS = 3  # documents of a record
QUESTION, REPLY = 1200, 1200  # code points shown


@dataclass(frozen=True)
class Window:
    """A piece of a source's text: what stands before the quotes, the quotes, what stands between and behind them."""

    uri: str
    modality: str
    pieces: tuple[tuple[bool, str], ...]  # (is it a quote, text), in order


@dataclass(frozen=True)
class InstructRecord:
    """One record; `cited`: [start, end) of the reply that citations span."""

    id: str
    behaviour: str
    task: str
    language: str
    question: str
    passages: int
    reply: str
    cited: tuple[tuple[int, int], ...]
    evidence: tuple[Window, ...]
    unshown: int = 0  # documents that say it too
    reason: str = ""
    edit: tuple[str, str] | None = None
    wrong: str = ""
    corroboration: str = ""


@dataclass(frozen=True)
class InstructCount:
    """How many records there are of a task (of hedges: for a reason), by language."""

    behaviour: str
    task: str
    languages: Mapping[str, int]

    @property
    def records(self) -> int:
        return sum(self.languages.values())


@dataclass(frozen=True)
class InstructGate:
    """A line of the auditor's table."""

    name: str
    value: float | None
    low: float | None
    high: float | None
    of: int
    relation: str
    bound: float | None
    verdict: str
    note: str = ""


@dataclass(frozen=True)
class InstructData:
    """Instruction sets; `gates` is empty where nobody has audited them."""

    records: int
    left_out: Mapping[str, int]  # reason -> candidates
    counts: tuple[InstructCount, ...] = ()
    gates: tuple[InstructGate, ...] = ()
    samples: Mapping[str, tuple[InstructRecord, ...]] = field(default_factory=dict)


def instruct_data(store: Store, made: Manifest) -> InstructData:
    """Return what the section shows; it reads the first rows of a few shards, and the texts that these cite."""
    from pipelines.instruct.audit import load_audit

    audited = load_audit(store, made)
    rows = list(_rows(store, made))
    chosen = {name: _drawn(rows, name) for name in BEHAVIOURS}
    texts = _texts(store, made, [row for some in chosen.values() for row in some])
    losses = {name.removeprefix("dropped/"): n for name, n in made["ledger"]["out"].items() if name != "kept"}
    return InstructData(
        records=sum(shard["records"] for shard in made["shards"] if shard["kind"] == "conversations"),
        left_out=dict(sorted(losses.items(), key=lambda each: (-each[1], each[0]))),
        counts=tuple(_counts(audited["counts"])) if audited else (),
        gates=tuple(InstructGate(**gate) for gate in audited["gates"]) if audited else (),
        samples={name: tuple(_record(row, texts) for row in some) for name, some in chosen.items() if some},
    )


def _drawn(rows: Iterable[Mapping[str, Any]], behaviour: str) -> tuple[Mapping[str, Any], ...]:
    """Return records of a behaviour in the order of their ids, which are digests: the first of each language, then the
    second of each.
    """
    seen: Counter[str] = Counter()
    ranked = []
    for row in rows:
        if row["behaviour"] == behaviour:
            ranked.append((seen[row["lang"]], row))
            seen[row["lang"]] += 1
    return tuple(row for _, row in sorted(ranked, key=lambda each: each[0])[:SHOWN])


def _rows(store: Store, made: Manifest) -> Iterator[Mapping[str, Any]]:
    import pyarrow.parquet as pq

    shards = [shard for shard in made["shards"] if shard["kind"] == "conversations"]
    step = max(1, len(shards) // SHARDS_LOOKED_AT)
    for shard in shards[::step][:SHARDS_LOOKED_AT]:
        with arrow_file(store, shard["name"]) as file:
            for batch in islice(pq.ParquetFile(file).iter_batches(LOOKED_AT), 1):
                yield from batch.to_pylist()


def _texts(store: Store, made: Manifest, rows: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], str]:
    """Return the texts that records cite, by (document, sha256), from the row groups that may hold them."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    from pipelines.instruct.audit import sha256_of, text_version, texts_of

    found: dict[tuple[str, str], str] = {}
    wanted = sorted({each["doc_id"] for row in rows for each in row["evidence"]})
    for manifest, kind in _where(store, made, text_version):
        for shard in (each for each in manifest["shards"] if each["kind"] == kind and each["min_id"]):
            here = [bytes.fromhex(name) for name in wanted if shard["min_id"] <= name <= shard["max_id"]]
            if here:
                columns = ["id", "text", *(["markup"] if kind == "documents" else [])]
                chosen = pc.field("id").isin(pa.array(here, pa.binary(16)))
                with arrow_file(store, shard["name"]) as file:
                    for row in pq.read_table(file, columns=columns, filters=chosen).to_pylist():
                        found.update({(row["id"].hex(), sha256_of(text)): text for text in texts_of(row)})
    return found


def _where(
    store: Store, made: Manifest, text_version: Callable[[Store, Manifest], int | None]
) -> Iterator[tuple[Manifest, str]]:
    if newest := newest_version(store, "text"):
        yield load_manifest(store, "text", text_version(store, made) or newest), "documents"
    yield made, "sources"


def _counts(found: Iterable[Mapping[str, Any]]) -> Iterator[InstructCount]:
    """Give tasks by behaviour, the commonest first; hedges are told by their reason."""
    tasks: dict[tuple[str, str], Counter[str]] = {}
    for each in found:
        task = each["reason"] or each["task"]
        tasks.setdefault((each["behaviour"], task), Counter())[each["language"]] += each["records"]
    for (behaviour, task), languages in sorted(tasks.items(), key=lambda e: (e[0][0], -e[1].total(), e[0][1])):
        yield InstructCount(behaviour, task, dict(sorted(languages.items(), key=lambda each: (-each[1], each[0]))))


def _record(row: Mapping[str, Any], texts: Mapping[tuple[str, str], str]) -> InstructRecord:
    from filters.instruct_audit.prompts import prompt_of

    prompt, windows = prompt_of(row, texts), tuple(_windows(row, texts))
    hedge, reply = row["hedge"] or {}, row["messages"][-1]["content"]
    edit, stated = hedge.get("edit"), row["corroboration"]
    return InstructRecord(
        id=row["id"].hex(),
        behaviour=row["behaviour"],
        task=row["task"],
        language=row["lang"],
        question=_BLANK.sub("\n", prompt.question.strip())[:QUESTION],
        passages=len(prompt.passages),
        reply=reply[:REPLY],
        cited=tuple(sorted({(start, end) for start, end in _spans(row) if end <= min(len(reply), REPLY)})),
        evidence=windows[:WINDOWS],
        unshown=len(windows[WINDOWS:]),
        reason=hedge.get("reason") or "",
        edit=(edit["from"] or "", edit["to"] or "") if edit else None,
        wrong=(hedge.get("plausible_wrong") or "")[:300],
        corroboration=f"{stated['n_domains']} publishers in {stated['n_dup_clusters']} clusters, agreement "
        f"{stated['agree']:.0%}, by {stated['method']}"
        if stated
        else "",
    )


def _spans(row: Mapping[str, Any]) -> Iterator[tuple[int, int]]:
    for each in row["citations"] or ():
        start, end = each["answer_span"]
        yield start, end


def _windows(row: Mapping[str, Any], texts: Mapping[tuple[str, str], str]) -> Iterator[Window]:
    """Give each cited document once, with the quotes that carry something marked; of a hedge, also what is shown."""
    by_text: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for each in row["evidence"]:
        if each["role"] != "context":
            by_text.setdefault((each["doc_id"], each["text_sha256"]), []).append(each)
    for key, some in by_text.items():
        spans = sorted({(each["start"], each["end"]) for each in some})
        pieces = tuple(_pieces(texts[key], spans)) if key in texts else tuple((True, each["quote"]) for each in some)
        yield Window(some[0]["url"], some[0]["modality"], pieces)


def _pieces(text: str, spans: Iterable[tuple[int, int]]) -> Iterator[tuple[bool, str]]:
    """Cut a text around its quotes: AROUND code points to both sides, "…" where something is left out."""
    at = 0  # what is before it has been given
    for number, (start, end) in enumerate(spans):
        begin = max(at, start - AROUND)
        if number and begin - at <= AROUND:
            yield False, text[at:start]
        else:
            tail = text[at : at + AROUND] if number else ""
            yield False, f"{tail} … {text[begin:start]}" if begin > at else text[begin:start]
        yield True, text[max(start, at) : end]
        at = max(at, end)
    yield False, text[at : at + AROUND] + (" …" if at + AROUND < len(text) else "")
