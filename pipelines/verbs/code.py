"""`corpusmill code`: repositories, archives and rows of source code into documents."""

import argparse

from pipelines.verbs.common import Subparsers, add_job_options, add_verb, launcher, overrides


def add_parser(subparsers: Subparsers) -> None:
    verb = add_verb(
        subparsers,
        "code",
        "Turn repositories, archives and packages of source code into deduplicated, licensed documents.",
        "corpusmill code checkouts/ sdists/ --out corpus --set code.licenses.keep=[permissive]",
    )
    verb.add_argument("input", nargs="+", metavar="INPUT", help="folder, bare git repository, archive or Parquet file")
    add_job_options(verb)
    verb.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    from pipelines.recipe import code_recipe
    from pipelines.run import run_recipe

    recipe = code_recipe(arguments.input, overrides(arguments))
    return run_recipe(recipe, launcher(arguments), plan_only=arguments.plan, only="code")
