"""`corpusmill run`: a whole recipe, block by block."""

import argparse

from pipelines.verbs.common import Subparsers, add_job_options, add_verb, launcher, named_recipe


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
    from pipelines.run import run_recipe

    recipe = named_recipe(arguments)
    return run_recipe(recipe, launcher(arguments), plan_only=arguments.plan, report=True)
