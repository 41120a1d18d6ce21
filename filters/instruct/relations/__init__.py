"""The relations that facts are read by and asked by, and how each language says them. The tables beside are the data.

relations.tsv: the type of the value; functional (one true value at a time: others contradict it); time_varying (true as
of a date only); person (only told of people with a page of their own); the schema.org type and property that say it.
<language>.tsv: labels (of rows in tables, folded), questions, statements; alternatives are separated by "|". In
questions and statements {s} is the subject and {v} the value. A statement is also how the relation is found in prose;
one behind "~" is only found, and never told: it says more than the relation does ("{s} is a city in {v}").
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from filters.instruct.normal import fold

RELATIONS_VERSION = 2
_VOWELS = "aâàeéèêëiîïoôuûœæ"
_OF = re.compile(r"\b([Dd])e \{s\}")  # French, written d’ before a vowel


@dataclass(frozen=True)
class Relation:
    """A relation between a subject and a value, whatever the language."""

    name: str
    type: str  # date | number | quantity | entity | text
    functional: bool
    time_varying: bool
    person: bool
    schema_org: str  # "Person.birthDate", or ""


@dataclass(frozen=True)
class Wording:
    """How a language says a relation."""

    labels: tuple[str, ...]
    questions: tuple[str, ...]
    statements: tuple[str, ...]
    heard: tuple[str, ...]  # the statements, and those that are only found


def _rows(name: str) -> list[dict[str, str]]:
    lines = files(__package__).joinpath(name).read_text("utf-8").splitlines()
    names = lines[0].split("\t")
    return [dict(zip(names, line.split("\t"), strict=True)) for line in lines[1:] if line]


@cache
def relations() -> Mapping[str, Relation]:
    """Return name -> relation."""
    return {row["name"]: _relation(row) for row in _rows("relations.tsv")}


def _relation(row: Mapping[str, str]) -> Relation:
    flags = {name: row[name] == "yes" for name in ("functional", "time_varying", "person")}
    return Relation(name=row["name"], type=row["type"], schema_org=row["schema_org"], **flags)


@cache
def languages() -> tuple[str, ...]:
    """Return the languages that have wordings."""
    names = (each.name for each in files(__package__).iterdir())
    return tuple(sorted(name[:-4] for name in names if re.fullmatch(r"[a-z]{2,3}\.tsv", name)))


@cache
def wordings(language: str) -> Mapping[str, Wording]:
    """Return relation -> wording; nothing for a language without a table."""
    if language not in languages():
        return {}
    return {
        row["relation"]: _wording(*(row[name].split("|") for name in ("labels", "questions", "statements")))
        for row in _rows(f"{language}.tsv")
    }


def _wording(labels: list[str], questions: list[str], statements: list[str]) -> Wording:
    told = tuple(each for each in statements if not each.startswith("~"))
    return Wording(tuple(labels), tuple(questions), told, tuple(each.removeprefix("~") for each in statements))


def with_subject(form: str, subject: str, language: str) -> str:
    """Return a wording with its subject put in."""
    if language == "fr" and subject[:1].lower() in _VOWELS:
        form = _OF.sub(r"\1’{s}", form)
    return form.replace("{s}", subject)


@cache
def labelled(language: str) -> Mapping[str, str]:
    """Return folded label -> relation, of a language and of English."""
    found: dict[str, str] = {}
    for code in (language, "en"):
        for name, wording in wordings(code).items():
            for label in wording.labels:
                found.setdefault(fold(label), name)
    return found


@cache
def by_schema() -> Mapping[tuple[str, str], str]:
    """Return (schema.org type, property) -> relation."""
    told = ((each.schema_org.split("."), each.name) for each in relations().values() if each.schema_org)
    return {(kind, name): relation for (kind, name), relation in told}
