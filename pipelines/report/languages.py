"""Languages: what was kept and what was lost of each."""

from collections.abc import Sequence

from pipelines.report.data import LanguageCount, ReportData
from pipelines.report.formats import data_size, percent, whole
from pipelines.report.language_names import language_name
from pipelines.report.tags import Html, tag

SHOWN = 24


def languages_section(data: ReportData) -> Html | None:
    """Return a row for each language, largest first; those past the first SHOWN behind a click."""
    if not data.languages:
        return None
    ranked = sorted(data.languages, key=lambda each: (-_documents(each), each.language))
    most = max(_documents(ranked[0]), 1)
    shown, rest = ranked[:SHOWN], ranked[SHOWN:]
    return tag(
        "figure",
        tag("div", _table(shown, ranked, most), class_="wide"),
        _rest(rest, ranked, most),
        tag(
            "figcaption",
            "The language is the best guess of the model named under Provenance, one for each document; "
            "“no letters” "
            "where there is nothing to guess from. Bars count documents: ",
            tag("b", "kept", class_="kept-text"), ", ", tag("b", "merged", class_="merged-text"), " "
            "into another, ",
            tag("b", "dropped", class_="dropped-text"), " by a rule. The loss is the share that rules "
            "drop, of the "
            "documents that were not merged: a language far above the others deserves a look at its samples.",
        ),
    )  # fmt: skip


def _documents(each: LanguageCount) -> int:
    return each.kept + each.dropped + each.merged


def _rest(rest: Sequence[LanguageCount], ranked: Sequence[LanguageCount], most: int) -> Html | None:
    if not rest:
        return None
    total = sum(_documents(each) for each in rest)
    summary = f"{len(rest)} more languages with {whole(total)} documents together"
    return tag("details", tag("summary", summary), tag("div", _table(rest, ranked, most), class_="wide"))


def _table(rows: Sequence[LanguageCount], ranked: Sequence[LanguageCount], most: int) -> Html:
    kept_bytes = sum(each.kept_bytes for each in ranked)
    columns = (
        "language",
        "",
        "documents kept",
        "merged",
        "dropped",
        "loss",
        "text kept",
        "share of corpus",
    )
    head = tag("tr", [tag("th", each, scope="col") for each in columns])
    return tag(
        "table",
        tag("thead", head),
        tag("tbody", [_row(each, most, kept_bytes) for each in rows]),
        class_="languages",
    )


def _row(each: LanguageCount, most: int, kept_bytes: int) -> Html:
    parts = [("kept", each.kept), ("merged", each.merged), ("dropped", each.dropped)]
    bars = [tag("span", class_=f"fill {kind}", style=f"width:{100 * n / most:.3f}%") for kind, n in parts if n]
    numbers = [each.kept, each.merged, each.dropped]
    return tag(
        "tr",
        tag("th", language_name(each.language), " ", tag("small", each.language), scope="row"),
        tag("td", bars, class_="bar joined"),
        [tag("td", whole(n), class_="number" + ("" if n else " zero")) for n in numbers],
        tag("td", percent(each.dropped, each.kept + each.dropped), class_="number"),
        tag("td", data_size(each.kept_bytes), class_="number", title=f"{whole(each.kept_bytes)} bytes"),
        tag("td", percent(each.kept_bytes, kept_bytes), class_="number"),
    )
