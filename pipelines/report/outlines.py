"""Small drawings as inline SVG: outlines of sounds, time lines of films. Colours come from the style sheet."""

from collections.abc import Iterator, Sequence

from pipelines.report.media_data import Clip, Film
from pipelines.report.tags import Html, tag

WIDTH, HEIGHT = 480, 64
LINE = 1000  # width of a time line
# verdict -> (top, height) of a clip on its time line: what stays stands tall, so that colour is not the only sign
_BOXES = {"kept": (4, 24), "merged": (10, 12), "dropped": (16, 12)}


def outline(lows: Sequence[int], highs: Sequence[int], verdict: str, label: str) -> Html:
    """Return the outline of a sound; lows and highs in [-127, 127]."""
    step = WIDTH / max(len(highs), 1)
    middle, scale = HEIGHT / 2, (HEIGHT / 2 - 1) / 127
    bars = "".join(
        f"M{(i + 0.5) * step:.1f} {middle - max(high, low + 1) * scale:.1f}V{middle - low * scale:.1f}"
        for i, (low, high) in enumerate(zip(lows, highs, strict=True))
    )
    line = tag("path", d=f"M0 {middle:g}H{WIDTH}", class_="axis")
    drawn = tag("path", d=bars, class_=f"wave {verdict}-line", stroke_width=f"{max(step * 0.7, 0.8):.2f}")
    return _svg(f"0 0 {WIDTH} {HEIGHT}", "outline", label, line, drawn)


def time_line(film: Film, label: str) -> Html:
    """Return a film's clips where they stand, and below them a mark for each thing said."""
    end = max([film.duration_s, *(clip.end_s for clip in film.clips), 0.001])
    parts: list[Html] = [tag("path", d=f"M0 28.5H{LINE}", class_="axis")]
    for clip in film.clips:
        parts.append(_box(clip, end))
        parts += [
            tag("rect", x=f"{LINE * cue.start_s / end:.1f}", y=32, width=_wide(cue.end_s - cue.start_s, end), height=5,
                class_="cue")
            for cue in clip.cues
        ]  # fmt: skip
    parts += [tag("path", d=f"M{LINE * tick / end:.1f} 28.5v4", class_="axis") for tick in ticks(end)]
    return _svg(f"0 0 {LINE} 40", "time-line", label, *parts)


def ticks(end_s: float) -> Iterator[float]:
    """Yield at most ten round times of a time line."""
    step = next(each for each in (1, 5, 10, 30, 60, 300, 600, 1800, 3600, 36_000, 360_000) if end_s / each <= 10)
    return (float(n * step) for n in range(1, int(end_s // step) + 1))


def _box(clip: Clip, end: float) -> Html:
    top, height = _BOXES.get(clip.verdict, (16, 12))
    title = f"{clip.verdict}, {clip.start_s:.1f} to {clip.end_s:.1f} s"
    place = {"x": f"{LINE * clip.start_s / end:.1f}", "width": _wide(clip.end_s - clip.start_s, end)}
    return tag("rect", tag("title", title), y=top, height=height, class_=f"{clip.verdict}-box", **place)


def _wide(length_s: float, end: float) -> str:
    return f"{max(LINE * length_s / end - 1.5, 1.5):.1f}"


def _svg(box: str, kind: str, label: str, *children: Html) -> Html:
    return tag(
        "svg", children, viewBox=box, class_=kind, role="img", aria_label=label, preserveAspectRatio="none",
        focusable="false",
    )  # fmt: skip
