"""The rule sets of code by name, versioned, with the exceptions that each paper makes for languages (linguist's names).

starcoder_v1   Li et al. 2023 (StarCoder), section 3.1, and bigcode-dataset's preprocessing: bounds by extension
starcoder2_v1  Lozhkov et al. 2024 (StarCoder2 and The Stack v2), section 3.1
redpajama_code_v1  RedPajama v1's GitHub part (Together 2023): lines, alphanumeric share, letters a token. The share of
               tokens is of word runs and sign runs, not of GPT-NeoX's tokens, as in Dolma's tagger of the same name.
"""

from filters.code.issues import ISSUE
from filters.rules import Bounds, Rule

CODE_RULES_VERSION = 2

# StarCoder2: line limits don't hold for these, but 100,000 characters a line do
_LONG_LINES = (
    "HTML",
    "JSON",
    "Markdown",
    "Roff",
    "Roff Manpage",
    "SMT",
    "TeX",
    "Text",
    "XML",
    ISSUE,
)
_NO_LIMIT: Bounds = (None, None)
_DATA = ("JSON", "YAML")
_DATA2 = ("Text", "JSON", "YAML", "Web Ontology Language", "Graphviz (DOT)")

STARCODER_V1 = (  # of lines and shares the bounds are those of the table: a recipe's threshold scales the first
    Rule(
        "starcoder_v1/is_starcoder_pair",
        "is_starcoder_pair",
        min=1,
        overrides=dict.fromkeys((ISSUE, "Jupyter Notebook"), _NO_LIMIT),  # prepared apart
    ),
    Rule("starcoder_v1/has_xml_head", "has_xml_head", max=0, overrides={"XSLT": _NO_LIMIT}),
    Rule("starcoder_v1/max_line_chars", "max_line_chars", "starcoder_line_limit", max=1),
    Rule("starcoder_v1/mean_line_chars", "starcoder_line_char_count", "line_count", max=100),
    Rule("starcoder_v1/alnum_fraction", "starcoder_alnum_count", "char_count", min=0.25),
    Rule("starcoder_v1/alphabetic_fraction", "starcoder_letter_count", "char_count", min=0.25),
    Rule("starcoder_v1/data_letter_fraction", "letter_count", "char_count", min=0.5, languages=frozenset(_DATA)),
    Rule("starcoder_v1/visible_fraction", "visible_char_count", "char_count", min=0.2, languages=frozenset({"HTML"})),
    Rule("starcoder_v1/visible_char_count", "visible_char_count", min=100, languages=frozenset({"HTML"})),
    Rule("starcoder_v1/data_char_count", "char_count", min=100, max=5000, languages=frozenset(_DATA)),
    Rule(
        "starcoder_v1/comment_fraction",
        "comment_char_count",
        "char_count",
        min=0.01,
        max=0.8,
        languages=frozenset({"Python", "Java", "JavaScript"}),
    ),
)

STARCODER2_V1 = (
    Rule("starcoder2_v1/line_count", "line_count", max=100_000),
    Rule(
        "starcoder2_v1/mean_line_chars",
        "line_char_count",
        "line_count",
        max=100,
        overrides=dict.fromkeys(_LONG_LINES, _NO_LIMIT),
    ),
    Rule(
        "starcoder2_v1/max_line_chars",
        "max_line_chars",
        max=1000,
        overrides=dict.fromkeys(_LONG_LINES, (None, 100_000)),
    ),
    Rule("starcoder2_v1/is_generated", "is_generated", max=0),
    Rule(
        "starcoder2_v1/alphabetic_fraction",
        "letter_count",
        "char_count",
        min=0.25,
        overrides=dict.fromkeys(("Motorola 68K Assembly", "WebAssembly"), _NO_LIMIT),
    ),
    Rule("starcoder2_v1/max_encoded_run", "max_encoded_run", max=1024),
    Rule("starcoder2_v1/encoded_fraction", "encoded_char_count", "char_count", max=0.5),
    Rule("starcoder2_v1/data_line_count", "line_count", max=512, languages=frozenset(_DATA2)),
    Rule("starcoder2_v1/is_named_text", "is_named_text", min=1),
    Rule("starcoder2_v1/visible_fraction", "visible_char_count", "char_count", min=0.2, languages=frozenset({"HTML"})),
    Rule("starcoder2_v1/visible_char_count", "visible_char_count", min=100, languages=frozenset({"HTML"})),
)

REDPAJAMA_CODE_V1 = (
    Rule("redpajama_code_v1/max_line_chars", "max_line_chars", max=1000),
    Rule("redpajama_code_v1/mean_line_chars", "line_char_count", "line_count", max=100),
    Rule("redpajama_code_v1/alnum_fraction", "alnum_count", "char_count", min=0.25),
    Rule("redpajama_code_v1/letters_per_token", "letter_count", "code_token_count", min=1.5),
)

# what no corpus of source code wants, beside the papers' rules
SOURCE_V1 = (
    Rule("source_v1/is_minified", "is_minified", max=0),
    Rule("source_v1/is_data", "is_data", max=0),
    Rule("source_v1/is_unknown_language", "is_unknown_language", max=0),
)

_ISSUES = frozenset({ISSUE})
# StarCoder, section 3.3: short issues go, and long ones that one user wrote (templates, logs)
ISSUES_V1 = (
    Rule("issues_v1/issue_char_count", "issue_char_count", min=200, languages=_ISSUES),
    Rule("issues_v1/issue_lone_char_count", "issue_lone_char_count", max=7000, languages=_ISSUES),
    Rule("issues_v1/issue_lone_event_count", "issue_lone_event_count", max=10, languages=_ISSUES),
)

CODE_RULE_SETS: dict[str, tuple[Rule, ...]] = {
    "starcoder2_v1": STARCODER2_V1,
    "starcoder_v1": STARCODER_V1,
    "redpajama_code_v1": REDPAJAMA_CODE_V1,
    "source_v1": SOURCE_V1,
    "issues_v1": ISSUES_V1,
}


def license_rules(kept: frozenset[str], classes: tuple[str, ...]) -> tuple[Rule, ...]:
    """Return a rule for each class of licence that is not kept."""
    return tuple(Rule(f"license_v1/{name}", f"license_{name}", max=0) for name in classes if name not in kept)
