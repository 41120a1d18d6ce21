"""Code: speed of each part on one core, verdicts beside Dolma's taggers, licences beside Debian's DEP-5 files.

    python -m benchmarks.source_code [PACKAGE...] [--detect-secrets CHECKOUT]

CPU seconds of this process, kernels compiled before. Dolma's RedPajama tagger judges the same texts where it is
installed (its own environment: it needs an older numpy); a difference is printed with what each side measured.
`--detect-secrets` is a checkout of github.com/Yelp/detect-secrets, whose sdist has no tests: its detectors of shapes
and names read its own test files beside ours, by line.
"""

import argparse
import importlib
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from filters.code import ambiguous
from filters.code.assigned import find_assigned
from filters.code.characters import count_characters
from filters.code.comments import comment_signals
from filters.code.language import identify, is_data, types_of
from filters.code.license_gold import Gold, agreement
from filters.code.licenses import of_file
from filters.code.masking import mask_code
from filters.code.rule_sets import CODE_RULE_SETS
from filters.code.shape import parses, shape_signals
from filters.code.starcoder import starcoder_signals
from filters.models import fetch_model
from filters.personal.find import find
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


SHAPES = (
    "artifactory aws azure_storage_key basic_auth cloudant discord github_token gitlab_token ibm_cloud_iam"
    " ibm_cos_hmac jwt mailchimp npm openai private_key pypi_token sendgrid slack softlayer square_oauth stripe"
    " telegram_token twilio"
)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.source_code")
    parser.add_argument("packages", nargs="*", default=list(PACKAGES))
    parser.add_argument("--detect-secrets", type=Path)
    given = parser.parse_args()
    names = given.packages
    roots = {name: fetch_package(name).root for name in names}
    files = [pair for root in roots.values() for pair in texts(root)]
    size = sum(len(body) for _, body in files)
    print(f"{len(files)} files, {size / 1e6:.1f} MB, {len(roots)} packages")
    speeds(files)
    magika(files)
    dolma(files)
    if given.detect_secrets:
        detect_secrets(given.detect_secrets)
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
    languages, generated, _ = identify(paths, bodies)
    data = [int(is_data(name, kind)) for name, kind in zip(languages, types_of(languages), strict=True)]
    characters = count_characters(column)
    batches = [
        characters,
        starcoder_signals(characters, paths, languages),
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
        languages, generated, _ = identify(paths, bodies)
        quiet = ["C" if name in ("Python", "JSON") else name for name in languages]  # parsers are measured apart
        batches = [count_characters(column), shape_signals(column, paths, quiet, generated)]
        signals = pa.RecordBatch.from_pydict({n: batch[n] for batch in batches for n in batch.schema.names})
        judge(rules, signals, pa.array(languages))

    def comments(paths: Sequence[str], bodies: Sequence[bytes]) -> None:
        comment_signals(pa.array([body.decode() for body in bodies]), identify(paths, bodies).names)

    def parsing(paths: Sequence[str], bodies: Sequence[bytes]) -> None:
        for body, language in zip(bodies, identify(paths, bodies).names, strict=True):
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


def magika(files: Sequence[tuple[str, bytes]]) -> None:
    """Print how many files linguist's rules leave open, and how fast the model reads them."""
    for name in (ambiguous.MODEL, ambiguous.CONFIG):
        fetch_model(name)
    ambiguous.load()
    found = identify([path for path, _ in files], [body for _, body in files])
    left = [body for each, (_, body) in zip(found.candidates, files, strict=True) if len(each) != 1]
    start = time.process_time()
    ambiguous.guess(left)
    spent = time.process_time() - start
    print(f"  magika: {len(left)} of {len(files)} files are ambiguous; {len(left) / max(spent, 1e-9):.0f} files/s")


def detect_secrets(checkout: Path) -> None:
    """Print which lines of detect-secrets' own test files each side takes for secrets."""
    modules = [importlib.import_module(f"detect_secrets.plugins.{name}") for name in SHAPES.split()]
    detectors = [
        each()
        for module in modules
        for each in vars(module).values()
        if isinstance(each, type) and each.__module__ == module.__name__ and hasattr(each, "secret_type")
    ]
    folders = [checkout / name for name in ("tests", "test_data", "testing")]
    files = [(str(p.relative_to(checkout)), p) for f in folders for p in sorted(f.rglob("*")) if p.is_file()]
    readable = {name: body for name, path in files if (body := _utf8(path)) is not None}
    theirs, their_s = _timed(lambda: {k: _their_lines(body, detectors) for k, body in readable.items()})
    mask_code(pa.array(["warm AKIAQYLPMN5HHHFPZAM2"]), ("secret",), [[]])
    column = pa.array(list(readable.values()))
    _, own_s = _timed(lambda: mask_code(column, ("secret",), [[] for _ in readable]))
    ours = {name: _our_lines(body) for name, body in readable.items()}
    every = [(name, line) for name in readable for line in sorted(theirs[name] | ours[name])]
    both = [each for each in every if each[1] in theirs[each[0]] & ours[each[0]]]
    size = sum(len(body.encode()) for body in readable.values()) / 1e6
    print(
        f"  secrets in detect-secrets' {len(readable)} test files: {sum(map(len, theirs.values()))} lines of theirs, "
        f"{sum(map(len, ours.values()))} of ours, {len(both)} the same; "
        f"{size / their_s:.1f} and {size / own_s:.1f} MB/s"
    )
    for name, line in every:
        if (name, line) not in both:
            whose = "theirs" if line in theirs[name] else "ours"
            print(f"    only {whose}: {name}:{line} {readable[name].splitlines()[line - 1].strip()[:100]}")


def _utf8(path: Path) -> str | None:
    try:
        return path.read_bytes().decode()
    except UnicodeDecodeError:
        return None


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    start = time.process_time()
    return work(), time.process_time() - start


def _their_lines(body: str, detectors: Sequence[Any]) -> set[int]:
    lines = enumerate(body.splitlines(), 1)
    return {number for number, line in lines if any(any(each.analyze_string(line)) for each in detectors)}


def _our_lines(body: str) -> set[int]:
    """Return the lines in which a secret stands that is masked."""
    found = find(pa.array([body]), ["secret"]).to_pylist()
    data = body.encode()
    spans = [(data[: row["start"]].count(b"\n"), data[: row["end"]].count(b"\n")) for row in found]
    spans += [(body[:start].count("\n"), body[:end].count("\n")) for start, end in find_assigned(body)]
    return {line + 1 for first, last in spans for line in range(first, last + 1)}


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
    main()
