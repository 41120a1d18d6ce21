"""Token shards: how many tokens there are of each source and language, and what became of every record."""

from collections.abc import Mapping

from pipelines.report.encode_data import Name, TokenCount, TokensData
from pipelines.report.formats import data_size, percent, short, whole
from pipelines.report.language_names import language_name
from pipelines.report.tables import bar, count_cell, table
from pipelines.report.tags import Html, name, tag

SHOWN = 24
KINDS = {
    "text": "texts",
    "code": "source code",
    "caption": "captions",
    "transcript": "transcripts",
    "interleaved": "interleaved documents",
    "conversation": "conversations",
}


def tokens_section(data: TokensData | None) -> Html | None:
    """Return the counts; None where nothing was encoded."""
    if data is None:
        return None
    return tag(
        "div",
        tag("p", _summary(data)),
        _counts("By kind and source", data.by_source, data.total),
        _counts("By language", data.by_language, data.total),
        _records(data),
    )


def _summary(data: TokensData) -> list[str | Html]:
    total = data.total
    parts: list[str | Html] = [
        tag("strong", whole(total.tokens)), f" tokens of {data.dtype} in ",
        tag("strong", whole(total.documents)), f" documents ({data_size(data.file_bytes)}, {whole(data.files)} files) "
        f"by a vocabulary of {whole(data.vocabulary)} pieces, sha256 ", tag("code", data.digest[:16]), ".",
    ]  # fmt: skip
    if total.sequences > total.documents:
        parts.append(f" Long documents are split: {whole(total.sequences)} sequences.")
    if total.cut_tokens:
        parts.append(f" {whole(total.cut_tokens)} tokens of over-long documents were cut off.")
    if total.learnt_tokens < total.tokens:
        parts.append(f" Of {whole(total.learnt_tokens)} the loss is taken; the rest only stands before them.")
    parts += [f" Left out: {corpus} ({why})." for corpus, why in sorted(data.left_out.items())]
    return parts


def title_of(key: Name) -> list[str | Html]:
    """Return what a row is about: a language, or a kind and a source."""
    if len(key) == 1:
        code = key[0]
        return ["source code"] if code == "code" else [f"{language_name(code)} ", tag("small", code)]
    kind, source = key
    return [f"{KINDS.get(kind, kind)} of ", name(source or "–")]


def _counts(title: str, counts: Mapping[Name, TokenCount], total: TokenCount) -> Html | None:
    ranked = sorted(counts.items(), key=lambda each: (-each[1].tokens, each[0]))
    if not ranked:
        return None
    most = max(ranked[0][1].tokens, 1)
    columns = ("", ">tokens", ">share", "", ">documents", ">bytes per token")
    rest = f" {len(ranked) - SHOWN} more have fewer." if len(ranked) > SHOWN else ""
    rows = [_row(key, each, total.tokens, most) for key, each in ranked[:SHOWN]]
    caption = (
        "Tokens as they stand in the files, with the signs that begin and end documents. Bytes are those of the text."
    )
    return tag("figure", tag("h3", title), table("languages", columns, rows, title), tag("figcaption", caption + rest))


def _row(key: Name, each: TokenCount, total: int, most: int) -> Html:
    density = f"{each.bytes / each.tokens:.2f}" if each.tokens else "–"
    return tag(
        "tr",
        tag("th", title_of(key), scope="row"),
        count_cell(each.tokens),
        tag("td", percent(each.tokens, total), class_="number"),
        bar(("kept", each.tokens / most)),
        count_cell(each.documents),
        tag("td", density, class_="number"),
    )


def _records(data: TokensData) -> Html:
    """Return the account: every record that was read in one place."""
    rows = [tag("tr", tag("th", "read", scope="row"), count_cell(data.read))]
    rows += [
        tag("tr", tag("th", verdict.replace("/", ": ").replace("_", " "), scope="row"), count_cell(count))
        for verdict, count in sorted(data.out.items(), key=lambda each: (each[0] != "kept", -each[1], each[0]))
    ]
    caption = f"Records of the snapshots that were read; {short(data.total.documents)} of them are in the files."
    return tag("figure", tag("h3", "Records"), table("plain", (), rows), tag("figcaption", caption))
