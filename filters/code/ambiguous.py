"""What a file is whose name says too little: magika's model, asked only where Linguist's rules leave several or none.

Fratantonio et al. 2024 (Magika, arXiv 2409.13768), standard_v3_3: 1,024 bytes from the beginning and 1,024 from the end
without the white space around them, 214 types. An answer counts from the model's own thresholds on; of several
languages that Linguist leaves, one of them must be it. A file that Linguist gives no language is what the model says
where it is long and the model all but certain: of three words it makes Haskell or HCL.
"""

import json
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from filters.images.onnx import session
from filters.models import model_path

AMBIGUOUS_VERSION = 1
MODEL, CONFIG = "magika_standard_v3_3.onnx", "magika_standard_v3_3.json"
BLOCK, SIDE, PADDING = 4096, 1024, 256  # bytes read at each end, bytes given to the model, its sign for none
MIN_BYTES = 8  # below that the model is not asked
MIN_UNNAMED_BYTES, MIN_UNNAMED_SCORE = 128, 0.9  # of a file that no rule knows
_WHITE = b" \t\n\r\x0b\f"
# the model's name -> Linguist's, where the file is source code, prose or configuration
LANGUAGES = {
    "asm": "Assembly", "asp": "Classic ASP", "autohotkey": "AutoHotkey", "autoit": "AutoIt", "awk": "Awk",
    "batch": "Batchfile", "bazel": "Starlark", "bib": "BibTeX", "c": "C", "clojure": "Clojure", "cmake": "CMake",
    "cobol": "COBOL", "coffeescript": "CoffeeScript", "cpp": "C++", "cs": "C#", "css": "CSS", "csv": "CSV",
    "dart": "Dart", "diff": "Diff", "dm": "DM", "dockerfile": "Dockerfile", "elixir": "Elixir", "erb": "HTML+ERB",
    "erlang": "Erlang", "fortran": "Fortran", "gemfile": "Ruby", "gemspec": "Ruby", "go": "Go", "gradle": "Gradle",
    "groovy": "Groovy", "handlebars": "Handlebars", "haskell": "Haskell", "hcl": "HCL", "html": "HTML", "ini": "INI",
    "ipynb": "Jupyter Notebook", "java": "Java", "javascript": "JavaScript", "jinja": "Jinja", "json": "JSON",
    "jsonl": "JSON", "julia": "Julia", "kotlin": "Kotlin", "latex": "TeX", "lisp": "Common Lisp", "lua": "Lua",
    "m4": "M4", "makefile": "Makefile", "markdown": "Markdown", "matlab": "MATLAB", "objectivec": "Objective-C",
    "ocaml": "OCaml", "pascal": "Pascal", "perl": "Perl", "php": "PHP", "po": "Gettext Catalog",
    "postscript": "PostScript", "powershell": "PowerShell", "prolog": "Prolog", "proto": "Protocol Buffer",
    "python": "Python", "r": "R", "rst": "reStructuredText", "ruby": "Ruby", "rust": "Rust", "scala": "Scala",
    "scss": "SCSS", "shell": "Shell", "smali": "Smali", "solidity": "Solidity", "sql": "SQL", "svg": "SVG",
    "swift": "Swift", "tcl": "Tcl", "textproto": "Protocol Buffer Text Format", "toml": "TOML", "tsv": "TSV",
    "twig": "Twig", "txt": "Text", "typescript": "TypeScript", "vba": "VBA", "verilog": "Verilog", "vhdl": "VHDL",
    "vue": "Vue", "xml": "XML", "yaml": "YAML", "yara": "YARA", "zig": "Zig",
}  # fmt: skip


class Guess(NamedTuple):
    """label: the model's name of a type, null where it is not sure; score: in [0, 1]."""

    label: str | None
    score: float


@cache
def load() -> tuple[Any, tuple[str, ...], npt.NDArray[np.float64], dict[str, str]]:
    """Return the model's session, its labels, the threshold of each, and what it says in another's place."""
    config = json.loads(model_path(CONFIG).read_bytes())
    labels = tuple(config["target_labels_space"])
    least = config["medium_confidence_threshold"]
    thresholds = np.array([config["thresholds"].get(label, least) for label in labels])
    return session(model_path(MODEL).read_bytes()), labels, thresholds, config["overwrite_map"]


def features(payload: bytes) -> npt.NDArray[np.int32]:
    """Return what the model reads of a file, int32[2048]: bytes, and PADDING where there are none."""
    first, last = payload[:BLOCK].lstrip(_WHITE)[:SIDE], payload[-BLOCK:].rstrip(_WHITE)[-SIDE:]
    out = np.full(2 * SIDE, PADDING, np.int32)
    out[: len(first)] = np.frombuffer(first, np.uint8)
    out[2 * SIDE - len(last) :] = np.frombuffer(last, np.uint8)
    return out


def guess(payloads: Sequence[bytes]) -> list[Guess]:
    """Return the model's answer for each file; Guess(None, 0) for one that is too short."""
    model, labels, thresholds, instead = load()
    told = []
    for each in map(features, payloads):
        if each[MIN_BYTES - 1] == PADDING:
            told.append(Guess(None, 0.0))
            continue
        (scores,) = model.run(["target_label"], {"bytes": each[np.newaxis]})  # one by one: no batch moves a last bit
        best = int(scores[0].argmax())
        score, label = float(scores[0, best]), instead.get(labels[best], labels[best])
        told.append(Guess(label if score >= thresholds[best] else None, score))
    return told


def settle(
    names: Sequence[str], candidates: Sequence[Sequence[str]], payloads: Sequence[bytes]
) -> tuple[list[str], list[float]]:
    """Return (languages, scores): `names` where there is one candidate, score 1; else what the model makes of it.

    Scores have two digits, so that the last bits of a processor's floats are in no result.
    """
    open_ones = [row for row, each in enumerate(candidates) if len(each) != 1]
    out, scores = list(names), [1.0] * len(names)
    if not open_ones:
        return out, scores
    for row, found in zip(open_ones, guess([payloads[row] for row in open_ones]), strict=True):
        named = LANGUAGES.get(found.label or "")
        if candidates[row]:
            is_told = named in candidates[row]
        else:
            is_told = found.score >= MIN_UNNAMED_SCORE and len(payloads[row]) >= MIN_UNNAMED_BYTES
        if named is not None and is_told:
            out[row], scores[row] = named, round(found.score, 2)
    return out, scores
