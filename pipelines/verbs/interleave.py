"""`corpusmill interleave`: documents with their images, in reading order, into WebDataset shards."""

import argparse

from pipelines.verbs.common import Subparsers, add_job_options, add_verb, launcher, named_recipe, overrides


def add_parser(subparsers: Subparsers) -> None:
    verb = add_verb(
        subparsers,
        "interleave",
        "Join the newest text and images snapshots of OUT into interleaved WebDataset shards.",
        "corpusmill interleave --out corpus --set interleave.profiles=[obelics_v1]",
    )
    verb.add_argument("--recipe", metavar="RECIPE", help="take the interleave block of this recipe")
    add_job_options(verb)
    verb.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    import json

    from pipelines.interleave.block import Interleave
    from pipelines.interleave.job import InterleaveJob
    from pipelines.recipe import default_recipe
    from pipelines.run import say

    given = overrides(arguments)
    if arguments.recipe:
        recipe = named_recipe(arguments)
    else:
        recipe = default_recipe([arguments.out], {"interleave.images": "inline", **given})
    if recipe.interleave is None:
        raise ValueError(f"{arguments.recipe} has no interleave block")
    assert isinstance(recipe.interleave, Interleave)
    started = launcher(arguments)
    job = InterleaveJob(recipe.interleave, recipe.limits(), started)
    if arguments.plan:
        print(json.dumps(job.described(job.parents()), indent=2))
        return 0
    version, manifest, stood = job.run()
    say(started, "interleave", version, manifest, stood)
    return 0
