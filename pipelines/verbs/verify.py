"""`corpusmill verify`: every published byte against the manifest."""

import argparse

from pipelines.verbs.common import Subparsers, add_output, add_verb


def add_parser(subparsers: Subparsers) -> None:
    verb = add_verb(
        subparsers,
        "verify",
        "Check every shard of a snapshot against its manifest.",
        "corpusmill verify --out corpus --job text",
    )
    add_output(verb)
    verb.add_argument("--job", default="text", help="which dataset under OUT (default: text)")
    verb.add_argument("--version", type=int, metavar="N", help="which snapshot (default: the newest)")
    verb.add_argument(
        "--against",
        metavar="OUT2",
        help="compare with the same job of another output and list ids that differ",
    )
    verb.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    from manifests.reader import read_manifest
    from manifests.store import open_store
    from manifests.verify import compare, verify

    store = open_store(arguments.out)
    found = verify(store, arguments.job, arguments.version)
    print(found)
    if arguments.against is None:
        return 0 if found.is_sound else 1
    other = open_store(arguments.against)
    difference = compare(
        store,
        read_manifest(store, arguments.job, arguments.version),
        other,
        read_manifest(other, arguments.job),
    )
    print(difference)
    return 0 if found.is_sound and difference.is_empty else 1
