"""From a text manifest to what its late phases and its slots for safety did."""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from filters.licenses import CLASSES, UNSTATED
from manifests.manifest import Manifest
from manifests.store import Store, arrow_file
from pipelines.report.contact import in_turn
from pipelines.report.counts import Counts, Funnel
from pipelines.report.late_data import (
    BlockList,
    Contamination,
    Cuts,
    Hit,
    Late,
    LicenseCount,
    Masked,
    Others,
    SetFound,
)

AFTER = "after_cuts/"
DECONTAMINATION = "decontamination_v1/"
BLOCKED = "blocked_url/"
LONGEST = "longest"
SURVIVORS = {
    "newest": "the newest",
    "licensed": "one that states a licence",
    "best_quality": "the one that the quality model scores highest",
}
HITS_COUNTED = 100_000  # rows of all contamination shards up to which their items are counted
HITS_SHOWN = 8


def late_of(store: Store, text: Manifest, funnel: Funnel) -> Late | None:
    """Return what came after the rules; None where the recipe asks for nothing of it."""
    stated, settings = text["statistics"], text["settings"]
    watch = settings.get("stage", {}).get("watch", {})
    late = Late(
        cuts=_cuts(stated, settings.get("dedup", {}), funnel.dropped),
        contamination=_contamination(store, text, funnel.dropped),
        masked=Masked(**stated["personal"]) if "personal" in stated else None,
        block_lists=tuple(_block_lists(watch.get("block_lists", ()), funnel.dropped)),
        others=_others(stated.get("merged_elsewhere", {}), settings.get("dedup", {})),
        licenses=tuple(_licenses(stated.get("licenses", {}), watch, funnel.dropped)),
        scored_languages=_scored(watch.get("scorers", ()), stated.get("languages", {})),
    )
    return None if late == Late() else late


def _cuts(stated: Mapping[str, Any], dedup: Mapping[str, Any], dropped: Counts) -> Cuts | None:
    asked = tuple(_asked(dedup.get("repeats"), dedup.get("substrings")))
    if "cuts" not in stated and not asked:
        return None
    after = {name.removeprefix(AFTER): count for name, count in dropped.items() if name.startswith(AFTER)}
    return Cuts(asked, **stated.get("cuts", {}), dropped_after=after)


def _asked(repeats: Mapping[str, Any] | None, substrings: Mapping[str, Any] | None) -> Iterable[str]:
    if repeats:
        yield (
            f"{repeats['unit']}s of at least {repeats['min_characters']} characters that {repeats['min_documents']} "
            "documents or more hold, in all but the first"
        )
    if substrings:
        yield (
            f"strings of at least {substrings['min_bytes']} bytes and {substrings['min_characters']} characters that "
            "stand more than once, all but the first"
        )


def _contamination(store: Store, text: Manifest, dropped: Counts) -> Contamination | None:
    block = text["settings"].get("decontaminate")
    named = [name.removeprefix(DECONTAMINATION) for name in dropped if name.startswith(DECONTAMINATION)]
    if block is None and not named:
        return None
    names = sorted({*named, *(block["sets"] if block else ())})
    holding, items = _held(store, text)
    asked = (
        f"{block['words']} words in a row ({block['characters']} characters in scripts without spaces), or "
        f"{100 * block['min_fraction']:g} % of the n-grams of a shorter item"
        if block
        else ""
    )
    sets = tuple(
        SetFound(
            name,
            dropped.get(DECONTAMINATION + name, 0),
            None if holding is None else holding.get(name, 0),
            None if items is None else items.get(name, 0),
        )
        for name in names
    )
    return Contamination(sets, asked, tuple(_hits(store, text)))


def _held(store: Store, text: Manifest) -> tuple[Counts | None, Counts | None]:
    """Return ({set: documents}, {set: items}) out of two narrow columns, None where there are too many rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    shards = _shards(text)
    if sum(shard["records"] for shard in shards) > HITS_COUNTED:
        return None, None
    tables = []
    for shard in shards:
        with arrow_file(store, shard["name"]) as file:
            tables.append(pq.read_table(file, columns=["id", "evaluation_set", "item"]))
    if not tables:
        return {}, {}
    rows = pa.concat_tables(tables).group_by("evaluation_set", use_threads=False)
    counted = rows.aggregate([("id", "count_distinct"), ("item", "count_distinct")]).to_pylist()
    documents, items = (
        {row["evaluation_set"]: int(row[f"{name}_count_distinct"]) for row in counted} for name in ("id", "item")
    )
    return documents, items


def _hits(store: Store, text: Manifest) -> list[Hit]:
    import pyarrow.parquet as pq

    columns = ["uri", "evaluation_set", "item", "shared_gram_count"]
    tables = []
    for shard in _shards(text)[:HITS_SHOWN]:
        with arrow_file(store, shard["name"]) as file:
            batches = pq.ParquetFile(file).iter_batches(HITS_SHOWN, columns=columns)
            tables.append([row for batch in islice(batches, 1) for row in batch.to_pylist()])
    return [
        Hit(row["uri"], row["evaluation_set"], row["item"], row["shared_gram_count"])
        for row in islice(in_turn(tables), HITS_SHOWN)
    ]


def _shards(text: Manifest) -> list[Mapping[str, Any]]:
    return [shard for shard in text["shards"] if shard["kind"] == "contamination"]


def _block_lists(lists: Iterable[Mapping[str, Any]], dropped: Counts) -> Iterable[BlockList]:
    for each in lists:
        yield BlockList(each["name"], each.get("scope", ""), dropped.get(BLOCKED + each["name"], 0))


def _others(merged: Counts, dedup: Mapping[str, Any]) -> Others | None:
    counts = {digest: merged.get(digest, 0) for digest in dedup.get("against", ())}
    survivor = dedup.get("survivor", LONGEST)
    if not counts and survivor == LONGEST:
        return None
    return Others(counts, "" if survivor == LONGEST else _wish(survivor))


def _wish(survivor: str | Mapping[str, Any]) -> str:
    if isinstance(survivor, str):
        return SURVIVORS[survivor]
    per = f" / {survivor['per']}" if survivor.get("per") else ""
    return f"the one with the {survivor['wish']} {survivor['signal']}{per}"


def _licenses(
    counted: Mapping[str, Mapping[str, int]], watch: Mapping[str, Any], dropped: Counts
) -> Iterable[LicenseCount]:
    """Yield the classes that occur, the freest first; nothing where no document states one and nobody asked."""
    if not set(counted) - {UNSTATED} and "licenses" not in watch:
        return
    for name in (name for name in CLASSES if name in counted):
        kept = counted[name].get("kept", 0)
        gone = sum(counted[name].values()) - kept
        yield LicenseCount(name, kept, gone, dropped.get(f"license/{name}", 0))


def _scored(scorers: Iterable[Mapping[str, Any]], languages: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return the scorers of each language of the corpus, () where none is valid for it; {} where there is none."""
    from filters.safety.scorers import TextScorer, describe

    fields = ("column", "kind", "classes", "languages", "sha256", "flagged")
    made = [
        TextScorer(**{**{name: each[name] for name in fields if name in each}, "path": each["file"]})
        for each in scorers
    ]
    return {code: tuple(columns) for code, columns in describe(made, sorted(languages)).items()} if made else {}
