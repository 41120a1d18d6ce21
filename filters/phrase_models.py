"""Cut runs of Japanese, Chinese and Thai into words by BudouX's linear models.

The sums are BudouX's own (its `Parser.parse`), made another way round: each character, pair and triple is looked up
once, and its weights go to the boundaries around it, of which six are open at any time.

The model sees a run alone, without the punctuation, digits and other scripts around it. Marks that no feature
names (variation selectors, a combining dakuten) are hidden from it, and no word starts with a mark.
Which model: a document whose Chinese and Japanese characters are kana by one in `KANA_SHARE` or more is Japanese;
any other is simplified or traditional Chinese, by which of the two standards' own characters prevail.
"""

import json
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from filters.code_points import CODE_POINTS, code_points
from filters.native import decode_utf8, kernel
from filters.word_breaks import CJK_RUN, SPACED, Spans

MODELS = ("ja_word", "zh-hans", "zh-hant", "th")
JAPANESE, SIMPLIFIED, TRADITIONAL, THAI = range(4)
KANA_SHARE = 20

Features = dict[str, dict[str, int]]
Keyed = dict[int, dict[int, list[int]]]

_BMP, _HIDDEN = 0x10000, 0xFFFF
_FORBIDDEN = 1 << 24  # more than any sum of weights
_MARKS = r"[\p{WB=Extend}\p{WB=Format}\p{WB=ZWJ}]"
_KANA, _HAN, _ONLY_SIMPLIFIED, _ONLY_TRADITIONAL = 1, 2, 4, 8
_OWNER, _PREFIX = 0, 4


class PhraseModels(NamedTuple):
    """The weights of all models. A row is a character of one model; row 0 is any that no feature names.

    Pairs and triples lie in a double array: the entry of (a, b) is at shifts[a] + b and its column _OWNER is a.
    Where the owner is another one there is no such pair; entry 0 is empty, of weights 0.
    """

    rows: Any  # uint16[4, _BMP]: row of a character, _HIDDEN for a mark that the model does not know
    singles: Any  # int32[rows, 8]: UW1..UW6
    pair_shifts: Any  # int32[rows]
    pairs: Any  # int32[n, 8]: owner (row of the first character), BW1..BW3, number as the prefix of triples or 0
    triple_shifts: Any  # int32[prefixes + 1]
    triples: Any  # int32[n, 8]: owner (number of the prefix), TW1..TW4
    biases: Any  # int32[4]: what a sum starts from; there is a cut where it ends above 0


@cache
def phrase_models() -> PhraseModels:
    """Read the models that the `budoux` package holds."""
    rows = np.zeros((len(MODELS), _BMP), np.uint16)
    rows[:, [point for point in code_points(_MARKS) if point < _BMP]] = _HIDDEN
    biases = np.zeros(len(MODELS), np.int32)
    singles: list[list[int]] = [[0] * 8]
    pairs: Keyed = defaultdict(lambda: defaultdict(lambda: [0] * 8))
    triples: Keyed = defaultdict(lambda: defaultdict(lambda: [0] * 8))
    for model, name in enumerate(MODELS):
        features = _read(name)
        row = {character: len(singles) + n for n, character in enumerate(_characters(features))}
        rows[model, [ord(character) for character in row]] = list(row.values())
        biases[model] = -(sum(sum(group.values()) for group in features.values()) // 2)
        singles += _singles(features, row)
        _add_pairs_and_triples(features, row, pairs, triples)
    tables = (rows, np.array(singles, np.int32), *_double_array(pairs, len(singles)))
    models = PhraseModels(*tables, *_double_array(triples, len(singles)), biases)
    for table in models:
        table.setflags(write=False)
    return models


def _read(name: str) -> Features:
    import budoux

    path = Path(budoux.__file__).parent / "models" / f"{name}.json"
    features: Features = json.loads(path.read_text(encoding="utf-8"))
    return features


def _characters(features: Features) -> list[str]:
    return sorted({character for group in features.values() for feature in group for character in feature})


def _weights(features: Features, family: str, length: int) -> Iterator[tuple[str, int, int]]:
    """Yield (feature, number of its position from 1, weight) of one family: UW, BW or TW.

    The Thai model has a few triples of two characters, which never match; their weights count in the bias only.
    """
    for name, group in features.items():
        for feature, weight in group.items():
            if name.startswith(family) and len(feature) == length:
                yield feature, int(name[2:]), weight


def _singles(features: Features, row: dict[str, int]) -> list[list[int]]:
    marks, first = set(code_points(_MARKS)), min(row.values())
    # the fourth weight of a character is the one for the boundary before it: a mark has none
    singles = [[0, 0, 0, -_FORBIDDEN if ord(character) in marks else 0, 0, 0, 0, 0] for character in row]
    for feature, position, weight in _weights(features, "UW", 1):
        singles[row[feature] - first][position - 1] += weight
    return singles


def _add_pairs_and_triples(features: Features, row: dict[str, int], pairs: Keyed, triples: Keyed) -> None:
    prefixes = len(triples)
    for feature, position, weight in _weights(features, "BW", 2):
        pairs[row[feature[0]]][row[feature[1]]][position] = weight
    for feature, position, weight in _weights(features, "TW", 3):
        prefix = pairs[row[feature[0]]][row[feature[1]]]
        if not prefix[_PREFIX]:
            prefixes += 1
            prefix[_PREFIX] = prefixes
        triples[prefix[_PREFIX]][row[feature[2]]][position] = weight


def _double_array(keyed: Keyed, rows: int) -> tuple[Any, Any]:
    """Lay the sparse table out so that `shifts[a] + b` is a place of its own for every (a, b) there is."""
    shifts, taken, places = np.zeros(max(keyed) + rows, np.int32), 1, {}
    for a, members in sorted(keyed.items(), key=lambda item: (-len(item[1]), item[0])):
        clash = 0
        for b in members:
            clash |= taken >> b
        shift = (~clash & (clash + 1)).bit_length() - 1  # the least at which no member meets a taken place
        shifts[a] = shift
        for b, entry in members.items():
            taken |= 1 << (shift + b)
            places[shift + b] = [a, *entry[1:]]
    table = np.zeros((max(places) + rows + 1, 8), np.int32)
    table[list(places)] = list(places.values())
    return shifts, table


@cache
def script_flags() -> Any:
    """Return which characters tell Japanese from Chinese: uint8[CODE_POINTS]."""
    table = np.zeros(CODE_POINTS, dtype=np.uint8)
    table[code_points(r"[[\p{Hiragana}\p{Katakana}]&&\p{L}]")] = _KANA
    mainland, taiwan = _charset("gb2312"), _charset("big5")
    for point in code_points(r"[\p{Han}&&\p{L}]").tolist():
        in_one = (point in mainland) != (point in taiwan)
        table[point] = _HAN | (in_one and (_ONLY_SIMPLIFIED if point in mainland else _ONLY_TRADITIONAL))
    table.setflags(write=False)
    return table


def _charset(name: str) -> set[int]:
    pairs = (bytes((lead, trail)) for lead in range(0xA1, 0xFF) for trail in range(0x40, 0xFF))
    return set(map(ord, b"\n".join(pairs).decode(name, errors="ignore")))


def cut_runs(data: Any, spans: Spans) -> tuple[Any, Any, Any]:
    """Return the words once every run is cut: starts int32[n], ends int32[n], doc_offsets int64[len + 1]."""
    run_bytes = int(np.sum((spans.ends - spans.starts)[spans.kinds != SPACED]))
    capacity = len(spans.starts) + run_bytes // 3 + 1  # a character of a run has three bytes or more
    starts, ends = np.empty(capacity, np.int32), np.empty(capacity, np.int32)
    doc_offsets = np.zeros_like(spans.doc_offsets)
    n = _cut_all(data, spans, phrase_models(), script_flags(), (starts, ends, doc_offsets))
    return starts[:n], ends[:n], doc_offsets


def phrases(sentence: str, model: int) -> list[str]:
    """Cut one sentence by one model, as `cut_runs` cuts a run."""
    data = np.frombuffer(sentence.encode(), dtype=np.uint8)
    starts, ends = np.empty(len(sentence) + 1, np.int32), np.empty(len(sentence) + 1, np.int32)
    n = _cut_run(data, (0, len(data)), phrase_models(), model, starts, ends, 0) if sentence else 0
    return [bytes(data[start:end]).decode() for start, end in zip(starts[:n], ends[:n], strict=True)]


@kernel
def _cut_all(data: Any, spans: Spans, models: PhraseModels, flags: Any, words: tuple[Any, Any, Any]) -> int:
    starts, ends, doc_offsets = words
    n = 0
    for document in range(len(spans.doc_offsets) - 1):
        model_of_document = -1
        for span in range(spans.doc_offsets[document], spans.doc_offsets[document + 1]):
            if spans.kinds[span] == SPACED:
                starts[n], ends[n] = spans.starts[span], spans.ends[span]
                n += 1
                continue
            model = THAI
            if spans.kinds[span] == CJK_RUN:
                if model_of_document < 0:
                    model_of_document = _model_of(data, spans, span, spans.doc_offsets[document + 1], flags)
                model = model_of_document
            n = _cut_run(data, (spans.starts[span], spans.ends[span]), models, model, starts, ends, n)
        doc_offsets[document + 1] = n
    return n


@kernel
def _model_of(data: Any, spans: Spans, first: int, last: int, flags: Any) -> int:
    """Return the model for the Chinese or Japanese of a document, whose runs are among spans first to last."""
    kana, han, simplified, traditional = 0, 0, 0, 0
    for span in range(first, last):
        if spans.kinds[span] != CJK_RUN:
            continue
        i, stop = spans.starts[span], spans.ends[span]
        while i < stop:
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
def _cut_run(data: Any, run: tuple[int, int], models: PhraseModels, model: int, starts: Any, ends: Any, n: int) -> int:
    """Write the words of one run from place n on, and return the place after the last. Free of branches.

    The six sums are those of the boundaries before the last two characters, this one and the three to come.
    """
    i, stop = run
    bias = models.biases[model]
    back2 = back1 = here = bias - _FORBIDDEN  # no cut before the first character
    next1 = next2 = next3 = bias
    at2 = at1 = at = i
    row_before, prefix = 0, 0
    starts[n] = i
    while i < stop:
        point, width = decode_utf8(data, i)
        row = int(models.rows[model, point]) if point < _BMP else 0
        i += width
        if row == _HIDDEN:
            continue
        at2, at1, at = at1, at, i - width
        triple = models.triple_shifts[prefix] + row
        triple = triple if models.triples[triple, _OWNER] == prefix else 0
        pair = models.pair_shifts[row_before] + row
        pair = pair if models.pairs[pair, _OWNER] == row_before else 0
        row_before, prefix = row, models.pairs[pair, _PREFIX]
        back2 += models.singles[row, 5] + models.triples[triple, 4]
        back1 += models.singles[row, 4] + models.pairs[pair, 3] + models.triples[triple, 3]
        here += models.singles[row, 3] + models.pairs[pair, 2] + models.triples[triple, 2]
        next1 += models.singles[row, 2] + models.pairs[pair, 1] + models.triples[triple, 1]
        next2 += models.singles[row, 1]
        next3 += models.singles[row, 0]
        ends[n] = at2
        n += back2 > 0
        starts[n] = at2 if back2 > 0 else starts[n]
        back2, back1, here, next1, next2, next3 = back1, here, next1, next2, next3, bias
    for cut, boundary in ((back2, at1), (back1, at)):
        if cut > 0:
            ends[n] = boundary
            n += 1
            starts[n] = boundary
    ends[n] = stop
    return n + 1
