"""Where a recipe names local files: they are taken relative to the folder of the recipe."""

import glob
import re
from pathlib import Path
from typing import Any

EACH = "*"
PLACES = (
    ("inputs", EACH, "uri"),
    ("opt_out", EACH, "path"),
    ("crawl", "seeds", EACH),
    ("text", "block_lists", EACH, "path"),
    ("text", "listed_words", "path"),
    ("text", "scorers", EACH, "path"),
    ("text", "quality", "model"),
    ("text", "decontaminate", "sets", EACH, "uri"),
    ("text", "dedup", "against", EACH, "uri"),
    ("images", "scorers", EACH, "model"),
    ("images", "known_bad", EACH, "path"),
    ("audio", "transcriber", "model"),
    ("audio", "word_lists", "path"),
    ("audio", "text_scorers", EACH, "path"),
    ("video", "transcriber", "model"),
    ("video", "word_lists", "path"),
    ("video", "text_scorers", EACH, "path"),
    ("code", "decontaminate", "sets", EACH, "uri"),
    ("instruct", "decontaminate", "sets", EACH, "uri"),
    ("code", "opt_out", "files", EACH),
    ("encode", "model"),
    ("tokenizer", "parity"),
)


def anchor(data: Any, folder: Path) -> None:
    """Make the local places in a recipe's data, as YAML gave it, relative to `folder`; validation comes later."""
    for place in PLACES:
        _anchor(data, place, folder)


def _anchor(data: Any, place: tuple[str, ...], folder: Path) -> None:
    for key in _keys(data, place[0]):
        if len(place) > 1:
            _anchor(data[key], place[1:], folder)
        elif isinstance(data[key], str):
            data[key] = anchored(data[key], folder)


def _keys(data: Any, step: str) -> list[Any]:
    """Return what a step of a place leads to: every index of a list, or one key of a mapping."""
    if step == EACH:
        return list(range(len(data))) if isinstance(data, list) else []
    return [step] if isinstance(data, dict) and step in data else []


def anchored(uri: str, folder: Path) -> str:
    """Return a local path relative to `folder`, and anything with a scheme as it stands."""
    if not uri or re.match(r"\s*[a-zA-Z][a-zA-Z0-9+.-]*:", uri):
        return uri
    expanded = Path(uri).expanduser()
    base = Path(glob.escape(str(folder))) if glob.has_magic(uri) else folder
    return str(expanded if expanded.is_absolute() else base / expanded)
