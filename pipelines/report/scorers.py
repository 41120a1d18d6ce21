"""The places for a user's models in a text job, filled or empty."""

from collections.abc import Mapping
from typing import Any

from pipelines.report.data import NO_SCORERS, Scorer


def scorers_of(watch: Mapping[str, Any]) -> tuple[Scorer, ...]:
    """Return every place with what stands there, of the settings of pipelines.text.watch; {} leaves all empty."""
    quality, own = watch.get("quality"), watch.get("scorers", ())
    named = {each["column"]: _file(each) for each in own}
    places = {each.name: each.purpose for each in NO_SCORERS}
    found = {**dict.fromkeys(places), **named, "quality": _file(quality) if quality else None}
    return tuple(Scorer(name, places.get(name, "the user's own"), model) for name, model in found.items())


def _file(each: Mapping[str, Any]) -> str:
    """Return which file it is: a model by its name, a user's by its sha256."""
    file = str(each["file"])
    return file if file.startswith("model:") else f"sha256 {each['sha256']}"
