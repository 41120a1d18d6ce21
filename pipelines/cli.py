"""The console script `corpusmill`: verbs, errors, exit status. Everything after `--` goes to Beam."""

import argparse
import contextlib
import os
import sys
import threading
from collections.abc import Sequence

from manifests.lean import leave_out
from pipelines.verbs import (
    audio,
    code,
    crawl,
    encode,
    export,
    images,
    inspect,
    instruct,
    interleave,
    mix,
    quality,
    report,
    run,
    schema,
    text,
    tokenizer,
    verify,
    video,
)

VERBS = (
    run,
    crawl,
    text,
    images,
    audio,
    video,
    code,
    interleave,
    instruct,
    tokenizer,
    encode,
    mix,
    quality,
    verify,
    inspect,
    export,
    report,
    schema,
)

_EPILOG = """\
exit status: 0 done, 1 the data failed a check, 2 wrong usage

example:
  corpusmill text crawl/*.warc.gz --out corpus
  corpusmill run recipe.yaml --out corpus -- --runner=FlinkRunner --flink_master=localhost:8081
"""


class _Version(argparse.Action):
    """Prints the version; looked up only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(f"corpusmill {version('corpusmill')}")
        parser.exit()


def parser() -> argparse.ArgumentParser:
    """Return the parser of all verbs."""
    top = argparse.ArgumentParser(
        prog="corpusmill",
        description="Raw pages in; trainer-ready shards, a tokenizer and an account of every record out.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action=_Version, nargs=0, help="print the version")
    subparsers = top.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb in VERBS:
        verb.add_parser(subparsers)
    return top


def split_beam_options(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return (our arguments, Beam's): the first `--` parts them."""
    if "--" not in arguments:
        return list(arguments), []
    at = list(arguments).index("--")
    return list(arguments[:at]), list(arguments[at + 1 :])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a verb and return its exit status; what is refused says which record or field, which limit, what to do.

    Where a job fails while other threads compute, the program ends at once: an interpreter that shuts down would stop
    them inside native code, which aborts. Nothing is lost that a kill would not lose.
    """
    status = _run(arguments)
    if arguments is None and status and threading.active_count() > 1:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)
    return status


def _run(arguments: Sequence[str] | None) -> int:
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")  # gives back what a task leaves; mimalloc keeps it
    if arguments is None:
        leave_out("pandas")
    own, beam = split_beam_options(sys.argv[1:] if arguments is None else arguments)
    chosen = parser().parse_args(own)
    chosen.beam_options = beam
    try:
        status: int = chosen.run(chosen)
    except KeyboardInterrupt:
        print("corpusmill: stopped; the same command goes on from what is done", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (OSError, ValueError, RuntimeError) as error:
        if arguments is None:
            _hush()
        print(f"corpusmill: {error}", file=sys.stderr)
        return 2 if getattr(error, "is_usage", False) else 1
    return status


def _hush() -> None:
    """Let no thread of a failed job log behind the last word."""
    if "logging" in sys.modules:
        import logging

        logging.disable()
        logging.shutdown()  # waits for who is logging now
