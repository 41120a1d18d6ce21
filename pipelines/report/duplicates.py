"""Near-duplicates: how large the clusters are, and what merged documents look like beside those that stay."""

import difflib
import re
from collections.abc import Sequence

from pipelines.report.charts import cluster_sizes
from pipelines.report.data import Clusters, NearDuplicate, ReportData
from pipelines.report.formats import plural, whole
from pipelines.report.samples import BLANK_LINES, card
from pipelines.report.tags import Html, foreign, tag

UNITS_SHOWN = 160  # words, or characters of scripts without spaces, in an example
UNITS_COMPARED = 1200  # past the first difference; the comparison is quadratic at worst
LEAD_IN = 25  # of them before the first difference
_UNITS = re.compile(r"[぀-ヿ㐀-鿿฀-๿]|[^\W_぀-ヿ㐀-鿿฀-๿]+|\s+|.", re.S)


def duplicates_section(data: ReportData) -> Html | None:
    """Return cluster sizes and examples of near-duplicates with their differences marked."""
    if not data.clusters and not data.near_duplicates:
        return None
    return tag("div", _clusters(data.clusters), _examples(data.near_duplicates))


def _clusters(clusters: Clusters | None) -> Html | None:
    if clusters is None:
        return None
    sizes = {size: count for size, count in clusters.sizes.items() if size >= 2 and count}
    if not sizes:
        return tag("p", "No two documents share a band: there are no clusters.", class_="empty")
    members = sum(size * count for size, count in sizes.items())
    count = sum(sizes.values())
    hold = plural(count, "cluster holds", "clusters hold")
    summary = f"{whole(count)} {hold} {whole(members)} documents; the largest holds {whole(max(sizes))}."
    capped = f" {whole(clusters.uncompared)} members were kept because the limit on comparisons was reached."
    return tag(
        "figure",
        tag("p", summary),
        tag("div", cluster_sizes("clusters", sizes), class_="chart medium", role="img", aria_label=summary),
        tag(
            "figcaption",
            "A cluster is what shared MinHash bands link together: candidates, not verdicts. Members "
            "are then compared "
            "with the documents that stay, on the word n-grams themselves, and only those at the "
            "threshold or above "
            "are merged. Numbers on a logarithmic scale." + (capped if clusters.uncompared else ""),
        ),
    )


def _examples(pairs: Sequence[NearDuplicate]) -> Html | None:
    if not pairs:
        return None
    return tag(
        "figure",
        tag("h3", "Near-duplicates, side by side"),
        [_pair(each) for each in pairs],
        tag(
            "figcaption",
            "Left stays, right goes. The texts are shown from shortly before their first difference in "
            "the stored "
            "samples, ", tag("mark", "differences"), " marked. Similarity is the Jaccard index of their "
            "word n-grams: "
            "1 means the same set of n-grams.",
        ),
    )  # fmt: skip


def _pair(pair: NearDuplicate) -> Html:
    kept, removed = _differences(pair.kept.text, pair.removed.text)
    return tag(
        "div",
        tag("p", "similarity ", tag("b", f"{pair.similarity:.3f}"), class_="similarity"),
        card(pair.kept, "kept", foreign("blockquote", kept, pair.kept.language)),
        card(pair.removed, "merged", foreign("blockquote", removed, pair.removed.language)),
        class_="pair",
    )


def _differences(a: str, b: str) -> tuple[list[str | Html], list[str | Html]]:
    """Return both texts from shortly before their first difference, with what differs marked."""
    left, right = (_UNITS.findall(BLANK_LINES.sub("\n", text)) for text in (a, b))
    same = next((i for i, (x, y) in enumerate(zip(left, right, strict=False)) if x != y), min(len(left), len(right)))
    start = max(same - LEAD_IN, 0)
    left, right = left[start : start + UNITS_COMPARED], right[start : start + UNITS_COMPARED]
    opening: list[str | Html] = ["… "] if start else []
    kept, removed = [*opening], [*opening]
    for kind, i, j, k, m in difflib.SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        kept.extend(_marked(left[i : min(j, UNITS_SHOWN)], kind))
        removed.extend(_marked(right[k : min(m, UNITS_SHOWN)], kind))
    return kept, removed


def _marked(units: Sequence[str], kind: str) -> list[str | Html]:
    text = "".join(units)
    return [text if kind == "equal" or not text.strip() else tag("mark", text)]
