"""The safety and quality slots of a text block: their files go into the output, workers bring them to where they run.

The settings name contents and never places, so they are part of the stage key as they stand.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from filters import licenses
from filters.models import fetch_model
from filters.safety import assets, watch, word_lists
from manifests.store import Store
from pipelines.stages.files import bring, keep, keep_word_lists
from pipelines.text.block import Text
from pipelines.text.safety_block import ListedWords, Quality, TextScorerBlock
from pipelines.url_list_block import UrlListBlock

JOB = "text"


def watch_settings(store: Store, text: Text) -> dict[str, Any]:
    """Return what is measured beside the rule sets, {} where no slot is filled; files are kept in the output."""
    settings: dict[str, Any] = {}
    if text.block_lists:
        settings["block_lists"] = [kept for each in text.block_lists for kept in _lists(store, each)]
    if text.listed_words is not None:
        settings["words"] = _words(store, text.listed_words)
    if text.scorers:
        settings["scorers"] = [_scorer(store, each) for each in text.scorers]
    if text.quality is not None:
        settings["quality"] = _quality(store, text.quality)
    if text.licenses is not None:
        settings["licenses"] = {"keep": list(text.licenses.keep), "version": licenses.VERSION}
    return {**settings, "versions": watch.versions()} if settings else {}


def local_watch(store: Store, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings with local files in the place of the kept ones, as `filters.safety.watch` takes them."""
    found: dict[str, Any] = {}
    if "block_lists" in settings:
        found["block_lists"] = [_here(store, each) for each in settings["block_lists"]]
    if "words" in settings:
        found["words"] = _here(store, settings["words"])
    if "scorers" in settings:
        found["scorers"] = [_here(store, each) for each in settings["scorers"]]
    if "quality" in settings:
        own = _here(store, settings["quality"])
        found["quality"] = {"model": own.pop("path"), **own}
    if "licenses" in settings:
        found["licenses"] = settings["licenses"]
    return found


def without_bounds(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings without what only rules read: a changed threshold measures nothing again."""
    bounds = {"threshold", "max_flagged_fraction", "rules", "keep"}
    return {name: _without(value, bounds) for name, value in settings.items()}


def _without(value: Any, names: set[str]) -> Any:
    if isinstance(value, list):
        return [_without(each, names) for each in value]
    return {key: each for key, each in value.items() if key not in names}


def _here(store: Store, each: Mapping[str, Any]) -> dict[str, Any]:
    own = dict(each)
    file = own.pop("file")
    own["path"] = file if file.startswith("model:") else str(bring(store, file))
    return own


def _lists(store: Store, each: UrlListBlock | str) -> list[dict[str, Any]]:
    if isinstance(each, UrlListBlock):
        file = keep(store, JOB, Path(each.path), f"text.block_lists: {each.name}")
        return [{"name": each.name, "scope": each.scope, "file": file}]
    return [
        {"name": one.name, "scope": one.scope, "file": keep(store, JOB, Path(one.path), one.name, one.sha256)}
        for one in assets.fineweb_lists(fetch=True)
    ]


def _words(store: Store, block: ListedWords) -> dict[str, Any]:
    folder = Path(block.path) if block.path else word_lists.fetch_lists()
    return {"rules": block.rules, "file": keep_word_lists(store, JOB, folder)}


def _scorer(store: Store, block: TextScorerBlock) -> dict[str, Any]:
    own = block.model_dump(mode="json", exclude={"path"})
    if block.path.startswith("model:"):
        fetch_model(block.path.removeprefix("model:"))
        return {**own, "file": block.path}
    return {**own, "file": keep(store, JOB, Path(block.path), f"text.scorers: {block.column}", block.sha256)}


def _quality(store: Store, block: Quality) -> dict[str, Any]:
    own = block.model_dump(mode="json", exclude={"model"})
    return {**own, "file": keep(store, JOB, Path(block.model), "text.quality", block.sha256)}
