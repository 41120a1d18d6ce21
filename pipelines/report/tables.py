"""Tables of the report."""

from collections.abc import Iterable, Sequence

from pipelines.report.formats import whole
from pipelines.report.tags import Html, tag


def table(name: str, columns: Sequence[str], rows: Iterable[Html], title: str = "") -> Html:
    """Return a table that scrolls by itself on a narrow page; the name of a column of numbers starts with
    ">". `title` names it to those who don't see it; the keyboard can scroll it then.
    """
    cells = [_head(each) for each in columns]
    head = tag("thead", tag("tr", cells)) if columns else None
    caption = tag("caption", title, class_="unseen") if title else None
    whole_table = tag("table", caption, head, tag("tbody", rows), class_=name)
    if not title:
        return tag("div", whole_table, class_="wide")
    return tag("div", whole_table, class_="wide", tabindex=0, role="region", aria_label=title)


def _head(column: str) -> Html:
    shown = column.lstrip(">")
    return tag("th", shown, scope="col", class_=_alignment(column)) if shown else tag("td")


def _alignment(column: str) -> str | None:
    return "number" if column.startswith(">") else None


def count_cell(count: int) -> Html:
    """Return a cell with a count, pale where there is nothing."""
    return tag("td", whole(count), class_="number" if count else "number zero")


def bar(*parts: tuple[str, float]) -> Html:
    """Return a cell with bars one after the other; (kind, share of the cell's width in [0, 1])."""
    fills = [tag("span", class_=f"fill {kind}", style=f"width:{100 * share:.3f}%") for kind, share in parts if share]
    return tag("td", fills, class_="bar joined")
