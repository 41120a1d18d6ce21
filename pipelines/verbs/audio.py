"""`corpusmill audio`: sound files into deduplicated WebDataset shards of speech segments with transcripts."""

import argparse

from pipelines.verbs.common import Subparsers, add_job_options, add_verb, launcher, overrides


def add_parser(subparsers: Subparsers) -> None:
    verb = add_verb(
        subparsers,
        "audio",
        "Turn sound files, archives or a crawl's WARC into WebDataset shards of speech with transcripts.",
        "corpusmill audio recordings/ --out corpus --set audio.scorers=[dnsmos]",
    )
    verb.add_argument("input", nargs="+", metavar="INPUT", help="folder, tar, WARC, glob or s3:// URI")
    add_job_options(verb)
    verb.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    from pipelines.recipe import audio_recipe
    from pipelines.run import run_recipe

    recipe = audio_recipe(arguments.input, overrides(arguments))
    return run_recipe(recipe, launcher(arguments), plan_only=arguments.plan, only="audio")
