"""The guarded entry of the code job, "filters.code.child:factory": archives, licence texts and files, by their columns.

A batch with `cursor` holds archives: their members come back. One with `license_text` holds licence files: their
verdicts come back. Any other holds files (FILES): documents, signals, bands, and what is none comes back.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from filters import minhash, segmentation
from filters.charset import decode
from filters.code import ambiguous, archives, dep5, issues, language, licenses, notebooks
from filters.code.characters import CHARACTERS_VERSION, count_characters
from filters.code.comments import COMMENTS_VERSION, comment_signals
from filters.code.license_classes import CLASSES, CLASSES_VERSION, class_of_expression
from filters.code.masking import CLASSES as MASKED
from filters.code.masking import NAME, MaskedCode, Places, mask_code
from filters.code.masking import versions as masking_versions
from filters.code.names import NAMES_VERSION, is_binary, is_lfs_pointer, vendor_root
from filters.code.shape import SHAPE_VERSION, shape_signals
from filters.code.starcoder import STARCODER_VERSION, starcoder_signals
from filters.guard_child import WHOLE_BATCH, Outputs, Progress, Worker
from filters.parts import CODE, NO_IMAGES, DocumentParts, order_parts, parts_array
from filters.plain import markdown_parts, plain_parts
from manifests.keys import keys_of, record_ids
from manifests.limits import CodeLimits, Limits
from manifests.reasons import CodeFault, SkippedCode
from manifests.records import ID, KEY, MARKUP, QUARANTINED, RANGE, RAW

VERSION = 1
ABOUT = [
    ("path", pa.string()),  # in the repository
    ("repository", pa.string()),
    ("inherited", pa.string()),  # licenses.Verdict of the folder or the input, JSON
    ("stars", pa.int64()),  # null where they are not known
]
FILES = pa.schema([*RAW, *ABOUT])
REFUSED = pa.schema(
    [("row", pa.int32()), ("id", ID), ("uri", pa.string()), ("policy", pa.string()), ("reason", pa.string())]
)


@dataclass(frozen=True)
class Settings:
    """What staged rows depend on, besides the raw bytes and the versions of the parts."""

    limits: dict[str, Any] = field(default_factory=lambda: asdict(Limits()))
    code_limits: dict[str, Any] = field(default_factory=lambda: asdict(CodeLimits()))
    near: dict[str, int] | None = field(default_factory=lambda: {"bands": 20, "rows": 13, "ngram": 5})
    mask: tuple[str, ...] = (*MASKED, NAME)
    treat_as: dict[str, str] = field(default_factory=dict)  # SPDX identifier -> class of licence
    ambiguous: str | None = None  # the model that is asked where linguist's rules leave several languages or none


def versions() -> dict[str, Any]:
    """Return the version of every part that a staged row depends on; it is part of each stage key."""
    return {
        "code": VERSION,
        "names": NAMES_VERSION,
        "archives": archives.ARCHIVES_VERSION,
        "language": [language.LANGUAGE_VERSION, language.detector(), ambiguous.AMBIGUOUS_VERSION],
        "licenses": licenses.detector(),
        "license_classes": CLASSES_VERSION,
        "notebooks": notebooks.NOTEBOOKS_VERSION,
        "issues": issues.ISSUES_VERSION,
        "characters": CHARACTERS_VERSION,
        "comments": COMMENTS_VERSION,
        "shape": SHAPE_VERSION,
        "starcoder": STARCODER_VERSION,
        "segmentation": segmentation.segmentation_digest(),
        "minhash": minhash.MINHASH_VERSION,
        **masking_versions(),
    }


def factory(config: Mapping[str, Any]) -> Worker:
    """Return the worker of a guarded child; `config` is `asdict(Settings)`. It has worked once when it is returned."""
    settings = Settings(**config)

    def work(batch: pa.RecordBatch, progress: Progress) -> Outputs:
        names = batch.schema.names
        if "cursor" in names:
            return archives.read_batch(batch, Limits(**settings.limits), CodeLimits(**settings.code_limits), progress)
        if "license_text" in names:
            return _verdicts(batch, progress)
        return annotate(batch, settings, progress)

    if settings.ambiguous:
        ambiguous.load()
    work(_specimen(), lambda row: None)
    return work


def _specimen() -> pa.RecordBatch:
    body = b"# Copyright (c) 2020 Jane Roe <jane@example.org>\nkey = 'AKIAIOSFODNN7EXAMPLE'\n# \xe6\x97\xa5 \\u0041\n"
    row = {"uri": "warm:a.py", "digest": bytes(32), "payload": body, "path": "a.py", "repository": "warm", "ordinal": 0}
    return pa.RecordBatch.from_pylist([row], FILES)


def _verdicts(batch: pa.RecordBatch, progress: Progress) -> Outputs:
    said = []
    for row, (text, path) in enumerate(zip(batch["license_text"], batch["path"].to_pylist(), strict=True)):
        progress(row)
        body = decode(text.as_buffer().to_pybytes(), None, is_markup=False).text.decode()
        known = [[each.patterns, each.license] for each in dep5.paragraphs(body)]
        said.append(json.dumps({"paragraphs": known} if known else licenses.of_text(body, path)))
    return {"verdicts": pa.RecordBatch.from_pydict({"path": batch["path"], "verdict": pa.array(said, pa.string())})}


@dataclass
class _Texts:
    """The files that are text, and what became of the others."""

    rows: list[int] = field(default_factory=list)
    payloads: list[bytes] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    quarantined: list[dict[str, Any]] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)


def annotate(raw: pa.RecordBatch, settings: Settings, progress: Progress) -> dict[str, pa.RecordBatch]:
    """Return the staged batches of FILES: documents, signals, bands, quarantined, refused (none), skipped."""
    found = _decoded(raw, settings, progress)
    progress(WHOLE_BATCH)
    given = raw.take(pa.array(found.rows, pa.int32()))
    paths = given["path"].to_pylist()
    languages, scores, generated = _languages(paths, found.payloads, settings.ambiguous is not None)
    kinds = language.types_of(languages)
    texts, cells = _notebooks(found.texts, languages)
    said = _issues(given["media_type"].to_pylist(), texts, languages)
    inherited = zip(found.texts, languages, given["inherited"].to_pylist(), strict=True)
    verdicts = [_license("" if name == issues.ISSUE else text, above) for text, name, above in inherited]
    plain = pa.array(texts, pa.string())
    measured = _measured(plain, paths, languages, kinds, generated)
    masked = mask_code(plain, settings.mask, cells)
    ids = record_ids(given["uri"].to_pylist(), given["digest"].to_pylist())
    words = segmentation.segment(masked.text)
    record = {"key": pa.array(keys_of(ids), KEY), "id": ids, "row": pa.array(found.rows, pa.int32())}
    own = _own_signals(given, languages, scores, verdicts, settings.treat_as)
    signals = pa.RecordBatch.from_pydict(
        {**record, **own, **_view_signals(masked.text, words), **_columns([*measured, said, masked.counts])}
    )
    return {
        "documents": _documents(given, record | {"language_score": own["language_score"]}, masked, languages, verdicts),
        "signals": signals,
        "bands": _bands(words, signals, settings),
        "quarantined": pa.RecordBatch.from_pylist([{**row, "row": None} for row in found.quarantined], QUARANTINED),
        "refused": pa.RecordBatch.from_pylist([], REFUSED),
        "skipped": _counted(found.skipped),
    }


def _counted(skipped: Mapping[str, int]) -> pa.RecordBatch:
    names = sorted(skipped)
    counts = pa.array([skipped[name] for name in names], pa.int64())
    return pa.RecordBatch.from_pydict({"reason": pa.array(names, pa.string()), "count": counts})


def _columns(batches: list[pa.RecordBatch]) -> dict[str, pa.Array]:
    return {name: batch[name] for batch in batches for name in batch.schema.names}


def _decoded(raw: pa.RecordBatch, settings: Settings, progress: Callable[[int], None]) -> _Texts:
    limits, out = Limits(**settings.limits), _Texts()
    for row, value in enumerate(raw["payload"]):
        progress(row)
        payload = value.as_buffer().to_pybytes()
        reason = _no_source(payload)
        if reason is not None:
            out.skipped[str(reason)] += 1
            continue
        decoded = decode(payload, None, is_markup=False)
        fault = _fault(decoded.replaced, decoded.characters, len(decoded.text), limits)
        if fault is not None:
            out.quarantined.append({**_place(raw, row), **fault})
            continue
        text = decoded.text.decode().replace("\r\n", "\n")
        out.rows.append(row)
        out.payloads.append(payload)
        out.texts.append(text)
    return out


def _no_source(payload: bytes) -> SkippedCode | None:
    if not payload.strip():
        return SkippedCode.EMPTY
    if is_lfs_pointer(payload):
        return SkippedCode.LFS_POINTER
    return SkippedCode.BINARY if is_binary(payload) else None


def _fault(replaced: int, characters: int, size: int, limits: Limits) -> dict[str, Any] | None:
    if replaced > limits.max_replaced_fraction * max(1, characters):
        return {
            "reason": str(CodeFault.UNDECODABLE_TEXT),
            "detail": f"{replaced} of {characters} characters",
            "limit": "max_replaced_fraction",
        }
    if size > limits.max_text_bytes:
        told = {"limit": "max_text_bytes", "limit_value": limits.max_text_bytes, "observed": size}
        return {"reason": str(CodeFault.TEXT_TOO_LARGE), "detail": "", **told}
    return None


def _place(raw: pa.RecordBatch, row: int) -> dict[str, Any]:
    told = {name: raw[name][row].as_py() for name in ("uri", "ordinal", "offset", "digest")}
    return {**told, "bytes": raw["payload"][row].as_buffer().size}


def _notebooks(texts: list[str], languages: list[str]) -> tuple[list[str], list[Places]]:
    """Return the texts, notebooks as their cells in order; what is called a notebook and is none stays JSON."""
    out, cells = list(texts), [Places() for _ in texts]
    for row, name in enumerate(languages):
        if name == notebooks.NOTEBOOK:
            try:
                out[row], cells[row] = notebooks.notebook_text(texts[row])
            except notebooks.NotANotebook:
                languages[row] = "JSON"
    return out, cells


def _issues(types: list[str | None], texts: list[str], languages: list[str]) -> pa.RecordBatch:
    """Put issues in the place of their rows; return what rules read of them, -1 for all other files.

    issue_char_count, issue_event_count; the same of issues with one user, 0 for those of several.
    """
    counts = np.full((4, len(texts)), -1, np.int64)
    for row, kind in enumerate(types):
        if kind != issues.MEDIA_TYPE:
            continue
        try:
            found = issues.issue_text(texts[row])
        except issues.NotAnIssue:
            found = issues.Issue("", 0, 0, 0)
        texts[row], languages[row] = found.text, issues.ISSUE
        alone = found.user_count < 2
        counts[:, row] = (
            found.char_count,
            found.event_count,
            found.char_count * alone,
            found.event_count * alone,
        )
    names = ("issue_char_count", "issue_event_count", "issue_lone_char_count", "issue_lone_event_count")
    return pa.RecordBatch.from_arrays([pa.array(row) for row in counts], names=list(names))


def _license(text: str, inherited: str | None) -> licenses.Verdict:
    own = licenses.of_file(text)
    if own.expression is not None:
        return own
    return licenses.Verdict(*json.loads(inherited)) if inherited else licenses.NONE


def _languages(paths: list[str], payloads: list[bytes], with_model: bool) -> tuple[list[str], list[float], list[bool]]:
    """Return (language, score, whether linguist calls it generated) of each file."""
    found = language.identify(paths, payloads)
    if not with_model:
        return found.names, [1.0] * len(paths), found.generated
    return *ambiguous.settle(found.names, found.candidates, payloads), found.generated


def _measured(
    text: pa.StringArray, paths: list[str], languages: list[str], kinds: list[str], generated: list[bool]
) -> list[pa.RecordBatch]:
    data = [int(language.is_data(name, kind)) for name, kind in zip(languages, kinds, strict=True)]
    vendored = [int(vendor_root(path) is not None) for path in paths]
    characters = count_characters(text)
    return [
        characters,
        starcoder_signals(characters, paths, languages),
        comment_signals(text, languages),
        shape_signals(text, paths, languages, generated),
        pa.RecordBatch.from_pydict(
            {
                "is_data": pa.array(data, pa.int64()),
                "is_vendored": pa.array(vendored, pa.int64()),
                "is_unknown_language": pa.array([int(name == language.UNKNOWN) for name in languages], pa.int64()),
            }
        ),
    ]


def _own_signals(
    given: pa.RecordBatch,
    languages: list[str],
    scores: list[float],
    verdicts: list[licenses.Verdict],
    treat_as: Mapping[str, str],
) -> dict[str, pa.Array]:
    classes = [class_of_expression(each.expression, treat_as) for each in verdicts]
    one_hot = {f"license_{name}": pa.array([int(each == name) for each in classes], pa.int64()) for name in CLASSES}
    return {
        "language": pa.array(languages, pa.string()),
        "language_score": pa.array(scores, pa.float32()),
        "repository": given["repository"],
        "path": given["path"],
        "stars": given["stars"],
        "license_class": pa.array(classes, pa.string()),
        **one_hot,
    }


def _view_signals(text: pa.StringArray, words: segmentation.Segmentation) -> dict[str, pa.Array]:
    bodies = [value.as_buffer() for value in text]
    return {
        "view_digest": pa.array([hashlib.sha256(each).digest()[:16] for each in bodies], ID),
        "view_bytes": pa.array([each.size for each in bodies], pa.int64()),
        "view_word_count": pa.array(np.diff(words.doc_offsets), pa.int64()),
    }


def _bands(words: segmentation.Segmentation, signals: pa.RecordBatch, settings: Settings) -> pa.RecordBatch:
    """One row for each band of each document, and one for its text digest: equal keys are candidates."""
    ids, exact = signals["id"], keys_of(signals["view_digest"])
    keys, owners = [exact], [np.arange(len(ids))]
    if settings.near is not None:
        hashing = minhash.MinHash(**settings.near)
        banded = minhash.band_keys(minhash.signatures(words, None, hashing), hashing)
        has_words = np.flatnonzero(signals["view_word_count"].to_numpy() > 0)
        keys.append(banded[has_words].ravel())
        owners.append(np.repeat(has_words, hashing.bands))
    return pa.RecordBatch.from_pydict(
        {"key": pa.array(np.concatenate(keys), KEY), "id": ids.take(pa.array(np.concatenate(owners)))}
    )


def _documents(
    given: pa.RecordBatch,
    record: Mapping[str, pa.Array],
    masked: MaskedCode,
    languages: list[str],
    verdicts: list[licenses.Verdict],
) -> pa.RecordBatch:
    bodies = [value.as_buffer().to_pybytes() for value in masked.text]
    told = zip(bodies, languages, given["uri"].to_pylist(), masked.places, strict=True)
    columns = {
        **record,
        **{name: given[name] for name in ("uri", "fetched_at", "digest", "media_type", "policy")},
        "language": pa.array(languages, pa.string()),
        "license": pa.array([each.expression for each in verdicts], pa.string()),
        "title": given["path"],
        "text": masked.text,
        "parts": parts_array([_parts(*each) for each in told]),
        "markup": pa.array([_markup(*each) for each in zip(verdicts, masked.spans, strict=True)], pa.list_(MARKUP)),
        "kept": pa.array([[{"start": 0, "end": len(body)}] if body else [] for body in bodies], pa.list_(RANGE)),
    }
    return pa.RecordBatch.from_pydict(columns)


def _markup(verdict: licenses.Verdict, spans: Places) -> list[dict[str, str]]:
    """Return what stands beside a text: what its licence is known from, and what was masked where."""
    said = [{"kind": "license", "content": verdict.as_json()}]
    return [*said, {"kind": "masked", "content": json.dumps(spans)}] if spans else said


def _parts(body: bytes, name: str, uri: str, cells: Places) -> DocumentParts:
    """Return Markdown's parts with its pictures, a notebook's cells, or all of a file as one part."""
    if name in ("Markdown", issues.ISSUE):
        return markdown_parts(body, uri)
    if name == "Text":
        return plain_parts(body)
    text = body.decode() if cells else ""
    blocks = [
        (CODE, len(text[:start].encode()), len(text[:end].encode())) for kind, start, end in cells if kind == "code"
    ]
    if name != notebooks.NOTEBOOK and body.strip():
        blocks = [(CODE, 0, len(body))]
    return DocumentParts(order_parts(body, np.array(blocks, np.int64).reshape(-1, 3), NO_IMAGES), ())
