"""Languages: what was kept and what was lost of each."""

from collections.abc import Sequence

from pipelines.report.data import LanguageCount, ReportData
from pipelines.report.formats import data_size, percent, plural, whole
from pipelines.report.language_names import language_name
from pipelines.report.tables import bar, count_cell, table
from pipelines.report.tags import Html, tag

SHOWN = 24
COLUMNS = ("language", "", ">kept", ">merged", ">dropped", ">loss", ">text kept", ">share of corpus")


def languages_section(data: ReportData) -> Html | None:
    """Return a row for each language, largest first; those past the first SHOWN behind a click."""
    if not data.languages:
        return None
    ranked = sorted(data.languages, key=lambda each: (-_documents(each), each.language))
    most = max(_documents(ranked[0]), 1)
    kept_bytes = sum(each.kept_bytes for each in ranked)
    rows = [_row(each, most, kept_bytes) for each in ranked]
    left = sum(_documents(each) for each in ranked[SHOWN:])
    return tag(
        "figure",
        table("languages", COLUMNS, rows[:SHOWN], "Documents by language"),
        _rest(rows[SHOWN:], left) if ranked[SHOWN:] else None,
        tag("figcaption", _caption()),
    )


def _documents(each: LanguageCount) -> int:
    return each.kept + each.dropped + each.merged


def _caption() -> list[str | Html]:
    return [
        "The language is the best guess of the model named under Provenance, one for each document; “no letters” where "
        "there is nothing to guess from. Bars count documents: ",
        tag("b", "kept", class_="kept-text"),
        ", ",
        tag("b", "merged", class_="merged-text"),
        " into another, ",
        tag("b", "dropped", class_="dropped-text"),
        " by a rule. The loss is the share that rules drop, of the documents that were not merged: a language far "
        "above the others deserves a look at its samples.",
    ]


def _rest(rows: Sequence[Html], documents: int) -> Html:
    summary = f"{len(rows)} more {plural(len(rows), 'language', 'languages')} with {whole(documents)} documents in all"
    return tag("details", tag("summary", summary), table("languages", COLUMNS, rows, "More languages"))


def _row(each: LanguageCount, most: int, kept_bytes: int) -> Html:
    return tag(
        "tr",
        tag("th", language_name(each.language), " ", tag("small", each.language), scope="row"),
        bar(("kept", each.kept / most), ("merged", each.merged / most), ("dropped", each.dropped / most)),
        [count_cell(n) for n in (each.kept, each.merged, each.dropped)],
        tag("td", percent(each.dropped, each.kept + each.dropped), class_="number"),
        tag("td", data_size(each.kept_bytes), class_="number", title=f"{whole(each.kept_bytes)} bytes"),
        tag("td", percent(each.kept_bytes, kept_bytes), class_="number"),
    )
