"""`corpusmill verify`: every published byte against the manifest."""

import argparse

from pipelines.verbs.common import Subparsers, add_output, add_verb

_MEDIA = ("crawl", "text", "images", "audio", "video", "code", "interleave")
JOBS = (*_MEDIA, "instruct", "counts", "tokenizer", "tokens", "mixture")


def add_parser(subparsers: Subparsers) -> None:
    verb = add_verb(
        subparsers,
        "verify",
        "Check every shard of a snapshot against its manifest.",
        "corpusmill verify --out corpus",
    )
    add_output(verb)
    verb.add_argument("--job", choices=JOBS, help="which dataset under OUT (default: all that are there)")
    verb.add_argument("--version", type=int, metavar="N", help="which snapshot (default: the newest)")
    verb.add_argument(
        "--against",
        metavar="OUT2",
        help="compare with the same job of another output and list ids that differ",
    )
    verb.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    from manifests.manifest import newest_version
    from manifests.reader import read_manifest
    from manifests.store import open_store
    from manifests.verify import compare, verify

    store = open_store(arguments.out)
    jobs = [arguments.job] if arguments.job else [job for job in JOBS if newest_version(store, job)]
    if not jobs:
        raise FileNotFoundError(f"{arguments.out} holds no snapshot: nothing has been committed there")
    reports = [verify(store, job, arguments.version) for job in jobs]
    print("\n".join(map(str, reports)))
    sound = all(report.is_sound for report in reports)
    if arguments.against is None:
        return 0 if sound else 1
    other, job = open_store(arguments.against), arguments.job or "text"
    mine = read_manifest(store, job, arguments.version)
    difference = compare(store, mine, other, read_manifest(other, job))
    print(difference)
    return 0 if sound and difference.is_empty else 1
