"""Images: what came of them, by which rules and bounds, and a contact sheet of what stays and what goes."""

from pipelines.report import media
from pipelines.report.formats import data_size, percent, plural, short, whole
from pipelines.report.media_data import ImagesData, Picture
from pipelines.report.samples import shortened
from pipelines.report.tags import Html, foreign, tag

CAPTION_SHOWN = 120  # characters
URI_SHOWN = 90
IMAGES, FILES = media.Noun("image", "images"), media.Noun("file", "files")
SHEETS = {
    "kept": "In the shards, with the first of their captions.",
    "dropped": (
        "With every rule that objects, the first being the reason that is counted. What a list of known-bad images or "
        "the NSFW score names is not shown."
    ),
    "merged": "Copies of an image that stays: the same bytes, or pictures that differ in a few bits of their hashes.",
}
FUNNEL = "Every file that was read, in exactly one place, by its one reason; captions are skipped/sidecar."


def images_section(images: ImagesData | None) -> Html | None:
    """Return what came of images; None where no job has read any."""
    if images is None:
        return None
    return tag(
        "div",
        tag("p", _summary(images)),
        media.unbalanced(images.funnel, IMAGES),
        media.figures(_figures(images)),
        media.funnel_table(images.funnel, IMAGES, FILES, FUNNEL),
        media.rules_table(images.rules, IMAGES),
        media.models_table(images.models, {}, images.without_scorer),
        media.histograms(images.histograms, IMAGES, "i"),
        [
            media.sheet(verdict, [_cell(each) for each in images.pictures.get(verdict, ())], words, "contact")
            for verdict, words in SHEETS.items()
        ],
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


def _cell(picture: Picture) -> Html:
    caption = shortened(picture.caption, CAPTION_SHOWN)
    return tag(
        "li",
        _shown(picture, caption),
        foreign("p", caption) if caption else None,
        media.chips(picture.reasons),
        tag("p", shortened(picture.uri, URI_SHOWN), class_="uri", dir="ltr"),
        tag("p", f"{whole(picture.width_px)} × {whole(picture.height_px)} px", class_="facts"),
    )


def _shown(picture: Picture, caption: str) -> Html:
    if not picture.thumbnail:
        return tag("div", "not shown", class_="hidden-picture")
    return tag("img", src=picture.thumbnail, alt=caption or picture.uri, loading="lazy")
