"""Reading what a model said: JSON with the fields that were asked for, or nothing."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

MAX_QUESTION, MAX_ANSWER, MAX_QUOTES = 400, 1200, 3  # code points, code points, quotes of an item


@dataclass(frozen=True)
class Item:
    """A question that was written, with its answer and quotes."""

    question: str
    answer: str
    quotes: tuple[str, ...]


@dataclass(frozen=True)
class Changed:
    """A question that was made unanswerable, what was put in, and the reply."""

    question: str
    changed: str
    reply: str


def first_object(text: str) -> dict[str, Any] | None:
    """Return the first JSON object in a text, whatever stands around it; None where there is none."""
    decoder = json.JSONDecoder()
    place = text.find("{")
    while place >= 0:
        try:
            found, _ = decoder.raw_decode(text, place)
        except (json.JSONDecodeError, RecursionError):
            place = text.find("{", place + 1)
            continue
        return found if isinstance(found, dict) else None
    return None


def items(text: str) -> list[Item]:
    """Return the items of a reply that have all their fields, in order."""
    found = first_object(text) or {}
    listed = found.get("items") if isinstance(found.get("items"), list) else [found]
    return [item for each in listed or () if isinstance(each, dict) for item in _item(each)]


def _item(found: dict[str, Any]) -> Iterator[Item]:
    question, answer = _words(found, "question", MAX_QUESTION), _words(found, "answer", MAX_ANSWER)
    quotes = found.get("quotes")
    if question and answer and isinstance(quotes, list):
        chosen = tuple(dict.fromkeys(each.strip() for each in quotes if isinstance(each, str) and each.strip()))
        if chosen:
            yield Item(question, answer, chosen[:MAX_QUOTES])


def _words(found: dict[str, Any], name: str, most: int) -> str:
    value = found.get(name)
    text = " ".join(value.split()) if isinstance(value, str) else ""
    return text if len(text) <= most else ""


def answer(text: str) -> str | None:
    """Return the answer of a reader, None where it says that there is none, "" where it can't be read."""
    found = first_object(text)
    if found is None or "answer" not in found:
        return ""
    return None if found["answer"] is None else _words(found, "answer", MAX_ANSWER)


def answerable(text: str) -> bool | None:
    """Return a judge's verdict, None where it gave none."""
    found = (first_object(text) or {}).get("answerable")
    return found if isinstance(found, bool) else None


def label(text: str) -> str:
    """Return entail, neutral or contradict, "unknown" for anything else."""
    found = (first_object(text) or {}).get("label")
    return found if found in ("entail", "neutral", "contradict") else "unknown"


def changed(text: str) -> Changed | None:
    """Return an unanswerable question with its reply, None where a field is missing."""
    found = first_object(text) or {}
    parts = [_words(found, name, most) for name, most in (("question", 400), ("changed", 120), ("reply", 1200))]
    return Changed(*parts) if all(parts) else None
