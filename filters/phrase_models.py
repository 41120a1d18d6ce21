"""Cut runs of Japanese, Chinese and Thai into words by BudouX's linear models.

The scores are BudouX's own (its `Parser.parse`), summed another way round: each character, pair and triple is looked
up once and its weights are added to the boundaries around it, of which six are open at any time.

The model sees the run alone, without punctuation, digits and other scripts around it. Marks that no feature of the
model names (variation selectors, a combining dakuten) are hidden from it, and no word starts with a mark.
Which model: a document whose Chinese and Japanese characters are kana by `1 / KANA_SHARE` or more is Japanese;
any other is simplified or traditional Chinese, by which of the two standards' own characters prevail.
"""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from filters.code_points import CODE_POINTS, code_points
from filters.native import decode_utf8, kernel
from filters.word_breaks import Spans

MODELS = ("ja_word", "zh-hans", "zh-hant", "th")
JAPANESE, SIMPLIFIED, TRADITIONAL, THAI = range(4)
KANA_SHARE = 20

_BMP, _SLOTS, _ROWS, _HIDDEN = 0x10000, 4096, 1536, 0xFFFF
_KANA, _HAN, _ONLY_SIMPLIFIED, _ONLY_TRADITIONAL, _MARK = 1, 2, 4, 8, 16
_SPACED, _CJK_RUN = 0, 1


class PhraseModels(NamedTuple):
    """The weights of all models; axis 0 is the model, id 0 is a character that no feature names."""

    ids: Any  # uint16[4, _BMP]: character -> row, _HIDDEN for a mark that the model does not know
    singles: Any  # int32[4, _ROWS, 6]: UW1..UW6
    pair_keys: Any  # uint32[4, _SLOTS]: id << 16 | id, 0 is free
    pairs: Any  # int32[4, _SLOTS, 4]: BW1..BW3, number of the pair if a triple starts with it
    triple_keys: Any  # uint32[4, _SLOTS]: number of the pair << 16 | id
    triples: Any  # int32[4, _SLOTS, 4]: TW1..TW4
    bias: Any  # int32[4]: a boundary is a cut where the sum is above 0


@cache
def phrase_models() -> PhraseModels:
    """Read the models that the `budoux` package holds."""
    n = len(MODELS)
    models = PhraseModels(
        np.zeros((n, _BMP), np.uint16),
        np.zeros((n, _ROWS, 6), np.int32),
        np.zeros((n, _SLOTS), np.uint32),
        np.zeros((n, _SLOTS, 4), np.int32),
        np.zeros((n, _SLOTS), np.uint32),
        np.zeros((n, _SLOTS, 4), np.int32),
        np.zeros(n, np.int32),
    )
    marks = code_points(r"[\p{WB=Extend}\p{WB=Format}\p{WB=ZWJ}]")
    for m, name in enumerate(MODELS):
        _fill(models, m, _read(name), marks[marks < _BMP])
    for table in models:
        table.setflags(write=False)
    return models


def _read(name: str) -> dict[str, dict[str, int]]:
    import budoux

    features: dict[str, dict[str, int]] = json.loads((Path(budoux.__file__).parent / "models" / f"{name}.json").read_bytes())
    return features


def _fill(models: PhraseModels, m: int, features: dict[str, dict[str, int]], marks: Any) -> None:
    # BudouX starts a sum at minus half of all weights; sums are whole, so rounding down changes no sign
    models.bias[m] = -(sum(sum(group.values()) for group in features.values()) // 2)
    names = sorted({character for group in features.values() for feature in group for character in feature})
    rows = {character: row for row, character in enumerate(names, start=1)}
    models.ids[m, marks] = _HIDDEN
    for character, row in rows.items():
        models.ids[m, ord(character)] = row
    for feature, column, weight in _weights(features, "UW", 1):
        models.singles[m, rows[feature], column] = weight
    prefixes: dict[str, int] = {}
    for feature, column, weight in _weights(features, "TW", 3):
        prefix = prefixes.setdefault(feature[:2], len(prefixes) + 1)
        slot = _place(models.triple_keys[m], prefix << 16 | rows[feature[2]])
        models.triples[m, slot, column] = weight
    for feature, column, weight in _weights(features, "BW", 2):
        models.pairs[m, _place(models.pair_keys[m], rows[feature[0]] << 16 | rows[feature[1]]), column] = weight
    for feature, prefix in prefixes.items():
        models.pairs[m, _place(models.pair_keys[m], rows[feature[0]] << 16 | rows[feature[1]]), 3] = prefix


def _weights(features: dict[str, dict[str, int]], family: str, length: int) -> Iterator[tuple[str, int, int]]:
    """Yield (feature, column, weight); the Thai model has triples of two characters, which match nothing."""
    for name, group in features.items():
        if name.startswith(family):
            column = int(name[2:]) - 1
            yield from ((feature, column, weight) for feature, weight in group.items() if len(feature) == length)


@cache
def script_flags() -> Any:
    """Return which characters tell Japanese from Chinese, and which are marks: uint8[CODE_POINTS]."""
    table = np.zeros(CODE_POINTS, dtype=np.uint8)
    table[code_points(r"[[\p{Script=Hiragana}\p{Script=Katakana}]&&\p{L}]")] |= _KANA
    table[code_points(r"[\p{Script=Han}&&\p{L}]")] |= _HAN
    table[code_points(r"[\p{WB=Extend}\p{WB=Format}\p{WB=ZWJ}]")] |= _MARK
    mainland, taiwan = _characters_of("gb2312"), _characters_of("big5")
    table[sorted(mainland - taiwan)] |= _ONLY_SIMPLIFIED
    table[sorted(taiwan - mainland)] |= _ONLY_TRADITIONAL
    table[(table & _HAN) == 0] &= np.uint8(_KANA | _MARK)
    table.setflags(write=False)
    return table


def _characters_of(charset: str) -> set[int]:
    pairs = b"".join(bytes((lead, trail)) + b"\n" for lead in range(0xA1, 0xFF) for trail in range(0x40, 0xFF))
    return {ord(character) for character in pairs.decode(charset, errors="ignore")}


def cut_runs(data: Any, spans: Spans) -> tuple[Any, Any, Any]:
    """Return (starts: int32[n], ends: int32[n], doc_offsets: int64[len + 1]) of the words once every run is cut."""
    capacity = len(spans.starts) + spans.run_bytes // 3  # a character of these scripts has three bytes or more
    starts, ends = np.empty(capacity, np.int32), np.empty(capacity, np.int32)
    doc_offsets = np.zeros_like(spans.doc_offsets)
    n = _cut_all(data, *spans[:4], phrase_models(), script_flags(), starts, ends, doc_offsets)
    return starts[:n], ends[:n], doc_offsets


def phrases(sentence: str, model: int) -> list[str]:
    """Cut one sentence by one model, as `cut_runs` does."""
    data = np.frombuffer(sentence.encode(), dtype=np.uint8)
    starts, ends = np.empty(len(sentence), np.int32), np.empty(len(sentence), np.int32)
    n = _cut_run(data, 0, len(data), phrase_models(), model, script_flags(), starts, ends, 0) if sentence else 0
    return [bytes(data[start:end]).decode() for start, end in zip(starts[:n], ends[:n], strict=True)]


@kernel
def _slot(keys: Any, key: Any) -> int:
    """Return where `key` is, or the free slot where it would be."""
    slot = np.int64((np.uint64(key) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(52))
    while keys[slot] != key and keys[slot] != 0:
        slot = (slot + 1) & (_SLOTS - 1)
    return slot


def _place(keys: Any, key: int) -> int:
    slot = _slot(keys, np.uint32(key))
    keys[slot] = key
    return slot


@kernel
def _cut_all(
    data: Any, run_starts: Any, run_ends: Any, kinds: Any, run_offsets: Any, models: Any, flags: Any,
    starts: Any, ends: Any, doc_offsets: Any,
) -> int:
    n = 0
    for document in range(len(run_offsets) - 1):
        chinese_or_japanese = -1
        for run in range(run_offsets[document], run_offsets[document + 1]):
            if kinds[run] == _SPACED:
                starts[n], ends[n] = run_starts[run], run_ends[run]
                n += 1
                continue
            model = THAI
            if kinds[run] == _CJK_RUN:
                if chinese_or_japanese < 0:
                    last = run_offsets[document + 1]
                    chinese_or_japanese = _model_of(data, run_starts[run:last], run_ends[run:last], kinds[run:last], flags)
                model = chinese_or_japanese
            n = _cut_run(data, run_starts[run], run_ends[run], models, model, flags, starts, ends, n)
        doc_offsets[document + 1] = n
    return n


@kernel
def _model_of(data: Any, starts: Any, ends: Any, kinds: Any, flags: Any) -> int:
    kana, han, simplified, traditional = 0, 0, 0, 0
    for run in range(len(starts)):
        if kinds[run] != _CJK_RUN:
            continue
        i = starts[run]
        while i < ends[run]:
            point, width = decode_utf8(data, i)
            flag = flags[point]
            kana += flag & _KANA
            han += (flag & _HAN) >> 1
            simplified += (flag & _ONLY_SIMPLIFIED) >> 2
            traditional += (flag & _ONLY_TRADITIONAL) >> 3
            i += width
    if kana * KANA_SHARE >= kana + han:
        return JAPANESE
    return TRADITIONAL if traditional > simplified else SIMPLIFIED


@kernel
def _cut_run(
    data: Any, start: int, stop: int, models: Any, model: int, flags: Any, starts: Any, ends: Any, n: int
) -> int:
    """Write the words of one run from place n on, and return the place after the last."""
    ids, singles = models.ids[model], models.singles[model]
    pair_keys, pairs = models.pair_keys[model], models.pairs[model]
    triple_keys, triples = models.triple_keys[model], models.triples[model]
    bias = models.bias[model]
    # sums of the boundaries before the characters two back, one back, this one and the three to come
    back2 = back1 = here = next1 = next2 = next3 = bias
    at2 = at1 = at = start
    previous, prefix = 0, 0
    starts[n] = start
    i = start
    while i < stop:
        point, width = decode_utf8(data, i)
        row = int(ids[point]) if point < _BMP else 0
        if row == _HIDDEN:
            i += width
            continue
        at2, at1, at = at1, at, i
        triple_prefix, prefix = prefix, 0
        if row:
            weights = singles[row]
            next3 += weights[0]
            next2 += weights[1]
            next1 += weights[2]
            here += weights[3]
            back1 += weights[4]
            back2 += weights[5]
            if previous:
                key = np.uint32(previous << 16 | row)
                slot = _slot(pair_keys, key)
                if pair_keys[slot] == key:
                    next1 += pairs[slot, 0]
                    here += pairs[slot, 1]
                    back1 += pairs[slot, 2]
                    prefix = pairs[slot, 3]
            if triple_prefix:
                key = np.uint32(triple_prefix << 16 | row)
                slot = _slot(triple_keys, key)
                if triple_keys[slot] == key:
                    next1 += triples[slot, 0]
                    here += triples[slot, 1]
                    back1 += triples[slot, 2]
                    back2 += triples[slot, 3]
        if back2 > 0:
            n = _cut(data, at2, flags, starts, ends, n)
        back2, back1, here, next1, next2, next3 = back1, here, next1, next2, next3, bias
        previous = row
        i += width
    if back2 > 0:
        n = _cut(data, at1, flags, starts, ends, n)
    if back1 > 0:
        n = _cut(data, at, flags, starts, ends, n)
    ends[n] = stop
    return n + 1


@kernel
def _cut(data: Any, at: int, flags: Any, starts: Any, ends: Any, n: int) -> int:
    """End word n at `at` and start the next one, unless that would leave it empty or start with a mark."""
    if at <= starts[n] or flags[decode_utf8(data, at)[0]] & _MARK:
        return n
    ends[n] = at
    starts[n + 1] = at
    return n + 1
