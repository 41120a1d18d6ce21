"""Documents as examples: what stays beside what goes."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from pipelines.report.data import ReportData, Sample
from pipelines.report.formats import short
from pipelines.report.language_names import language_name
from pipelines.report.tags import Html, foreign, tag

TEXT_SHOWN = 700  # characters
TITLE_SHOWN = 160
T = TypeVar("T")
BLANK_LINES = re.compile(r"[ \t]*\n\s*")


def samples_section(data: ReportData) -> Html | None:
    """Return kept and dropped documents in two columns."""
    if not data.kept_samples and not data.dropped_samples:
        return None
    caption = (
        "Drawn by the record's id, a digest: the same run always shows the same documents, and nobody picked them. "
        "Each is shown from its beginning, blank lines left out; a dropped one with every rule that objects, the first "
        "being the reason that is counted."
    )
    unstored = "No text of a dropped document was stored; text.dropped_text_sample says how many are."
    kept = _column("Kept", "kept", data.kept_samples, "None.")
    dropped = _column("Dropped", "dropped", data.dropped_samples, unstored if data.funnel.dropped else "None.")
    return tag(
        "figure",
        tag("div", kept, dropped, class_="columns"),
        tag("figcaption", caption),
    )  # fmt: skip


def _column(title: str, kind: str, samples: Sequence[Sample], nothing: str) -> Html:
    cards = [card(each, kind) for each in samples] or tag("p", nothing, class_="empty")
    return tag("div", tag("h3", tag("i", class_=f"swatch {kind}"), title), cards, class_="column")


def card(sample: Sample, kind: str, body: Html | None = None) -> Html:
    """Return a document as a card; `body` stands in place of the beginning of its text."""
    text = shortened(BLANK_LINES.sub("\n", sample.text.strip()), TEXT_SHOWN)
    title = shortened(" ".join(sample.title.split()), TITLE_SHOWN)
    return tag(
        "article",
        foreign("h4", title, sample.language) if title else None,
        tag("p", sample.uri, class_="uri", dir="ltr"),
        tag("p", [tag("code", reason, class_="reason-chip") for reason in sample.reasons], class_="reasons")
        if sample.reasons
        else None,
        body or foreign("blockquote", text or "(no text)", sample.language),
        tag("p", _facts(sample), class_="facts"),
        class_=f"card {kind}-card",
    )


def shortened(text: str, limit: int) -> str:
    """Return text with at most `limit` characters, and a mark where something is left out."""
    return text if len(text) <= limit else text[:limit].rstrip() + " …"


def spread(samples: Iterable[T], kind: Callable[[T], object], most: int) -> tuple[T, ...]:
    """Choose up to `most`: the first of each kind before the second of any."""
    seen: Counter[object] = Counter()
    ranked = []
    for sample in samples:
        ranked.append((seen[kind(sample)], sample))
        seen[kind(sample)] += 1
    return tuple(sample for _, sample in sorted(ranked, key=lambda each: each[0])[:most])


def _facts(sample: Sample) -> str:
    score = f" ({sample.language_score:.2f})" if sample.language_score is not None else ""
    facts = [language_name(sample.language) + score]
    if sample.characters is not None:
        facts.append(f"{short(sample.characters)} characters")
    if sample.source:
        facts.append(sample.source)
    return " · ".join(facts)
