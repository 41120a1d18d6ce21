"""The programming language of files, by linguist's names: name, extension, shebang, modeline, content (go-enry)."""

from collections.abc import Sequence
from functools import cache
from importlib.metadata import version

LANGUAGE_VERSION = 1
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


def identify(paths: Sequence[str], payloads: Sequence[bytes]) -> tuple[list[str], list[str], list[bool]]:
    """Return (language, linguist's type, whether linguist calls it generated) of each file; "Unknown" for none."""
    import enry  # type: ignore[import-untyped]

    names, types, generated = [], [], []
    for path, payload in zip(paths, payloads, strict=True):
        head = payload[:CONTENT_BYTES]
        safe = path.replace("\0", "")
        name = enry.get_language(safe.rpartition("/")[2], head) or UNKNOWN
        names.append(name)
        types.append(enry.get_language_type(name) if name != UNKNOWN else NO_TYPE)
        generated.append(bool(enry.is_generated(safe, head)))
    return names, types, generated


def is_data(language: str, kind: str) -> bool:
    """Return whether files of a language hold data and no code: tables, dumps, vector pictures."""
    return (kind == DATA_TYPE and language not in _WRITTEN_DATA) or language in ("SVG", "CSV", "TSV")
