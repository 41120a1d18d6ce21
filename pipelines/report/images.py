"""Images: what came of them, by which rules and bounds, and a contact sheet of what stays and what goes."""

from pipelines.report.charts import histogram
from pipelines.report.data import Histogram, ImagesData, Picture, RuleCount
from pipelines.report.formats import data_size, percent, plural, short, whole
from pipelines.report.samples import shortened
from pipelines.report.tables import bar, count_cell, table
from pipelines.report.tags import Html, foreign, name, tag

CAPTION_SHOWN = 120  # characters
URI_SHOWN = 90
SHEETS = {
    "kept": "In the shards, with the first of their captions.",
    "dropped": (
        "With every rule that objects, the first being the reason that is counted. What a list of known-bad images or "
        "the NSFW score names is not shown."
    ),
    "merged": "Copies of an image that stays: the same bytes, or pictures that differ in a few bits of their hashes.",
}


def images_section(images: ImagesData | None) -> Html | None:
    """Return what came of images; None where no job has read any."""
    if images is None:
        return None
    return tag(
        "div",
        tag("p", _summary(images)),
        tag("figure", tag("dl", [_figure(*each) for each in _figures(images)], class_="figures")),
        _ways(images),
        _rules(images),
        _scorers(images),
        _histograms(images),
        [_sheet(verdict, images.pictures.get(verdict, ())) for verdict in SHEETS],
    )


def _summary(images: ImagesData) -> list[str | Html]:
    read = images.funnel.judged
    return [
        tag("strong", whole(read)), f" {plural(read, 'image was', 'images were')} decoded, ",
        tag("strong", whole(images.funnel.kept)), " ", plural(images.funnel.kept, "is", "are"), " in the shards (",
        tag("strong", percent(images.funnel.kept, read)), ").",
    ]  # fmt: skip


def _figures(images: ImagesData) -> list[tuple[str, str, str]]:
    kept = images.funnel.kept
    figures = [("images kept", short(kept), f"of {whole(images.funnel.judged)}")]
    if kept:
        figures.append(("bytes", data_size(images.kept_bytes), f"{data_size(images.kept_bytes // kept)} each"))
        figures.append(("megapixels", short(images.kept_pixels // 1_000_000), "before they were resized"))
        figures.append(("captioned", percent(images.captioned, kept), f"{whole(images.captions)} captions"))
    figures += [(each, whole(count), "kept") for each, count in sorted(images.formats.items())]
    return figures


def _figure(title: str, value: str, note: str) -> Html:
    return tag("div", tag("dt", title), tag("dd", value, tag("small", note)))


def _ways(images: ImagesData) -> Html | None:
    rows = [
        (verdict, reason, count)
        for verdict, counts in images.funnel.losses
        for reason, count in sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    ]
    if not rows:
        return None
    most = max(count for *_, count in rows)
    shown = [
        tag(
            "tr",
            tag("th", tag("code", reason), tag("small", verdict), scope="row"),
            tag("td", whole(count), class_="number"),
            bar((verdict, count / most)),
            class_="reason",
        )
        for verdict, reason, count in rows
    ]
    caption = "Every file that was read and is no image of the shards, by its one reason; captions are skipped/sidecar."
    return tag("figure", tag("h3", "What went, and why"), table("waterfall", (), shown), tag("figcaption", caption))


def _rules(images: ImagesData) -> Html | None:
    if not images.rules:
        return None
    caption = "Drops alone: images that fail the rule, whatever the others say. Drops first: those whose reason it is."
    columns = ("rule", "keeps", ">drops alone", ">drops first", ">no other objects")
    rows = [_rule(rule) for rule in images.rules]
    return tag("figure", tag("h3", "Rules"), table("rules", columns, rows), tag("figcaption", caption))


def _rule(rule: RuleCount) -> Html:
    counts = [count_cell(count) for count in (rule.failed, rule.first, rule.only)]
    return tag("tr", tag("th", name(rule.name), scope="row"), tag("td", rule.bounds, class_="bounds"), counts)


def _scorers(images: ImagesData) -> Html | None:
    """Return the models that measured something, and the rules that wait for one."""
    rows = [
        tag("tr", tag("th", tag("code", model), scope="row"), tag("td", tag("code", digest)))
        for model, digest in sorted(images.models.items())
    ]
    none = tag("span", "scorer: none", class_="none-chip")
    rows += [tag("tr", tag("th", name(rule), scope="row"), tag("td", none)) for rule in images.without_scorer]
    if not rows:
        return None
    caption = "Models with their sha256. A rule without a scorer has kept and dropped nothing."
    return tag("figure", tag("h3", "Models"), table("plain", (), rows), tag("figcaption", caption))


def _histograms(images: ImagesData) -> Html | None:
    if not images.histograms:
        return None
    caption = (
        "Above the line the images that stay, below it those that go, for whatever reason; dashed lines are the bounds "
        "of rules, the shaded side is what they drop. Heights are square roots of shares."
    )
    figures = [_signal(i, each) for i, each in enumerate(images.histograms)]
    return tag("div", tag("h3", "Signals"), tag("p", caption, class_="caption"), tag("div", figures, class_="grid"))


def _signal(i: int, data: Histogram) -> Html:
    counts = f"{whole(sum(data.kept))} images that stay, {whole(sum(data.dropped))} that go"
    rules = [[tag("br"), name(each.rule)] for each in data.thresholds]
    chart = histogram(f"i{i}", data)
    label = f"Histogram of {data.signal}: {counts}."
    return tag(
        "figure",
        tag("h3", tag("code", data.signal.replace(" / ", " ÷ "))),
        tag("div", chart, class_="chart", role="img", aria_label=label),
        tag("figcaption", counts, rules),
    )


def _sheet(verdict: str, pictures: tuple[Picture, ...]) -> Html | None:
    if not pictures:
        return None
    title = tag("h3", tag("i", class_=f"swatch {verdict}"), verdict.capitalize())
    drawn = " Drawn by the record's id, a digest: nobody picked them."
    cells = tag("ul", [_cell(each) for each in pictures], class_="contact")
    return tag("figure", title, cells, tag("figcaption", SHEETS[verdict] + drawn))


def _cell(picture: Picture) -> Html:
    caption = shortened(picture.caption, CAPTION_SHOWN)
    return tag(
        "li",
        _shown(picture, caption),
        foreign("p", caption) if caption else None,
        tag("p", [tag("code", reason, class_="reason-chip") for reason in picture.reasons], class_="reasons")
        if picture.reasons
        else None,
        tag("p", shortened(picture.uri, URI_SHOWN), class_="uri", dir="ltr"),
        tag("p", f"{whole(picture.width_px)} × {whole(picture.height_px)} px", class_="facts"),
    )


def _shown(picture: Picture, caption: str) -> Html:
    if not picture.thumbnail:
        return tag("div", "not shown", class_="hidden-picture")
    return tag("img", src=picture.thumbnail, alt=caption or picture.uri, loading="lazy")
