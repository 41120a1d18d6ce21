"""The detector held against people's own reading: heads of a Debian package's files beside its DEP-5 copyright file."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from filters.code.dep5 import license_of, paragraphs
from filters.code.license_classes import class_of_expression
from filters.code.licenses import of_file


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
