"""`corpusmill inspect`: what a snapshot holds; where a record came from; why another one is not there."""

import argparse
import json
import re
from typing import TYPE_CHECKING

from pipelines.verbs.common import Subparsers, add_output, add_verb
from pipelines.verbs.verify import JOBS

if TYPE_CHECKING:
    from manifests.manifest import Manifest


def add_parser(subparsers: Subparsers) -> None:
    verb = add_verb(
        subparsers,
        "inspect",
        "Show a snapshot, or the whole story of one record.",
        "corpusmill inspect --out corpus --uri https://a.example/page.html",
    )
    add_output(verb)
    verb.add_argument("--job", choices=JOBS, default="text", help="which dataset under OUT (default: text)")
    verb.add_argument("--version", type=int, metavar="N", help="which snapshot (default: the newest)")
    chosen = verb.add_mutually_exclusive_group()
    chosen.add_argument("--id", metavar="HEX", type=_id, help="a record by its id, 32 hex digits")
    chosen.add_argument("--uri", help="records by their URI; conversations by that of a text they cite")
    verb.set_defaults(run=run)


def _id(given: str) -> str:
    """Return an id as it was given; raises ArgumentTypeError for anything else."""
    if re.fullmatch("[0-9a-fA-F]{32}", given) is None:
        raise argparse.ArgumentTypeError(f"{given!r} is not 32 hex digits")
    return given


def run(arguments: argparse.Namespace) -> int:
    from manifests.reader import read_manifest
    from manifests.store import open_store
    from pipelines.funnel import show_snapshot
    from pipelines.trace import find_records

    store = open_store(arguments.out)
    manifest = read_manifest(store, arguments.job, arguments.version)
    if arguments.id is None and arguments.uri is None:
        print(show_snapshot(manifest))
        return 0
    spellings = _spellings(arguments.uri, manifest) if arguments.job == "crawl" and arguments.uri else [arguments.uri]
    looked = (list(find_records(store, manifest, arguments.id, uri)) for uri in spellings)
    found = next(filter(None, looked), [])
    for record in found:
        print(json.dumps(record, ensure_ascii=False, indent=2))
    if not found:
        what = f"id {arguments.id}" if arguments.id else f"URI {arguments.uri}"
        print(f"no record with {what} in this snapshot; records that were skipped are only counted, by kind and unit")
    return 0 if found else 1


def _spellings(uri: str, manifest: "Manifest") -> list[str]:
    """Return how the crawl may know a URI: as it spells URLs, else as it was given."""
    from filters.url import UrlError, canonical_url

    block = manifest["settings"]["block"]
    try:
        known = canonical_url(uri, strip=block["strip_parameters"], sort_query=block["sort_query"])
    except UrlError:
        return [uri]
    return [known, uri]
