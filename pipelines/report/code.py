"""Code: what came of source files, in which languages and under which licences, and some of them."""

from collections.abc import Mapping, Sequence

from pipelines.report import media
from pipelines.report.code_data import CodeData, SourceFile
from pipelines.report.counts import Counts
from pipelines.report.formats import data_size, percent, plural, short, whole
from pipelines.report.samples import shortened
from pipelines.report.tables import bar, count_cell, table
from pipelines.report.tags import Html, tag

LANGUAGES_SHOWN = 30
LICENSES_SHOWN = 24
TEXT_SHOWN = 900  # characters
PATH_SHOWN = 140
FILES = media.Noun("file", "files")
VERDICTS = ("kept", "merged", "dropped")
MASKED = {
    "secret_count": "secrets",
    "email_count": "e-mail addresses",
    "ip_count": "IP addresses",
    "name_count": "names",
}
CLASSES = {
    "permissive": "may be used in anything that names its authors",
    "weak_copyleft": "changes to these files stay under their licence",
    "copyleft": "works that hold them are under their licence",
    "restricted": "not for every use",
    "unknown": "a licence that SPDX does not list",
    "none": "nothing says so: neither the file, nor a text above it, nor a copyright file",
}
FUNNEL = (
    "Every member of every repository and archive, in exactly one place, by its one reason: links and binaries "
    "are no source, absurd paths and damaged archives are quarantined, owners who said no are refused unread."
)


def code_section(code: CodeData | None) -> Html | None:
    """Return what came of source code; None where no job has read any."""
    if code is None:
        return None
    return tag(
        "div",
        tag("p", _summary(code)),
        media.unbalanced(code.funnel, FILES),
        media.figures(_figures(code)),
        media.funnel_table(code.funnel, FILES, FILES, FUNNEL),
        _languages(code.languages),
        _classes(code),
        _licenses(code),
        media.rules_table(code.rules, FILES),
        media.histograms(code.histograms, FILES, "code"),
        _repositories(code),
        _samples(code),
    )


def _summary(code: CodeData) -> list[str | Html]:
    judged = code.funnel.judged
    return [
        tag("strong", whole(judged)), f" {plural(judged, 'file was', 'files were')} judged, ",
        tag("strong", whole(code.funnel.kept)), " ", plural(code.funnel.kept, "is", "are"), " in the shards (",
        tag("strong", percent(code.funnel.kept, judged)), ").",
    ]  # fmt: skip


def _figures(code: CodeData) -> list[tuple[str, str, str]]:
    kept = [name for name, counts in code.languages.items() if counts.get("kept") and name != "Unknown"]
    found = [
        ("files kept", short(code.funnel.kept), f"of {whole(code.funnel.judged)}"),
        ("source kept", data_size(code.kept_bytes), "of UTF-8"),
        ("languages", whole(len(kept)), "of kept files"),
        ("repository documents", whole(code.repository_documents), "the same files, what is imported first"),
    ]
    masked = sum(code.masked.values())
    if masked:
        named = [f"{whole(n)} {MASKED[name]}" for name, n in sorted(code.masked.items()) if n]
        found.append(("masked", short(masked), ", ".join(named)))
    return found


def _ranked(counted: Mapping[str, Counts]) -> list[tuple[str, Counts]]:
    return sorted(counted.items(), key=lambda each: (-_files(each[1]), each[0]))


def _files(counts: Counts) -> int:
    return sum(counts.get(verdict, 0) for verdict in VERDICTS)


def _table(kind: str, rows: Sequence[tuple[str, Counts]], most: int, note: Mapping[str, str]) -> Html:
    cells = [
        tag(
            "tr",
            tag("th", name, tag("small", note[name]) if name in note else None, scope="row"),
            bar(*((verdict, counts.get(verdict, 0) / most) for verdict in VERDICTS)),
            [count_cell(counts.get(verdict, 0)) for verdict in VERDICTS],
            tag("td", data_size(counts.get("kept_bytes", 0)), class_="number"),
        )
        for name, counts in rows
    ]
    columns = (kind, "", ">kept", ">merged", ">dropped", ">source kept")
    return table("code-counts", columns, cells, f"Files by {kind}")


def _counted(
    title: str, kind: str, counted: Mapping[str, Counts], shown: int, caption: str, note: Mapping[str, str]
) -> Html | None:
    if not counted:
        return None
    ranked = _ranked(counted)
    most = max(1, _files(ranked[0][1]))
    left = f" The largest {shown} of {len(ranked)}." if len(ranked) > shown else ""
    return tag(
        "figure", tag("h3", title), _table(kind, ranked[:shown], most, note), tag("figcaption", caption + left)
    )  # fmt: skip


def _languages(counted: Mapping[str, Counts]) -> Html | None:
    caption = (
        "By GitHub Linguist's rules: name, extension, first line, content; where they leave several or none, by the "
        "model of code.ambiguous. Unknown is what nothing tells."
    )
    return _counted("Languages", "language", counted, LANGUAGES_SHOWN, caption, {})


def _classes(code: CodeData) -> Html | None:
    caption = f"The recipe keeps {', '.join(code.classes_kept) or 'none'}. Of an OR the freest side counts, of an AND "
    rest = "the strictest; a vendored folder has its own licence or none."
    return _counted("Classes of licence", "class", code.license_classes, len(CLASSES), caption + rest, CLASSES)


def _licenses(code: CodeData) -> Html | None:
    caption = (
        "SPDX expressions: what a file's own head says, else a DEP-5 file by name, else the nearest licence text above "
        f"it. Told by {code.detector}; another version of it is run again."
    )
    return _counted("Licences", "licence", code.licenses, LICENSES_SHOWN, caption, {})


def _repositories(code: CodeData) -> Html | None:
    if not code.repositories:
        return None
    rows = [
        tag(
            "tr",
            tag("th", each.name, scope="row"),
            tag("td", whole(each.files), class_="number"),
            tag("td", ", ".join(each.languages)),
            tag("td", ", ".join(each.licenses)),
        )
        for each in code.repositories
    ]
    columns = ("repository", ">files", "languages", "licences")
    caption = "The largest that were looked at. The licences of a repository document are those of all its files."
    shown = table("said", columns, rows, "Repository documents")
    return tag("figure", tag("h3", "Repository documents"), shown, tag("figcaption", caption))


def _samples(code: CodeData) -> Html | None:
    columns = [
        tag(
            "div",
            tag("h3", tag("i", class_=f"swatch {verdict}"), verdict.capitalize()),
            [_card(each, verdict) for each in code.files.get(verdict, ())] or tag("p", "None.", class_="empty"),
            class_="column",
        )
        for verdict in ("kept", "dropped")
    ]
    caption = (
        "Drawn by the record's id, a digest: nobody picked them. Kept files as they are in the corpus, with what was "
        "masked; dropped ones with every rule that objects, as far as code.dropped_text_sample stored their text."
    )
    return tag("figure", tag("div", columns, class_="columns"), tag("figcaption", caption))


def _card(file: SourceFile, verdict: str) -> Html:
    facts = [file.language, file.license or "no licence"]
    facts += [f"{whole(file.stars)} stars"] if file.stars is not None else []
    return tag(
        "article",
        tag("h4", shortened(file.path, PATH_SHOWN), dir="ltr"),
        tag("p", file.repository, class_="uri", dir="auto"),
        media.chips(file.reasons),
        tag("pre", tag("code", shortened(file.text.strip("\n"), TEXT_SHOWN)), class_="source", dir="ltr"),
        tag("p", " · ".join(facts), class_="facts"),
        class_=f"card {verdict}-card",
    )
