"""Rule sets of other corpora of the web: RefinedWeb, mC4, MADLAD-400 and FineWeb2, with the bounds of their papers."""

from filters.fineweb2 import bounds_of, settings
from filters.rules import Bounds, Rule

REFINEDWEB_LINES_V1 = (
    Rule("refinedweb_lines_v1/removed_word_fraction", "refinedweb_removed_word_count", "word_count", max=0.05),
)
MC4_V1 = (Rule("mc4_v1/long_line_count", "mc4_long_line_count", min=3),)
MADLAD_V1 = (
    Rule("madlad_v1/sentence_count", "madlad_sentence_count", min=5),
    Rule(
        "madlad_v1/questionable_sentence_fraction",
        "madlad_questionable_sentence_count",
        "madlad_sentence_count",
        max=0.20,
    ),
)


def _fineweb2(name: str, numerator: str, per: str | None, low: str | None, high: str | None) -> Rule:
    """Return a rule whose bounds are columns of FineWeb2's table; it is for the table's languages only."""
    below, above = (bounds_of(column) if column else {} for column in (low, high))
    bounds: dict[str, Bounds] = {code: (below.get(code), above.get(code)) for code in settings()}
    return Rule(f"fineweb2_v1/{name}", numerator, per, languages=frozenset(settings()), overrides=bounds)


# as fineweb-2-pipeline.py asks: GopherRepetitionFilter, FineWebQualityFilter, GopherQualityFilter
FINEWEB2_V1 = (
    _fineweb2("duplicate_line_fraction", "duplicate_line_count", "line_count", None, "dup_line_frac"),
    *(
        _fineweb2(f"top_{n}_gram_char_fraction", f"top_{n}_gram_char_count", "char_count", None, f"top_{n}")
        for n in (2, 3, 4)
    ),
    *(
        _fineweb2(f"duplicate_{n}_gram_char_fraction", f"duplicate_{n}_gram_char_count", "char_count", None, f"dup_{n}")
        for n in range(5, 11)
    ),
    _fineweb2("terminal_line_fraction", "fineweb2_terminal_line_count", "fineweb2_line_count", "line_punct_thr", None),
    Rule(
        "fineweb2_v1/duplicate_line_char_fraction",
        "fineweb2_duplicate_line_char_count",
        "fineweb2_char_count",
        max=0.1,
        languages=frozenset(settings()),
    ),
    _fineweb2("newline_ratio", "fineweb2_newline_count", "fineweb2_word_count", None, "new_line_ratio"),
    Rule("fineweb2_v1/word_count", "word_count", min=50, max=100_000, languages=frozenset(settings())),
    _fineweb2("mean_word_length", "word_char_count", "word_count", "min_avg_word_length", "max_avg_word_length"),
    Rule("fineweb2_v1/hash_ratio", "hash_count", "word_count", max=0.1, languages=frozenset(settings())),
    Rule("fineweb2_v1/ellipsis_ratio", "ellipsis_count", "word_count", max=0.1, languages=frozenset(settings())),
    Rule(
        "fineweb2_v1/bullet_line_fraction",
        "bullet_line_count",
        "line_count",
        max=0.9,
        languages=frozenset(settings()),
    ),
    Rule(
        "fineweb2_v1/ellipsis_line_fraction",
        "ellipsis_line_count",
        "line_count",
        max=0.3,
        languages=frozenset(settings()),
    ),
    _fineweb2("alphabetic_word_fraction", "alphabetic_word_count", "word_count", "max_non_alpha_words_ratio", None),
    Rule("fineweb2_v1/stop_word_count", "fineweb2_stop_word_count", min=2, languages=frozenset(settings())),
)

WEB_SETS: dict[str, tuple[Rule, ...]] = {
    "refinedweb_lines_v1": REFINEDWEB_LINES_V1,
    "mc4_v1": MC4_V1,
    "madlad_v1": MADLAD_V1,
    "fineweb2_v1": FINEWEB2_V1,
}
