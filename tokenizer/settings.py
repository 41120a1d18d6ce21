"""What a vocabulary is trained with; the defaults are those of Gemma's tokenizers."""

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

SPACE_SYMBOL = "\u2581"
UNKNOWN_SYMBOL = "\u2585"  # the trainer's own sign for a character outside the alphabet
BOUNDARY = "\x1f"  # what the trainer puts in the place of a piece that stands literally in the text
MAX_RUN = 31
# Pieces and kinds of ids 0, 1 ...: Gemma's, Llama 2's
_SPECIAL = {
    "gemma": (("<pad>", "control"), ("<eos>", "control"), ("<bos>", "control"), ("<unk>", "unknown")),
    "llama": (("<unk>", "unknown"), ("<s>", "control"), ("</s>", "control")),
}
_NAMES = ("pad", "eos", "bos", "unk")
_ROLES = {"gemma": ("<pad>", "<eos>", "<bos>", "<unk>"), "llama": ("<pad>", "</s>", "<s>", "<unk>")}
MODALITIES = ("image", "audio", "video")
_SUPERWORDS = ("superwords", "superword_words", "superword_characters", "superword_signs")
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
    algorithm: Literal["bpe", "unigram"] = "bpe"
    special: Literal["gemma", "llama"] = "gemma"  # names and ids of padding, beginning, end, unknown
    modalities: tuple[str, ...] = ()  # of "image", "audio", "video": a soft token each, its beginning and its end
    location_tokens: int = 0  # <loc0000> ...: coordinates in text, as PaliGemma writes them
    reserved: int = 0  # <unused0> ...: slots for what comes later; never what a text encodes to
    split_all_digits: bool = False  # digits of every script stand alone, not ASCII's and full-width ones only
    max_digits: int = 0  # where digits aren't split: the longest group of them in a piece, 0 for any
    script_free: Literal["none", "code", "all"] = "none"  # words of which kind make pieces of several scripts
    picky: float = 0.0  # (0, 1]: a piece of which merges took at least this share gives its id to another; 0 is off
    superwords: int = 0  # ids, of those of vocab_size, that go to pieces over several words
    superword_words: int = 4  # [2, 16]: words of a superword at most
    superword_characters: int = 32  # [3, 512]: characters of a superword at most, spaces counted
    superword_signs: bool = False  # punctuation and other signs count as words of a superword
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
        self._check_options()
        self._check_superwords()
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
        own += self.media_symbols + self.location_symbols + self.reserved_symbols
        given = {*(piece for piece, _ in self.special_pieces), *self.byte_pieces}
        seen: set[str] = set()
        twice = sorted({s for s in own if s in seen or seen.add(s)} | set(own) & given)  # type: ignore[func-returns-value]
        if twice:
            raise ValueError(f"symbols {twice} are defined twice")

    def _check_options(self) -> None:
        if unknown := sorted({*self.modalities} - {*MODALITIES}):
            raise ValueError(f"modalities {unknown} are not among {', '.join(MODALITIES)}")
        for name, most in (("location_tokens", 9999), ("reserved", 100_000), ("max_digits", 16)):
            if not 0 <= getattr(self, name) <= most:
                raise ValueError(f"{name}={getattr(self, name)} is not in [0, {most}]")
        if not 0 <= self.picky <= 1:
            raise ValueError(f"picky={self.picky} is not in [0, 1]")
        if self.split_all_digits and not self.split_digits:
            raise ValueError("split_all_digits=True needs split_digits=True")
        if self.max_digits and self.split_digits:
            raise ValueError(f"max_digits={self.max_digits} and split_digits=True: a digit alone is in no group")
        if self.algorithm == "unigram" and (only := self.own_options):
            raise ValueError(f"{', '.join(only)}: goes with algorithm bpe, not unigram")

    def _check_superwords(self) -> None:
        for name, least, most in (("superword_words", 2, 16), ("superword_characters", 3, 512)):
            if not least <= getattr(self, name) <= most:
                raise ValueError(f"{name}={getattr(self, name)} is not in [{least}, {most}]")
        if self.superwords < 0 or (self.superwords and self.words_alone <= len(self.fixed_pieces)):
            raise ValueError(
                f"superwords={self.superwords} of vocab_size={self.vocab_size} leaves no room beside "
                f"{len(self.fixed_pieces)} fixed pieces, or is below 0"
            )
        if self.superwords and self.algorithm == "unigram":
            raise ValueError("superwords: goes with algorithm bpe, not unigram, which knows no order of merges")
        if self.superwords and not self.byte_fallback:
            raise ValueError("superwords: needs byte_fallback=True, so that every token has its place in the text")

    @property
    def words_alone(self) -> int:
        """Pieces that are learnt, or fixed, before superwords."""
        return self.vocab_size - self.superwords

    @property
    def first_stage(self) -> "TrainSettings":
        """Settings of the vocabulary that superwords are added to."""
        return replace(self, vocab_size=self.words_alone, superwords=0)

    @property
    def described(self) -> dict[str, Any]:
        """Return what decides the pieces; what is off stands in no digest."""
        off = {"num_threads"} if self.superwords else {"num_threads", *_SUPERWORDS}
        return {name: value for name, value in asdict(self).items() if name not in off}

    @property
    def own_options(self) -> tuple[str, ...]:
        """What is set that only our own trainer of BPE can do."""
        chosen = {
            "split_all_digits": self.split_all_digits,
            "max_digits": self.max_digits,
            "script_free=code": self.script_free == "code",
            "picky": self.picky,
        }
        return tuple(name for name, is_set in chosen.items() if is_set)

    @property
    def special_pieces(self) -> tuple[tuple[str, str], ...]:
        """Piece and type of the first ids."""
        return _SPECIAL[self.special]

    @property
    def media_symbols(self) -> tuple[str, ...]:
        """Control pieces around and in the place of media."""
        return tuple(
            name
            for each in self.modalities
            for name in (f"<start_of_{each}>", f"<{each}_soft_token>", f"<end_of_{each}>")
        )

    @property
    def location_symbols(self) -> tuple[str, ...]:
        """Pieces of coordinates, which a text may hold."""
        return tuple(f"<loc{place:04d}>" for place in range(self.location_tokens))

    @property
    def reserved_symbols(self) -> tuple[str, ...]:
        """Control pieces without a use yet."""
        return tuple(f"<unused{slot}>" for slot in range(self.reserved))

    @property
    def all_controls(self) -> tuple[str, ...]:
        """All control pieces but the special ones."""
        return (*self.control_symbols, *self.media_symbols, *self.reserved_symbols)

    @property
    def all_symbols(self) -> tuple[str, ...]:
        """All pieces that are cut out of a text before it is encoded."""
        return (*self.user_symbols, *self.location_symbols, *self.run_symbols)

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
        special = (piece for piece, _ in self.special_pieces)
        return (*special, *self.all_controls, *self.all_symbols, *self.byte_pieces)

    def trainer_arguments(self) -> dict[str, Any]:
        """Return SentencePiece's own arguments.

        The dummy prefix is not among them: rows have it already.
        """
        numbered = {piece: i for i, (piece, _) in enumerate(self.special_pieces)}
        pad, eos, bos, unk = _ROLES[self.special]
        return {
            "model_type": self.algorithm,
            "vocab_size": self.vocab_size,
            "hard_vocab_limit": self.hard_limit,
            "character_coverage": self.character_coverage,
            "byte_fallback": self.byte_fallback,
            "split_digits": self.split_digits,
            "split_by_unicode_script": self.script_free != "all",
            "allow_whitespace_only_pieces": self.allow_whitespace_only_pieces,
            "max_sentencepiece_length": self.max_piece_characters,
            "normalization_rule_name": "identity",
            "remove_extra_whitespaces": False,
            "max_sentence_length": 1 << 30,
            "num_threads": self.num_threads if self.algorithm == "bpe" else 1,
            "user_defined_symbols": [*self.all_symbols],
            "control_symbols": [*self.all_controls],
            **{f"{role}_id": numbered.get(piece, -1) for role, piece in zip(_NAMES, (pad, eos, bos, unk), strict=True)},
            **{f"{role}_piece": piece for role, piece in zip(_NAMES, (pad, eos, bos, unk), strict=True)},
            "minloglevel": 2,
        }
