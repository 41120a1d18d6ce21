"""`corpusmill run`: a whole recipe, block by block."""

import argparse
from pathlib import Path

from pipelines.verbs.common import Subparsers, add_job_options, add_verb, launcher, overrides, usage_error


def add_parser(subparsers: Subparsers) -> None:
    verb = add_verb(
        subparsers,
        "run",
        "Run every block of a recipe: documents, counts, tokenizer, report.",
        "corpusmill run recipe.yaml --out corpus",
    )
    verb.add_argument("recipe", metavar="RECIPE", help="YAML file; `corpusmill schema` prints what may stand in it")
    add_job_options(verb)
    verb.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    from pipelines.recipe import load_recipe
    from pipelines.run import run_recipe

    if not Path(arguments.recipe).is_file():
        raise usage_error(f"there is no recipe {arguments.recipe}")
    recipe = load_recipe(arguments.recipe, overrides(arguments))
    return run_recipe(recipe, launcher(arguments), plan_only=arguments.plan, report=True)
