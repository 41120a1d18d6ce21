"""Count phrases: words that stand side by side and are one piece each, in texts that a vocabulary encodes.

A phrase is a word of a second table of counts (schema COUNTS): the words it holds, joined as they stand in the text.
A unit of it is a token that is a whole chunk, from a place over which no piece of the vocabulary can reach to the next
such place, and that holds a letter and no digit. So punctuation, numbers, newlines, runs of spaces and words of several
pieces end a phrase; with `superword_signs` punctuation and other signs do not. Where words are written without spaces a
chunk is what stands between two changes of script.
"""

import unicodedata
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters.native import kernel
from tokenizer import gather
from tokenizer.chunks import ALONE, is_cut, letters_of
from tokenizer.count import MAX_WORD_BYTES, batch_of
from tokenizer.encode import TokenEncoder
from tokenizer.encode_merges import made_of, table_of
from tokenizer.ledger import PhraseLedger
from tokenizer.model import PIECE_TYPES, parse_model
from tokenizer.pieces_report import without_prefix
from tokenizer.settings import SPACE_SYMBOL, TrainSettings

PHRASES_VERSION = 1  # raise when the same texts and model would give other phrases
_NORMAL, _BYTE = (next(n for n, name in PIECE_TYPES.items() if name == kind) for kind in ("normal", "byte"))


def is_unit(piece: str, has_signs: bool = False) -> bool:
    """Say whether a piece may be a word of a phrase: a letter, or sign, one space at most, in front; no digit."""
    body = piece.removeprefix(SPACE_SYMBOL)
    kinds = {unicodedata.category(character)[0] for character in body}
    return SPACE_SYMBOL not in body and bool(kinds & set("LPS" if has_signs else "L")) and not kinds & set("NZC")


class Tokens(NamedTuple):
    """What phrases need to know of each piece."""

    lengths: Any  # int32[pieces]: bytes of a text that it takes
    first: Any  # int16[pieces]: script of its first character; of a piece that never merges ALONE
    last: Any  # int16[pieces]: of its last one
    unit: Any  # uint8[pieces]


def tokens_of(model: bytes, settings: TrainSettings) -> Tokens:
    """Return what phrases need to know of the pieces of a model trained with these settings."""
    message = parse_model(model)
    points = sorted(ord(p.piece) for p in message.pieces if p.type in (0, _NORMAL) and len(p.piece) == 1)
    letters = letters_of(np.array(points, np.int64), settings)
    script = letters.script[int(settings.script_free == "code")]  # a border for text is none for code
    found = Tokens(*(np.zeros(len(message.pieces), kind) for kind in (np.int32, np.int16, np.int16, np.uint8)))
    for i, piece in enumerate(message.pieces):
        text, ends = piece.piece.replace(SPACE_SYMBOL, " "), [ALONE, ALONE]
        if piece.type in (0, _NORMAL):
            ends = [int(script[letters.letter_of[ord(piece.piece[at])]]) for at in (0, -1)]
            found.unit[i] = is_unit(piece.piece, settings.superword_signs)
        found.lengths[i] = 1 if piece.type == _BYTE else len(text.encode())
        found.first[i], found.last[i] = ends
    return found


@kernel
def _places(ids: Any, offsets: Any, begins: Any, tokens: Any) -> tuple[Any, Any]:
    """Return where each token starts and the last one ends (int64[n + 1]), and which tokens are units (uint8[n]).

    `begins` says where each text's bytes begin.
    """
    lengths, first, last, unit = tokens
    starts, whole = np.zeros(len(ids) + 1, np.int64), np.zeros(len(ids), np.uint8)
    for text in range(len(offsets) - 1):
        at: Any = begins[text]
        for k in range(offsets[text], offsets[text + 1]):
            starts[k] = at
            at += lengths[ids[k]]
            whole[k] = (
                unit[ids[k]]
                and (k == offsets[text] or is_cut(last[ids[k - 1]], first[ids[k]]))
                and (k + 1 == offsets[text + 1] or is_cut(last[ids[k]], first[ids[k + 1]]))
            )
        starts[len(ids)] = at
    return starts, whole


@kernel
def _spans(ids: Any, offsets: Any, places: tuple[Any, Any], kept: Any, is_pairs: Any) -> tuple[Any, Any, Any]:
    """Return start, end and text of each phrase (int32): every pair of units, or the longest rows of `kept` pairs."""
    begins, whole = places
    most = max(1, len(ids))
    starts, ends, owner = np.empty(most, np.int32), np.empty(most, np.int32), np.empty(most, np.int32)
    n = 0
    for text in range(len(offsets) - 1):
        begin: Any = np.int64(-1)
        high = offsets[text + 1]
        for k in range(offsets[text], high):
            goes_on = k + 1 < high and whole[k] and whole[k + 1]
            if goes_on and not is_pairs:
                goes_on = made_of(kept, ids[k], ids[k + 1]) >= 0
            if goes_on and begin < 0:
                begin = k
            if begin >= 0 and (is_pairs or not goes_on):
                end = k + 2 if is_pairs else k + 1
                starts[n], ends[n], owner[n] = begins[begin], begins[end], text
                n += 1
                begin = np.int64(-1)
    return starts[:n], ends[:n], owner[:n]


@dataclass(frozen=True)
class Counted:
    """Phrases of one batch (schema COUNTS, ascending by key, word, group) and what was looked at."""

    counts: pa.RecordBatch
    ledger: PhraseLedger


class Phrases:
    """Counts phrases in texts as a vocabulary cuts them: all pairs of units, or rows of pairs that were kept."""

    def __init__(self, model: bytes, settings: TrainSettings, kept: list[str] | None = None) -> None:
        """Load a model trained with `settings`; `kept` are phrases of two units."""
        self.encoder, self.tokens = TokenEncoder(model), tokens_of(model, settings)
        self.is_pairs, self.kept = kept is None, table_of(np.zeros((0, 2), np.int32), np.zeros(0))
        if kept:
            units = UnitReader(model).read(pa.array(kept, pa.string()))
            if (np.diff(units.offsets) != 2).any():
                raise ValueError("a pair that is to be kept is not two tokens of this model: it comes from another one")
            self.kept = table_of(units.ids.reshape(-1, 2), np.zeros(len(kept)))

    def count(self, text: pa.StringArray, group: int = 0, max_bytes: int = MAX_WORD_BYTES) -> Counted:
        """Count the phrases of a batch of texts of one group; a null is an empty text.

        A phrase of more than `max_bytes` is left out and named in the ledger.
        """
        found = self.encoder.encode(text)
        data, offsets = self.encoder.read(text)
        begins, whole = _places(found.ids, found.offsets, offsets, tuple(self.tokens))
        if begins[-1] != offsets[-1]:
            raise AssertionError(f"tokens spell {begins[-1]} bytes of texts that hold {offsets[-1]}")
        starts, ends, owner = _spans(found.ids, found.offsets, (begins, whole), self.kept, self.is_pairs)
        rows = gather.group(data, starts, ends, owner, np.zeros(len(starts), np.uint8))
        is_over = rows[:, gather.SPAN].astype(np.uint32) > max_bytes
        over = int(rows[is_over][:, gather.COUNT].sum())
        rows = rows[~is_over]
        ledger = PhraseLedger(
            documents=len(text),
            tokens=len(found.ids),
            units=int(whole.sum()),
            phrases=len(starts),
            counted=len(starts) - over,
            over_long=over,
        )
        return Counted(batch_of(data, rows, group), ledger)


class Units(NamedTuple):
    """Units of phrases: phrase i is ids[offsets[i]:offsets[i + 1]]."""

    ids: Any  # int32
    offsets: Any  # int64


class UnitReader:
    """Tells phrases that were counted with a model apart again."""

    def __init__(self, model: bytes) -> None:
        self.encoder = TokenEncoder(without_prefix(model))

    def read(self, phrases: Any) -> Units:
        """Return the tokens of phrases, a string array with U+2581 for a space."""
        found = self.encoder.encode(pc.replace_substring(phrases, SPACE_SYMBOL, " "))
        return Units(found.ids, found.offsets)
