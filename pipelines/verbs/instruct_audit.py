"""`corpusmill instruct audit`: a committed set looked up again in the texts that it cites."""

import argparse

from pipelines.verbs.common import Subparsers, add_verb, usage_error


def add_action(actions: Subparsers) -> None:
    """Add `audit` to the actions of `corpusmill instruct`."""
    verb = add_verb(
        actions,
        "audit",
        "Look an instruction set up again in the texts that it cites; status 1 where a gate fails.",
        "corpusmill instruct audit corpus",
    )
    verb.add_argument("out", metavar="OUT", help="root of the output that holds instruct/ and text/")
    verb.add_argument("--version", type=int, metavar="N", help="which snapshot (default: the newest)")
    what = "look at this share of the records, by a hash of the id (default: 1)"
    verb.add_argument("--share", type=float, default=1.0, metavar="FRACTION", help=what)
    verb.add_argument("--json", action="store_true", help="print the table as JSON")
    verb.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    import json

    from manifests.store import open_store
    from pipelines.instruct.audit import audit

    if not 0.0 < arguments.share <= 1.0:
        raise usage_error(f"--share {arguments.share}: a fraction above 0 and at most 1 is wanted")
    found = audit(open_store(arguments.out), arguments.version, arguments.share)
    print(json.dumps(found.body, indent=2, ensure_ascii=False) if arguments.json else found)
    return 0 if found.is_passed else 1
