"""The crawl: hosts, what came of their URLs, who said no in which words, what failed, how much and how fast."""

from collections.abc import Callable, Mapping
from http import HTTPStatus

from pipelines.report.crawl_data import Counts, CrawlData, CrawlHost, RefusalSample
from pipelines.report.crawl_reasons import words_for
from pipelines.report.formats import data_size, percent, plural, seconds, short, whole
from pipelines.report.samples import spread
from pipelines.report.tables import bar, count_cell, table
from pipelines.report.tags import Html, name, tag

HOSTS_SHOWN = 40
REFUSALS_SHOWN = 12
REASONS_SHOWN = 30
SAID_CHARACTERS = 300
# state -> the colour of style.css that stands for it
STATES: Mapping[str, str] = {
    "kept": "kept",
    "unchanged": "merged",
    "redirected": "skipped",
    "refused": "refused",
    "failed": "quarantined",
    "pending": "total",
}
_ROBOTS = {"parsed": "read", "allow_all": "none", "disallow_all": "withheld"}


def crawl_section(crawl: CrawlData | None) -> Html | None:
    """Return what came of a crawl, over all of its rounds; None where there was none."""
    if crawl is None:
        return None
    return tag(
        "div",
        tag("p", crawl_summary(crawl)),
        _alarm(crawl),
        _states(crawl.urls),
        _totals(crawl),
        _hosts(crawl),
        _reasons("Where the owner says no", crawl.refused, "refused", _REFUSED_CAPTION),
        _samples(crawl.refusal_samples),
        _reasons("What failed", crawl.failed, "quarantined", _FAILED_CAPTION),
        _reasons("Links that were not followed", crawl.links_skipped, "skipped", _SKIPPED_CAPTION),
        _reasons("Responses by status", crawl.statuses, "total", _STATUS_CAPTION, _phrase),
        _reasons("Kept, by media type", crawl.media_types, "kept", "As the server declared it.", lambda _: ""),
    )


_REFUSED_CAPTION = (
    "URLs by the owner's reason. What robots.txt disallows is never requested; any other refusal is read from the "
    "response or from the host's own files, and then the page is not stored: a metadata record keeps the words."
)
_FAILED_CAPTION = (
    "URLs that brought no record, by the reason of the last try; each stands with its detail in the log of requests."
)
_SKIPPED_CAPTION = "Links, not pages: the same address is counted each time that it is found."
_STATUS_CAPTION = (
    "Responses to requests for URLs of the frontier, redirects and repeated tries among them; robots.txt is not."
)


def crawl_summary(crawl: CrawlData) -> list[str | Html]:
    """Return one sentence: what was asked and what was kept."""
    hosts, rounds = plural(crawl.host_count, "host", "hosts"), plural(crawl.rounds, "round", "rounds")
    return [
        tag("strong", whole(crawl.kept)), f" {plural(crawl.kept, 'response', 'responses')} from ",
        tag("strong", whole(crawl.host_count)), f" {hosts} in {whole(crawl.rounds)} {rounds}. ",
        f"Of {whole(crawl.read)} {plural(crawl.read, 'URL', 'URLs')} that were taken up, each is accounted for below.",
    ]  # fmt: skip


def _alarm(crawl: CrawlData) -> Html | None:
    if not crawl.unaccounted:
        return None
    text = (
        f"The crawl's ledger does not balance: {whole(crawl.unaccounted)} URLs stand nowhere (or twice, if negative)."
    )
    return tag("p", text, class_="alarm", role="alert")


def _states(urls: Counts) -> Html | None:
    shown = [(state, urls[state]) for state in STATES if urls.get(state)]
    if not shown:
        return None
    total = sum(count for _, count in shown)
    parts = [_part(state, f"{count} 0 3px") for state, count in shown]
    legend = [
        tag(
            "li",
            tag("i", class_="swatch", style=_colour(state)),
            f"{state} ",
            tag("b", whole(n)),
            f" {percent(n, total)}",
        )
        for state, n in shown
    ]
    caption = (
        "Every URL that is known, by what came of it last: sitemaps that were read are among the kept, "
        "pending ones wait for a round to come."
    )
    return tag(
        "figure",
        tag("div", parts, class_="outcome-bar", aria_hidden="true"),
        tag("ul", legend, class_="legend"),
        tag("figcaption", caption),
    )


def _part(state: str, flex: str) -> Html:
    return tag("span", class_="part", style=f"flex:{flex};{_colour(state)}")


def _colour(state: str) -> str:
    return f"background:var(--{STATES[state]})"


def _totals(crawl: CrawlData) -> Html:
    shown = [
        tag("div", tag("dt", title), tag("dd", value, tag("small", note))) for title, value, note in _figures(crawl)
    ]
    caption = "Times are of the requests alone, without the waits between them, added up over all connections."
    return tag("figure", tag("dl", shown, class_="figures"), tag("figcaption", caption))


def _figures(crawl: CrawlData) -> list[tuple[str, str, str]]:
    figures = [("kept, as sent", data_size(crawl.bytes), f"{data_size(crawl.payload_bytes)} decoded")]
    if crawl.kept:
        size = data_size(round(crawl.payload_bytes / crawl.kept))
        figures.append(("a kept page", size, "decoded, in the mean"))
    if crawl.requests:
        figures.append(("requests", short(crawl.requests), f"for {whole(crawl.read)} URLs taken up"))
    if crawl.requests and crawl.fetch_s:
        each = crawl.fetch_s / crawl.requests
        figures.append(("a request", f"{1000 * each:,.0f} ms", f"in the mean; {seconds(crawl.fetch_s)} in all"))
        rate = data_size(round(crawl.bytes / crawl.fetch_s))
        figures.append(("a connection", f"{rate}/s", f"{1 / each:,.0f} requests/s"))
    return figures


def _hosts(crawl: CrawlData) -> Html | None:
    if not crawl.hosts:
        return None
    ranked = sorted(crawl.hosts, key=lambda host: (-host.kept, -host.urls, host.authority))
    shown = ranked[:HOSTS_SHOWN]
    columns = (
        "host",
        ">kept",
        ">refused",
        ">failed",
        ">redirected",
        ">pending",
        ">as sent",
        "robots.txt",
        "",
    )
    more = crawl.host_count - len(shown)
    left = f" The {whole(len(shown))} largest of {whole(crawl.host_count)} hosts are shown." if more > 0 else ""
    caption = f"URLs of each host by what came of them last; a sitemap that was read counts as kept here.{left}"
    rows = [_host(each) for each in shown]
    return tag("figure", tag("h3", "Hosts"), table("sources hosts", columns, rows, "Hosts"), tag("figcaption", caption))


def _host(host: CrawlHost) -> Html:
    counts = {state: getattr(host, state) for state in ("kept", "refused", "failed", "redirected", "pending")}
    parts = [_part(state, f"{count} 0 0") for state, count in counts.items() if count]
    return tag(
        "tr",
        tag("th", name(host.authority), scope="row"),
        [count_cell(count) for count in counts.values()],
        tag("td", data_size(host.bytes) if host.bytes else "–", class_="number"),
        tag("td", _ROBOTS.get(host.robots or "", host.robots or "not known")),
        tag("td", tag("div", parts, class_="outcome-bar thin", aria_hidden="true") if parts else None, class_="bar"),
    )


def _reasons(
    title: str, counts: Counts, colour: str, caption: str, words: Callable[[str], str] = words_for
) -> Html | None:
    """Return a table of counts by reason, the largest first; what is beyond REASONS_SHOWN is added up."""
    ranked = sorted(((reason, n) for reason, n in counts.items() if n), key=lambda each: (-each[1], each[0]))
    if not ranked:
        return None
    total, most = sum(n for _, n in ranked), ranked[0][1]
    shown, rest = ranked[:REASONS_SHOWN], ranked[REASONS_SHOWN:]
    rows = [_reason(tag("code", reason), n, total, (colour, n / most), words(reason)) for reason, n in shown]
    if rest:
        others = sum(n for _, n in rest)
        rows.append(_reason(f"{len(rest)} more", others, total, (colour, min(others / most, 1.0)), ""))
    return tag("figure", tag("h3", title), table("waterfall", (), rows), tag("figcaption", caption))


def _reason(label: str | Html, count: int, total: int, fill: tuple[str, float], words: str) -> Html:
    return tag(
        "tr",
        tag("th", label, tag("small", words) if words else None, scope="row"),
        tag("td", whole(count), class_="number"),
        tag("td", percent(count, total), class_="number share"),
        bar(fill),
        class_="reason",
    )


def _phrase(status: str) -> str:
    return next((each.phrase for each in HTTPStatus if str(each.value) == status), "")


def _samples(samples: tuple[RefusalSample, ...]) -> Html | None:
    """Return some refused pages with the owners' own words."""
    if not samples:
        return None
    shown = spread(samples, lambda each: each.reason, REFUSALS_SHOWN)
    rows = [
        tag(
            "tr",
            tag("td", name(each.url, dir="ltr")),
            tag("td", tag("code", each.reason, class_="reason-chip")),
            tag("td", [[tag("br") if n else None, tag("code", line)] for n, line in enumerate(_lines(each.said))]),
        )
        for each in shown
    ]
    title = tag("h3", "In the owners' own words")
    caption = (
        "Some of the pages that were refused, with what their owners wrote in a header, in the page or on the host."
    )
    return tag("figure", title, table("said", ("page", "refused for", "said"), rows), tag("figcaption", caption))


def _lines(said: str) -> list[str]:
    cut = said if len(said) <= SAID_CHARACTERS else said[:SAID_CHARACTERS] + " …"
    return [line for line in cut.splitlines() if line.strip()] or ["–"]
