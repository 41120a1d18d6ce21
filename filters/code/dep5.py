"""Debian's machine-readable copyright files (DEP-5): people's own reading, to hold the detector against.

Paths in a binary package are not those of the source package that the file speaks of, so a pattern may match any ending
of a path ("http2/*" matches usr/share/gocode/src/golang.org/x/net/http2/h2.go). Of several paragraphs the last that
matches counts, as the format says; one for all files ("*") only where no other does.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from filters.code.license_classes import class_of_expression
from filters.code.licenses import of_file

_NAMES = {
    "Expat": "MIT",
    "Apache-2": "Apache-2.0",
    "BSD-3-clause": "BSD-3-Clause",
    "BSD-2-clause": "BSD-2-Clause",
    "BSD-3-Clause-Google": "BSD-3-Clause",
    "GPL-1": "GPL-1.0-only",
    "GPL-2": "GPL-2.0-only",
    "GPL-3": "GPL-3.0-only",
    "GPL-1+": "GPL-1.0-or-later",
    "GPL-2+": "GPL-2.0-or-later",
    "GPL-3+": "GPL-3.0-or-later",
    "LGPL-2": "LGPL-2.0-only",
    "LGPL-2+": "LGPL-2.0-or-later",
    "LGPL-2.1": "LGPL-2.1-only",
    "LGPL-2.1+": "LGPL-2.1-or-later",
    "LGPL-3": "LGPL-3.0-only",
    "LGPL-3+": "LGPL-3.0-or-later",
    "Artistic": "Artistic-1.0-Perl",
    "public-domain": "LicenseRef-public-domain",
    "zlib": "Zlib",
    "Tcl/Tk": "TCL",
    "TCL-like": "TCL",
    "CC0": "CC0-1.0",
    "BSD": "BSD-3-Clause",
}


@dataclass(frozen=True)
class Paragraph:
    """Patterns of files and their licence as an SPDX expression, as far as its names have one."""

    patterns: tuple[str, ...]
    license: str

    def matches(self, path: str) -> bool:
        parts = path.split("/")
        endings = ["/".join(parts[i:]) for i in range(len(parts))]
        return any(_pattern(each).fullmatch(ending) for each in self.patterns for ending in endings)


def _pattern(glob: str) -> re.Pattern[str]:
    return re.compile(re.escape(glob).replace(r"\*", ".*").replace(r"\?", "."))


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
    return found


def expression(named: str) -> str:
    """Return a DEP-5 licence name ("GPL-2+ or Expat") in SPDX's names."""
    words = re.sub(r"([(),])", r" \1 ", named).split()
    spelt = [word.upper() if word.lower() in ("or", "and", "with") else _NAMES.get(word, word) for word in words]
    return " ".join(word for word in spelt if word != ",")


def license_of(path: str, known: list[Paragraph]) -> str | None:
    """Return what the paragraphs say of a path."""
    special = [each for each in known if each.patterns != ("*",) and each.matches(path)]
    general = [each for each in known if each.patterns == ("*",)]
    return (special or general)[-1].license if special or general else None


@dataclass(frozen=True)
class Gold:
    """files: with a gold licence; said: with a notice of their own; equal: the same expression; same_class."""

    files: int
    said: int
    equal: int
    same_class: int

    def __add__(self, other: "Gold") -> "Gold":
        return Gold(
            self.files + other.files,
            self.said + other.said,
            self.equal + other.equal,
            self.same_class + other.same_class,
        )


def compared(root: Path, copyright_file: Path) -> Iterator[tuple[str, str, str | None]]:
    """Yield (path, gold, what the file's head says) of the text files of an unpacked package."""
    known = paragraphs(copyright_file.read_text(errors="replace"))
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_symlink() or not path.is_file() or name.startswith(("usr/share/doc/", "usr/share/man/")):
            continue
        body = path.read_bytes()[:8192]
        gold = license_of(name, known)
        if gold is not None and b"\0" not in body:
            yield name, gold, of_file(body.decode(errors="replace")).expression


def agreement(root: Path, copyright_file: Path) -> Gold:
    """Return how well the heads of a package's files agree with its copyright file."""
    files = said = equal = same = 0
    for _, gold, own in compared(root, copyright_file):
        files += 1
        if own is not None:
            said += 1
            equal += own == gold
            same += own == gold or class_of_expression(own, {}) == class_of_expression(gold, {})
    return Gold(files, said, equal, same)
