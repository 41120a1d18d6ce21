"""`corpusmill instruct`: attribution, closed-book and hedge sets out of the newest snapshots of OUT."""

import argparse

from pipelines.verbs import instruct_audit
from pipelines.verbs.common import Subparsers, add_job_options, add_verb, launcher, named_recipe, overrides, usage_error


def add_parser(subparsers: Subparsers) -> None:
    verb = add_verb(
        subparsers,
        "instruct",
        "Make instruction sets of the newest snapshots of OUT: attribution, closed-book, hedge; or audit them.",
        "corpusmill instruct --out corpus --set instruct.hedge_fraction=0.3",
    )
    verb.add_argument("--recipe", metavar="RECIPE", help="take the instruct block of this recipe")
    add_job_options(verb, out_is_needed=False)  # `audit` names its own
    verb.set_defaults(run=run)
    instruct_audit.add_action(verb.add_subparsers(dest="action", metavar="ACTION"))


def run(arguments: argparse.Namespace) -> int:
    import json

    from pipelines.instruct.block import Instruct
    from pipelines.instruct.job import InstructJob
    from pipelines.recipe import default_recipe
    from pipelines.run import audited, say

    if arguments.out is None:
        raise usage_error("instruct: --out OUT is needed")
    given = overrides(arguments)
    if arguments.recipe:
        recipe = named_recipe(arguments)
    else:
        recipe = default_recipe([arguments.out], {"instruct.seed": 0, **given})
    if recipe.instruct is None:
        raise ValueError(f"{arguments.recipe} has no instruct block")
    assert isinstance(recipe.instruct, Instruct)
    started = launcher(arguments)
    job = InstructJob(recipe.instruct, recipe.limits(), started)
    if arguments.plan:
        print(json.dumps(job.described(job.parents()), indent=2))
        return 0
    version, manifest, stood = job.run()
    say(started, "instruct", version, manifest, stood)
    if recipe.instruct.audit:
        audited(started, version, manifest)
    return 0
