"""Rule sets that give the verdicts of a peer, "set@peer": same papers, other countings. docs/rules.md compares them.

Their signals are measured only where a recipe names one of them (`filters.rule_signals`). They are for English.
"""

from filters.gopher import DUPLICATE_SIZES, TOP_SIZES
from filters.rules import Rule

_TOP = dict(zip(TOP_SIZES, (0.20, 0.18, 0.16), strict=True))
_DUPLICATE = dict(zip(DUPLICATE_SIZES, (0.15, 0.14, 0.13, 0.12, 0.11, 0.10), strict=True))


def _at_datatrove(name: str, numerator: str, per: str | None, low: float | None, high: float | None) -> Rule:
    return Rule(f"gopher@datatrove/{name}", numerator, per, min=low, max=high)


# datatrove 0.10: GopherRepetitionFilter, then GopherQualityFilter, each in the order in which it asks
GOPHER_DATATROVE = (
    _at_datatrove("empty", "char_count", None, 1, None),
    *(
        _at_datatrove(f"duplicate_{unit}_{what}fraction", f"datatrove_duplicate_{unit}_{what}count", per, None, bound)
        for unit, what, per, bound in (
            ("paragraph", "", "datatrove_paragraph_count", 0.30),
            ("paragraph", "char_", "char_count", 0.20),
            ("line", "", "datatrove_line_count", 0.30),
            ("line", "char_", "char_count", 0.20),
        )
    ),
    *(
        _at_datatrove(f"top_{n}_gram_char_fraction", f"datatrove_top_{n}_gram_char_count", "char_count", None, bound)
        for n, bound in _TOP.items()
    ),
    *(
        _at_datatrove(
            f"duplicate_{n}_gram_char_fraction", f"datatrove_duplicate_{n}_gram_char_count", "char_count", None, bound
        )
        for n, bound in _DUPLICATE.items()
    ),
    _at_datatrove("word_count", "datatrove_plain_word_count", None, 50, 100_000),
    _at_datatrove("mean_word_length", "datatrove_plain_word_char_count", "datatrove_plain_word_count", 3, 10),
    _at_datatrove("hash_ratio", "hash_count", "datatrove_word_count", None, 0.1),
    _at_datatrove("ellipsis_ratio", "ellipsis_count", "datatrove_word_count", None, 0.1),
    _at_datatrove("bullet_line_fraction", "datatrove_bullet_row_count", "datatrove_row_count", None, 0.9),
    _at_datatrove("ellipsis_line_fraction", "datatrove_ellipsis_row_count", "datatrove_row_count", None, 0.3),
    _at_datatrove("alphabetic_word_fraction", "datatrove_alphabetic_word_count", "datatrove_word_count", 0.8, None),
    _at_datatrove("stop_word_count", "datatrove_stop_word_count", None, 2, None),
)


def _at_whitespace(name: str, numerator: str, per: str | None, low: float | None, high: float | None) -> Rule:
    per = None if per is None else f"whitespace_{per}"
    return Rule(f"gopher@whitespace/{name}", f"whitespace_{numerator}", per, min=low, max=high)


# Dolma 1.2: taggers/gopher.py (gopher_v2), with the bounds of Gopher's paper
GOPHER_WHITESPACE = (
    _at_whitespace("duplicate_line_fraction", "duplicate_line_count", "line_count", None, 0.30),
    _at_whitespace("duplicate_line_char_fraction", "duplicate_line_char_count", "word_char_count", None, 0.20),
    *(
        _at_whitespace(f"top_{n}_gram_char_fraction", f"top_{n}_gram_char_count", "word_char_count", None, bound)
        for n, bound in _TOP.items()
    ),
    *(
        _at_whitespace(
            f"duplicate_{n}_gram_char_fraction", f"duplicate_{n}_gram_char_count", f"{n}_gram_char_count", None, bound
        )
        for n, bound in _DUPLICATE.items()
    ),
    _at_whitespace("word_count", "word_count", None, 50, 100_000),
    _at_whitespace("median_word_length", "middle_char_count", "middle_count", 3, 10),
    _at_whitespace("symbol_word_fraction", "symbol_word_count", "word_count", None, 0.1),
    _at_whitespace("bullet_line_fraction", "bullet_line_count", "line_count", None, 0.9),
    _at_whitespace("ellipsis_line_fraction", "ellipsis_line_count", "line_count", None, 0.3),
    _at_whitespace("alphabetic_word_fraction", "alphabetic_word_count", "word_count", 0.8, None),
    _at_whitespace("stop_word_count", "stop_word_count", None, 2, None),
)


def _c4(name: str, prefix: str, sentences: int) -> tuple[Rule, ...]:
    return (
        Rule(f"{name}/lorem_ipsum_line_count", f"{prefix}_lorem_ipsum_line_count", max=0),
        Rule(f"{name}/curly_bracket_line_count", f"{prefix}_curly_bracket_line_count", max=0),
        Rule(f"{name}/sentence_count", f"{prefix}_sentence_count", min=sentences),
    )


C4_PAPER = _c4("c4@paper", "c4_paper", 5)  # Raffel et al. 2020, section 2.2
C4_CODE = _c4("c4@code", "c4_code", 3)  # TensorFlow Datasets 4.9, c4_utils.py
C4_DATATROVE = _c4("c4@datatrove", "c4_datatrove", 5)  # as examples/fineweb.py sets it

# datatrove 0.10, FineWebQualityFilter; 0.01 is what its code and the published data set have
FINEWEB_DATATROVE = (
    Rule("fineweb@datatrove/line_count", "fineweb_datatrove_line_count", min=1),
    Rule(
        "fineweb@datatrove/terminal_line_fraction",
        "fineweb_datatrove_terminal_line_count",
        "fineweb_datatrove_line_count",
        min=0.12,
    ),
    Rule(
        "fineweb@datatrove/short_line_fraction",
        "fineweb_datatrove_short_line_count",
        "fineweb_datatrove_line_count",
        max=0.67,
    ),
    Rule(
        "fineweb@datatrove/duplicate_line_char_fraction",
        "fineweb_datatrove_duplicate_line_char_count",
        "fineweb_datatrove_char_count",
        max=0.01,
    ),
    Rule("fineweb@datatrove/newline_ratio", "fineweb_datatrove_newline_count", "fineweb_datatrove_word_count", max=0.3),
)

VARIANTS: dict[str, tuple[Rule, ...]] = {
    "gopher@datatrove": GOPHER_DATATROVE,
    "gopher@whitespace": GOPHER_WHITESPACE,
    "c4@paper": C4_PAPER,
    "c4@code": C4_CODE,
    "c4@datatrove": C4_DATATROVE,
    "fineweb@datatrove": FINEWEB_DATATROVE,
}
