"""`corpusmill images`: image files into deduplicated, captioned WebDataset shards."""

import argparse

from pipelines.verbs.common import Subparsers, add_job_options, add_verb, launcher, overrides


def add_parser(subparsers: Subparsers) -> None:
    verb = add_verb(
        subparsers,
        "images",
        "Turn image files, archives or a crawl's WARC into WebDataset shards with captions.",
        "corpusmill images photos/ --out corpus --set images.profiles=[datacomp_basic_v1]",
    )
    verb.add_argument("input", nargs="+", metavar="INPUT", help="folder, tar, WARC, glob or s3:// URI")
    add_job_options(verb)
    verb.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    from pipelines.recipe import images_recipe
    from pipelines.run import run_recipe

    recipe = images_recipe(arguments.input, overrides(arguments))
    return run_recipe(recipe, launcher(arguments), plan_only=arguments.plan, only="images")
