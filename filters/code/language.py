"""The programming language of files, by linguist's names: name, extension, shebang, modeline, content (go-enry)."""

from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from typing import NamedTuple

LANGUAGE_VERSION = 2
UNKNOWN = "Unknown"
CONTENT_BYTES = 1 << 16  # linguist's classifier reads no more either
DATA_TYPE, MARKUP_TYPE, PROGRAMMING_TYPE, PROSE_TYPE, NO_TYPE = "data", "markup", "programming", "prose", "unknown"
# data that people write by hand and that builds and configures programs: it stays
_WRITTEN_DATA = frozenset(
    {
        "Dockerfile",
        "Git Attributes",
        "Git Config",
        "GraphQL",
        "HOCON",
        "HTTP",
        "Ignore List",
        "INI",
        "JSON",
        "JSON5",
        "JSON with Comments",
        "Java Properties",
        "EditorConfig",
        "Linux Kernel Module",
        "NPM Config",
        "OpenAPI",
        "Pip Requirements",
        "Protocol Buffer",
        "Protocol Buffer Text Format",
        "Public Key",
        "SQL",
        "SSH Config",
        "TOML",
        "TextMate Properties",
        "Turtle",
        "XML",
        "XML Property List",
        "YAML",
        "desktop",
        "robots.txt",
        "Go Module",
        "Gemfile.lock",
        "Web Ontology Language",
        "Gettext Catalog",
        "Kickstart",
        "Maven POM",
        "Option List",
        "Simple File Verification",
        "Browserslist",
    }
)


@cache
def detector() -> str:
    """Return what decided, with its version."""
    return f"enry-python {version('enry-python')}"


class Identified(NamedTuple):
    """Of each file: its language, UNKNOWN for none; whether linguist calls it generated; what rules leave possible.

    candidates: one where a rule decides; of several a classifier chose; none where no rule knows the name.
    """

    names: list[str]
    generated: list[bool]
    candidates: list[list[str]]


def identify(paths: Sequence[str], payloads: Sequence[bytes]) -> Identified:
    """Return what linguist's rules say of each file."""
    import enry  # type: ignore[import-untyped]

    found = Identified([], [], [])
    for path, payload in zip(paths, payloads, strict=True):
        head = payload[:CONTENT_BYTES]
        safe = path.replace("\0", "")
        base = safe.rpartition("/")[2]
        candidates = [name for name in enry.get_languages(base, head) if name]
        name = candidates[0] if len(candidates) == 1 else enry.get_language(base, head)
        found.names.append(name or UNKNOWN)
        found.candidates.append(candidates)
        found.generated.append(bool(enry.is_generated(safe, head)))
    return found


def types_of(names: Sequence[str]) -> list[str]:
    """Return linguist's type of each language: data, markup, programming, prose or unknown."""
    return [_type_of(name) for name in names]


@cache
def _type_of(name: str) -> str:
    import enry

    return str(enry.get_language_type(name)) if name != UNKNOWN else NO_TYPE


def is_data(language: str, kind: str) -> bool:
    """Return whether files of a language hold data and no code: tables, dumps, vector pictures."""
    return (kind == DATA_TYPE and language not in _WRITTEN_DATA) or language in ("SVG", "CSV", "TSV")
