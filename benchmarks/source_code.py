"""Code: speed of each part on one core, verdicts beside Dolma's taggers, licences beside Debian's DEP-5 files.

    python -m benchmarks.source_code [PACKAGE...]

CPU seconds of this process, kernels compiled before. Dolma's formulas are taken from its taggers where it is installed
(`code_redpajama_taggers_v1`); a difference is printed with what each side measured.
"""

import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from filters.code.characters import count_characters
from filters.code.comments import comment_signals
from filters.code.dep5 import Gold, agreement
from filters.code.language import identify, is_data
from filters.code.licenses import of_file
from filters.code.masking import mask_code
from filters.code.rule_sets import CODE_RULE_SETS
from filters.code.shape import parses, shape_signals
from filters.rules import judge
from pipelines.demo_input import fetch_package

PACKAGES = (
    "golang-golang-x-net-dev",
    "librust-tokio-dev",
    "ruby-activerecord",
    "erlang-src",
    "node-lodash",
    "php-twig",
    "lua-penlight",
    "elpa-magit",
    "tcllib",
    "perl-modules-5.36",
    "qtbase5-examples",
    "python3-sympy",
)
BATCH = 256


def main(names: Sequence[str]) -> None:
    """Print the figures."""
    roots = {name: fetch_package(name).root for name in names or PACKAGES}
    files = [pair for root in roots.values() for pair in texts(root)]
    size = sum(len(body) for _, body in files)
    print(f"{len(files)} files, {size / 1e6:.1f} MB, {len(roots)} packages")
    speeds(files)
    dolma(files)
    whole = Gold(0, 0, 0, 0)
    for name, root in roots.items():
        found = agreement(root, root / f"usr/share/doc/{name}/copyright")
        print(f"  DEP-5 {name:<26}{found}")
        whole += found
    print(f"  DEP-5 all: {whole}; of those with a notice {whole.same_class / max(1, whole.said):.1%} of the same class")


def texts(root: Path) -> list[tuple[str, bytes]]:
    """Return (path, bytes) of the UTF-8 text files of a package."""
    found = []
    for path in sorted(root.rglob("*")):
        if path.is_symlink() or not path.is_file() or "usr/share/doc" in str(path) or path.stat().st_size > 1 << 20:
            continue
        body = path.read_bytes()
        try:
            body.decode()
        except UnicodeDecodeError:
            continue
        if body and b"\0" not in body:
            found.append((path.relative_to(root).as_posix(), body))
    return found


def measured(paths: Sequence[str], bodies: Sequence[bytes], *, lexer: bool) -> tuple[pa.RecordBatch, list[str]]:
    """Return the signals that rules read, and languages."""
    column = pa.array([body.decode() for body in bodies], pa.string())
    languages, kinds, generated = identify(paths, bodies)
    data = [int(is_data(name, kind)) for name, kind in zip(languages, kinds, strict=True)]
    batches = [
        count_characters(column),
        comment_signals(column, languages if lexer else ["C"] * len(paths)),
        shape_signals(column, paths, languages, generated),
        pa.RecordBatch.from_pydict({"is_data": pa.array(data, pa.int64())}),
    ]
    return pa.RecordBatch.from_pydict({n: batch[n] for batch in batches for n in batch.schema.names}), languages


def speeds(files: Sequence[tuple[str, bytes]]) -> None:
    """Print MB of source a CPU second of each part."""
    rules = CODE_RULE_SETS["starcoder2_v1"]

    def rules_and_language(paths: Sequence[str], bodies: Sequence[bytes]) -> None:
        column = pa.array([body.decode() for body in bodies], pa.string())
        languages, _, generated = identify(paths, bodies)
        quiet = ["C" if name in ("Python", "JSON") else name for name in languages]  # parsers are measured apart
        batches = [count_characters(column), shape_signals(column, paths, quiet, generated)]
        signals = pa.RecordBatch.from_pydict({n: batch[n] for batch in batches for n in batch.schema.names})
        judge(rules, signals, pa.array(languages))

    def comments(paths: Sequence[str], bodies: Sequence[bytes]) -> None:
        comment_signals(pa.array([body.decode() for body in bodies]), identify(paths, bodies)[0])

    def parsing(paths: Sequence[str], bodies: Sequence[bytes]) -> None:
        for body, language in zip(bodies, identify(paths, bodies)[0], strict=True):
            parses(body.decode(), language)

    def masking(paths: Sequence[str], bodies: Sequence[bytes]) -> None:
        mask_code(pa.array([body.decode() for body in bodies]), ("secret", "email", "ip", "name"), [[] for _ in paths])

    def licences(paths: Sequence[str], bodies: Sequence[bytes]) -> None:
        for body in bodies:
            of_file(body.decode())

    parts: dict[str, Callable[[Sequence[str], Sequence[bytes]], Any]] = {
        "rules + language": rules_and_language,
        "comments (lexer where it decides)": comments,
        "parse-ability (Python, JSON)": parsing,
        "secrets, e-mail, IP, names": masking,
        "licence notices": licences,
    }
    for name, part in parts.items():
        part([files[0][0]], [files[0][1]])
        size, start = 0, time.process_time()
        for at in range(0, len(files), BATCH):
            some = files[at : at + BATCH]
            part([path for path, _ in some], [body for _, body in some])
            size += sum(len(body) for _, body in some)
        print(f"  {name:<36}{size / 1e6 / (time.process_time() - start):8.1f} MB/s")


def dolma(files: Sequence[tuple[str, bytes]]) -> None:
    """Print how RedPajama's verdicts differ from those of Dolma's tagger on the same texts."""
    try:
        from dolma.core.data_types import Document
        from dolma.taggers.code.code_taggers import CodeRedPajamaTaggers
    except ImportError as error:
        print(f"  dolma is not installed ({error}): no comparison")
        return
    count_characters(pa.array(["warm"]))
    tagger, counts, own_s, their_s = CodeRedPajamaTaggers(), Counter[str](), 0.0, 0.0
    for at in range(0, len(files), BATCH):
        some = files[at : at + BATCH]
        start = time.process_time()
        column = pa.array([body.decode() for _, body in some], pa.string())
        own = judge(CODE_RULE_SETS["redpajama_code_v1"], count_characters(column), pa.array(["C"] * len(some)))
        own_s += time.process_time() - start
        start = time.process_time()
        for row, (path, body) in enumerate(some):
            found = tagger.predict(Document(source="x", version=None, id=path, text=body.decode()))
            score = {span.type: span.score for span in found.spans}
            fails = (
                score["max_line_length_doc"] > 1000,
                score["avg_line_length_doc"] > 100,
                score["alnum_prop_doc"] < 0.25,
                score["alpha_token_prop_doc"] < 1.5,
            )
            mine = tuple(bool(int(own.failed[row]) >> i & 1) for i in range(4))
            counts["same" if mine == fails else f"other: ours {mine}, dolma {fails}"] += 1
        their_s += time.process_time() - start
    print(f"  RedPajama verdicts beside dolma: {dict(counts)}; {their_s / own_s:.0f} times its speed")


if __name__ == "__main__":
    main(sys.argv[1:])
