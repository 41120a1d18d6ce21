"""The tokenizer: how well it serves each language, and what it makes of real sentences."""

from collections.abc import Sequence

from pipelines.report.data import Compression, Pieces, ReportData, TokenizerData
from pipelines.report.formats import data_size, percent, short, whole
from pipelines.report.language_names import language_name
from pipelines.report.tables import bar, table
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
    kind = f"SentencePiece {model.algorithm.upper()} model with "
    digest = [", sha256 ", tag("code", model.digest[:16])] if model.digest else []
    used = f" {whole(model.used_pieces)} of the pieces occur in the text measured." if model.used_pieces else ""
    return [kind, tag("b", whole(model.vocabulary)), f" pieces{trained}", *digest, ".", used]


def _kinds(model: TokenizerData) -> Html | None:
    if not model.pieces_by_kind:
        return None
    ranked = sorted(model.pieces_by_kind.items(), key=lambda each: (-each[1], each[0]))
    items = [
        tag("li", f"{name} ", tag("b", whole(count)), " ", percent(count, model.vocabulary)) for name, count in ranked
    ]
    caption = "The pieces of the vocabulary by the script of their first letter, and those that are no text."
    return tag("figure", tag("ul", items, class_="legend"), tag("figcaption", caption))


def _compression(rows: Sequence[Compression]) -> Html | None:
    if not rows:
        return None
    ranked = sorted(rows, key=lambda each: (-each.bytes, each.language))
    shown = sorted(ranked[:LANGUAGES_SHOWN], key=lambda each: (-_density(each), each.language))
    most = max(_density(shown[0]), 0.001)
    columns = ("language", ">bytes per token", "", ">characters per token", ">tokens per word", ">bytes alone", ">text")
    left = f" Languages with less text are not shown ({len(ranked) - len(shown)})." if len(ranked) > len(shown) else ""
    return tag(
        "figure",
        tag("h3", "Compression by language"),
        table("compression", columns, [_row(each, most) for each in shown], "Compression by language"),
        tag(
            "figcaption",
            "UTF-8 bytes and characters of the text of a language, divided by the tokens that the model makes of it; "
            "more means shorter sequences. Bytes flatter scripts of three bytes a character (Thai, Japanese, Hindi), "
            "characters flatter alphabets: read both. Bytes alone: tokens that are one byte of a character that the "
            "vocabulary lacks. Text: what was measured." + left,
        ),
    )


def _density(each: Compression) -> float:
    return each.bytes / max(each.tokens, 1)


def _row(each: Compression, most: float) -> Html:
    return tag(
        "tr",
        tag("th", language_name(each.language), " ", tag("small", each.language), scope="row"),
        tag("td", f"{_density(each):.2f}", class_="number"),
        bar(("kept", _density(each) / most)),
        tag("td", f"{each.characters / max(each.tokens, 1):.2f}", class_="number"),
        tag("td", f"{each.tokens / each.words:.2f}" if each.words else "–", class_="number"),
        tag("td", percent(each.byte_tokens, each.tokens) if each.byte_tokens is not None else "–", class_="number"),
        tag("td", data_size(each.bytes), class_="number"),
    )


def _segmentations(samples: Sequence[Pieces]) -> Html | None:
    if not samples:
        return None
    caption = ["Each box is one token; ", tag("code", SPACE), " marks a space, as in the model's own pieces."]
    title = tag("h3", "Sentences as the model cuts them")
    return tag("figure", title, [_segmentation(each) for each in samples], tag("figcaption", caption))


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
