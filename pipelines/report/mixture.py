"""A training mixture: what each stage reads, and how often."""

from collections.abc import Mapping

from pipelines.report.encode import SHOWN, title_of
from pipelines.report.encode_data import MixtureData, Name, Share
from pipelines.report.formats import percent, short, whole
from pipelines.report.tables import bar, table
from pipelines.report.tags import Html, tag


def mixture_section(data: MixtureData | None) -> Html | None:
    """Return the stages; None where nothing was mixed."""
    if data is None:
        return None
    return tag(
        "div",
        tag("p", _summary(data)),
        _shares("By kind and source", data.by_source, data),
        _shares("By language", data.by_language, data),
    )


def _summary(data: MixtureData) -> list[str | Html]:
    tokens = sum(each for _, each in data.stages)
    stages = "one stage" if len(data.stages) == 1 else f"{len(data.stages)} stages"
    parts: list[str | Html] = [
        tag("strong", whole(tokens)), f" tokens in {whole(data.samples)} samples of {whole(data.sequence_tokens)}, in "
        f"{stages}; no source and language is read more than {data.max_epochs:g} times.",
    ]  # fmt: skip
    if data.left_out:
        parts.append(f" {whole(data.left_out)} tokens are in groups that give no whole sample, or weigh nothing.")
    return parts


def _shares(title: str, shares: Mapping[Name, Share], data: MixtureData) -> Html | None:
    ranked = sorted(shares.items(), key=lambda each: (-each[1].read, each[0]))
    if not ranked:
        return None
    most = max(each.read for _, each in ranked) or 1
    columns = ("", *(f">{stage}" for stage, _ in data.stages), "", ">tokens read", ">times read")
    rest = f" {len(ranked) - SHOWN} more are read less." if len(ranked) > SHOWN else ""
    rows = [_row(key, each, data, most) for key, each in ranked[:SHOWN]]
    caption = (
        "The share of each stage's tokens; then what is read in all stages, and how often that reads what there is."
    )
    return tag("figure", tag("h3", title), table("languages", columns, rows, title), tag("figcaption", caption + rest))


def _row(key: Name, each: Share, data: MixtureData, most: int) -> Html:
    stages = zip(each.stages, data.stages, strict=True)
    return tag(
        "tr",
        tag("th", title_of(key), scope="row"),
        [tag("td", percent(tokens, of), class_="number") for tokens, (_, of) in stages],
        bar(("kept", each.read / most)),
        tag("td", short(each.read), class_="number"),
        tag("td", f"{each.read / each.tokens:.2f}" if each.tokens else "–", class_="number"),
    )
