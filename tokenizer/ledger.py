"""Where the characters of a corpus go on their way into a tokenizer; each ledger must balance."""

from dataclasses import dataclass, fields
from typing import Self


@dataclass(frozen=True)
class Tallied:
    """Whole numbers that add up field by field, in any order."""

    def __add__(self, other: Self) -> Self:
        """Return the sum of two tallies of the same kind."""
        return type(self)(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


@dataclass(frozen=True)
class CountLedger(Tallied):
    """What counting did with the characters (code points) of its texts.

    `literal_space_symbols` are U+2581 in the text: SentencePiece can't tell them from spaces, so they are
    counted as such (and are among `counted`); a text that holds one does not survive a round trip.
    """

    documents: int = 0
    characters: int = 0
    counted: int = 0
    newlines: int = 0  # cut the lines; pieces of their own by settings, never by counts
    over_long: int = 0  # in words of more than max_word_bytes
    over_long_words: int = 0
    literal_space_symbols: int = 0

    @property
    def balanced(self) -> bool:
        """Say whether every character is counted or accounted for."""
        return self.characters == self.counted + self.newlines + self.over_long


@dataclass(frozen=True)
class TrainLedger(Tallied):
    """What training did with the counted characters; `added` are the dummy prefixes.

    All but `trained` stand as a boundary in their word: the rest of the word is trained.
    """

    rows: int = 0
    words: int = 0  # sum of the counts
    characters: int = 0
    added: int = 0
    trained: int = 0
    literal_pieces: int = 0  # <s>, <0x41>, runs of tabs: text that is a piece by definition
    tabs: int = 0  # a tab that is no piece by the settings: a row can't carry it
    reserved: int = 0  # U+2585, the trainer's own sign for unknown
    nul: int = 0

    @property
    def balanced(self) -> bool:
        """Say whether every character is trained or accounted for."""
        lost = self.literal_pieces + self.tabs + self.reserved + self.nul
        return self.characters + self.added == self.trained + lost


@dataclass(frozen=True)
class PhraseLedger(Tallied):
    """What counting phrases did with the tokens of its texts."""

    documents: int = 0
    tokens: int = 0
    units: int = 0  # of these: whole words that are one token, with a letter and no digit
    phrases: int = 0  # occurrences: pairs of units, or rows of pairs that were kept
    counted: int = 0
    over_long: int = 0  # of more than max_bytes

    @property
    def balanced(self) -> bool:
        """Say whether every phrase is counted or accounted for."""
        return self.phrases == self.counted + self.over_long
