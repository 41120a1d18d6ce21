"""The funnel: what became of every record, over all inputs and for each of them."""

from collections.abc import Mapping
from dataclasses import replace

from pipelines.report import tags
from pipelines.report.data import Counts, Funnel, ReportData
from pipelines.report.formats import data_size, percent, whole
from pipelines.report.tables import count_cell, table
from pipelines.report.tags import Html, tag

WAYS_OUT: Mapping[str, str] = {
    "skipped": "not a record of this job: another type, status or file kind, or no text in it",
    "quarantined": "broken, or beyond a limit; kept out, with its reason, in quarantine/",
    "refused": "the owner says no, in robots headers or marks",
    "dropped": "a rule objects; the first one in order names the reason",
    "merged": "another record stays in its place",
}
SOURCES_SHOWN = 40
REASONS: Mapping[str, str] = {
    "same_record": "the same address with the same bytes, seen twice",
    "same_words": "the same question with the same reply, out of two pages",
    "exact_duplicate": "the same text",
    "near_duplicate": "nearly the same text, compared shingle by shingle",
}


def funnel_section(data: ReportData) -> Html | None:
    """Return the waterfall of all inputs and a table of each; None where nothing was there to be read yet."""
    if data.is_without_text:
        return None
    return tag(
        "div",
        tag("figure", _waterfall(data.funnel), tag("figcaption", _caption(data.funnel))),
        _by_job(data),
        _by_source(data.sources),
    )


def outcomes(funnel: Funnel) -> Html | None:
    """Return one bar: all records by what became of them."""
    if not funnel.read:
        return None
    counts = [("kept", funnel.kept), *((name, sum(each.values())) for name, each in reversed(funnel.losses))]
    shown = [(name, count) for name, count in counts if count]
    bar = [tag("span", class_=f"part {name}", style=f"flex:{count} 0 3px") for name, count in shown]
    legend = [
        tag(
            "li",
            tag("i", class_=f"swatch {name}"),
            f"{name} ",
            tag("b", whole(count)),
            f" {percent(count, funnel.read)}",
        )
        for name, count in shown
    ]
    return tag(
        "div", tag("div", bar, class_="outcome-bar", aria_hidden="true"), tag("ul", legend, class_="legend"),
        class_="outcomes",
    )  # fmt: skip


def _caption(funnel: Funnel) -> list[str]:
    lost = f" {data_size(funnel.lost_bytes)} of input between records could not be read." if funnel.lost_bytes else ""
    return [
        "Counted from the committed files, not from the workers' own counters: the job commits only when "
        "read = skipped + quarantined + refused + dropped + merged + kept. Bars show what is still left "
        "on the way "
        f"down; coloured parts are what goes at that step. Percentages are of all records read.{lost}"
    ]


def _waterfall(funnel: Funnel) -> Html:
    left = funnel.read
    rows = [_step("read", funnel.read, funnel, "total", 0, funnel.read)]
    for name, counts in funnel.losses:
        total = sum(counts.values())
        left -= total
        rows.append(_step(name, total, funnel, name, left, total, WAYS_OUT[name]))
        rows.extend(_reasons(name, counts, funnel, left, total))
    rows.append(_step("kept", funnel.kept, funnel, "kept", 0, funnel.kept, "in the corpus"))
    return table("waterfall", ("", ">records", ">share", ""), rows, "What became of all records")


def _step(name: str, count: int, funnel: Funnel, kind: str, start: int, length: int, note: str = "") -> Html:
    sign = "− " if kind in WAYS_OUT and count else ""
    return tag(
        "tr",
        tag("th", tag("span", name, class_="name"), tag("small", note) if note else None, scope="row"),
        tag("td", sign, whole(count), class_="number"),
        tag("td", percent(count, funnel.read), class_="number share"),
        tag("td", _bar(kind, start, length, funnel.read), class_="bar"),
        class_=f"step {kind}-row" + ("" if count else " none"),
    )


def _reasons(kind: str, counts: Counts, funnel: Funnel, start: int, length: int) -> list[Html]:
    rows, end = [], start + length
    for name, count in sorted(counts.items(), key=lambda each: (-each[1], each[0])):
        if count:
            end -= count
            rows.append(
                tag(
                    "tr",
                    tag(
                        "th",
                        tags.name(name),
                        tag("small", REASONS[name]) if name in REASONS else None,
                        scope="row",
                    ),
                    tag("td", whole(count), class_="number"),
                    tag("td", percent(count, funnel.read), class_="number share"),
                    tag("td", _bar(kind, end, count, funnel.read), class_="bar"),
                    class_="reason",
                )
            )
    return rows


def _bar(kind: str, start: int, length: int, whole_length: int) -> Html | None:
    if not whole_length or not length:
        return None
    left, width = 100 * start / whole_length, 100 * length / whole_length
    return tag("span", class_=f"fill {kind}", style=f"margin-left:{left:.3f}%;width:{width:.3f}%")


def _by_source(sources: Mapping[str, Funnel]) -> Html | None:
    if not sources:
        return None
    ranked = sorted(sources.items(), key=lambda each: (-each[1].read, each[0]))
    shown, rest = ranked[:SOURCES_SHOWN], ranked[SOURCES_SHOWN:]
    rows = [_source_row(name, funnel) for name, funnel in shown]
    if rest:
        rows.append(_source_row(f"{len(rest)} more inputs", _sum([funnel for _, funnel in rest])))
    columns = ("input", ">read", *(f">{name}" for name in WAYS_OUT), ">kept", ">kept share", "")
    caption = "The same counts for each input of the recipe; every row adds up as the whole does."
    shown_table = table("sources", columns, rows, "Records by input")
    return tag("figure", tag("h3", "By input"), shown_table, tag("figcaption", caption))


def _by_job(data: ReportData) -> Html | None:
    """Return a row for each job of the run; None where text alone was made."""
    if not data.media:
        return None
    jobs = [("documents", data.funnel), *((f"{name}s", funnel) for name, funnel in data.media)]
    rows = [_source_row(name, replace(funnel, read=funnel.total)) for name, funnel in jobs]
    columns = ("of", ">records", *(f">{name}" for name in WAYS_OUT), ">kept", ">kept share", "")
    caption = "What was cut into pieces counts by its pieces. The reasons of each job stand in its own section."
    return tag(
        "figure", tag("h3", "By job"), table("sources", columns, rows, "Records by job"), tag("figcaption", caption)
    )  # fmt: skip


def _source_row(name: str, funnel: Funnel) -> Html:
    counts = [funnel.read, *(sum(each.values()) for _, each in funnel.losses), funnel.kept]
    return tag(
        "tr",
        tag("th", name, scope="row"),
        [count_cell(count) for count in counts],
        tag("td", percent(funnel.kept, funnel.read), class_="number"),
        tag("td", outcome_bar(funnel), class_="bar"),
    )


def outcome_bar(funnel: Funnel) -> Html | None:
    """Return a thin bar of what became of an input's records."""
    counts = [("kept", funnel.kept), *((name, sum(each.values())) for name, each in reversed(funnel.losses))]
    parts = [tag("span", class_=f"part {name}", style=f"flex:{count} 0 0") for name, count in counts if count]
    return tag("div", parts, class_="outcome-bar thin", aria_hidden="true") if funnel.read else None


def _sum(funnels: list[Funnel]) -> Funnel:
    def together(name: str) -> Counts:
        return {"all": sum(sum(dict(each.losses)[name].values()) for each in funnels)}

    return Funnel(
        sum(each.read for each in funnels),
        sum(each.kept for each in funnels),
        together("skipped"),
        together("quarantined"),
        together("refused"),
        together("dropped"),
        together("merged"),
    )
