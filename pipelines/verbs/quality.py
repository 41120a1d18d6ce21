"""`corpusmill quality train`: a quality classifier from documents that are good and documents that are not."""

import argparse

from pipelines.verbs.common import Subparsers, add_verb, positive, usage_error


def add_parser(subparsers: Subparsers) -> None:
    verb = add_verb(
        subparsers,
        "quality",
        "Train a fastText classifier of documents from positive and negative examples.",
        "corpusmill quality train --positive handbook --negative crawl --out quality.bin",
    )
    actions = verb.add_subparsers(dest="action", required=True, metavar="ACTION")
    train = add_verb(
        actions,
        "train",
        "Train on one thread, evaluate on examples held back, write MODEL and its card MODEL.json.",
        "corpusmill quality train --positive handbook --negative crawl 'notes/*.txt' --out quality.bin",
    )
    what = "roots of text snapshots, manifests, or files of text, JSON lines, Parquet"
    train.add_argument("--positive", required=True, nargs="+", metavar="PLACE", help=what)
    train.add_argument("--negative", required=True, nargs="+", metavar="PLACE", help="the same of what is not good")
    train.add_argument("--out", required=True, metavar="MODEL", help="the model's file, e.g. quality.bin")
    train.add_argument("--epoch", type=positive, default=5, metavar="N", help="(default: 5)")
    train.add_argument("--lr", type=float, default=0.1, metavar="RATE", help="learning rate (default: 0.1)")
    train.add_argument("--dim", type=positive, default=32, metavar="N", help="of the word vectors (default: 32)")
    train.add_argument("--word-ngrams", type=positive, default=2, metavar="N", help="(default: 2)")
    train.add_argument(
        "--min-count", type=positive, default=3, metavar="N", help="words seen less often are unknown (default: 3)"
    )
    train.add_argument(
        "--held-back", type=float, default=0.1, metavar="FRACTION", help="for the evaluation (default: 0.1)"
    )
    train.add_argument("--max-examples", type=positive, metavar="N", help="of a class, by a keyed hash (default: all)")
    train.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    from pathlib import Path

    from filters.quality import train as training
    from manifests.keys import canonical_json
    from pipelines.quality.examples import Examples

    try:
        settings = training.Training(
            epoch=arguments.epoch,
            lr=arguments.lr,
            dim=arguments.dim,
            word_ngrams=arguments.word_ngrams,
            min_count=arguments.min_count,
            held_back_fraction=arguments.held_back,
            max_examples=arguments.max_examples,
        )
    except ValueError as error:
        raise usage_error(str(error)) from error
    out = Path(arguments.out)
    classes = {"positive": Examples(arguments.positive), "negative": Examples(arguments.negative)}
    good, bad = (training.examples(own.texts()) for own in classes.values())
    card = training.train(good, bad, settings, out)
    card["sources"] = {label: own.sources for label, own in classes.items()}
    card["left_out"] = {label: dict(sorted(own.skipped.items())) for label, own in classes.items()}
    beside = out.with_name(f"{out.name}.json")
    beside.write_bytes(canonical_json(card) + b"\n")
    _say(card, out)
    return 0


def _say(card: dict[str, object], out: object) -> None:
    """Print what the model came to, and the block of a recipe that uses it."""
    evaluation: dict[str, object] = card["evaluation"]  # type: ignore[assignment]
    classes: dict[str, dict[str, int]] = card["classes"]  # type: ignore[assignment]
    for label, own in classes.items():
        print(f"{label}: {own['trained']:,} trained, {own['held_back']:,} held back")
    print(f"area under the curve: {_shown(evaluation['auc'])}")
    languages: dict[str, dict[str, object]] = evaluation["languages"]  # type: ignore[assignment]
    for code, own in languages.items():  # type: ignore[assignment]
        print(f"  {code}: {_shown(own['auc'])} ({own['positive']} positive, {own['negative']} negative)")
    print(f"text: {{quality: {{model: {out}, sha256: {card['sha256']}, threshold: 0.5}}}}")


def _shown(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else "none (one class is empty)"
