"""The page as a whole: one HTML file that needs nothing else, and in which nothing can make it load more."""

from importlib import resources

from pipelines.report.audio import audio_section
from pipelines.report.code import code_section
from pipelines.report.crawl import crawl_section
from pipelines.report.data import Funnel, ReportData
from pipelines.report.duplicates import duplicates_section
from pipelines.report.encode import tokens_section
from pipelines.report.formats import data_size, percent, plural, short, whole
from pipelines.report.funnel import funnel_section, outcomes
from pipelines.report.images import images_section
from pipelines.report.instruct import instruct_section
from pipelines.report.interleave import interleave_section
from pipelines.report.language_names import language_name
from pipelines.report.languages import languages_section
from pipelines.report.late import late_section
from pipelines.report.mixture import mixture_section
from pipelines.report.provenance import provenance_section, scorers_section
from pipelines.report.samples import samples_section
from pipelines.report.signals import rules_section, signals_section
from pipelines.report.tags import Html, tag
from pipelines.report.tokens import tokenizer_section
from pipelines.report.video import video_section

# Whatever a document's text might smuggle in: nothing is ever loaded or run.
POLICY = (
    "default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
)

SECTIONS = (
    ("crawl", "Crawl", lambda data: crawl_section(data.crawl)),
    ("funnel", "Funnel", funnel_section),
    ("rules", "Rules", rules_section),
    ("signals", "Signals", signals_section),
    ("languages", "Languages", languages_section),
    ("duplicates", "Duplicates", duplicates_section),
    ("late", "After the rules", late_section),
    ("samples", "Samples", samples_section),
    ("images", "Images", lambda data: images_section(data.images)),
    ("audio", "Audio", lambda data: audio_section(data.audio)),
    ("video", "Video", lambda data: video_section(data.video)),
    ("code", "Code", lambda data: code_section(data.code)),
    ("interleave", "Interleaved", lambda data: interleave_section(data.interleave)),
    ("tokenizer", "Tokenizer", tokenizer_section),
    ("tokens", "Tokens", lambda data: tokens_section(data.tokens)),
    ("mixture", "Mixture", lambda data: mixture_section(data.mixture)),
    ("instruct", "Instruction sets", lambda data: instruct_section(data.instruct)),
    ("scorers", "Scorers", scorers_section),
    ("provenance", "Provenance", provenance_section),
)


def render(data: ReportData) -> bytes:
    """Return the report as UTF-8 HTML: equal bytes for equal data."""
    bodies = [(name, title, body) for name, title, section in SECTIONS if (body := section(data))]
    links = tag("nav", [tag("a", title, href=f"#{name}") for name, title, _ in bodies], aria_label="Sections")
    parts = [tag("section", tag("h2", title), body, id=name) for name, title, body in bodies]
    body = tag("body", _header(data), links, tag("main", parts), _footer(data))
    return ("<!DOCTYPE html>\n" + tag("html", _head(data), body, lang="en") + "\n").encode()


def _head(data: ReportData) -> Html:
    style = resources.files("pipelines.report").joinpath("style.css").read_text(encoding="utf-8")
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", f"{data.title} – corpusmill report"),
        Html(f"<style>{style}</style>"),
    )


def _header(data: ReportData) -> Html:
    warning = _unbalanced(data)
    return tag(
        "header",
        tag("p", "corpusmill report", class_="kicker"),
        tag("h1", data.title, dir="auto"),
        tag("p", _summary(data), class_="lead"),
        warning,
        outcomes(data.funnel.of_pages),
        tag("dl", [_figure(*each) for each in _figures(data)], class_="figures"),
        _standing_out(data),
    )


def _summary(data: ReportData) -> list[str | Html]:
    funnel = data.funnel
    if data.is_crawl_alone:
        return ["A crawl, and no corpus yet: no text job has read what it brought."]
    if data.is_without_text:
        return _media_summary(data)
    if not funnel.read:
        return ["No record was read."]
    pages = funnel.of_pages.read
    beside = f" (and {whole(funnel.beside)} of other types beside them)" if funnel.beside else ""
    share = tag("strong", percent(funnel.kept, pages))
    return [
        tag("strong", whole(pages)),
        f" {plural(pages, 'record was', 'records were')} read{beside}, ",
        tag("strong", whole(funnel.kept)),
        f" {'document is' if funnel.kept == 1 else 'documents are'} in the corpus (",
        share,
        "). Every other one is accounted for below.",
    ]


def _media_summary(data: ReportData) -> list[str | Html]:
    """Return what there is of media, where no text job ran."""
    kept = [
        [", " if i else "", tag("strong", whole(each.kept)), f" {name}{'' if each.kept == 1 else 's'}"]
        for i, (name, each) in enumerate(data.media)
    ]
    return [
        "In the shards: ",
        tag("span", kept),
        ". No text job ran. Every record that was read is accounted for below.",
    ]


def _unbalanced(data: ReportData) -> Html | None:
    funnels = {"all inputs": data.funnel, **data.sources}
    wrong = [f"{name}: {whole(each.unaccounted)}" for name, each in funnels.items() if each.unaccounted]
    if not wrong:
        return None
    text = "The ledger does not balance. Records that stand nowhere (or twice, if negative): " + "; ".join(wrong)
    return tag("p", text, class_="alarm", role="alert")


def _figures(data: ReportData) -> list[tuple[str, str, str]]:
    read = data.funnel.of_pages.read
    kept_bytes = sum(each.kept_bytes for each in data.languages)
    spoken = [each for each in data.languages if each.kept and each.language != "und"]
    figures: list[tuple[str, str, str]] = []
    if data.crawl:
        figures.append(("pages crawled", short(data.crawl.kept), f"of {whole(data.crawl.read)} URLs taken up"))
    if not data.is_without_text:
        kept = f"{whole(data.funnel.kept)} of {whole(read)}"
        figures.append(("documents kept", short(data.funnel.kept), kept))
    if kept_bytes:
        figures.append(("text kept", data_size(kept_bytes), f"{whole(kept_bytes)} bytes of UTF-8"))
    if data.languages:
        figures.append(("languages" if len(spoken) != 1 else "language", whole(len(spoken)), "of kept documents"))
    merged = sum(data.funnel.merged.values())
    if merged:
        figures.append(("duplicates merged", short(merged), f"{percent(merged, read)} of what was read"))
    if data.provenance.shards:
        size = data_size(data.provenance.output_bytes)
        one = "WARC file" if data.is_crawl_alone else "shard"
        figures.append((plural(data.provenance.shards, one, f"{one}s"), whole(data.provenance.shards), size))
    figures += [(f"{name}s kept", short(each.kept), f"of {whole(each.judged)} judged") for name, each in data.media]
    if data.tokenizer:
        figures.append(("tokenizer pieces", whole(data.tokenizer.vocabulary), data.tokenizer.algorithm.upper()))
    return figures


def _figure(name: str, value: str, detail: str) -> Html:
    return tag("div", tag("dt", name), tag("dd", value, tag("small", detail)))


def _standing_out(data: ReportData) -> Html | None:
    notes = [note for note in (_costliest_rule(data), _poorest_language(data), _worst_source(data)) if note]
    if not notes:
        return None
    return tag("div", tag("h2", "What stands out"), tag("ul", [tag("li", note) for note in notes]), class_="notes")


def _costliest_rule(data: ReportData) -> list[str | Html] | None:
    rule = max(data.rules, key=lambda each: each.only, default=None)
    if rule is None or not rule.only:
        return None
    return [
        "The rule that decides most by itself is ", tag("code", rule.name), ": ", whole(rule.only),
        " documents fail it and no other (", percent(rule.only, data.funnel.judged), " of all that were judged).",
    ]  # fmt: skip


def _poorest_language(data: ReportData) -> list[str | Html] | None:
    """Name the language that loses most to rules, of those with 1 % of the documents, if it is far more."""
    judged = sum(each.kept + each.dropped for each in data.languages)
    lost = sum(each.dropped for each in data.languages)
    large = [each for each in data.languages if each.kept + each.dropped >= max(judged / 100, 20)]
    worst = max(large, key=lambda each: each.dropped / (each.kept + each.dropped), default=None)
    if worst is None or len(large) < 2:
        return None
    share, usual = worst.dropped / (worst.kept + worst.dropped), lost / judged
    if share < usual + 0.05:
        return None
    return [
        f"Rules drop {language_name(worst.language)} most: {percent(share, 1)} of its documents against "
        f"{percent(usual, 1)} overall. Look at its samples before you trust that."
    ]


def _worst_source(data: ReportData) -> list[str | Html] | None:
    def broken(funnel: Funnel) -> float:
        return sum(funnel.quarantined.values()) / max(funnel.read, 1)

    name, worst = max(data.sources.items(), key=lambda each: broken(each[1]), default=("", data.funnel))
    count = sum(worst.quarantined.values())
    if not count:
        return None
    whose = f"of the input {name} " if name else ""
    return [
        f"{whole(count)} {'record' if count == 1 else 'records'} {whose}"
        f"({percent(count, worst.read)}) could not be read and lie in quarantine/ with their reasons."
    ]


def _footer(data: ReportData) -> Html:
    version = f"corpusmill {data.provenance.version}" if data.provenance.version else "corpusmill"
    text = f"Made by {version} from statistics and samples of the committed run. This page loads nothing."
    return tag("footer", tag("p", text))
