"""After the rules: passages that were cut, evaluation sets, personal data, lists of URLs, scorers by language."""

from collections.abc import Iterable, Mapping, Sequence

from pipelines.report.data import ReportData
from pipelines.report.formats import data_size, percent, plural, whole
from pipelines.report.language_names import language_name
from pipelines.report.late_data import BlockList, Contamination, Cuts, Late, LicenseCount, Masked, Others, SetFound
from pipelines.report.media import Noun
from pipelines.report.tables import bar, count_cell, table
from pipelines.report.tags import Html, name, tag

DOCUMENTS = Noun("document", "documents")
REASONS_SHOWN = 20
LANGUAGES_NAMED = 40
LICENSES = {
    "public_domain": "public domain",
    "other": "another licence",
    "contradictory": "several that differ",
    "unstated": "none stated",
}
SCOPES = {"auto": "domains and URLs", "domain": "domains", "host": "hosts", "url": "URLs"}


def late_section(data: ReportData) -> Html | None:
    """Return what came after the rules; None where nothing of it was asked for."""
    late = data.late
    if late is None:
        return None
    return tag(
        "div",
        _cuts(late.cuts, data.funnel.judged) if late.cuts else None,
        _contamination(late.contamination) if late.contamination else None,
        _masked(late.masked, data.funnel.kept) if late.masked else None,
        _block_lists(late.block_lists),
        _others(late.others) if late.others else None,
        _licenses(late.licenses),
    )


def scored_languages(late: Late | None) -> Html | None:
    """Return which scorers are valid for which languages of the corpus, and for which there is none."""
    if late is None or not late.scored_languages:
        return None
    groups: dict[tuple[str, ...], list[str]] = {}
    for code, columns in late.scored_languages.items():
        groups.setdefault(columns, []).append(code)
    empty = tag("span", "scorer: none", class_="none-chip")
    rows = [
        tag(
            "tr",
            tag("th", tag("code", ", ".join(columns)) if columns else empty, scope="row"),
            tag("td", _languages(codes)),
        )
        for columns, codes in sorted(groups.items(), reverse=True)
    ]
    caption = (
        "The languages of the corpus by the scorers that were made for them. Where there is none, nothing was scored: "
        "no document of that language was kept or dropped for it."
    )
    body = table("plain", ("scorer", "languages"), rows, "Scorers by language")
    return tag("figure", tag("h3", "By language"), body, tag("figcaption", caption))


def _languages(codes: Sequence[str]) -> str:
    named = ", ".join(language_name(code) for code in codes[:LANGUAGES_NAMED])
    return named + (f" and {len(codes) - LANGUAGES_NAMED} more" if len(codes) > LANGUAGES_NAMED else "")


def _cuts(cuts: Cuts, judged: int) -> Html:
    gone = sum(cuts.dropped_after.values())
    summary = [
        tag("strong", whole(cuts.documents)),
        f" {plural(cuts.documents, 'document', 'documents')} lost ",
        tag("strong", data_size(cuts.bytes)),
        f" of text that stands in the corpus already ({percent(cuts.documents, judged)} of all that were judged). "
        f"All rules judged what was left of them again: {DOCUMENTS.of(gone)} {plural(gone, 'went', 'went')} then.",
    ]
    asked = tag("p", f"Cut were {'; and '.join(cuts.asked)}.", class_="caption") if cuts.asked else None
    reasons = _reasons(cuts.dropped_after)
    body = table("waterfall", ("", ">documents", ""), reasons, "Why documents went after cuts") if reasons else None
    caption = (
        "Documents that a rule drops for what is left of them, by the first rule that objects; in the funnel they "
        "stand under after_cuts/."
    )
    return tag(
        "figure",
        tag("h3", "Repeated passages"),
        tag("p", summary),
        asked,
        body,
        tag("figcaption", caption) if body else None,
    )


def _reasons(counts: Mapping[str, int]) -> list[Html]:
    ranked = sorted(((reason, n) for reason, n in counts.items() if n), key=lambda each: (-each[1], each[0]))
    shown, rest = ranked[:REASONS_SHOWN], ranked[REASONS_SHOWN:]
    if rest:
        shown = [*shown, (f"{len(rest)} more reasons", sum(n for _, n in rest))]
    most = max((n for _, n in shown), default=1)
    return [_bar_row(reason, n, n / most, "dropped") for reason, n in shown]


def _bar_row(title: str, count: int, share: float, kind: str) -> Html:
    head = tag("th", name(title), scope="row")
    return tag("tr", head, tag("td", whole(count), class_="number"), bar((kind, share)), class_="reason")


def _contamination(found: Contamination) -> Html:
    dropped = sum(each.dropped for each in found.sets)
    summary = [
        tag("strong", whole(len(found.sets))),
        f" evaluation {plural(len(found.sets), 'set was', 'sets were')} looked for; ",
        tag("strong", whole(dropped)),
        f" {plural(dropped, 'document was', 'documents were')} dropped because they hold items of them.",
    ]
    asked = tag("p", f"An item is found by {found.asked}.", class_="caption") if found.asked else None
    columns = ("evaluation set", ">documents dropped", ">documents that hold items", ">items found")
    body = table("sets", columns, [_set_row(each) for each in found.sets], "Evaluation sets")
    caption = (
        "A document that holds items of several sets is dropped once, for the first of them by name. A set of which "
        "nothing was found is not in this corpus, as far as its items stand in the text as they are."
    )
    hits = [
        tag(
            "tr",
            tag("th", each.name, scope="row"),
            tag("td", whole(each.item), class_="number"),
            tag("td", whole(each.shared_gram_count), class_="number"),
            tag("td", each.uri, class_="uri", dir="ltr"),
        )
        for each in found.hits
    ]
    columns = ("set", ">item", ">n-grams shared", "document")
    examples = table("hits", columns, hits, "Some items and the documents that hold them") if hits else None
    return tag(
        "figure", tag("h3", "Evaluation sets"), tag("p", summary), asked, body, tag("figcaption", caption), examples
    )


def _set_row(each: SetFound) -> Html:
    counts = [
        tag("td", "not counted", class_="number zero") if count is None else count_cell(count)
        for count in (each.dropped, each.holding, each.items)
    ]
    return tag("tr", tag("th", each.name, scope="row"), counts)


def _masked(masked: Masked, kept: int) -> Html:
    total = sum(masked.spans.values())
    summary: list[str | Html] = [
        tag("strong", whole(total)),
        f" {plural(total, 'place', 'places')} in ",
        tag("strong", whole(masked.documents)),
        f" {plural(masked.documents, 'document', 'documents')} ({percent(masked.documents, kept)} of the corpus) "
        f"{plural(total, 'gives', 'give')} way to the name of {plural(total, 'its', 'their')} class.",
    ]
    if not total:
        summary = ["Nothing of the classes that are looked for was found in the text that is published."]
    ranked = sorted(masked.spans.items(), key=lambda each: (-each[1], each[0]))
    most = max(masked.spans.values(), default=1)
    rows = [_bar_row(kind, n, n / most, "merged") for kind, n in ranked]
    body = table("waterfall", ("class", ">places", ""), rows, "Personal data by class") if rows else None
    caption = (
        "Found by form and checksum, in the text that is published; titles, alternative texts and dropped samples are "
        "masked too and not counted here. What has no form, such as names, is not found."
    )
    return tag("figure", tag("h3", "Personal data"), tag("p", summary), body, tag("figcaption", caption))


def _block_lists(lists: Iterable[BlockList]) -> Html | None:
    rows = [
        tag(
            "tr",
            tag("th", each.name, scope="row"),
            tag("td", SCOPES.get(each.scope, each.scope)),
            count_cell(each.dropped),
        )
        for each in lists
    ]
    if not rows:
        return None
    caption = "Documents whose address stands in a list, by the first rule that objects: the first list in order."
    body = table("sets", ("list", "what it lists", ">documents dropped"), rows, "Lists of addresses")
    return tag("figure", tag("h3", "Lists of addresses"), body, tag("figcaption", caption))


def _others(others: Others) -> Html:
    rows = [
        tag("tr", tag("th", tag("code", digest[:16]), scope="row"), count_cell(count))
        for digest, count in others.merged.items()
    ]
    body = (
        table("sets", ("digest of the snapshot", ">merged into what it keeps"), rows, "Other snapshots")
        if rows
        else None
    )
    stays = others.survivor or "the longest"
    caption = f"What these snapshots keep is not kept again. Of a cluster of this one's own {stays} stays."
    if body is None:
        caption = f"Of a cluster {stays} stays."
    return tag("figure", tag("h3", "Other snapshots and who stays"), body, tag("figcaption", caption))


def _licenses(counts: Sequence[LicenseCount]) -> Html | None:
    if not counts:
        return None
    rows = [
        tag(
            "tr",
            tag("th", LICENSES.get(each.name, each.name.replace("_", "-").upper()), scope="row"),
            count_cell(each.kept),
            count_cell(each.gone),
            count_cell(each.dropped),
        )
        for each in counts
    ]
    caption = (
        "What documents state of their own licence: in the head, in their structured data, by rel=license, or by a "
        "link to Creative Commons in the footer. A licence of a picture and a link in the text count for none."
    )
    columns = ("licence", ">kept", ">not kept", ">dropped for it")
    body = table("sets", columns, rows, "Documents by licence")
    return tag("figure", tag("h3", "Licences"), body, tag("figcaption", caption))
