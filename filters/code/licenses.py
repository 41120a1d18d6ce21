"""Which licence a file or a folder is under, as an SPDX expression, and what said so.

A file's own word comes first: `SPDX-License-Identifier` (REUSE), then the notice of a known licence in its head. Then
what a machine-readable copyright file (DEP-5) says of that file by name. Else the nearest licence text above it counts,
but never across the border of a vendored project: what was copied in has its own licence or none. Texts are compared
with SPDX's own by token similarity (askalono: Sorensen-Dice over 2-grams).
The detector and its version stand beside every verdict, so that it can be run again when it improves.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, lru_cache
from importlib.metadata import version
from typing import NamedTuple

from filters.code.dep5 import DEP5_VERSION, Paragraph, general_license_of, special_license_of
from filters.code.names import vendor_root
from filters.code.notices import NOTICES_VERSION, notice

LICENSES_VERSION = 3
HEAD_CHARS = 6000  # of a file in which its own notice stands
MIN_SIMILARITY = 0.80  # as askalono's own command takes it
MAX_TEXT_CHARS = 200_000
_TAG = re.compile(r"SPDX-License-Identifier:[ \t]*([^\n\r*<>\"'#;]+)", re.IGNORECASE)
_ONE = r"(?:\(\s*)*[A-Za-z0-9.+-]+(?:\s*\))*"
_EXPRESSION = re.compile(rf"{_ONE}(?:\s+(?:AND|OR|WITH)\s+{_ONE})*", re.IGNORECASE)
_KNOWN = (  # rows often have them in small letters
    "0BSD", "AFL-3.0", "AGPL-3.0", "AGPL-3.0-only", "AGPL-3.0-or-later", "Apache-2.0", "Artistic-2.0", "BSD-2-Clause",
    "BSD-3-Clause", "BSD-3-Clause-Clear", "BSD-4-Clause", "BSL-1.0", "CC-BY-4.0", "CC-BY-SA-4.0", "CC0-1.0",
    "CECILL-2.1", "ECL-2.0", "EPL-1.0", "EPL-2.0", "EUPL-1.1", "EUPL-1.2", "GPL-2.0", "GPL-2.0-only",
    "GPL-2.0-or-later", "GPL-3.0", "GPL-3.0-only", "GPL-3.0-or-later", "ISC", "LGPL-2.1", "LGPL-2.1-only",
    "LGPL-2.1-or-later", "LGPL-3.0", "LGPL-3.0-only", "LGPL-3.0-or-later", "LPPL-1.3c", "MIT", "MIT-0", "MPL-1.1",
    "MPL-2.0", "MS-PL", "MS-RL", "MulanPSL-2.0", "NCSA", "ODbL-1.0", "OFL-1.1", "OSL-3.0", "PostgreSQL", "PSF-2.0",
    "Python-2.0", "Ruby", "Unlicense", "UPL-1.0", "Vim", "W3C", "WTFPL", "X11", "Zlib", "ZPL-2.1",
)  # fmt: skip
_CASED = {name.lower(): name for name in _KNOWN}
_OLD = frozenset({"GPL-1.0", "GPL-2.0", "GPL-3.0", "LGPL-2.0", "LGPL-2.1", "LGPL-3.0", "AGPL-3.0"})


class Verdict(NamedTuple):
    """expression: SPDX, or null; how: tag | notice | text | folder | dep5 | input; score: similarity of a text."""

    expression: str | None
    how: str
    score: float
    source: str  # path of the file that said so, "" for the file itself

    def as_json(self) -> str:
        """Return what is stored beside a document."""
        body = {**self._asdict(), "detector": detector()}
        return json.dumps(body, sort_keys=True, ensure_ascii=False)


NONE = Verdict(None, "none", 0.0, "")


@cache
def detector() -> str:
    """Return what decides, with its versions."""
    return f"corpusmill {LICENSES_VERSION}.{NOTICES_VERSION}.{DEP5_VERSION} + pyaskalono {version('pyaskalono')}"


def of_file(text: str) -> Verdict:
    """Return what a file's own head says, NONE where it says nothing."""
    head = text[:HEAD_CHARS]
    if (tagged := tag(head)) is not None:
        return Verdict(tagged, "tag", 1.0, "")
    found = notice(head)
    return Verdict(found, "notice", 1.0, "") if found else NONE


def tag(text: str) -> str | None:
    """Return the SPDX expression that a text is tagged with, its old identifiers spelt anew."""
    for found in _TAG.finditer(text):
        match = _EXPRESSION.match(found[1].strip())
        if match and match[0].strip():
            return normal(match[0].strip())
    return None


def normal(expression: str) -> str:
    """Return an expression with `GPL-2.0` and `GPL-2.0+` as `GPL-2.0-only` and `-or-later`, operators in capitals."""
    words = re.sub(r"([()])", r" \1 ", expression.replace("/", " OR ")).split()
    spelt = [word.upper() if word.upper() in ("AND", "OR", "WITH") else _spelt(word) for word in words]
    return " ".join(spelt).replace("( ", "(").replace(" )", ")")


def _spelt(word: str) -> str:
    word = _CASED.get(word.lower(), word)
    if word.endswith("+") and word[:-1] in _OLD:
        return f"{word[:-1]}-or-later"
    return f"{word}-only" if word in _OLD else word


@lru_cache(maxsize=4096)
def of_text(text: str, path: str) -> Verdict:
    """Return which licence a licence's file holds; `unknown` where it is none that SPDX knows."""
    import askalono  # type: ignore[import-untyped]

    if not text.strip():
        return NONE
    if (tagged := tag(text[:HEAD_CHARS])) is not None and len(text) < HEAD_CHARS:
        return Verdict(tagged, "tag", 1.0, path)
    found = askalono.identify(text[:MAX_TEXT_CHARS])
    if found is not None and found.score >= MIN_SIMILARITY:
        return Verdict(_named(found.name, text), "text", round(float(found.score), 6), path)
    said = notice(text)
    return Verdict(said, "notice", 1.0, path) if said else Verdict("LicenseRef-unknown", "text", 0.0, path)


def _named(name: str, text: str) -> str:
    """askalono tells texts; who may use a later version stands in notices, and one is often printed above the text."""
    if name.endswith("-only") and (said := notice(text[: text.find("TERMS AND CONDITIONS") + 1][:4000])) is not None:
        return said if said.split("-")[0] == name.split("-", maxsplit=1)[0] else name
    return {"GFDL-1.3-invariants-only": "GFDL-1.3-only", "GFDL-1.2-invariants-only": "GFDL-1.2-only"}.get(name, name)


class Folders:
    """The licences of the folders of a repository."""

    def __init__(self, texts: Mapping[str, Verdict], stated: Mapping[str, Sequence[Paragraph]] | None = None) -> None:
        """texts: path of each licence file -> its verdict; stated: path of each DEP-5 file -> its paragraphs."""
        self.stated = sorted((stated or {}).items())
        by_folder: dict[str, list[Verdict]] = {}
        for path, verdict in sorted(texts.items()):
            folder = path.rpartition("/")[0]
            if folder.rpartition("/")[2] in ("LICENSES", "LICENSE"):
                folder = folder.rpartition("/")[0]
            if verdict.expression:
                by_folder.setdefault(folder, []).append(verdict)
        self.by_folder = {folder: combined(verdicts) for folder, verdicts in by_folder.items()}

    def of(self, path: str) -> Verdict:
        """Return what a DEP-5 file says of a file, else the verdict of the nearest folder above it.

        Neither a folder's text nor a word about all files reaches into a vendored project.
        """
        for source, known in self.stated:
            if (named := special_license_of(path, known)) is not None:
                return Verdict(named, "dep5", 1.0, source)
        nearest = self._nearest(path)
        if nearest.expression is None and vendor_root(path) is None:
            for source, known in self.stated:
                if (general := general_license_of(known)) is not None:
                    return Verdict(general, "dep5", 1.0, source)
        return nearest

    def _nearest(self, path: str) -> Verdict:
        border, folder = vendor_root(path), path.rpartition("/")[0]
        while True:
            if folder in self.by_folder:
                return self.by_folder[folder]._replace(how="folder")
            if folder in (border, ""):
                return NONE
            folder = folder.rpartition("/")[0]

    @property
    def of_repository(self) -> Verdict:
        """Return the verdict of the repository's top folder."""
        return self.by_folder.get("", NONE)


def combined(verdicts: Iterable[Verdict]) -> Verdict:
    """Return one verdict of several licence files of a folder.

    Two known licences side by side (LICENSE-MIT and LICENSE-APACHE) are a choice in practice only where the names say
    so; nothing in the files does, so both count: AND. The GPL beside the LGPL is how the LGPL is handed on.
    """
    known = [each for each in verdicts if each.expression != "LicenseRef-unknown"]
    if not known:
        return next(iter(verdicts))
    names = list(dict.fromkeys(str(each.expression) for each in known))
    lesser = [name for name in names if name.startswith("LGPL")]
    if lesser:
        names = [name for name in names if not name.startswith("GPL")]
    dual = {"MIT", "Apache-2.0"} == set(names) and all("-" in each.source or "." in each.source for each in known)
    expression = (" OR " if dual else " AND ").join(
        f"({n})" if " OR " in n and len(names) > 1 else n for n in sorted(names)
    )
    return Verdict(expression, "folder", min(each.score for each in known), known[0].source)
