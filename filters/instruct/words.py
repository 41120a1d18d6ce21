"""Lists of words and patterns by language: data, kept beside the phrases (phrases/words/<list>.tsv)."""

import re
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "phrases" / "words"
EVERY = "*"  # of no language


@cache
def words(name: str) -> dict[str, str]:
    """Return a list: what stands for each language (or kind of question)."""
    rows = (line for line in (FOLDER / f"{name}.tsv").read_text("utf-8").splitlines() if line[:1] not in ("", "#"))
    return dict(row.split("\t", 1) for row in rows)


@cache
def patterns(name: str, before: str = "", behind: str = "") -> dict[str, re.Pattern[str]]:
    """Return the regular expressions of a list, with something before and behind each."""
    return {language: re.compile(before + pattern + behind) for language, pattern in words(name).items()}


@cache
def plain(name: str, language: str) -> frozenset[str]:
    """Return the words of a list for a language and for every language."""
    lists = words(name)
    return frozenset(f"{lists.get(EVERY, '')} {lists.get(language, '')}".split())
