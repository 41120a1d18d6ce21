"""Facts of JSON-LD and of microdata (schema.org), located in the block as it is stored."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from filters.instruct.normal import date_of, name_key, normalise
from filters.instruct.record import Cell, Statement
from filters.instruct.relations import Relation, by_schema, relations
from filters.instruct.source import json_nodes, types_of

MAX_VALUE_CHARS = 120
# What is more general, of the types that relations.tsv names (schema.org 29).
_KINDS = {
    "Corporation": "Organization", "NGO": "Organization", "EducationalOrganization": "Organization",
    "CollegeOrUniversity": "Organization", "GovernmentOrganization": "Organization", "Airline": "Organization",
    "LibrarySystem": "Organization", "SportsTeam": "Organization", "NewsMediaOrganization": "Organization",
    "Country": "Place", "City": "Place", "Mountain": "Place", "LandmarksOrHistoricalBuildings": "Place",
    "AdministrativeArea": "Place", "TouristAttraction": "Place", "Landform": "Place", "BodyOfWater": "Place",
    "MobileApplication": "SoftwareApplication", "WebApplication": "SoftwareApplication",
    "VideoGame": "SoftwareApplication", "Book": "CreativeWork", "Movie": "CreativeWork", "MusicAlbum": "CreativeWork",
}  # fmt: skip
_WORKS = frozenset(
    {"Book", "Movie", "MusicAlbum"}
)  # other works have authors too: of pages and articles, who are private


def json_statements(content: str, view: str, language: str, method: str = "jsonld") -> Iterator[Statement]:
    """Yield what the objects of a block state; `view` names the block ("markup/<n>"), `method` its kind."""
    for node in json_nodes(content):
        name = node.get("name")
        if not isinstance(name, str) or not name_key(name):
            continue
        if "Person" in types_of(node) and not (node.get("sameAs") or node.get("mainEntityOfPage")):
            continue  # nothing says that this is a public figure
        as_of = node.get("dateModified")
        for found, relation, value in _stated(node):
            made = _statement(content, name, relation, (found, value), language)
            if made is not None:
                dated = date_of(as_of[:10]) if relation.time_varying and isinstance(as_of, str) else None
                yield Statement(*made, method, view, *_place(content, found, value), dated, _cell(view, name, found))


def _stated(node: Mapping[str, Any]) -> Iterator[tuple[str, Relation, str]]:
    """Yield (property, relation, value) of an object."""
    told = set()
    for kind in types_of(node):
        for each in {kind, _KINDS.get(kind, kind)}:
            if each == "CreativeWork" and kind not in _WORKS:
                continue
            for prop, value in node.items():
                relation = by_schema().get((each, prop))
                if relation and (prop, relation) not in told:
                    told.add((prop, relation))
                    yield from ((prop, relations()[relation], said) for said in _values(value))


def _values(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value.strip()
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield json.dumps(value)
    elif isinstance(value, Mapping):
        yield from _values(value.get("name", value.get("value")))
    elif isinstance(value, list):
        for each in value:
            yield from _values(each)


def _statement(
    content: str, name: str, relation: Relation, said: tuple[str, str], language: str
) -> tuple[str, str, str, str, str, str] | None:
    value = said[1]
    key = normalise(value, relation.type, language)
    if not key or not 0 < len(value) <= MAX_VALUE_CHARS or _place(content, *said)[0] < 0 or "://" in value:
        return None
    return name, name_key(name), relation.name, value, key, relation.type


def _place(content: str, prop: str, value: str) -> tuple[int, int, str]:
    """Return (start, end, quote) of a value in the block as it is written there, escapes included; -1 if it is not."""
    after = max(0, content.find(f'"{prop}"'))
    for ascii_only in (False, True):
        form = json.dumps(value, ensure_ascii=ascii_only)[1:-1]
        for written in (form, form.replace("/", "\\/")):
            for at in (content.find(f'"{written}"', after), content.find(f'"{written}"')):
                if at >= 0:
                    return at + 1, at + 1 + len(written), written
    at = content.find(value, after)
    return (at, at + len(value), value) if at >= 0 else (-1, -1, "")


def _cell(view: str, name: str, prop: str) -> Cell:
    return Cell(view, None, None, (name, prop))
