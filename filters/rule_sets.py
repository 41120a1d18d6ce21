"""The rule sets by name, with the thresholds of their papers; a set's order is the order in which its rules object.

The papers' bounds are for English. Overrides are for languages whose words or lines are of another size, or end
otherwise, and only where the paper's bound drops other texts than it drops in English. Each was set on translations
of the same manual pages (debian-handbook, installation-guide, libreoffice-help), so that it cuts off about as many
of both; tests/test_language_fairness.py holds the drop rates together. Medians of the same pages:
  characters a word     en 4.8   ja 2.4   zh 1.8-2.1   ko 3.2   (th 3.7, hi 3.6, ru 6.4, ar 4.6 need no other bound)
  words a page, en = 1  ja 1.2   zh 1.0   ko 0.75 (a Korean word carries its particles; so 60 and 40)
  short lines           en 0.22  zh 0.42, for the same line takes fewer columns in Chinese
FineWeb's duplicate characters: 0.1 as in the paper. Its code, and so the published data set, had 0.01, which drops
67 % of the pages of Debian's English installation guide; FineWeb2 went back to 0.1.
"""

from collections.abc import Mapping

from filters.gopher import DUPLICATE_SIZES, TOP_SIZES
from filters.rule_variants import VARIANTS
from filters.rules import Bounds, Rule
from filters.web_rules import WEB_SETS

_TOP_BOUNDS = dict(zip(TOP_SIZES, (0.20, 0.18, 0.16), strict=True))
_DUPLICATE_BOUNDS = dict(zip(DUPLICATE_SIZES, (0.15, 0.14, 0.13, 0.12, 0.11, 0.10), strict=True))

# Thai separates sentences by spaces; the strokes of Tibetan and Dzongkha are no Sentence_Terminal characters.
_WITHOUT_TERMINALS = ("th", "bo", "dz")
_CHINESE = ("zh", "yue", "wuu")


def _chinese(bounds: Bounds) -> Mapping[str, Bounds]:
    return dict.fromkeys(_CHINESE, bounds)


# Rae et al. 2021, table A1, then section A.1
GOPHER_V1 = (
    Rule("gopher_v1/duplicate_line_fraction", "duplicate_line_count", "line_count", max=0.30),
    Rule("gopher_v1/duplicate_paragraph_fraction", "duplicate_paragraph_count", "paragraph_count", max=0.30),
    Rule("gopher_v1/duplicate_line_char_fraction", "duplicate_line_char_count", "char_count", max=0.20),
    Rule("gopher_v1/duplicate_paragraph_char_fraction", "duplicate_paragraph_char_count", "char_count", max=0.20),
    *(
        Rule(f"gopher_v1/top_{n}_gram_char_fraction", f"top_{n}_gram_char_count", "char_count", max=bound)
        for n, bound in _TOP_BOUNDS.items()
    ),
    *(
        Rule(f"gopher_v1/duplicate_{n}_gram_char_fraction", f"duplicate_{n}_gram_char_count", "char_count", max=bound)
        for n, bound in _DUPLICATE_BOUNDS.items()
    ),
    Rule(
        "gopher_v1/word_count", "word_count", min=50, max=100_000, overrides={"ja": (60, 100_000), "ko": (40, 100_000)}
    ),
    Rule(
        "gopher_v1/mean_word_length",
        "word_char_count",
        "word_count",
        min=3,
        max=10,
        overrides={"ja": (1.4, 10), "ko": (1.9, 10), "bo": (1.7, 10), "dz": (1.7, 10), **_chinese((1.2, 10))},
    ),
    Rule("gopher_v1/hash_ratio", "hash_count", "word_count", max=0.1),
    Rule("gopher_v1/ellipsis_ratio", "ellipsis_count", "word_count", max=0.1),
    Rule("gopher_v1/bullet_line_fraction", "bullet_line_count", "line_count", max=0.9),
    Rule("gopher_v1/ellipsis_line_fraction", "ellipsis_line_count", "line_count", max=0.3),
    Rule("gopher_v1/alphabetic_word_fraction", "alphabetic_word_count", "word_count", min=0.8),
    Rule("gopher_v1/stop_word_count", "stop_word_count", min=2, languages=frozenset({"en"})),
)

# Raffel et al. 2020, section 2.2
C4_V1 = (
    Rule("c4_v1/lorem_ipsum_line_count", "c4_lorem_ipsum_line_count", max=0),
    Rule("c4_v1/curly_bracket_line_count", "c4_curly_bracket_line_count", max=0),
    Rule("c4_v1/sentence_count", "c4_sentence_count", min=5),
)

# Penedo et al. 2024, section 3.6
FINEWEB_V1 = (
    Rule(
        "fineweb_v1/terminal_line_fraction",
        "fineweb_terminal_line_count",
        "fineweb_line_count",
        min=0.12,
        overrides=dict.fromkeys(_WITHOUT_TERMINALS, (None, None)),
    ),
    Rule(
        "fineweb_v1/short_line_fraction",
        "fineweb_short_line_count",
        "fineweb_line_count",
        max=0.67,
        overrides=_chinese((None, 0.85)),
    ),
    Rule("fineweb_v1/duplicate_line_char_fraction", "fineweb_duplicate_line_char_count", "fineweb_char_count", max=0.1),
    Rule("fineweb_v1/newline_ratio", "fineweb_newline_count", "fineweb_word_count", max=0.3),
)

RULE_SETS: dict[str, tuple[Rule, ...]] = {
    "gopher_v1": GOPHER_V1,
    "c4_v1": C4_V1,
    "fineweb_v1": FINEWEB_V1,
    **WEB_SETS,
    **VARIANTS,
}
