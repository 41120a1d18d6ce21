"""Charts as inline SVG: drawn by matplotlib, coloured by the page's style sheet, equal for equal data.

Text stays text, and every colour becomes a CSS variable, so that one drawing serves light and dark pages.
"""

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from pipelines.report.data import Histogram
from pipelines.report.formats import short, whole
from pipelines.report.tags import Html

# Colours that stand for variables of style.css while matplotlib draws.
INK, MUTED, GRID = "#010101", "#020202", "#030303"
KEPT, DROPPED, MERGED, OUTSIDE = "#040404", "#050505", "#060606", "#070707"
VARIABLES = {
    INK: "--ink",
    MUTED: "--muted",
    GRID: "--grid",
    KEPT: "--kept",
    DROPPED: "--dropped",
    MERGED: "--merged",
    OUTSIDE: "--outside",
}
STYLE: Any = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 8,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "xtick.major.size": 2.5,
    "ytick.major.size": 0,
    "xtick.major.width": 0.6,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
}
MAX_BINS = 40


@contextmanager
def drawing(name: str, width: float, height: float) -> Iterator[tuple[Any, list[Html]]]:
    """Give a pair of axes to draw on (inches) and a list that holds the SVG afterwards."""
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with matplotlib.rc_context({**STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=(width, height), layout="constrained")
        done: list[Html] = []
        yield figure.add_subplot(), done
        written = io.StringIO()
        canvas: Any = FigureCanvasSVG(figure)
        canvas.print_svg(written, metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
        done.append(inline(written.getvalue(), name))


def inline(svg: str, name: str) -> Html:
    """Make an SVG file part of a page: no prologue, ids of its own, colours by variable, size by the page."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.S)
    body = re.sub(r'(\bid="|url\(#|xlink:href="#)', rf"\g<1>{name}-", body).replace("xlink:href", "href")
    body = re.sub(r' (?:width|height)="[\d.]+pt"', "", body, count=2).replace(
        ' xmlns:xlink="http://www.w3.org/1999/xlink"', ""
    )
    body = re.sub(r"<defs>\s*<style[^>]*>.*?</style>\s*</defs>", "", body, flags=re.S)
    for colour, variable in VARIABLES.items():
        body = body.replace(colour, f"var({variable})")
    return Html(re.sub(r">\s+<", "><", body).replace("<svg ", '<svg aria-hidden="true" ', 1).strip())


def histogram(name: str, data: Histogram) -> Html:
    """Draw kept documents upwards and dropped ones downwards, each as shares of their own total.

    Bins have equal widths on the page, whatever their edges; heights are square roots, so that a bin of
    0.1 % is still seen beside one of 90 %. The part of the axis that a rule drops is shaded.
    """
    view = drawn_bins(data)
    with drawing(name, 3.3, 1.75) as (axes, done):
        _shade(axes, data, view)
        for counts, sign, colour in ((view.kept, 1, KEPT), (view.dropped, -1, DROPPED)):
            total = max(int(counts.sum()), 1)
            heights = sign * np.sqrt(counts / total)
            axes.stairs(heights, np.arange(len(heights) + 1), fill=True, color=colour, linewidth=0)
        axes.axhline(0, color=MUTED, linewidth=0.6)
        _value_axis(axes, view)
        _share_axis(axes, view)
    return done[0]


class DrawnBins:
    """The bins of a histogram that are drawn: no empty ends, at most MAX_BINS, what is beyond the last edge
    apart.
    """

    def __init__(self, edges: Sequence[float], kept: Any, dropped: Any, beyond: bool) -> None:
        self.edges, self.kept, self.dropped, self.beyond = edges, kept, dropped, beyond

    def position(self, value: float) -> float:
        """Return where on the page, in bins from the left, a value stands."""
        return float(np.interp(value, self.edges, np.arange(len(self.edges))))


def drawn_bins(data: Histogram) -> DrawnBins:
    """Choose what is drawn: all that is not empty, and every threshold with a bin beside it."""
    kept, dropped = np.asarray(data.kept), np.asarray(data.dropped)
    n = len(data.edges) - 1
    bounds = [b for each in data.thresholds for b in (each.min, each.max) if b is not None]
    bins = [int(np.clip(np.searchsorted(data.edges, b, side="right") - 1, 0, n - 1)) for b in bounds]
    used = [*np.flatnonzero((kept + dropped)[:n]).tolist(), *bins, *(min(b + 1, n - 1) for b in bins)] or [0]
    first, last = max(min(used) - 1, 0), max(used) + 1
    step = -(-(last - first) // MAX_BINS)
    meet = bins[0] if bins else first  # a bound stays the edge of a bin where bins are drawn together
    starts = np.array([i for i in range(first, min(last, n)) if i == first or (i - meet) % step == 0])
    edges = [data.edges[i] for i in (*starts.tolist(), min(starts[-1] + step, last, n))]
    sums = [np.add.reduceat(counts[: min(last, n)], starts) for counts in (kept, dropped)]
    beyond = bool(kept[n] + dropped[n])
    if beyond:
        sums = [np.append(s, counts[n]) for s, counts in zip(sums, (kept, dropped), strict=True)]
    return DrawnBins(edges, sums[0], sums[1], beyond)


def _shade(axes: Any, data: Histogram, view: DrawnBins) -> None:
    right = len(view.kept)
    for threshold in data.thresholds:
        if threshold.max is not None:
            beyond = 0.0 if data.is_ratio else 1.0  # counts are whole: the bin of the bound itself is kept
            _bound(axes, view.position(threshold.max + beyond), right, f"≤ {_value(threshold.max)}", "right")
        if threshold.min is not None:
            _bound(axes, view.position(threshold.min), 0, f"≥ {_value(threshold.min)}", "left")


def _bound(axes: Any, at: float, end: float, label: str, align: str) -> None:
    axes.axvspan(min(at, end), max(at, end), color=OUTSIDE, linewidth=0, zorder=0)
    axes.axvline(at, color=INK, linewidth=0.9, linestyle=(0, (3, 2)))
    inside = -3 if align == "right" else 3
    axes.annotate(
        label, (at, 1.0), (inside, 0), xycoords=("data", "axes fraction"), textcoords="offset points",
        ha=align, va="bottom", fontsize=7.5,
    )  # fmt: skip


def _value_axis(axes: Any, view: DrawnBins) -> None:
    values = round_values(view.edges)
    at, labels = [view.position(value) for value in values], [_value(value) for value in values]
    if view.beyond:
        at, labels = [*at, len(view.edges) - 0.5], [*labels, "more"]
    axes.set_xticks(at, labels)
    axes.set_xlim(0, len(view.kept))


def round_values(edges: Sequence[float]) -> list[float]:
    """Return at most eight round values between the edges: even steps for bins much alike, decades for others."""
    low, high, widths = edges[0], edges[-1], np.diff(edges)
    if widths.max() < 4 * widths.min():
        step = next(step for n in range(-4, 9) for step in (10.0**n, 2 * 10.0**n, 5 * 10.0**n) if step * 7 > high - low)
        step = max(step, 1.0) if all(float(edge).is_integer() for edge in edges) else step
        first = int(np.ceil(low / step - 1e-9))
        return [round(i * step, 10) for i in range(first, int(high / step + 1e-9) + 1)]
    for leading in ("1235", "125", "1"):
        chosen = [e for e in edges if e == 0 or (f"{e:.6e}"[0] in leading and set(f"{e:.6e}"[2:8]) == {"0"})]
        if len(chosen) <= 7:
            return chosen
    return chosen[:: -(-len(chosen) // 7)]


def _value(value: float) -> str:
    return f"{value:g}" if value < 10_000 else short(value)


def _share_axis(axes: Any, view: DrawnBins) -> None:
    tops = [float(max((c / max(int(c.sum()), 1)).max(initial=0), 0.01)) for c in (view.kept, view.dropped)]
    least = 0.09 * sum(top**0.5 for top in tops)  # no two labels on top of each other
    up, down = ([s for s in (0.01, 0.1, 0.3, 1.0) if least < s**0.5 <= top**0.5 * 1.05][-2:] for top in tops)
    ticks = [*(-(s**0.5) for s in down), 0.0, *(s**0.5 for s in up)]
    axes.set_yticks(ticks, [*(f"{s:.0%}" for s in down), "0", *(f"{s:.0%}" for s in up)])
    axes.set_ylim(-np.sqrt(tops[1]) * 1.06 if view.dropped.sum() else -0.05, np.sqrt(tops[0]) * 1.06)
    axes.grid(axis="y", color=GRID, linewidth=0.5)
    axes.set_axisbelow(True)


def cluster_sizes(name: str, sizes: Mapping[int, int]) -> Html:
    """Draw the number of clusters by size, sizes in doubling steps, numbers on a logarithmic axis."""
    groups = size_groups(sizes)
    with drawing(name, 5.2, 2.1) as (axes, done):
        counts = [count for _, count in groups]
        axes.bar(range(len(groups)), counts, width=0.72, color=MERGED, linewidth=0)
        for i, count in enumerate(counts):
            axes.annotate(whole(count), (i, count), (0, 2), textcoords="offset points", ha="center", fontsize=7.5)
        axes.set_yscale("log")
        axes.set_ylim(0.7, max(counts, default=1) * 2.5)
        axes.set_xticks(range(len(groups)), [label for label, _ in groups])
        axes.set_yticks([], [])
        axes.minorticks_off()
        axes.set_xlabel("documents in a cluster")
    return done[0]


def size_groups(sizes: Mapping[int, int]) -> list[tuple[str, int]]:
    """Add up cluster sizes in steps 2, 3, 4, 5-8, 9-16, ...; empty steps between full ones stay."""
    if not sizes:
        return []
    groups: list[tuple[str, int]] = []
    low, high = 2, 2
    while low <= max(sizes):
        count = sum(n for size, n in sizes.items() if low <= size <= high)
        groups.append((str(low) if low == high else f"{short(low)}–{short(high)}", count))
        low, high = high + 1, high + 1 if high < 4 else 2 * high
    return groups
