"""`corpusmill export`: a committed snapshot as a trainer's own loader reads it."""

import argparse
import json
from typing import TYPE_CHECKING

from pipelines.verbs.common import Subparsers, add_output, add_verb, positive, usage_error

if TYPE_CHECKING:
    from manifests.exports.source import Source

FORMATS = ("arrayrecord", "croissant", "energon", "hf", "litdata", "mds")  # manifests.exports.FORMATS, without Arrow
CHATS = ("alpaca", "gemma", "llama", "messages", "preference", "prompt-completion", "sharegpt")  # OF_CONVERSATIONS


def add_parser(subparsers: Subparsers) -> None:
    verb = add_verb(
        subparsers,
        "export",
        "Write a snapshot as trainers read it: Energon, MDS, Hugging Face, Croissant, chat formats and others.",
        "corpusmill export --out corpus --to mds",
    )
    add_output(verb)
    verb.add_argument(
        "--to", required=True, choices=(*FORMATS, *CHATS), metavar="FORMAT", help=" | ".join((*FORMATS, *CHATS))
    )
    verb.add_argument("--job", help="which dataset under OUT (default: text; instruct for formats of conversations)")
    verb.add_argument("--version", type=int, metavar="N", help="which snapshot (default: the newest)")
    verb.add_argument("--kind", help="which kind of its shards (default: its tars, or its documents)")
    verb.add_argument(
        "--dest", metavar="DEST", help="where to (default: OUT/exports/JOB-FORMAT-<manifest digest>); may be s3://"
    )
    verb.add_argument(
        "--shard-mib", type=positive, default=64, metavar="MIB", help="size of a file of MDS and LitData (default: 64)"
    )
    verb.add_argument(
        "--encoding",
        action="append",
        default=[],
        type=encoding,
        metavar="FIELD=NAME",
        help="MDS encoding of a field, e.g. jpg=jpeg for decoded pictures",
    )
    verb.add_argument("--plan", action="store_true", help="print what would be exported and write nothing")
    verb.set_defaults(run=run)


def encoding(text: str) -> tuple[str, str]:
    """Parse FIELD=NAME."""
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise argparse.ArgumentTypeError(f"{text!r} is not FIELD=NAME")
    return name, value


def run(arguments: argparse.Namespace) -> int:
    from manifests.exports import Options, export
    from manifests.exports.source import open_source
    from manifests.store import open_store

    if arguments.encoding and arguments.to != "mds":
        raise usage_error(f"--encoding is for mds, not for {arguments.to}")
    job = arguments.job or ("instruct" if arguments.to in CHATS else "text")
    source = open_source(open_store(arguments.out), job, arguments.version, arguments.kind)
    name = f"exports/{job}-{arguments.to}-{source.digest[:8]}"
    destination = arguments.dest or f"{arguments.out.rstrip('/')}/{name}"
    if arguments.plan:
        print(json.dumps(_described(source, arguments.to, destination), indent=2))
        return 0
    options = Options(arguments.shard_mib << 20, dict(arguments.encoding))
    done = export(source, open_store(destination), arguments.to, options)
    size = sum(file["bytes"] for file in done["files"])
    print(f"{destination}: {done['records']:,} {done['kind']}, {len(done['files'])} files, {size:,} bytes")
    return 0


def _described(source: "Source", format_name: str, destination: str) -> dict[str, object]:
    """Return what `--plan` prints."""
    return {
        "to": format_name,
        "destination": destination,
        "kind": source.kind,
        "manifest_digest": source.digest,
        "shards": len(source.shards),
        "records": source.reader.records,
        "bytes": sum(shard.bytes for shard in source.shards),
        "fields": source.fields,
    }
