"""Fairness of a vocabulary between languages: goal G9, on the Universal Declaration in all its versions.

    python -m benchmarks.tokenizer_parallel [--vocabulary 262144] [--rows 2000000] [--only NAME...]

Text in some hundred languages is fetched out of packages (benchmarks/tokenizer_inputs.py) and counted once into the
cache. From these counts vocabularies are trained, each language with letters of its own: "even" (temperature 0.3 over
languages), "web-like" (temperature 0.5, English a sixth of all), and the latter in parity mode, with messages of
programs in some hundred languages as its parallel texts. Each encodes every version of the Declaration, none of
which was trained on, beside the vocabularies of Gemma 3, Gemini and GPT-4o as npm's packages ship them. Premium: tokens
over those of English. All texts are in NFC for all. Exit status 1 where the goal is missed.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks import tokenizer_inputs as inputs
from benchmarks.measure import say
from filters.native import cache_root
from tokenizer.balance import Balance
from tokenizer.count import merge_counts
from tokenizer.groups import Group
from tokenizer.mix import language_alphabets, mix, parts_by_language
from tokenizer.pieces_report import gini
from tokenizer.settings import TrainSettings
from tokenizer.table import read_counts, write_counts
from tokenizer.train import train

os.environ["TOKENIZERS_PARALLELISM"] = "false"
INPUTS_VERSION = 1  # raise when other text would be read
REFERENCES = ("gemma3", "gemini", "gpt4o")
PACKAGE = "@lenml/tokenizer-{}@3.7.2"
HELD_BYTES = 100_000  # of each language, by which bytes a token are measured
DEV_CHARACTERS = 20_000  # of English that stands behind each language's parallel text
COVERAGE = 0.9999  # of each language's characters by its letters
ENGLISH = 100.0  # times its text: the temperature makes ten of it, a sixth of the mixture
DEV_LEAST = 1_500  # and of different messages at least
HEADS = (
    *("vocabulary", "pieces", "English", "median", "p90", "Gini", "tokens: median", "p90"),
    *("known: median", "p90", "bytes a token, held out"),
)
SHOWN = (
    "deu_1996",
    "fra",
    "rus",
    "cmn_hans",
    "jpn",
    "kor",
    "hin",
    "arb",
    "tha",
    "vie",
    "ben",
    "tam",
    "khm",
    "amh",
    "yor",
)


@dataclass(frozen=True)
class World:
    """What vocabularies are trained on and measured with."""

    table: Path
    groups: dict[int, Group]
    held: dict[str, list[str]]  # texts by language
    parallel: dict[str, str]  # texts of parity mode, by language
    tests: list[inputs.Article]

    @property
    def languages(self) -> set[str]:
        """Languages that the counts hold."""
        return {group.language for group in self.groups.values()}

    def rows(self) -> Iterator[pa.RecordBatch]:
        """Read the table from its start."""
        return read_counts(self.table)

    def letters(self) -> Any:
        """Return the alphabet: what covers each language by itself. It is kept beside the table."""
        kept = self.table.with_name(f"letters-{COVERAGE}.npy")
        if not kept.exists():
            np.save(kept, language_alphabets(self.rows, self.groups, COVERAGE))
        return np.load(kept, allow_pickle=False)


def world() -> World:
    """Return what is measured, read out of packages where the cache has none."""
    folder = cache_root() / "benchmarks" / f"parallel-text-{INPUTS_VERSION}"
    about = folder / "about.json"
    if not about.exists():
        folder.mkdir(parents=True, exist_ok=True)
        found = inputs.collected()
        write_counts(folder / "counts.parquet", [merge_counts(found.counts.values())])
        sizes = {json.dumps(group): size for group, size in found.characters.items()}
        said = {"groups": sizes, "held": found.held, "parallel": found.parallel, "lines": found.lines}
        about.write_text(json.dumps({**said, "overlapping": found.overlapping}, ensure_ascii=False))
    said = json.loads(about.read_text())
    groups = {group.key: group for group in (Group(*json.loads(name)) for name in said["groups"])}
    held = {code: cut(texts, HELD_BYTES) for code, texts in sorted(said["held"].items())}
    return World(folder / "counts.parquet", groups, held, parallel_texts(said["parallel"]), inputs.declarations())


def cut(texts: Iterable[str], size: int) -> list[str]:
    """Return lines of texts until they hold `size` bytes."""
    kept = []
    for line in (line for text in texts for line in text.split("\n")):
        size -= len(line.encode())
        if size < 0:
            break
        kept.append(line)
    return kept


def parallel_texts(messages: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Return a text for each language: its messages, again and again until their English holds DEV_CHARACTERS.

    Messages are translated here and there, so every language has others; what their English says is as long for all.
    """
    texts = {}
    known = {key: own for key, own in sorted(messages.items()) if "en" in own}
    for code in sorted({code for own in known.values() for code in own}):
        pairs = [(own["en"], own[code]) for own in known.values() if code in own]
        if sum(len(english) for english, _ in pairs) < DEV_LEAST:
            continue
        lines, size, at = [], 0, 0
        while size < DEV_CHARACTERS:
            english, own_text = pairs[at % len(pairs)]
            lines.append(own_text)
            size, at = size + len(english), at + 1
        texts[code] = "\n".join(lines)
    return texts


class Ours:
    """A model of ours."""

    def __init__(self, model: bytes) -> None:
        import sentencepiece

        self.processor: Any = sentencepiece.SentencePieceProcessor(model_proto=model)
        self.size = int(self.processor.get_piece_size())

    def count(self, texts: list[str]) -> list[int]:
        """Return how many tokens each text takes."""
        return [len(ids) for ids in self.processor.encode(texts, num_threads=1)]


class Reference:
    """A vocabulary that a package of npm's ships."""

    def __init__(self, name: str) -> None:
        from tokenizers import Tokenizer

        root = inputs.fetch_npm(PACKAGE.format(name))
        self.tokenizer = Tokenizer.from_file(str(root / "models" / "tokenizer.json"))
        self.size = self.tokenizer.get_vocab_size()

    def count(self, texts: list[str]) -> list[int]:
        """Return how many tokens each text takes."""
        return [len(each.ids) for each in self.tokenizer.encode_batch_fast(texts, add_special_tokens=False)]


@dataclass(frozen=True)
class Figures:
    """What a vocabulary does to the Declaration and to held-out text."""

    size: int
    english: int  # tokens of the English version
    premiums: dict[str, float]  # by version
    held: Mapping[str, tuple[int, int]]  # bytes and tokens by language

    def over(self, codes: Iterable[str]) -> tuple[float, float]:
        """Return median and 90th percentile of the premiums of those versions."""
        values = [self.premiums[code] for code in codes]
        return float(np.median(values)), float(np.quantile(values, 0.9))

    @property
    def bytes_a_token(self) -> float:
        """Bytes a token of all held-out text."""
        return sum(size for size, _ in self.held.values()) / sum(tokens for _, tokens in self.held.values())


def measured(encoder: Ours | Reference, given: World) -> Figures:
    """Encode all that is measured."""
    tokens = dict(
        zip([a.code for a in given.tests], encoder.count([a.text for a in given.tests]), strict=True),
    )
    english = tokens["eng"]
    held = {code: (sum(len(x.encode()) for x in own), sum(encoder.count(own))) for code, own in given.held.items()}
    return Figures(encoder.size, english, {code: count / english for code, count in tokens.items()}, held)


# What a count of each source is worth: wordfreq's and the subtitles' are of a hundred times the text of all others,
# in lower case; a word of a list was seen once or never
_WORTH = {"wordfreq": 0.02, "subtitles": 0.01, "word-lists": 0.3}


@dataclass(frozen=True)
class Recipe:
    """How one vocabulary is trained."""

    balance: Balance
    parity: bool = False


def trained(given: World, recipe: Recipe, vocabulary: int, max_rows: int) -> bytes:
    """Return a model by a recipe."""
    settings, letters = TrainSettings(vocabulary), given.letters()
    codes = sorted(set(given.parallel) & given.languages)
    parts = parts_by_language(given.groups, codes) if recipe.parity else None
    started = time.process_time()
    rows, made = mix(given.rows, given.groups, recipe.balance, max_rows, parts)
    spent = time.process_time() - started
    say(f"{made.kept_rows:,} of {made.rows:,} words, {len(letters):,} letters; {spent:.0f} CPU s")
    parallel = [given.parallel[code] for code in codes] if recipe.parity else []
    model = train(rows, settings, alphabet=letters, parallel=parallel).model
    say(f"trained, {time.process_time() - started:.0f} CPU s with mixing")
    return model


_WEB = Balance(by="temperature", alpha=0.5, weights={**_WORTH, "en": ENGLISH})
RECIPES = {
    "even": Recipe(Balance(by="temperature", alpha=0.3, weights=_WORTH)),
    "web-like": Recipe(_WEB),
    "parity": Recipe(_WEB, parity=True),
}


def held_languages(given: World) -> list[str]:
    """Return the versions of the Declaration in whose language there is text to train on."""
    first = {code.partition("-")[0] for code in given.languages}
    return [article.code for article in given.tests if article.language.partition("-")[0] in first]


def table_row(name: str, found: Figures, known: list[str]) -> str:
    """Return a row of the table."""
    median, ninetieth = found.over(found.premiums)
    own_median, own_ninetieth = found.over(known)
    unfair = gini(found.premiums.values())
    tokens = np.quantile([premium * found.english for premium in found.premiums.values()], (0.5, 0.9))
    columns = [f"{found.size:,}", f"{found.english:,}", f"{median:.2f}", f"{ninetieth:.2f}", f"{unfair:.3f}"]
    columns += [f"{tokens[0]:,.0f}", f"{tokens[1]:,.0f}"]
    columns += [f"{own_median:.2f}", f"{own_ninetieth:.2f}", f"{found.bytes_a_token:.3f}"]
    return f"| {name} | {' | '.join(columns)} |"


def by_language(name: str, found: Figures) -> str:
    """Return the premiums of the versions that are shown."""
    return f"| {name} | {' | '.join(f'{found.premiums[code]:.2f}' for code in SHOWN)} |"


def verdicts(found: Mapping[str, Figures]) -> Iterator[tuple[str, bool]]:
    """Say of each part of the goal whether it is met, as far as it was measured."""
    for name in (name for name in RECIPES if name in found and "gemma3" in found):
        ours, theirs = (found[each].over(found[each].premiums) for each in (name, "gemma3"))
        said = f"{name}: median and p90 {ours[0]:.2f}, {ours[1]:.2f} below Gemma 3's {theirs[0]:.2f}, {theirs[1]:.2f}"
        yield said, ours[0] < theirs[0] and ours[1] < theirs[1]
    if {"web-like", "parity"} <= found.keys():
        plain, fair = found["web-like"], found["parity"]
        less = 1 - fair.over(fair.premiums)[1] / plain.over(plain.premiums)[1]
        loss = 1 - fair.bytes_a_token / plain.bytes_a_token
        said = f"parity mode cuts p90 by {less:.1%} (20 % wanted) and loses {loss:.2%} bytes a token (1 % at most)"
        yield said, less >= 0.2 and loss <= 0.01


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vocabulary", type=int, default=262_144)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--only", nargs="*", default=[*RECIPES, *REFERENCES], choices=[*RECIPES, *REFERENCES])
    options = parser.parse_args()
    given, found = world(), dict[str, Figures]()
    known = held_languages(given)
    for name in options.only:
        if name in RECIPES:
            encoder: Ours | Reference = Ours(trained(given, RECIPES[name], options.vocabulary, options.rows))
        else:
            encoder = Reference(name)
        found[name] = measured(encoder, given)
        say(table_row(name, found[name], known))
    print(f"{len(given.languages)} languages; {len(given.tests)} versions, {len(known)} of them of these languages")
    print(f"| {' | '.join(HEADS)} |\n|---|" + "---:|" * (len(HEADS) - 1))
    print("\n".join(table_row(name, each, known) for name, each in found.items()))
    print(f"\n| vocabulary | {' | '.join(SHOWN)} |\n|---|{'---:|' * len(SHOWN)}")
    print("\n".join(by_language(name, each) for name, each in found.items()))
    told = [*verdicts(found)]
    print("\n" + "\n".join(f"- {said}: {'met' if is_met else '**missed**'}" for said, is_met in told))
    return int(not all(is_met for _, is_met in told))


if __name__ == "__main__":
    sys.exit(main())
