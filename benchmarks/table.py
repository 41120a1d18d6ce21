"""The one table that the benchmarks end in."""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import ge, le

SIGNS = {">=": ge, "<=": le}


@dataclass(frozen=True)
class Row:
    """A comparison: what was measured, the figure it came to, and the figure that the design asks for."""

    work: str
    measured: str  # the numbers behind the figure
    figure: float
    unit: str
    goal: tuple[str, float] | None = None  # (">=" or "<=", bound); None: told, not judged

    @property
    def verdict(self) -> str:
        """Return "met", "missed" or "" where nothing is asked."""
        if self.goal is None:
            return ""
        sign, bound = self.goal
        return "met" if SIGNS[sign](self.figure, bound) else "**missed**"


def render(rows: Sequence[Row]) -> str:
    """Return the rows as a Markdown table."""
    lines = ["| work | measured | figure | goal | |", "|---|---|---:|---:|---|"]
    for row in rows:
        goal = f"{row.goal[0]} {row.goal[1]:g} {row.unit}" if row.goal else ""
        lines.append(f"| {row.work} | {row.measured} | {row.figure:.2f} {row.unit} | {goal} | {row.verdict} |")
    return "\n".join(lines)
