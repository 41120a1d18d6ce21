"""`corpusmill encode`: the newest snapshots of OUT as token shards."""

import argparse

from pipelines.verbs.common import Subparsers, add_job_options, add_verb, launcher, named_recipe, overrides


def add_parser(subparsers: Subparsers) -> None:
    verb = add_verb(
        subparsers,
        "encode",
        "Encode documents, captions, transcripts and conversations into token shards for trainers.",
        "corpusmill encode --out corpus --set encode.max_tokens=8192 --set encode.over_long=split",
    )
    verb.add_argument("--recipe", metavar="RECIPE", help="take the encode block of this recipe")
    add_job_options(verb)
    verb.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    import json

    from pipelines.recipe import default_recipe
    from pipelines.run import say
    from pipelines.tokens.job import EncodeJob

    settings = {"encode.eos": True, **overrides(arguments)}
    recipe = named_recipe(arguments) if arguments.recipe else default_recipe([arguments.out], settings)
    if recipe.encode is None:
        raise ValueError(f"{arguments.recipe} has no encode block")
    started = launcher(arguments)
    job = EncodeJob(recipe.encode, recipe.limits(), started)
    if arguments.plan:
        print(json.dumps(job.described(job.parents(), job.model()), indent=2))
        return 0
    version, manifest, stood = job.run()
    say(started, "tokens", version, manifest, stood)
    for name, why in manifest["settings"]["left_out"].items():
        print(f"  {name} left out: {why}")
    return 0
