"""`corpusmill mix`: how much a trainer reads of the newest token shards, stage by stage."""

import argparse

from pipelines.verbs.common import Subparsers, add_job_options, add_verb, launcher, named_recipe, overrides


def add_parser(subparsers: Subparsers) -> None:
    verb = add_verb(
        subparsers,
        "mix",
        "Mix token shards: budgets by source and language in stages, and the order of samples.",
        "corpusmill mix --out corpus --set mixture.by=unimax --set mixture.sequence_tokens=2048",
    )
    verb.add_argument("--recipe", metavar="RECIPE", help="take the mixture block of this recipe")
    add_job_options(verb)
    verb.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    import json

    from pipelines.mixture.job import MixtureJob
    from pipelines.mixture.told import show_mixture
    from pipelines.recipe import default_recipe
    from pipelines.run import say

    given = overrides(arguments)
    settings = {"mixture.by": "size", **given}
    recipe = named_recipe(arguments) if arguments.recipe else default_recipe([arguments.out], settings)
    if recipe.mixture is None:
        raise ValueError(f"{arguments.recipe} has no mixture block")
    started = launcher(arguments)
    job = MixtureJob(recipe.mixture, started)
    if arguments.plan:
        print(json.dumps(job.described()["mixture"], indent=2))
        return 0
    version, manifest, stood = job.run()
    say(started, "mixture", version, manifest, stood)
    print(show_mixture(manifest))
    return 0
