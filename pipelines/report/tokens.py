"""The tokenizer: how well it serves each language and source, what is idle in it, what it makes of real sentences."""

from collections.abc import Sequence

from pipelines.report.charts import KEPT, MUTED, drawing
from pipelines.report.data import Compression, Pieces, ReportData, TokenizerData
from pipelines.report.formats import data_size, percent, short, whole
from pipelines.report.language_names import language_name
from pipelines.report.tables import bar, table
from pipelines.report.tags import Html, foreign, tag

LANGUAGES_SHOWN = 24
ALWAYS = ("en", "ja", "zh", "ar", "hi", "th")  # however little text there is of them
PLOTTED = 16
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
        _waste(data.tokenizer),
        _compression(data.tokenizer.compression),
        _plot(data.tokenizer.compression),
        _by_source(data.tokenizer.sources),
        _same(data.tokenizer.same),
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
    return [kind, tag("b", whole(model.vocabulary)), f" pieces{trained}", *digest, ".", used, *_superwords(model)]


def _superwords(model: TokenizerData) -> list[str | Html]:
    if not model.superword_count:
        return []
    part = "" if model.superwords_exact else " (learnt from the most frequent pairs of words, not from all)"
    return [f" {whole(model.superword_count)} reach over several words{part}: ", *_listed(model.superwords), "."]


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
    ranked = _ranked(rows)
    shown = sorted(ranked[:LANGUAGES_SHOWN], key=lambda each: (-_density(each), each.language))
    most = max(_density(shown[0]), 0.001)
    columns = _columns("language")
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
            "vocabulary lacks. One-token words: words of the shared segmentation that no token edge cuts. "
            "Text: what was measured." + left,
        ),
    )


def _columns(first: str) -> tuple[str, ...]:
    measured = ("characters per token", "tokens per word", "one-token words", "bytes alone", "text")
    return (first, ">bytes per token", "", *(f">{name}" for name in measured))


def _ranked(rows: Sequence[Compression]) -> list[Compression]:
    """Return the languages that are always shown, then those of the most text."""
    return sorted(rows, key=lambda each: (each.language not in ALWAYS, -each.bytes, each.language))


def _by_source(rows: Sequence[Compression]) -> Html | None:
    if not rows:
        return None
    shown = sorted(rows, key=lambda each: (-each.bytes, each.language))[:LANGUAGES_SHOWN]
    most = max(0.001, *(_density(each) for each in shown))
    body = [_row(each, most, tag("th", each.language, scope="row")) for each in shown]
    said = "The same by source: the inputs of the recipe."
    listed = table("compression", _columns("source"), body, "Compression by source")
    return tag("figure", tag("h3", "Compression by source"), listed, tag("figcaption", said))


def _plot(rows: Sequence[Compression]) -> Html | None:
    """Draw, by language, characters a token and the share of words within one token."""
    shown = [each for each in _ranked(rows) if each.placed_words][:PLOTTED]
    if len(shown) < 2:
        return None
    shown.sort(key=lambda each: (_single(each), each.language))
    with drawing("one-token-words", 6.6, 0.5 + 0.2 * len(shown)) as (axes, done):
        places = range(len(shown))
        axes.barh(places, [100 * _single(each) for each in shown], color=KEPT, height=0.62)
        for place, each in zip(places, shown, strict=True):
            density = each.characters / max(each.tokens, 1)
            axes.text(101, place, f"{density:.2f} characters a token", va="center", color=MUTED, fontsize=7)
        axes.set_yticks(places, [language_name(each.language) for each in shown])
        axes.set_xlim(0, 128)
        axes.set_xticks([0, 25, 50, 75, 100], ["0", "25", "50", "75", "100 %"])
        axes.set_xlabel("words within one token")
    said = "Words within one token, and characters a token, by language: the essential ones and those of the most text."
    body = tag("div", done[0], class_="chart")
    return tag("figure", tag("h3", "Words that stay whole"), body, tag("figcaption", said))


def _single(each: Compression) -> float:
    return (each.single_words or 0) / max(each.placed_words or 0, 1)


def _waste(model: TokenizerData) -> Html | None:
    """Return what is idle or odd in the vocabulary, on the words that it was trained on."""
    if model.learnt_pieces is None:
        return None
    idle = f"{whole(model.never_used or 0)} ({percent(model.never_used or 0, model.learnt_pieces)})"
    counted = "word or phrase" if model.superword_count else "word"
    said: list[str | Html] = [f"Of {whole(model.learnt_pieces)} learnt pieces {idle} stand in no counted {counted}, "]
    said.append(f"{whole(model.unreachable or 0)} can't be reached by their own text.")
    if model.lossless:
        came, of = model.lossless
        said.append(f" {whole(came)} of {whole(of)} measured texts come back as they were.")
    if model.bursty:
        said += [" Seen often in few texts, and so hardly learnt by a model: ", *_listed(model.bursty[:12]), "."]
    return tag("p", said)


def _listed(pieces: Sequence[str]) -> list[str | Html]:
    parts: list[str | Html] = []
    for piece in pieces:
        parts += [tag("code", piece), ", "]
    return parts[:-1]


def _density(each: Compression) -> float:
    return each.bytes / max(each.tokens, 1)


def _row(each: Compression, most: float, head: Html | None = None) -> Html:
    named = tag("th", language_name(each.language), " ", tag("small", each.language), scope="row")
    return tag(
        "tr",
        named if head is None else head,
        tag("td", f"{_density(each):.2f}", class_="number"),
        bar(("kept", _density(each) / most)),
        tag("td", f"{each.characters / max(each.tokens, 1):.2f}", class_="number"),
        tag("td", f"{each.tokens / each.words:.2f}" if each.words else "–", class_="number"),
        tag("td", percent(each.single_words or 0, each.placed_words) if each.placed_words else "–", class_="number"),
        tag("td", percent(each.byte_tokens, each.tokens) if each.byte_tokens is not None else "–", class_="number"),
        tag("td", data_size(each.bytes), class_="number"),
    )


def _same(samples: Sequence[Pieces]) -> Html | None:
    """Show what the same sentences take in each language, English first."""
    english = next((len(each.pieces) for each in samples if each.language == "en"), 0)
    if not english:
        return None
    title = tag("h3", "The same sentences in six languages")
    said = (
        "Article 1 of the Universal Declaration of Human Rights; the number is tokens over those of English. A "
        "language that the corpus hardly holds falls apart into letters, and letters that the vocabulary lacks into "
        "bytes."
    )
    cut = [_segmentation(each, f"{len(each.pieces) / english:.2f} x English") for each in samples]
    return tag("figure", title, cut, tag("figcaption", said))


def _segmentations(samples: Sequence[Pieces]) -> Html | None:
    if not samples:
        return None
    caption = ["Each box is one token; ", tag("code", SPACE), " marks a space, as in the model's own pieces."]
    title = tag("h3", "Sentences as the model cuts them")
    return tag("figure", title, [_segmentation(each) for each in samples], tag("figcaption", caption))


def _segmentation(sample: Pieces, more_facts: str = "") -> Html:
    boxes = [tag("span", _visible(piece), class_="piece") for piece in sample.pieces[:PIECES_SHOWN]]
    more = " …" if len(sample.pieces) > PIECES_SHOWN else ""
    per = len(sample.text) / max(len(sample.pieces), 1)
    facts = f"{language_name(sample.language)}: {len(sample.pieces)} tokens, {per:.2f} characters per token"
    facts += f", {more_facts}" if more_facts else ""
    cut = foreign("div", [boxes, more], sample.language, class_="pieces")
    return tag("div", tag("p", facts, class_="facts"), cut)


def _visible(piece: str) -> list[str | Html]:
    """Return a piece with its space marks pale and its line breaks visible."""
    body = piece.lstrip(SPACE)
    spaces = len(piece) - len(body)
    return [tag("i", SPACE * spaces) if spaces else "", body.replace("\n", "⏎").replace("\t", "⇥")]
