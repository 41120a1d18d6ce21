"""What the user gives to jobs that hear speech: a recogniser, lists of words, models that score what is said.

Files go into the output under names of their contents; workers bring them from there. Where they lay is in no key.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from filters.audio.transcribe import TRANSCRIBE_VERSION, files_of
from filters.audio.transcript_signals import TRANSCRIPTS_VERSION, transcript_scorer_rules, transcript_signals
from filters.models import fetch_model
from filters.rules import Rule
from filters.safety.scorers import VERSION as SCORERS_VERSION
from filters.safety.scorers import TextScorer
from filters.safety.word_lists import load_file
from manifests.store import Store
from pipelines.speech_block import TranscriberBlock, WordListsBlock
from pipelines.stages.files import bring, bring_folder, keep, keep_folder, keep_word_lists
from pipelines.text.safety_block import TextScorerBlock

SHIPPED = "model:"  # what is one of filters.models


class Hears(Protocol):
    """The block of a job that hears speech."""

    @property
    def transcriber(self) -> TranscriberBlock | None: ...
    @property
    def word_lists(self) -> WordListsBlock | None: ...
    @property
    def text_scorers(self) -> Sequence[TextScorerBlock]: ...

    def model_dump(self, *, mode: str, exclude: set[str]) -> dict[str, Any]: ...


class Recogniser:
    """A block's transcriber, or None, as settings describe it and as the output keeps it."""

    def __init__(self, block: TranscriberBlock | None, job: str) -> None:
        self.block, self.job = block, job

    @property
    def packages(self) -> tuple[str, ...]:
        """Return the packages that its words depend on."""
        return ("faster-whisper", "ctranslate2") if self.block else ()

    @cached_property
    def files(self) -> dict[str, str]:
        """Return {file: sha256} of its folder, {} for None; raises ModelMissingError."""
        return files_of(Path(self.block.model), self.block.sha256) if self.block else {}

    def described(self) -> dict[str, Any] | None:
        """Return what decides the words: no place."""
        if self.block is None:
            return None
        return {"files": self.files, "languages": list(self.block.languages), "version": TRANSCRIBE_VERSION}

    def kept(self, store: Store) -> dict[str, Any] | None:
        """Put the files into the output; return what `brought` takes. Raises ModelDamagedError for other weights."""
        if self.block is None:
            return None
        names = keep_folder(store, self.job, Path(self.block.model), self.files, f"{self.job}.transcriber")
        return {"files": names, "sha256": self.block.sha256, "languages": list(self.block.languages)}


def brought(store: Store, kept: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the fields of filters.audio.transcribe.Whisper on this machine."""
    if kept is None:
        return None
    own = {name: value for name, value in kept.items() if name != "files"}
    return {**own, "model": str(bring_folder(store, kept["files"]))}


def described(block: Hears) -> dict[str, Any]:
    """Return the settings of a block, and those of what the user gives without where its files lie."""
    return {
        **block.model_dump(mode="json", exclude={"transcriber", "word_lists", "text_scorers"}),
        "transcript_signals": TRANSCRIPTS_VERSION,
        "word_lists": block.word_lists.sha256 if block.word_lists else None,
        "text_scorers": _described_scorers(block.text_scorers),
    }


def scored_by(block: Hears) -> dict[str, str]:
    """Return who hears and judges what is said; "none" where nobody does."""
    return {
        "transcriber": "whisper" if block.transcriber else "none",
        "listed_words": "word_lists" if block.word_lists else "none",
        "text": ", ".join(each.column for each in block.text_scorers) or "none",
    }


def _described_scorers(blocks: Sequence[TextScorerBlock]) -> list[dict[str, Any]]:
    """Return the settings of scorers without where their files lie."""
    own = [block.model_dump(mode="json", exclude=set() if _ships(block) else {"path"}) for block in blocks]
    return [{**each, "version": SCORERS_VERSION} for each in own]


def scorer_rules(blocks: Sequence[TextScorerBlock]) -> tuple[Rule, ...]:
    """Return the rules of scorers over transcripts."""
    pairs = ((_scorer(block), block.max_flagged_fraction) for block in blocks)
    return tuple(rule for pair in pairs for rule in transcript_scorer_rules(*pair))


def keep_safety(
    store: Store, job: str, lists: WordListsBlock | None, blocks: Sequence[TextScorerBlock]
) -> dict[str, Any]:
    """Put lists and scorers into the output; return the config of `Safety`."""
    words = keep_word_lists(store, job, Path(lists.path), lists.sha256) if lists else None
    return {"word_lists": words, "text_scorers": [_kept(store, job, block) for block in blocks]}


def _kept(store: Store, job: str, block: TextScorerBlock) -> dict[str, Any]:
    own = block.model_dump(mode="json", exclude={"max_flagged_fraction"})
    if _ships(block):
        fetch_model(block.path.removeprefix(SHIPPED))
        return own
    return {**own, "path": keep(store, job, Path(block.path), f"{job}.text_scorers: {block.column}", block.sha256)}


class Safety:
    """Measures transcripts. config: {word_lists: a file of the output or null, text_scorers}."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.word_lists = load_file(bring(store, config["word_lists"])) if config["word_lists"] else None
        self.scorers = [_here(store, each) for each in config["text_scorers"]]

    def measure(self, texts: pa.StringArray) -> pa.RecordBatch:
        """Return filters.audio.transcript_signals of texts."""
        return transcript_signals(texts, self.word_lists, self.scorers)


def _ships(block: TextScorerBlock) -> bool:
    return block.path.startswith(SHIPPED)


def _scorer(block: TextScorerBlock) -> TextScorer:
    return TextScorer(**block.model_dump(exclude={"max_flagged_fraction"}))


def _here(store: Store, each: Mapping[str, Any]) -> TextScorer:
    path = each["path"] if each["path"].startswith(SHIPPED) else str(bring(store, each["path"]))
    listed = {name: tuple(each[name]) for name in ("classes", "languages")}
    return TextScorer(**{**each, **listed, "path": path})
