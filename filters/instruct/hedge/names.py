"""Names of people that nobody has, for questions about private matters: put together from lists, never harvested."""

from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parent.parent / "phrases"


@cache
def _parts(language: str) -> tuple[tuple[str, ...], tuple[str, ...], str]:
    for line in (_FOLDER / "names" / "invented.tsv").read_text("utf-8").splitlines():
        fields = line.split("\t")
        if fields[0] == language:
            return tuple(fields[1].split("|")), tuple(fields[2].split("|")), fields[3] if len(fields) > 3 else ""
    return (), (), ""


def invented(language: str, lot: int) -> str:
    """Return an invented name, "" where there is no list for the language; the lot says which."""
    first, last, order = _parts(language)
    if not first:
        return ""
    given, family = first[lot % len(first)], last[lot // len(first) % len(last)]
    return f"{family}{given}" if order == "family" else f"{given} {family}"
