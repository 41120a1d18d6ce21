"""What the sections of all media jobs have in common: how many, what went and why, rules, signals, models."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipelines.report.charts import histogram
from pipelines.report.counts import Funnel, Histogram, RuleCount
from pipelines.report.formats import plural, whole
from pipelines.report.tables import bar, count_cell, table
from pipelines.report.tags import Html, name, tag

NONE = "none"


@dataclass(frozen=True)
class Noun:
    """What a record of a job is called."""

    one: str
    more: str

    def of(self, count: int) -> str:
        return f"{whole(count)} {plural(count, self.one, self.more)}"


def unbalanced(funnel: Funnel, noun: Noun) -> Html | None:
    """Return an alarm where a ledger does not balance."""
    if not funnel.unaccounted:
        return None
    text = (
        f"The ledger does not balance: {whole(funnel.unaccounted)} {noun.more} stand nowhere (or twice, if negative)."
    )
    return tag("p", text, class_="alarm", role="alert")


def figures(rows: Sequence[tuple[str, str, str]]) -> Html:
    """Return a row of large numbers: (title, value, note)."""
    cells = [tag("div", tag("dt", title), tag("dd", value, tag("small", note))) for title, value, note in rows]
    return tag("figure", tag("dl", cells, class_="figures"))


def funnel_table(funnel: Funnel, noun: Noun, files: Noun, caption: str) -> Html | None:
    """Return what became of every record: read, cut into pieces, each way out with its reasons, kept."""
    if not funnel.read:
        return None
    rows = [_step("read", "", funnel.read, funnel.total, "total", f"{files.more}, of whatever kind")]
    if funnel.expanded:
        note = f"{files.of(funnel.expanded)} became {noun.of(funnel.expanded_into)}, which stand in their place"
        rows.append(_step("cut", "", funnel.total, funnel.total, "total", note))
    for verdict, counts in funnel.losses:
        if lost := sum(counts.values()):
            rows.append(_step(verdict, "− ", lost, funnel.total, verdict, ""))
            rows += [_reason(verdict, *each, funnel.total) for each in _ranked(counts)]
    rows.append(_step("kept", "", funnel.kept, funnel.total, "kept", f"{noun.more} in the shards"))
    shown = table("waterfall", ("", ">records", ""), rows, f"What became of all {files.more}")
    return tag("figure", tag("h3", "What came in, what went and why"), shown, tag("figcaption", caption))


def _ranked(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(((key, n) for key, n in counts.items() if n), key=lambda each: (-each[1], each[0]))


def _step(title: str, sign: str, count: int, total: int, kind: str, note: str) -> Html:
    return tag(
        "tr",
        tag("th", tag("span", title, class_="name"), tag("small", note) if note else None, scope="row"),
        tag("td", sign, whole(count), class_="number"),
        bar((kind, min(count / max(total, 1), 1.0))),
        class_="step",
    )


def _reason(verdict: str, reason: str, count: int, total: int) -> Html:
    return tag(
        "tr",
        tag("th", name(reason), scope="row"),
        tag("td", whole(count), class_="number"),
        bar((verdict, count / max(total, 1))),
        class_="reason",
    )


def rules_table(rules: Sequence[RuleCount], noun: Noun) -> Html | None:
    """Return what each rule drops."""
    if not rules:
        return None
    caption = (
        f"Drops alone: {noun.more} that fail the rule, whatever the others say. Drops first: those whose reason it is."
    )
    columns = ("rule", "keeps", ">drops alone", ">drops first", ">no other objects")
    shown = [_rule(rule) for rule in rules]
    body = table("rules", columns, shown, f"Rules for {noun.more}")
    return tag("figure", tag("h3", "Rules"), body, tag("figcaption", caption))


def _rule(rule: RuleCount) -> Html:
    counts = [count_cell(count) for count in (rule.failed, rule.first, rule.only)]
    return tag("tr", tag("th", name(rule.name), scope="row"), tag("td", rule.bounds, class_="bounds"), counts)


def models_table(models: Mapping[str, str], scorers: Mapping[str, str], without: Sequence[str]) -> Html | None:
    """Return the models that measured something, the places that stand empty, and the rules that wait for one."""
    empty = tag("span", "scorer: none", class_="none-chip")
    rows = [
        tag("tr", tag("th", tag("code", model), scope="row"), tag("td", tag("code", digest)))
        for model, digest in sorted(models.items())
    ]
    rows += [
        tag("tr", tag("th", _words(place), scope="row"), tag("td", empty if model == NONE else tag("code", model)))
        for place, model in sorted(scorers.items())
    ]
    rows += [tag("tr", tag("th", name(rule), scope="row"), tag("td", empty)) for rule in without]
    if not rows:
        return None
    caption = "Models with their sha256. What has no scorer was not measured: it has kept and dropped nothing."
    return tag("figure", tag("h3", "Models"), table("plain", (), rows, "Models"), tag("figcaption", caption))


def _words(place: str) -> str:
    return place.replace("_", " ")


def histograms(data: Sequence[Histogram], noun: Noun, prefix: str, title: str = "Signals") -> Html | None:
    """Return a histogram for each signal; `prefix` keeps their ids apart from those of other sections."""
    if not data:
        return None
    caption = (
        f"Above the line the {noun.more} that stay, below it those that go, for whatever reason; dashed lines are the "
        "bounds of rules, the shaded side is what they drop. Heights are square roots of shares."
    )
    shown = [_signal(f"{prefix}{i}", each, noun) for i, each in enumerate(data)]
    return tag("div", tag("h3", title), tag("p", caption, class_="caption"), tag("div", shown, class_="grid"))


def _signal(chart: str, data: Histogram, noun: Noun) -> Html:
    counts = f"{noun.of(sum(data.kept))} that stay, {whole(sum(data.dropped))} that go"
    rules = [[tag("br"), name(each.rule)] for each in data.thresholds]
    drawn = histogram(chart, data)
    return tag(
        "figure",
        tag("h4", tag("code", data.signal.replace(" / ", " ÷ "))),
        tag("div", drawn, class_="chart", role="img", aria_label=f"Histogram of {data.signal}: {counts}."),
        tag("figcaption", counts, rules),
    )


def sheet(verdict: str, cells: Sequence[Html], words: str, kind: str) -> Html | None:
    """Return records of one verdict side by side."""
    if not cells:
        return None
    title = tag("h3", tag("i", class_=f"swatch {verdict}"), verdict.capitalize())
    drawn = " Drawn by the record's id, a digest: nobody picked them."
    return tag("figure", title, tag("ul", cells, class_=kind), tag("figcaption", words + drawn))


def chips(reasons: Sequence[str]) -> Html | None:
    """Return the rules that object to a record."""
    if not reasons:
        return None
    return tag("p", [tag("code", reason, class_="reason-chip") for reason in reasons], class_="reasons")


def short_time(seconds: float) -> str:
    """Write a place on a time line: 0:03.5, 1:02:03.4."""
    tenths = round(seconds * 10)
    minutes, hours = tenths // 600 % 60, tenths // 36_000
    rest = f"{tenths // 10 % 60:02d}.{tenths % 10}"
    return f"{hours}:{minutes:02d}:{rest}" if hours else f"{minutes}:{rest}"


def long_time(milliseconds: int) -> str:
    """Write a length: 43 s, 12 min, 3.4 h."""
    seconds = milliseconds / 1000
    if seconds < 120:
        return f"{seconds:,.0f} s"
    return f"{seconds / 60:,.1f} min" if seconds < 7200 else f"{seconds / 3600:,.1f} h"
