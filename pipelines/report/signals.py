"""Rules and the signals that they read."""

from collections.abc import Mapping

from pipelines.report.charts import histogram
from pipelines.report.data import Histogram, ReportData, RuleCount
from pipelines.report.formats import percent, plural, whole
from pipelines.report.tables import bar, count_cell, table
from pipelines.report.tags import Html, name, tag


def rules_section(data: ReportData) -> Html | None:
    """Return what each rule drops: alone, as the first to object, and by no other's doing."""
    if not data.rules:
        return None
    judged = data.funnel.judged
    most = max(1, *(rule.failed for rule in data.rules))
    active = [_rule_row(rule, judged, most) for rule in data.rules if rule.failed]
    columns = ("rule", "keeps", ">drops alone", "", ">drops first", ">no other objects")
    return tag(
        "figure",
        table("rules", columns, active, "Rules and what they drop") if active else None,
        _silent([rule for rule in data.rules if not rule.failed]),
        tag("figcaption", _caption(judged, _later(data))),
    )


def _later(data: ReportData) -> str:
    """Say how many documents went after the rules, which no rule's count holds."""
    count = sum(data.funnel.dropped.values()) - sum(rule.first for rule in data.rules)
    return f" at first sight; {whole(count)} more went after the rules" if count else ""


def _caption(judged: int, later: str) -> list[str | Html]:
    return [
        f"Every rule judges every one of the {whole(judged)} documents that were read without error; all objections "
        "are stored. ",
        tag("b", "Drops alone"),
        ": documents that fail the rule, whatever the others say, so these numbers overlap. ",
        tag("b", "Drops first"),
        ": documents of which it names the reason, being the first in order; these add up to all documents that rules "
        f"drop{later}. ",
        tag("b", "No other objects"),
        ": what would come back if the rule were left out (the dark part of the bar).",
    ]


def _rule_row(rule: RuleCount, judged: int, most: int) -> Html:
    return tag(
        "tr",
        tag("th", _rule_name(rule.name), scope="row"),
        tag("td", rule.bounds, class_="bounds"),
        tag("td", whole(rule.failed), " ", tag("small", percent(rule.failed, judged)), class_="number"),
        bar(("dropped", rule.only / most), ("dropped pale", (rule.failed - rule.only) / most)),
        count_cell(rule.first),
        count_cell(rule.only),
    )


def _rule_name(rule: str) -> list[Html | None]:
    group, _, own = rule.rpartition("/")
    return [tag("small", f"{group}/") if group else None, tag("wbr"), name(own)]


def _silent(rules: list[RuleCount]) -> Html | None:
    if not rules:
        return None
    names = [[", " if i else "", tag("code", rule.name)] for i, rule in enumerate(rules)]
    count = f"{len(rules)} {plural(len(rules), 'rule objects', 'rules object')} to nothing here"
    return tag("details", tag("summary", count), tag("p", names, class_="names"))


def signals_section(data: ReportData) -> Html | None:
    """Return a histogram for each signal, with the bounds of the rules that read it."""
    if not data.histograms:
        return None
    failed = {rule.name: rule.failed for rule in data.rules}
    figures = [_signal(i, each, failed) for i, each in enumerate(data.histograms)]
    return tag("div", tag("p", _how_to_read(data.histograms[0]), class_="caption"), tag("div", figures, class_="grid"))


def _signal(i: int, data: Histogram, failed: Mapping[str, int]) -> Html:
    total = sum(data.kept) + sum(data.dropped)
    rules = [each.rule for each in data.thresholds]
    title = [[tag("br") if n else None, _rule_name(rule)] for n, rule in enumerate(rules)]
    outside = [f"{whole(failed[rule])} of {whole(total)} fail" for rule in rules if rule in failed]
    return tag(
        "figure",
        tag("h3", title or tag("code", data.signal)),
        tag("div", histogram(f"h{i}", data), class_="chart", role="img", aria_label=_in_words(data)),
        tag("figcaption", tag("code", data.signal.replace(" / ", " ÷ ")), tag("br"), "; ".join(outside)),
    )


def _in_words(data: Histogram) -> str:
    rules = ", ".join(each.rule for each in data.thresholds)
    counts = f"{whole(sum(data.kept))} documents that stay, {whole(sum(data.dropped))} that go"
    return f"Histogram of {data.signal}: {counts}." + (f" Rules: {rules}." if rules else "")


def _how_to_read(first: Histogram) -> list[str | Html]:
    return [
        "One value a document, every document counted, in bins fixed beforehand. ",
        tag("b", "Above the line", class_="kept-text"),
        f": the {whole(sum(first.kept))} documents that stay, as shares of their number. ",
        tag("b", "Below it", class_="dropped-text"),
        f": the {whole(sum(first.dropped))} that go, for whatever reason, as shares of theirs. Heights are square "
        "roots, so that small bins can be seen. Dashed lines are the rules' bounds, and the shaded side is what they "
        "drop; a language with bounds of its own may stand beyond them.",
    ]
