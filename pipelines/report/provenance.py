"""Where the result comes from, and which places for a user's model stand empty."""

from pipelines.report.data import Phase, Provenance, ReportData
from pipelines.report.formats import data_size, percent, seconds, whole
from pipelines.report.tags import Html, tag


def scorers_section(data: ReportData) -> Html | None:
    """Return every place for a scorer, with "none" where nobody filled it."""
    if not data.scorers:
        return None
    rows = [
        tag(
            "tr",
            tag("th", each.name, scope="row"),
            tag(
                "td",
                tag("code", each.model) if each.model else tag("span", "scorer: none", class_="none-chip"),
            ),
            tag("td", each.purpose),
        )
        for each in data.scorers
    ]
    caption = "Where no model stands, nothing was scored: no document was kept or dropped for this."
    table = tag("table", tag("tbody", rows), class_="plain")
    return tag("figure", tag("div", table, class_="wide"), tag("figcaption", caption))


def provenance_section(data: ReportData) -> Html:
    """Return digests, models, times and the recipe."""
    origin = data.provenance
    return tag("div", _facts(origin), _models(origin), _phases(origin.phases), _recipe(origin))


def _facts(origin: Provenance) -> Html | None:
    facts = [
        ("manifest digest", origin.manifest_digest, True),
        ("plan hash", origin.plan_hash, True),
        ("snapshot", origin.snapshot, True),
        ("corpusmill", origin.version, False),
        ("input", data_size(origin.input_bytes) if origin.input_bytes else "", False),
        (
            "output",
            f"{whole(origin.shards)} shards, {data_size(origin.output_bytes)}" if origin.shards else "",
            False,
        ),
        *((name, value, False) for name, value in origin.settings.items()),
    ]
    rows = [
        tag("tr", tag("th", name, scope="row"), tag("td", tag("code", value) if is_code else value))
        for name, value, is_code in facts
        if value
    ]
    if not rows:
        return None
    caption = (
        "The same input, recipe and models give the same manifest digest on every runner, with any "
        "number of workers, "
        "interrupted or not; corpusmill verify checks the files against it."
    )
    table = tag("div", tag("table", tag("tbody", rows), class_="plain"), class_="wide")
    return tag("figure", table, tag("figcaption", caption))


def _models(origin: Provenance) -> Html | None:
    if not origin.models:
        return None
    head = tag("tr", [tag("th", each, scope="col") for each in ("model", "used for", "sha256")])
    rows = [
        tag(
            "tr",
            tag("th", each.name, scope="row"),
            tag("td", each.purpose),
            tag("td", tag("code", each.digest)),
        )
        for each in origin.models
    ]
    table = tag("table", tag("thead", head), tag("tbody", rows), class_="plain")
    return tag("figure", tag("h3", "Models"), tag("div", table, class_="wide"))


def _phases(phases: tuple[Phase, ...]) -> Html | None:
    if not phases:
        return None
    total = sum(each.wall_s for each in phases)
    head = tag(
        "tr",
        [tag("th", each, scope="col") for each in ("phase", "time", "", "CPU time", "units", "found done")],
    )
    rows = [
        tag(
            "tr",
            tag("th", each.name, scope="row"),
            tag("td", seconds(each.wall_s), class_="number"),
            tag(
                "td",
                tag("span", class_="fill total", style=f"width:{100 * each.wall_s / (total or 1):.2f}%"),
                class_="bar",
            ),
            tag("td", seconds(each.cpu_s) if each.cpu_s is not None else "–", class_="number"),
            tag("td", whole(each.units), class_="number"),
            tag("td", whole(each.reused), " ", tag("small", percent(each.reused, each.units)), class_="number"),
        )
        for each in phases
    ]
    caption = f"{seconds(total)} in all, as this machine's clock saw the last run. No time is part of any result."
    table = tag("table", tag("thead", head), tag("tbody", rows), class_="phases")
    return tag("figure", tag("h3", "Time"), tag("div", table, class_="wide"), tag("figcaption", caption))


def _recipe(origin: Provenance) -> Html | None:
    if not origin.recipe:
        return None
    return tag(
        "details",
        tag("summary", "The recipe, with every default filled in"),
        tag("pre", tag("code", origin.recipe)),
    )
