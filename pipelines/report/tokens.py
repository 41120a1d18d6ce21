"""The tokenizer: how well it serves each language, and what it makes of real sentences."""

from collections.abc import Sequence

from pipelines.report.data import Compression, Pieces, ReportData, TokenizerData
from pipelines.report.formats import percent, short, whole
from pipelines.report.language_names import language_name
from pipelines.report.tags import Html, foreign, tag

LANGUAGES_SHOWN = 24
PIECES_SHOWN = 120
SPACE = "▁"  # SentencePiece's mark


def tokenizer_section(data: ReportData) -> Html | None:
    """Return the model's facts, its compression by language and sample segmentations."""
    if data.tokenizer is None:
        return None
    return tag(
        "div",
        tag("p", _facts(data.tokenizer)),
        _kinds(data.tokenizer),
        _compression(data.tokenizer.compression),
        _segmentations(data.tokenizer.samples),
    )


def _facts(model: TokenizerData) -> list[str | Html]:
    trained = ""
    if model.distinct_words is not None:
        of = f", {short(model.words)} in all" if model.words is not None else ""
        trained = f", trained on the counts of {short(model.distinct_words)} distinct words{of}: the whole corpus"
    return [
        f"SentencePiece {model.algorithm.upper()} model with ",
        tag("b", whole(model.vocabulary)),
        f" pieces{trained}.",
    ]


def _kinds(model: TokenizerData) -> Html | None:
    if not model.pieces_by_kind:
        return None
    ranked = sorted(model.pieces_by_kind.items(), key=lambda each: (-each[1], each[0]))
    items = [
        tag("li", f"{name} ", tag("b", whole(count)), " ", percent(count, model.vocabulary)) for name, count in ranked
    ]
    return tag(
        "figure",
        tag("ul", items, class_="legend"),
        tag("figcaption", "Pieces of the vocabulary by their script."),
    )


def _compression(rows: Sequence[Compression]) -> Html | None:
    if not rows:
        return None
    ranked = sorted(rows, key=lambda each: (-each.bytes, each.language))
    shown = sorted(ranked[:LANGUAGES_SHOWN], key=lambda each: (-each.bytes / max(each.tokens, 1), each.language))
    most = max((each.bytes / max(each.tokens, 1) for each in shown), default=1.0)
    columns = ("language", "bytes per token", "", "characters per token", "text measured")
    head = tag("tr", [tag("th", each, scope="col") for each in columns])
    table = tag("table", tag("thead", head), tag("tbody", [_row(each, most) for each in shown]), class_="compression")
    left = (
        f" The {len(ranked) - len(shown)} languages with less text are not shown." if ranked[LANGUAGES_SHOWN:] else ""
    )
    return tag(
        "figure",
        tag("h3", "Compression by language"),
        tag("div", table, class_="wide"),
        tag(
            "figcaption",
            "UTF-8 bytes and characters of the text of a language, divided by the tokens that the model "
            "makes of it; "
            "more means shorter sequences. Bytes flatter scripts of three bytes a character (Thai, "
            "Japanese, Hindi), "
            "characters flatter alphabets: read both." + left,
        ),
    )


def _row(each: Compression, most: float) -> Html:
    tokens = max(each.tokens, 1)
    return tag(
        "tr",
        tag("th", language_name(each.language), " ", tag("small", each.language), scope="row"),
        tag("td", f"{each.bytes / tokens:.2f}", class_="number"),
        tag(
            "td",
            tag("span", class_="fill kept", style=f"width:{100 * each.bytes / tokens / most:.2f}%"),
            class_="bar",
        ),
        tag("td", f"{each.characters / tokens:.2f}", class_="number"),
        tag("td", f"{short(each.characters)} characters", class_="number"),
    )


def _segmentations(samples: Sequence[Pieces]) -> Html | None:
    if not samples:
        return None
    return tag(
        "figure",
        tag("h3", "Sentences as the model cuts them"),
        [_segmentation(each) for each in samples],
        tag(
            "figcaption",
            "Each box is one token; ",
            tag("code", SPACE),
            " marks a space, as in the model's own pieces.",
        ),
    )


def _segmentation(sample: Pieces) -> Html:
    boxes = [tag("span", _visible(piece), class_="piece") for piece in sample.pieces[:PIECES_SHOWN]]
    more = " …" if len(sample.pieces) > PIECES_SHOWN else ""
    per = len(sample.text) / max(len(sample.pieces), 1)
    facts = f"{language_name(sample.language)}: {len(sample.pieces)} tokens, {per:.2f} characters per token"
    cut = foreign("div", [boxes, more], sample.language, class_="pieces")
    return tag("div", tag("p", facts, class_="facts"), cut)


def _visible(piece: str) -> list[str | Html]:
    """Return a piece with its space marks pale and its line breaks visible."""
    body = piece.lstrip(SPACE)
    spaces = len(piece) - len(body)
    return [tag("i", SPACE * spaces) if spaces else "", body.replace("\n", "⏎").replace("\t", "⇥")]
