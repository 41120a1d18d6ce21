"""`corpusmill tokenizer`: count the corpus, train from counts, measure a model, hold vocabularies side by side."""

import argparse

from pipelines.verbs.common import (
    Subparsers,
    add_job_options,
    add_verb,
    launcher,
    named_recipe,
    output,
    overrides,
    usage_error,
)


def add_parser(subparsers: Subparsers) -> None:
    verb = add_verb(
        subparsers,
        "tokenizer",
        "Count the corpus and train a tokenizer on the counts.",
        "corpusmill tokenizer train --out corpus --set tokenizer.vocabulary=16000",
    )
    actions = verb.add_subparsers(dest="action", required=True, metavar="ACTION")
    _add_count(actions)
    _add_train(actions)
    _add_evaluate(actions)
    _add_compare(actions)


def _add_count(actions: Subparsers) -> None:
    verb = add_verb(
        actions,
        "count",
        "Count the words of all text in OUT (documents, code, captions, transcripts), and add tables to them.",
        "corpusmill tokenizer count --out corpus --add last-crawl",
    )
    verb.add_argument(
        "--add",
        action="append",
        default=[],
        type=output,
        metavar="OUT2",
        help="add the newest table of counts of another output; may be given more than once",
    )
    add_job_options(verb)
    verb.set_defaults(run=count)


def _add_train(actions: Subparsers) -> None:
    verb = add_verb(
        actions,
        "train",
        "Count the newest snapshots of OUT, train and evaluate.",
        "corpusmill tokenizer train --out corpus --set tokenizer.vocabulary=16000",
    )
    verb.add_argument("--recipe", metavar="RECIPE", help="take the tokenizer block of this recipe")
    verb.add_argument(
        "--counts",
        type=output,
        metavar="OUT2",
        help="train from the newest table of counts there and count no text (OUT itself, or another output)",
    )
    add_job_options(verb)
    verb.set_defaults(run=train)


def _add_evaluate(actions: Subparsers) -> None:
    verb = add_verb(
        actions,
        "evaluate",
        "Measure a vocabulary on the texts of OUT, by language, source and kind.",
        "corpusmill tokenizer evaluate --out corpus",
    )
    _add_measures(verb)
    verb.add_argument("--model", metavar="FILE", help="another vocabulary than the newest model of OUT")
    verb.set_defaults(run=evaluate)


def _add_compare(actions: Subparsers) -> None:
    verb = add_verb(
        actions,
        "compare",
        "Measure the newest model of OUT and other vocabularies on the same texts, side by side.",
        "corpusmill tokenizer compare --out corpus other/tokenizer.json",
    )
    verb.add_argument(
        "vocabulary",
        nargs="+",
        metavar="[NAME=]FILE",
        help="a SentencePiece .model, a tokenizer.json, a tekken.json or a file of tiktoken's ranks",
    )
    _add_measures(verb)
    verb.set_defaults(run=compare)


def _add_measures(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--out", required=True, type=output, metavar="OUT", help="output with snapshots of texts")
    verb.add_argument(
        "--parallel",
        metavar="FOLDER",
        help="the same text in many languages, LANGUAGE.txt each: premium over English, Gini",
    )
    verb.add_argument("--json", metavar="FILE", help="write all figures there too")


def count(arguments: argparse.Namespace) -> int:
    import json

    from pipelines.run import say
    from pipelines.tokenizer_job import newest_counts, newest_texts
    from pipelines.tokenizer_jobs.count import CountJob

    started = launcher(arguments)
    texts, others = newest_texts(started.store), [newest_counts(uri) for uri in arguments.add]
    if arguments.plan:
        read = {job: manifest["digest"] for job, manifest in texts.items()}
        print(json.dumps({"texts": read, "tables": [each.manifest["digest"] for each in others]}, indent=2))
        return 0
    version, manifest, stood = CountJob(started).run(texts, others)
    say(started, "counts", version, manifest, stood)
    rows, characters = sum(shard["records"] for shard in manifest["shards"]), manifest["characters"]
    print(f"  {rows} words of {len(manifest['statistics']['groups'])} groups")
    print("  characters: " + ", ".join(f"{name} {number}" for name, number in characters.items()))
    return 0


def train(arguments: argparse.Namespace) -> int:
    import json

    from pipelines.recipe import default_recipe
    from pipelines.run import say
    from pipelines.tokenizer_job import TokenizerJob, newest_counts, newest_texts

    settings = {"tokenizer.algorithm": "bpe", **overrides(arguments)}
    recipe = named_recipe(arguments) if arguments.recipe else default_recipe([arguments.out], settings)
    if recipe.tokenizer is None:
        raise usage_error(f"{arguments.recipe} has no tokenizer block")
    started = launcher(arguments)
    job = TokenizerJob(recipe.tokenizer, started)
    texts = newest_texts(started.store)
    counts = newest_counts(arguments.counts) if arguments.counts else None
    if arguments.plan:
        print(json.dumps(job.described(texts, counts), indent=2))
        return 0
    version, manifest, stood = job.run(texts, counts)
    say(started, "tokenizer", version, manifest, stood)
    return 0


def evaluate(arguments: argparse.Namespace) -> int:
    from pathlib import Path

    from pipelines.tokenizer_jobs.compare import compare_on, newest_model, show_one

    model = Path(arguments.model).read_bytes() if arguments.model else newest_model(arguments.out)
    compared = compare_on(arguments.out, {arguments.model or "model": model}, arguments.parallel)
    print(show_one(compared))
    return _written(compared.as_json(), arguments.json)


def compare(arguments: argparse.Namespace) -> int:
    from pathlib import Path

    from pipelines.tokenizer_jobs.compare import compare_on, newest_model, show_all

    named = [(name or Path(path).stem, path) for name, _, path in (v.rpartition("=") for v in arguments.vocabulary)]
    files = {"model": newest_model(arguments.out)}
    for name, path in named:
        if name in files:
            raise usage_error(f"two vocabularies are called {name}: write NAME=FILE")
        files[name] = Path(path).read_bytes()
    compared = compare_on(arguments.out, files, arguments.parallel)
    print(show_all(compared))
    return _written(compared.as_json(), arguments.json)


def _written(figures: object, path: str | None) -> int:
    import json
    from pathlib import Path

    if path:
        Path(path).write_text(json.dumps(figures, indent=1, ensure_ascii=False, sort_keys=True) + "\n", "utf-8")
    return 0
