"""`corpusmill video`: films into deduplicated WebDataset shards of clips with frames, sound and words."""

import argparse

from pipelines.verbs.common import Subparsers, add_job_options, add_verb, launcher, overrides


def add_parser(subparsers: Subparsers) -> None:
    verb = add_verb(
        subparsers,
        "video",
        "Turn films, archives or a crawl's WARC into WebDataset shards of clips with frames, sound and words.",
        "corpusmill video films/ --out corpus --set video.frames.fps=2",
    )
    verb.add_argument("input", nargs="+", metavar="INPUT", help="folder, tar, WARC, glob or s3:// URI")
    add_job_options(verb)
    verb.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    from pipelines.recipe import video_recipe
    from pipelines.run import run_recipe

    recipe = video_recipe(arguments.input, overrides(arguments))
    return run_recipe(recipe, launcher(arguments), plan_only=arguments.plan, only="video")
