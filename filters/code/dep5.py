"""Machine-readable copyright files (DEP-5): people's own word on the licence of each file, as debian/copyright has it
and, of projects that follow REUSE 3.0, .reuse/dep5.

Paths in a binary package are not those of the source package that the file speaks of, so a pattern may match any ending
of a path ("http2/*" matches usr/share/gocode/src/golang.org/x/net/http2/h2.go). Of several paragraphs the last that
matches counts, as the format says; one for all files ("*") only where no other does.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import translate
from functools import lru_cache

DEP5_VERSION = 1
MAX_PATTERNS = 2000  # of one file; those behind are not read
_GNU = re.compile(r"(A?GPL|LGPL)-(\d(?:\.\d)?)(\+?)")
_NAMES = {
    "Expat": "MIT",
    "Apache": "Apache-2.0",
    "Apache-2": "Apache-2.0",
    "BSD-3-clause": "BSD-3-Clause",
    "BSD-2-clause": "BSD-2-Clause",
    "BSD-3-Clause-Google": "BSD-3-Clause",
    "Artistic": "Artistic-1.0-Perl",
    "public-domain": "LicenseRef-public-domain",
    "zlib": "Zlib",
    "Tcl/Tk": "TCL",
    "TCL-like": "TCL",
    "CC0": "CC0-1.0",
    "BSD": "BSD-3-Clause",
    "other": "LicenseRef-unknown",
}
ALL = ("*",)


@dataclass(frozen=True)
class Paragraph:
    """Patterns of files and their licence as an SPDX expression, as far as its names have one."""

    patterns: tuple[str, ...]
    license: str

    def matches(self, path: str) -> bool:
        parts = path.split("/")
        endings = ["/".join(parts[i:]) for i in range(len(parts))]
        return any(_pattern(each).fullmatch(ending) for each in self.patterns for ending in endings)


@lru_cache(maxsize=4096)
def _pattern(glob: str) -> re.Pattern[str]:
    return re.compile(translate(glob.replace("[", "[[]")))  # only * and ? are special; matching takes no back-tracking


def paragraphs(text: str) -> list[Paragraph]:
    """Return the paragraphs about files; none where the text is not in the format."""
    if not text.lstrip().startswith("Format"):
        return []
    found = []
    for block in re.split(r"\n[ \t]*\n", text):
        fields = dict(re.findall(r"^(Files|License):((?:.*\n?)(?:[ \t].*\n?)*)", block, re.MULTILINE))
        if "Files" in fields and "License" in fields:
            named = fields["License"].strip().partition("\n")[0]
            found.append(Paragraph(tuple(fields["Files"].split()), expression(named)))
    return _within_limit(found)


def _within_limit(found: list[Paragraph]) -> list[Paragraph]:
    left = MAX_PATTERNS
    for number, each in enumerate(found):
        left -= len(each.patterns)
        if left < 0:
            return found[:number]
    return found


def expression(named: str) -> str:
    """Return a DEP-5 licence name ("GPL-2+ or Expat") in SPDX's names."""
    words = re.sub(r"([(),])", r" \1 ", named).split()
    spelt = [word.upper() if word.lower() in ("or", "and", "with") else _spelt(word) for word in words]
    return " ".join(word for word in spelt if word != ",")


def _spelt(word: str) -> str:
    gnu = _GNU.fullmatch(word)
    if gnu is None:
        return _NAMES.get(word, word)
    version = gnu[2] if "." in gnu[2] else f"{gnu[2]}.0"
    return f"{gnu[1]}-{version}-{'or-later' if gnu[3] else 'only'}"


def special_license_of(path: str, known: Sequence[Paragraph]) -> str | None:
    """Return what the last paragraph says that names a path and not all files."""
    special = [each for each in known if each.patterns != ALL and each.matches(path)]
    return special[-1].license if special else None


def general_license_of(known: Sequence[Paragraph]) -> str | None:
    """Return what is said of all files that no other paragraph names."""
    general = [each for each in known if each.patterns == ALL]
    return general[-1].license if general else None


def license_of(path: str, known: Sequence[Paragraph]) -> str | None:
    """Return what the paragraphs say of a path."""
    return special_license_of(path, known) or general_license_of(known)
