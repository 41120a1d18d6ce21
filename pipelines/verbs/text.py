"""`corpusmill text`: pages and files into documents, by the default recipe."""

import argparse

from pipelines.verbs.common import Subparsers, add_job_options, add_verb, launcher, overrides


def add_parser(subparsers: Subparsers) -> None:
    verb = add_verb(
        subparsers,
        "text",
        "Turn WARC, HTML, TXT, JSONL or Parquet into deduplicated documents.",
        "corpusmill text crawl/ --out corpus --set text.languages=[ja,en]",
    )
    verb.add_argument("input", nargs="+", metavar="INPUT", help="file, folder, glob or s3:// URI")
    add_job_options(verb)
    verb.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    from pipelines.recipe import default_recipe
    from pipelines.run import run_recipe

    recipe = default_recipe(arguments.input, overrides(arguments))
    return run_recipe(recipe, launcher(arguments), plan_only=arguments.plan)
