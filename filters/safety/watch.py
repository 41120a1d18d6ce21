"""What a text job measures of safety and quality beside its rule sets: lists of URLs, words, scorers, a classifier."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import pyarrow as pa

from filters.licenses import license_rules
from filters.lines import Lines
from filters.quality import lines as quality_lines
from filters.quality import signals as quality
from filters.quality.signals import QualityModel, quality_rules, quality_signals
from filters.rules import Rule
from filters.safety import scorers, url_lists, word_lists, word_signals
from filters.safety.scorers import TextScorer, scorer_rules, scorer_signals
from filters.safety.url_lists import UrlList, compiled, url_rules, url_signals
from filters.safety.word_lists import WordLists, load_file
from filters.safety.word_signals import word_rules
from filters.segmentation import Segmentation
from manifests.keys import canonical_json


@dataclass(frozen=True)
class Watch:
    """The slots of a recipe that are filled, each with local files."""

    block_lists: tuple[UrlList, ...] = ()
    words: tuple[str, str] | None = None  # file of the lists, rule set
    text_scorers: tuple[tuple[TextScorer, float], ...] = ()  # and the share of characters that it may flag
    model: QualityModel | None = None
    licenses: tuple[str, ...] | None = None  # classes that are kept

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> "Watch":
        """Return what the JSON of `pipelines.text.watch` asks for."""
        return cls(
            tuple(UrlList(**each) for each in config.get("block_lists", ())),
            (config["words"]["path"], config["words"]["rules"]) if "words" in config else None,
            tuple(_scorer(each) for each in config.get("scorers", ())),
            QualityModel(**config["quality"]) if "quality" in config else None,
            tuple(config["licenses"].get("keep", ())) if "licenses" in config else None,
        )

    @cached_property
    def _lists(self) -> WordLists | None:
        return None if self.words is None else load_file(self.words[0])

    def rules(self) -> tuple[tuple[Rule, ...], tuple[Rule, ...]]:
        """Return the rules that come before a recipe's sets, and those that come after them."""
        words: tuple[Rule, ...] = ()
        if self._lists is not None and self.words is not None:
            words = word_rules(self._lists)[self.words[1]]
        scored = [rule for scorer, most in self.text_scorers for rule in scorer_rules(scorer, most)]
        judged = () if self.model is None else quality_rules(self.model)
        listed = url_rules([each.name for each in self.block_lists])
        stated = () if self.licenses is None else license_rules(self.licenses)
        return (*listed, *stated), (*words, *scored, *judged)

    def signals(
        self, uri: pa.StringArray, text: pa.StringArray, language: pa.StringArray, words: Segmentation, lines: Lines
    ) -> list[pa.RecordBatch]:
        """Return what the slots measure of documents, shape (len(text),) each."""
        measured = []
        if self.block_lists:
            measured.append(url_signals(uri, compiled(self.block_lists)))
        if self._lists is not None:
            measured.append(word_signals.word_signals(text, language, words, lines, self._lists))
        if self.text_scorers:
            measured.append(scorer_signals(text, language, lines, [scorer for scorer, _ in self.text_scorers]))
        if self.model is not None:
            measured.append(quality_signals(text, words, self.model))
        return measured


def watching(config: Mapping[str, Any]) -> Watch:
    """Return `Watch.of(config)`, the same one for the same settings, since it holds what it has loaded."""
    return _watching(canonical_json(config))


@lru_cache(4)
def _watching(config: bytes) -> Watch:
    return Watch.of(json.loads(config))


def versions() -> dict[str, int]:
    """Return the versions of what measures, for stage keys."""
    return {
        "url_lists": url_lists.VERSION,
        "word_lists": word_lists.VERSION,
        "scorers": scorers.VERSION,
        "quality": quality.VERSION,
        "quality_lines": quality_lines.VERSION,
    }


def _scorer(config: Mapping[str, Any]) -> tuple[TextScorer, float]:
    own = dict(config)
    most = float(own.pop("max_flagged_fraction"))
    own |= {name: tuple(own[name]) for name in ("classes", "languages")}
    return TextScorer(**own), most
