"""How files become training documents: repository documents with StarCoder2's tokens, holes to fill by keyed hash.

<repo_name>owner/name<file_sep>path\ncode<file_sep>path\ncode...<|endoftext|> (Lozhkov et al. 2024, section 5.1); with
the chance `bare` no names at all: <file_sep>code<file_sep>code. Fill in the middle (Bavarian et al. 2022): of the files
that the hash of their id picks, prefix, middle and suffix are cut at two places that the hash picks, and stand as
prefix-suffix-middle or suffix-prefix-middle. A token that a file holds itself is broken by a word joiner, so that no
file can end another.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

PACKING_VERSION = 1
REPO_NAME, FILE_SEP, END = "<repo_name>", "<file_sep>", "<|endoftext|>"
FIM_PREFIX, FIM_MIDDLE, FIM_SUFFIX = "<fim_prefix>", "<fim_middle>", "<fim_suffix>"
TOKENS = (REPO_NAME, FILE_SEP, END, FIM_PREFIX, FIM_MIDDLE, FIM_SUFFIX)
_TOKEN = re.compile("|".join(map(re.escape, TOKENS)))
JOINER = "\u2060"


@dataclass(frozen=True)
class File:
    """A file as it goes into a repository document."""

    id: bytes
    path: str
    text: str
    imports: Sequence[str] = ()


@dataclass(frozen=True)
class Settings:
    """Shares in [0, 1]; `max_chars` of one repository document."""

    fim_fraction: float = 0.5
    spm_fraction: float = 0.5  # of the holes, those with the suffix first
    bare_fraction: float = 0.5  # of the repositories, those without names
    max_chars: int = 1 << 20


def chance(key: bytes, what: str) -> float:
    """Return a number in [0, 1) that depends on the key and the question only."""
    return int.from_bytes(hashlib.sha256(what.encode() + b"\0" + key).digest()[:8]) / 2**64


def disarmed(text: str) -> str:
    """Return a text in which no token of ours can be read: "<fim_prefix>" gets a word joiner behind its "<"."""
    return _TOKEN.sub(lambda found: f"<{JOINER}{found[0][1:]}", text)


def with_hole(text: str, key: bytes, settings: Settings) -> str:
    """Return a text, or its three pieces with tokens where the key says so; what is joined again is the text."""
    if len(text) < 3 or chance(key, "fim") >= settings.fim_fraction:
        return text
    first, second = sorted(int(chance(key, f"cut{i}") * (len(text) + 1)) for i in (0, 1))
    prefix, middle, suffix = text[:first], text[first:second], text[second:]
    if chance(key, "spm") < settings.spm_fraction:  # suffix first, then prefix and middle in one
        return f"{FIM_PREFIX}{FIM_SUFFIX}{suffix}{FIM_MIDDLE}{prefix}{middle}"
    return f"{FIM_PREFIX}{prefix}{FIM_SUFFIX}{suffix}{FIM_MIDDLE}{middle}"


def repository_documents(name: str, files: Sequence[File], settings: Settings) -> Iterator[tuple[str, list[bytes]]]:
    """Yield (document, ids of its files) of a repository, its files in the order given.

    A repository of more than `max_chars` becomes several documents, cut between files; a file is never cut.
    """
    bare = chance(name.encode(), "bare") < settings.bare_fraction
    head = "" if bare else f"{REPO_NAME}{disarmed(name)}"
    pieces, ids, size = [head], list[bytes](), 0
    for file in files:
        body = with_hole(disarmed(file.text), file.id, settings)
        piece = f"{FILE_SEP}{body}" if bare else _with_path(file.path, body)
        if ids and size + len(piece) > settings.max_chars:
            yield "".join([*pieces, END]), ids
            pieces, ids, size = [head], [], 0
        pieces.append(piece)
        ids.append(file.id)
        size += len(piece)
    if ids:
        yield "".join([*pieces, END]), ids


def _with_path(path: str, body: str) -> str:
    """Return <file_sep>path and body; the path stands inside the prefix where the body has a hole (StarCoder2)."""
    named = f"{disarmed(path)}\n"
    if body.startswith(FIM_PREFIX):
        return f"{FILE_SEP}{FIM_PREFIX}{named}{body.removeprefix(FIM_PREFIX)}"
    return f"{FILE_SEP}{named}{body}"
