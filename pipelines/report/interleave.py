"""Interleaved documents: where their pictures are, why some are missing, and a few documents as they are."""

from collections.abc import Mapping

from pipelines.report import media
from pipelines.report.counts import Counts
from pipelines.report.formats import percent, plural, short, whole
from pipelines.report.language_names import language_name
from pipelines.report.media_data import IllustratedDocument, InterleaveData, Piece
from pipelines.report.samples import BLANK_LINES, shortened
from pipelines.report.tables import bar, count_cell, table
from pipelines.report.tags import Html, foreign, name, tag

TEXT_SHOWN = 360  # characters of a part
ALT_SHOWN = 120
URI_SHOWN = 110
DOCUMENTS = media.Noun("document", "documents")
PAGES = media.Noun("text document", "text documents")
PIECES_SHOWN = 14
WORDS: Mapping[str, str] = {
    "kept": "in a document of the shards, at its place",
    "missing": "the page names it, no media snapshot holds it",
    "dropped": "a rule objects to the picture; the text around it stays",
    "merged": "a copy of one that stays",
    "gone": "its document is not in the shards",
}
FUNNEL = "Every document of the text snapshot, and every film of the video snapshot, in exactly one place."
COLOURS = {"kept": "kept", "missing": "skipped", "dropped": "dropped", "merged": "merged", "gone": "total"}


def interleave_section(data: InterleaveData | None) -> Html | None:
    """Return what came of documents with their pictures; None where no job has joined them."""
    if data is None:
        return None
    return tag(
        "div",
        tag("p", _summary(data)),
        media.unbalanced(data.funnel, DOCUMENTS),
        media.figures(_figures(data)),
        media.funnel_table(data.funnel, DOCUMENTS, DOCUMENTS, FUNNEL),
        _parts(data),
        media.models_table({}, {}, data.without_scorer),
        media.histograms(data.histograms, PAGES, "d", "Pictures of a document"),
        _documents(data.documents),
    )


def _pictures(data: InterleaveData) -> tuple[int, int]:
    """Return (pictures that stay, pictures that documents name)."""
    stay = sum(n for reason, n in data.parts.get("image", {}).items() if reason == "kept")
    return stay, data.parts_read.get("image", 0)


def _summary(data: InterleaveData) -> list[str | Html]:
    kept, (stay, named) = data.funnel.kept, _pictures(data)
    return [
        tag("strong", whole(kept)), f" {plural(kept, 'document is', 'documents are')} in the shards, with ",
        tag("strong", whole(stay)), f" {plural(stay, 'picture', 'pictures')} of the ",
        tag("strong", whole(named)), " that the pages name (", tag("strong", percent(stay, named)), ").",
    ]  # fmt: skip


def _figures(data: InterleaveData) -> list[tuple[str, str, str]]:
    kept, (stay, named) = data.funnel.kept, _pictures(data)
    found = [
        ("documents kept", short(kept), f"of {whole(data.funnel.read)}"),
        ("pictures", short(stay), f"of {whole(named)} that pages name"),
    ]
    if data.languages:
        found.append(("languages", whole(len(data.languages)), ", ".join(sorted(data.languages)[:8])))
    return found


def _parts(data: InterleaveData) -> Html | None:
    """Return the account of parts, by kind: read = kept + dropped + missing + gone with their documents."""
    if not data.parts_read:
        return None
    rows: list[Html] = []
    for kind in sorted(data.parts_read, key=lambda kind: (kind != "image", kind)):
        rows += _kind(kind, data.parts_read[kind], data.parts.get(kind, {}))
    caption = (
        "Every part of every document that was read is in one row; the job commits only when they add up. "
        "A picture that is missing or dropped leaves a mark in its document, with the reason."
    )
    body = table("waterfall", ("part", ">parts", ">share", ""), rows, "Parts of documents by what became of them")
    return tag("figure", tag("h3", "Parts"), body, tag("figcaption", caption))


def _kind(kind: str, read: int, out: Counts) -> list[Html]:
    head = tag("th", tag("span", kind, class_="name"), scope="row")
    first = tag("tr", head, count_cell(read), tag("td", "", class_="share"), bar(("total", 1.0)), class_="step")
    ranked = sorted(((reason, n) for reason, n in out.items() if n), key=lambda each: (-each[1], each[0]))
    return [first, *(_reason(reason, count, read) for reason, count in ranked)]


def _reason(reason: str, count: int, read: int) -> Html:
    verdict = reason.partition("/")[0]
    return tag(
        "tr",
        tag("th", name(reason), tag("small", WORDS.get(verdict, "")), scope="row"),
        tag("td", whole(count), class_="number"),
        tag("td", percent(count, read), class_="number share"),
        bar((COLOURS.get(verdict, "total"), count / max(read, 1))),
        class_="reason",
    )


def _documents(documents: tuple[IllustratedDocument, ...]) -> Html | None:
    if not documents:
        return None
    caption = (
        "Parts in the order of the page, each text from its beginning, the first document with a picture of its "
        "language by its id, a digest: nobody picked them. Grey boxes are pictures that went, or were never there, "
        "with the reason."
    )
    return tag(
        "figure",
        tag("h3", "As they are"),
        tag("div", [_document(each) for each in documents], class_="documents"),
        tag("figcaption", caption),
    )


def _document(document: IllustratedDocument) -> Html:
    shown = document.pieces[:PIECES_SHOWN]
    left = document.part_count - document.skipped_parts - len(shown)
    return tag(
        "article",
        foreign("h4", shortened(" ".join(document.title.split()), ALT_SHOWN), document.language)
        if document.title
        else None,
        tag("p", shortened(document.uri, URI_SHOWN), class_="uri", dir="ltr"),
        _left_out(document.skipped_parts, "before this"),
        [_piece(each, document.language) for each in shown],
        _left_out(left, "more"),
        tag("p", f"{language_name(document.language)} · {whole(document.part_count)} parts", class_="facts"),
        class_="card kept-card document",
    )


def _left_out(count: int, where: str) -> Html | None:
    if count <= 0:
        return None
    return tag("p", f"… {whole(count)} {plural(count, 'part', 'parts')} {where} …", class_="facts")


def _piece(piece: Piece, language: str) -> Html | None:
    if piece.kind in ("text", "table", "code"):
        text = shortened(BLANK_LINES.sub("\n", piece.text.strip()), TEXT_SHOWN)
        more = " …" if piece.characters > len(piece.text) and not text.endswith("…") else ""
        return foreign("p", text + more, language, class_=f"piece-{piece.kind}") if text else None
    if piece.thumbnail:
        alt = shortened(piece.text, ALT_SHOWN)
        small = tag("img", src=piece.thumbnail, alt=alt or f"Picture {piece.uri}", loading="lazy")
        return tag("div", small, foreign("p", alt) if alt else None, class_="placed")
    reason = f"{piece.verdict}: {piece.reason}" if piece.reason else piece.verdict
    words = tag("p", f"{piece.kind} ", tag("code", reason))
    uri = tag("p", shortened(piece.uri, URI_SHOWN), class_="uri", dir="ltr") if piece.uri else None
    return tag("div", words, uri, foreign("p", shortened(piece.text, ALT_SHOWN)) if piece.text else None, class_="gone")
