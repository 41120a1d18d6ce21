"""The share of comments: a quick count for every file, a real lexer where a bound lies near it.

StarCoder counts docstrings and comments of Python, and comments of Java and JavaScript (bigcode-dataset,
preprocessing/utils/text_extraction.py). A lexer reads 1 MB/s, so it is asked only where the quick count does not
decide: DECIDED is the range in which no error of the quick count (a marker inside a string, say) crosses a bound;
a file without any marker has no comment, which needs no lexer either.
"""

import re
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

COMMENTS_VERSION = 1
LEXED = ("Python", "Java", "JavaScript")
DECIDED = (0.02, 0.6)
MAX_LEXED_CHARS = 1 << 20  # of one file: a larger one keeps its quick count

_C_LIKE = re.compile(
    r"/\*.*?(?:\*/|\Z)|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`", re.DOTALL
)
_PYTHON = re.compile(
    r"(?P<doc>^[ \t]*[rRuU]?(?:\"\"\".*?(?:\"\"\"|\Z)|'''.*?(?:'''|\Z)))|(?P<line>#[^\n]*)"
    r"|\"\"\".*?(?:\"\"\"|\Z)|'''.*?(?:'''|\Z)|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'",
    re.DOTALL | re.MULTILINE,
)


def comment_signals(text: pa.StringArray, languages: Sequence[str]) -> pa.RecordBatch:
    """Return comment_char_count int64 (-1 where the language is none of LEXED) and comment_is_lexed int8, by text."""
    counts = np.full(len(text), -1, np.int64)
    lexed = np.zeros(len(text), np.int8)
    for row in _rows_of(languages):
        body = text[row].as_py() or ""
        counts[row] = quick_count(body, languages[row])
        share = counts[row] / max(1, len(body))
        if counts[row] and not DECIDED[0] <= share <= DECIDED[1] and len(body) <= MAX_LEXED_CHARS:
            counts[row], lexed[row] = lexed_count(body, languages[row]), 1
    return _batch(counts, lexed)


def _batch(counts: npt.NDArray[np.int64], lexed: npt.NDArray[np.int8]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"comment_char_count": pa.array(counts), "comment_is_lexed": pa.array(lexed)})


def _rows_of(languages: Sequence[str]) -> Iterator[int]:
    return (row for row, name in enumerate(languages) if name in LEXED)


def quick_count(text: str, language: str) -> int:
    """Return the characters of comments (and of what may be docstrings of Python) by one scan."""
    if language == "Python":
        return sum(len(doc.strip()) + len(line) for doc, line in _PYTHON.findall(text))
    return sum(len(found) for found in _C_LIKE.findall(text) if found.startswith(("/*", "//")))


def lexed_count(text: str, language: str) -> int:
    """Return the characters of comments, and of docstrings of Python, as pygments reads them."""
    from pygments.lexers import get_lexer_by_name  # type: ignore[import-untyped]
    from pygments.token import Comment, String  # type: ignore[import-untyped]

    lexer = get_lexer_by_name(language.lower(), stripnl=False, ensurenl=False)
    wanted = (Comment.Multiline, Comment.Single, Comment.Hashbang, String.Doc)
    return sum(len(value) for kind, value in lexer.get_tokens(text) if any(kind in each for each in wanted))
