"""Everything that is measured about a batch of raw records, in one go: what the guarded child of the text job runs.

One parse gives the documents, one segmentation serves every signal and every signature. Nothing is dropped here.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters import (
    c4,
    extract,
    fineweb,
    gopher,
    language,
    licenses,
    line_corrections,
    lines,
    minhash,
    policy,
    segmentation,
    views,
)
from filters.models import MODELS
from filters.rule_signals import Measured, measure_families
from filters.safety.watch import watching
from manifests.keys import keys_of, record_ids
from manifests.limits import Limits
from manifests.reasons import Refused, Skipped
from manifests.records import ID, KEY, QUARANTINED, RAW

VERSION = 1


@dataclass(frozen=True)
class Settings:
    """What staged rows depend on, besides the raw bytes and the versions of the parts."""

    limits: dict[str, Any] = field(default_factory=lambda: asdict(Limits()))
    edits: tuple[str, ...] = ("c4_lines_v1",)
    refuse: tuple[str, ...] = tuple(sorted(map(str, policy.DEFAULT_REFUSALS)))
    near: dict[str, int] | None = field(default_factory=lambda: {"bands": 14, "rows": 8, "ngram": 5})
    families: tuple[str, ...] = ()  # signals beside the usual ones (filters.rule_signals.families_of)
    watch: dict[str, Any] = field(default_factory=dict)  # safety and quality slots (filters.safety.watch)


def versions() -> dict[str, Any]:
    """Return the version of every part that a staged row depends on; it is part of each stage key."""
    return {
        "annotate": VERSION,
        "extract": extract.EXTRACTION_VERSION,
        "lines": lines.VERSION,
        "views": views.VERSION,
        "segmentation": segmentation.segmentation_digest(),
        "language": language.LANGUAGE_VERSION,
        "language_model": MODELS[language.MODEL].sha256,
        "gopher": gopher.VERSION,
        "c4": c4.VERSION,
        "fineweb": fineweb.VERSION,
        "minhash": minhash.MINHASH_VERSION,
    }


def factory(
    config: Mapping[str, Any],
) -> Callable[[pa.RecordBatch, Callable[[int], None]], dict[str, pa.RecordBatch]]:
    """Return the worker of a guarded child; `config` is `asdict(Settings)`.

    It has worked once when it is returned: what is compiled or loaded then is on no record's clock.
    """
    settings = Settings(**config)

    def work(raw: pa.RecordBatch, progress: Callable[[int], None]) -> dict[str, pa.RecordBatch]:
        return annotate(raw, settings, progress)

    work(_specimen(), lambda row: None)
    return work


def _specimen() -> pa.RecordBatch:
    """Return a page and a text that bring into use all that is compiled or loaded at first use."""
    text = "日本語の文です。\n中文文本。\n繁體中文。\nภาษาไทย\nខ្មែរ One line ends here, another {begins}."
    page = f"<title/><meta name='robots'><p>{text}<table><tr><td>1</table><pre>x</pre><img src='y'>"
    rows = [("warm:page", "application/xhtml+xml", page), ("warm:text", "text/markdown", f"# A\n\n{text}\n" * 9)]
    return pa.RecordBatch.from_pylist(
        [{"uri": uri, "media_type": kind, "digest": bytes(32), "payload": body.encode()} for uri, kind, body in rows],
        RAW,
    )


def annotate(raw: pa.RecordBatch, settings: Settings, progress: Callable[[int], None]) -> dict[str, pa.RecordBatch]:
    """Return the staged batches of RAW records: documents, signals, bands, quarantined, refused, skipped.

    documents and signals have one row a document, in the order of `raw`; bands have one row a band.
    """
    refuse = [Refused(name) for name in settings.refuse]
    extracted = extract.extract(raw, Limits(**settings.limits), progress, source="", unit=0, refuse=refuse)
    documents = extracted.documents
    text = documents["text"]
    words, text_lines = segmentation.segment(text), lines.split_lines(text)
    code, score = language.identify(text)
    given = Measured(text, words, text_lines, code)
    view, measured = measure(documents["uri"], given, settings)
    if "licenses" in settings.watch:
        measured.append(licenses.license_signals(documents["license"], documents["policy"]))
    columns = _columns(documents, view, code, score)
    signals = _signals(columns, measured)
    return {
        "documents": pa.RecordBatch.from_pydict(columns),
        "signals": signals,
        "bands": _bands(words, view, text, signals, settings),
        "quarantined": _quarantined(extracted.quarantined),
        "refused": _refused(raw, extracted.refused),
        "skipped": _skipped(extracted.skipped),
    }


def measure(uri: pa.StringArray, given: Measured, settings: Settings) -> tuple[pa.ListArray, list[pa.RecordBatch]]:
    """Return the views that the edits of `settings` leave of texts, and everything that is measured of the texts."""
    text, words, text_lines = given.text, given.words, given.lines
    kept, c4_signals = c4.c4_edit(text, words, text_lines)
    if "c4_lines_v1" not in settings.edits:
        kept = np.ones_like(kept)
    if "refinedweb_lines_v1" in settings.edits:
        kept &= line_corrections.correct_lines(text, words, text_lines)[0]
    view = views.keep_lines(text, text_lines.doc_offsets, kept)
    return view, [
        _view_signals(text, view, words),
        gopher.quality_signals(text, words, text_lines),
        gopher.repetition_signals(text, words, text_lines),
        c4_signals,
        fineweb.fineweb_signals(text, words, text_lines, kept),
        *measure_families(settings.families, given),
        *watching(settings.watch).signals(uri, text, given.language, words, text_lines),
    ]


def measure_again(
    uri: pa.StringArray, text: pa.StringArray, code: pa.StringArray, settings: Settings
) -> list[pa.RecordBatch]:
    """Return what is measured of texts that edits have left; nothing more is cut. `code` is their language."""
    given = Measured(text, segmentation.segment(text), lines.split_lines(text), code)
    return measure(uri, given, replace(settings, edits=()))[1]


def _quarantined(rows: list[dict[str, Any]]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([{**row, "row": None} for row in rows], QUARANTINED)


def _refused(raw: pa.RecordBatch, rows: list[extract.RefusedRow]) -> pa.RecordBatch:
    """Where it came from and who said no; nothing of the page itself."""
    at = pa.array([row.row for row in rows], pa.int32())
    columns = {name: raw[name].take(at) for name in ("uri", "fetched_at", "digest", "media_type")}
    columns["id"] = record_ids(columns["uri"].to_pylist(), columns["digest"].to_pylist())
    columns["policy"] = pa.array([row.policy for row in rows], pa.string())
    columns["reason"] = pa.array([str(row.reason) for row in rows], pa.string())
    return pa.RecordBatch.from_pydict({**columns, "row": at})


def _skipped(counts: Mapping[Skipped, int]) -> pa.RecordBatch:
    named = {str(kind): count for kind, count in sorted(counts.items())}
    return pa.RecordBatch.from_pydict(
        {"reason": pa.array(list(named), pa.string()), "count": pa.array(list(named.values()), pa.int64())}
    )


def _columns(documents: pa.RecordBatch, view: pa.ListArray, code: pa.Array, score: Any) -> dict[str, pa.Array]:
    ids = record_ids(documents["uri"].to_pylist(), documents["digest"].to_pylist())
    own = {name: documents[name] for name in documents.schema.names if name != "row"}
    return {
        "key": pa.array(keys_of(ids), KEY),
        "id": ids,
        **own,
        "language": code,
        "language_score": pa.array(score, pa.float32()),
        "kept": view,
        "row": documents["row"],
    }


def _view_signals(text: pa.StringArray, view: pa.ListArray, words: segmentation.Segmentation) -> pa.RecordBatch:
    """Digest, bytes and words of what a shard would hold: they decide exact duplicates and who stays."""
    left = views.apply_view(text, view)
    inside = views.items_in_view(text, view, words.doc_offsets, words.starts)
    counts = np.add.reduceat(np.append(inside, 0).astype(np.int64), words.doc_offsets[:-1]) if len(text) else inside
    counts = np.where(np.diff(words.doc_offsets) > 0, counts, 0)
    digests = [hashlib.sha256(value.as_buffer()).digest()[:16] for value in left]
    return pa.RecordBatch.from_pydict(
        {
            "view_digest": pa.array(digests, ID),
            "view_bytes": pa.array(_lengths(left), pa.int64()),
            "view_word_count": pa.array(counts, pa.int64()),
        }
    )


def _lengths(text: pa.StringArray) -> npt.NDArray[np.int32]:
    lengths: npt.NDArray[np.int32] = np.diff(np.frombuffer(text.buffers()[1], np.int32)[: len(text) + 1])
    return lengths


def _signals(columns: Mapping[str, pa.Array], measured: list[pa.RecordBatch]) -> pa.RecordBatch:
    named = {name: columns[name] for name in ("key", "id", "language", "language_score", "row")}
    for batch in measured:
        named.update(zip(batch.schema.names, batch.columns, strict=True))
    return pa.RecordBatch.from_pydict(named)


def _bands(
    words: segmentation.Segmentation,
    view: pa.ListArray,
    text: pa.StringArray,
    signals: pa.RecordBatch,
    settings: Settings,
) -> pa.RecordBatch:
    """One row for each band of each document, and one for its text digest: equal keys are candidates."""
    ids = signals["id"]
    exact = keys_of(signals["view_digest"])
    keys, owners = [exact], [np.arange(len(ids))]
    if settings.near is not None:
        hashing = minhash.MinHash(**settings.near)
        inside = views.items_in_view(text, view, words.doc_offsets, words.starts)
        banded = minhash.band_keys(minhash.signatures(words, inside, hashing), hashing)
        has_words = np.flatnonzero(signals["view_word_count"].to_numpy() > 0)
        keys.append(banded[has_words].ravel())
        owners.append(np.repeat(has_words, hashing.bands))
    return pa.RecordBatch.from_pydict(
        {"key": pa.array(np.concatenate(keys), KEY), "id": ids.take(pa.array(np.concatenate(owners)))}
    )
