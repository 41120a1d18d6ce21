"""What a vocabulary is trained with; the defaults are those of Gemma's tokenizers."""

from dataclasses import dataclass
from typing import Any

SPACE_SYMBOL = "\u2581"
UNKNOWN_SYMBOL = "\u2585"  # the trainer's own sign for a character outside the alphabet
BOUNDARY = "\x1f"  # what the trainer puts in the place of a piece that stands literally in the text
MAX_RUN = 31
_SPECIAL = ("<pad>", "<eos>", "<bos>", "<unk>")  # ids 0 to 3
# What a symbol of one's own can't hold: it would reach over a word's edge, or break a row.
_FORBIDDEN = frozenset(f" \t\n\r\0{BOUNDARY}{SPACE_SYMBOL}{UNKNOWN_SYMBOL}")


@dataclass(frozen=True)
class TrainSettings:
    """Settings of a SentencePiece BPE model: identity normalisation, white space kept as it is.

    `*_runs`: runs of 1 (spaces: 2) to so many newlines, tabs or spaces are pieces of their own; 0 is none.
    `hard_limit=False` takes as many pieces as the counts allow where `vocab_size` asks for more.
    """

    vocab_size: int = 262_144
    character_coverage: float = 0.9999  # [0.98, 1]: share of the characters that the alphabet covers
    byte_fallback: bool = True
    split_digits: bool = True
    allow_whitespace_only_pieces: bool = True
    add_dummy_prefix: bool = False
    newline_runs: int = MAX_RUN
    tab_runs: int = MAX_RUN
    space_runs: int = MAX_RUN
    user_symbols: tuple[str, ...] = ()
    control_symbols: tuple[str, ...] = ()
    max_piece_characters: int = 16
    hard_limit: bool = True
    num_threads: int = 1  # changes no byte of the model

    def __post_init__(self) -> None:
        """Refuse settings that no counts could serve."""
        if not 0.98 <= self.character_coverage <= 1.0:
            raise ValueError(f"character_coverage={self.character_coverage} is not in [0.98, 1]")
        if not 1 <= self.max_piece_characters <= 512:
            raise ValueError(f"max_piece_characters={self.max_piece_characters} is not in [1, 512]")
        if not 1 <= self.num_threads <= 1024:
            raise ValueError(f"num_threads={self.num_threads} is not in [1, 1024]")
        self._check_runs()
        self._check_symbols()
        if self.vocab_size <= len(self.fixed_pieces):
            raise ValueError(
                f"vocab_size={self.vocab_size} leaves no room beside {len(self.fixed_pieces)} fixed pieces "
                "(special, control and byte pieces, runs of white space)"
            )

    def _check_runs(self) -> None:
        for name in ("newline_runs", "tab_runs", "space_runs"):
            if not 0 <= getattr(self, name) <= MAX_RUN:
                raise ValueError(f"{name}={getattr(self, name)} is not in [0, {MAX_RUN}]")

    def _check_symbols(self) -> None:
        own = self.user_symbols + self.control_symbols
        for symbol in own:
            if not symbol or _FORBIDDEN & set(symbol):
                raise ValueError(f"symbol {symbol!r} is empty, or holds white space or a sign of the trainer's own")
        if twice := sorted({s for s in own if own.count(s) > 1} | set(own) & {*_SPECIAL, *self.byte_pieces}):
            raise ValueError(f"symbols {twice} are defined twice")

    @property
    def special_pieces(self) -> tuple[str, str, str, str]:
        """Padding, end, beginning, unknown: ids 0 to 3."""
        return _SPECIAL

    @property
    def run_symbols(self) -> tuple[str, ...]:
        """Runs of white space that are pieces, U+2581 for a space."""
        newlines = ("\n" * n for n in range(1, self.newline_runs + 1))
        tabs = ("\t" * n for n in range(1, self.tab_runs + 1))
        spaces = (SPACE_SYMBOL * n for n in range(2, self.space_runs + 1))
        return (*newlines, *tabs, *spaces)

    @property
    def byte_pieces(self) -> tuple[str, ...]:
        """Pieces <0x00> to <0xFF>."""
        return tuple(f"<0x{byte:02X}>" for byte in range(256)) if self.byte_fallback else ()

    @property
    def fixed_pieces(self) -> tuple[str, ...]:
        """Pieces that are there whatever the counts say."""
        return (*_SPECIAL, *self.control_symbols, *self.user_symbols, *self.run_symbols, *self.byte_pieces)

    def trainer_arguments(self) -> dict[str, Any]:
        """Return SentencePiece's own arguments.

        The dummy prefix is not among them: rows have it already.
        """
        pad, eos, bos, unk = _SPECIAL
        return {
            "model_type": "bpe",
            "vocab_size": self.vocab_size,
            "hard_vocab_limit": self.hard_limit,
            "character_coverage": self.character_coverage,
            "byte_fallback": self.byte_fallback,
            "split_digits": self.split_digits,
            "allow_whitespace_only_pieces": self.allow_whitespace_only_pieces,
            "max_sentencepiece_length": self.max_piece_characters,
            "normalization_rule_name": "identity",
            "remove_extra_whitespaces": False,
            "max_sentence_length": 1 << 30,
            "num_threads": self.num_threads,
            "user_defined_symbols": [*self.user_symbols, *self.run_symbols],
            "control_symbols": list(self.control_symbols),
            **{"pad_id": 0, "eos_id": 1, "bos_id": 2, "unk_id": 3},
            **{"pad_piece": pad, "eos_piece": eos, "bos_piece": bos, "unk_piece": unk},
            "minloglevel": 2,
        }
