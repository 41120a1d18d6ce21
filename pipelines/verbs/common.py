"""Arguments that verbs share."""

import argparse
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipelines.launcher import Launcher
    from pipelines.recipe import Recipe

Subparsers = Any  # argparse's own type is private


def add_verb(subparsers: Subparsers, name: str, summary: str, example: str) -> argparse.ArgumentParser:
    """Add a verb with its one-line summary and an example that works."""
    verb: argparse.ArgumentParser = subparsers.add_parser(
        name,
        help=summary,
        description=summary,
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    return verb


def add_output(verb: argparse.ArgumentParser, *, is_needed: bool = True) -> None:
    verb.add_argument(
        "--out",
        required=is_needed,
        type=output,
        metavar="OUT",
        help="root of the output (local path or s3://bucket/prefix); holds one folder a job",
    )


def add_job_options(verb: argparse.ArgumentParser, *, out_is_needed: bool = True) -> None:
    """Add what every job takes: --out, --plan, --workers, --set, --quiet.

    out_is_needed: false where an action of the verb names its own OUT; then the verb itself asks for it.
    """
    add_output(verb, is_needed=out_is_needed)
    verb.add_argument("--plan", action="store_true", help="print the resolved job and run nothing")
    verb.add_argument(
        "--workers",
        type=positive,
        default=os.cpu_count() or 1,
        metavar="N",
        help="worker threads of the local runner (default: all cores); changes no byte of the output",
    )
    verb.add_argument(
        "--set",
        action="append",
        default=[],
        type=setting,
        metavar="FIELD=VALUE",
        help="override a field of the recipe, e.g. text.shards=4",
    )
    verb.add_argument("--quiet", action="store_true", help="no progress bars")


def usage_error(message: str) -> ValueError:
    """Make an error that ends with exit status 2."""
    error = ValueError(message)
    error.is_usage = True  # type: ignore[attr-defined]
    return error


def output(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("is empty: a local path or s3://bucket/prefix is wanted")
    return text


def positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not at least 1")
    return value


def setting(text: str) -> tuple[str, Any]:
    """Parse FIELD=VALUE; VALUE is YAML."""
    import json

    import yaml

    from pipelines.recipe_block import masked

    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"{masked(text)!r} is not FIELD=VALUE")
    try:
        read = yaml.safe_load(value)
        json.dumps(read)  # a date, a set or bytes is no value of a recipe
    except (yaml.YAMLError, TypeError, ValueError, RecursionError) as error:
        said = getattr(error, "problem", None) or "such a value stands in no recipe"
        raise argparse.ArgumentTypeError(f"{name}: not readable as YAML: {said}") from None
    return name, read


def overrides(arguments: argparse.Namespace) -> Mapping[str, Any]:
    return dict(arguments.set)


def named_recipe(arguments: argparse.Namespace) -> "Recipe":
    """Return the recipe that the user names, with what they set in it; that there is no such file is wrong usage."""
    from pathlib import Path

    from pipelines.recipe import load_recipe

    if not Path(arguments.recipe).is_file():
        raise usage_error(f"there is no recipe {arguments.recipe}")
    return load_recipe(arguments.recipe, overrides(arguments))


def launcher(arguments: argparse.Namespace) -> "Launcher":
    from pipelines.launcher import Launcher

    return Launcher(arguments.out, arguments.beam_options, arguments.workers, arguments.quiet)
