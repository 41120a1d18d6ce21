"""`corpusmill tokenizer train`: counts of the whole corpus, then a SentencePiece model from the counts."""

import argparse

from pipelines.verbs.common import Subparsers, add_job_options, add_verb, launcher, overrides


def add_parser(subparsers: Subparsers) -> None:
    verb = add_verb(
        subparsers,
        "tokenizer",
        "Count the corpus and train a tokenizer on the counts.",
        "corpusmill tokenizer train --out corpus --set tokenizer.vocabulary=16000",
    )
    actions = verb.add_subparsers(dest="action", required=True, metavar="ACTION")
    train = add_verb(
        actions,
        "train",
        "Count the newest text snapshot of OUT, train and evaluate.",
        "corpusmill tokenizer train --out corpus --set tokenizer.vocabulary=16000",
    )
    train.add_argument("--recipe", metavar="RECIPE", help="take the tokenizer block of this recipe")
    add_job_options(train)
    train.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    import json

    from manifests.reader import read_manifest
    from pipelines.recipe import default_recipe, load_recipe
    from pipelines.run import say
    from pipelines.tokenizer_job import TokenizerJob

    settings = {"tokenizer.algorithm": "bpe", **overrides(arguments)}
    recipe = load_recipe(arguments.recipe, settings) if arguments.recipe else default_recipe([arguments.out], settings)
    if recipe.tokenizer is None:
        raise ValueError(f"{arguments.recipe} has no tokenizer block")
    started = launcher(arguments)
    job = TokenizerJob(recipe.tokenizer, started)
    text = read_manifest(started.store, "text")
    if arguments.plan:
        print(json.dumps(job.described(text), indent=2))
        return 0
    version, manifest, stood = job.run(text)
    say(started, "tokenizer", version, manifest, stood)
    return 0
