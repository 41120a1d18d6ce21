"""Where the result comes from, and which places for a user's model stand empty."""

from pipelines.report.data import Phase, Provenance, ReportData
from pipelines.report.formats import data_size, plural, seconds, whole
from pipelines.report.late import scored_languages
from pipelines.report.tables import bar, count_cell, table
from pipelines.report.tags import Html, tag


def scorers_section(data: ReportData) -> Html | None:
    """Return every place for a scorer, with "none" where nobody filled it."""
    if not data.scorers:
        return None
    rows = [
        tag(
            "tr",
            tag("th", each.name, scope="row"),
            tag("td", tag("code", each.model) if each.model else tag("span", "scorer: none", class_="none-chip")),
            tag("td", each.purpose),
        )
        for each in data.scorers
    ]
    caption = "Where no model stands, nothing was scored: no document was kept or dropped for this."
    places = tag("figure", table("plain", (), rows, "Places for scorers"), tag("figcaption", caption))
    return tag("div", places, scored_languages(data.late))


def provenance_section(data: ReportData) -> Html:
    """Return digests, models, times and the settings."""
    origin = data.provenance
    promise = tag("p", _promise(data), class_="caption")
    return tag("div", _facts(origin), promise, _models(origin), _phases(origin.phases), _settings(origin))


def _promise(data: ReportData) -> str:
    """Return what a digest stands for: what a crawl brings depends on the world, all that is made of it does not."""
    if data.is_crawl_alone:
        return (
            "What a crawl brings depends on the world and on when it is asked: another one has another digest. "
            "corpusmill verify checks the files against it."
        )
    given = "WARC files" if data.crawl else "input"
    return (
        f"The same {given}, recipe and models give the same manifest digest on every runner, with any number of "
        "workers, interrupted or not; corpusmill verify checks the files against it."
    )


def _facts(origin: Provenance) -> Html | None:
    shards = f"{whole(origin.shards)} {plural(origin.shards, 'file', 'files')}, {data_size(origin.output_bytes)}"
    facts = [
        ("manifest digest", tag("code", origin.manifest_digest) if origin.manifest_digest else ""),
        ("plan hash", tag("code", origin.plan_hash) if origin.plan_hash else ""),
        ("snapshot", origin.snapshot),
        ("corpusmill", origin.version),
        ("input", data_size(origin.input_bytes) if origin.input_bytes else ""),
        ("output", shards if origin.shards else ""),
        *origin.settings.items(),
    ]
    rows = [tag("tr", tag("th", name, scope="row"), tag("td", value)) for name, value in facts if value]
    if not rows:
        return None
    return table("plain", (), rows, "What made this")


def _models(origin: Provenance) -> Html | None:
    if not origin.models:
        return None
    rows = [
        tag("tr", tag("th", each.name, scope="row"), tag("td", each.purpose), tag("td", tag("code", each.digest)))
        for each in origin.models
    ]
    return tag(
        "figure", tag("h3", "Models"), table("plain", ("model", "used for", "sha256"), rows, "Models of the text job")
    )


def _phases(phases: tuple[Phase, ...]) -> Html | None:
    if not phases:
        return None
    total = sum(each.wall_s for each in phases)
    rows = [
        tag(
            "tr",
            tag("th", each.name, scope="row"),
            tag("td", seconds(each.wall_s), class_="number"),
            bar(("total", each.wall_s / (total or 1))),
            tag("td", seconds(each.cpu_s) if each.cpu_s is not None else "–", class_="number"),
            count_cell(each.units),
            count_cell(each.reused),
        )
        for each in phases
    ]
    columns = ("phase", ">time", "", ">CPU time", ">units", ">found done")
    caption = f"{seconds(total)} in all, as this machine's clock saw the last run. No time is part of any result."
    return tag("figure", tag("h3", "Time"), table("phases", columns, rows, "Phases"), tag("figcaption", caption))


def _settings(origin: Provenance) -> Html | None:
    if not origin.recipe:
        return None
    summary = tag("summary", "The settings, with every default filled in")
    return tag("details", summary, tag("pre", tag("code", origin.recipe)))
