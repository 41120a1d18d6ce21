"""Rules and the signals that they read."""

from pipelines.report.charts import histogram
from pipelines.report.data import Histogram, ReportData, RuleCount
from pipelines.report.formats import percent, whole
from pipelines.report.tags import Html, tag


def rules_section(data: ReportData) -> Html | None:
    """Return what each rule drops: alone, as the first to object, and by no other's doing."""
    if not data.rules:
        return None
    judged = data.funnel.kept + sum(data.funnel.dropped.values()) + sum(data.funnel.merged.values())
    most = max(1, *(rule.failed for rule in data.rules))
    columns = ("rule", "keeps", "drops alone", "", "drops first", "no other objects")
    head = tag("tr", [tag("th", each, scope="col") for each in columns])
    active = [_rule_row(rule, judged, most) for rule in data.rules if rule.failed]
    silent = [rule for rule in data.rules if not rule.failed]
    table = tag("table", tag("thead", head), tag("tbody", active), class_="rules")
    return tag(
        "figure",
        tag("div", table, class_="wide") if active else None,
        _silent(silent),
        tag("figcaption", _caption(judged)),
    )


def _caption(judged: int) -> list[str | Html]:
    return [
        f"Every rule judges every one of the {whole(judged)} documents that were read without error; "
        f"all objections are "
        "stored. ", tag("b", "Drops alone"), ": documents that fail the rule, whatever the others say, "
        "so these "
        "numbers overlap. ", tag("b", "Drops first"), ": documents of which it names the reason, being "
        "the first in "
        "order; these add up to all dropped documents. ", tag("b", "No other objects"), ": what would "
        "come back if "
        "the rule were left out (the dark part of the bar).",
    ]  # fmt: skip


def _rule_row(rule: RuleCount, judged: int, most: int) -> Html:
    group, _, name = rule.name.rpartition("/")
    return tag(
        "tr",
        tag("th", tag("small", f"{group}/") if group else None, tag("code", name), scope="row"),
        tag("td", rule.bounds, class_="bounds"),
        tag("td", whole(rule.failed), " ", tag("small", percent(rule.failed, judged)), class_="number"),
        tag(
            "td",
            tag("span", class_="fill dropped", style=f"width:{100 * rule.only / most:.3f}%"),
            tag(
                "span",
                class_="fill dropped pale",
                style=f"width:{100 * (rule.failed - rule.only) / most:.3f}%",
            ),
            class_="bar joined",
        ),
        tag("td", whole(rule.first), class_="number" + ("" if rule.first else " zero")),
        tag("td", whole(rule.only), class_="number" + ("" if rule.only else " zero")),
    )


def _silent(rules: list[RuleCount]) -> Html | None:
    if not rules:
        return None
    names = [[", " if i else "", tag("code", rule.name)] for i, rule in enumerate(rules)]
    count = "One rule objects" if len(rules) == 1 else f"{len(rules)} rules object"
    return tag("details", tag("summary", f"{count} to nothing here"), tag("p", names, class_="names"))


def signals_section(data: ReportData) -> Html | None:
    """Return a histogram for each signal, with the bounds of the rules that read it."""
    if not data.histograms:
        return None
    figures = [_signal(i, each) for i, each in enumerate(data.histograms)]
    return tag("div", tag("div", figures, class_="grid"), tag("p", _how_to_read(), class_="caption"))


def _signal(i: int, data: Histogram) -> Html:
    kept, dropped = sum(data.kept), sum(data.dropped)
    numerator, _, per = data.signal.partition(" / ")
    title = [tag("code", numerator), [" per ", tag("code", per)] if per else None]
    counts = f"{whole(kept)} kept, {whole(dropped)} dropped"
    rules = ", ".join(each.rule for each in data.thresholds)
    description = f"Histogram of {data.signal}: {counts}." + (f" Rules: {rules}." if rules else "")
    return tag(
        "figure",
        tag("h3", title),
        tag("div", histogram(f"h{i}", data), class_="chart", role="img", aria_label=description),
        tag("figcaption", counts, [tag("br"), tag("small", rules)] if rules else None),
    )


def _how_to_read() -> list[str | Html]:
    return [
        "One value a document, every document counted in bins fixed beforehand. ",
        tag("b", "Above the line", class_="kept-text"), ": documents that pass all rules, as shares of "
        "their number. ",
        tag("b", "Below it", class_="dropped-text"), ": documents that some rule drops (for any "
        "reason), as shares of "
        "theirs. Heights are square roots, so that small bins can be seen. Dashed lines are the rules' "
        "bounds, and the "
        "shaded side is what they drop; a language with bounds of its own may lie beyond them.",
    ]  # fmt: skip
