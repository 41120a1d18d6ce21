"""What ten and a hundred times the input cost: CPU time, and the peak memory of the worker and of its guarded child."""

from benchmarks.measure import Series, Usage, least_cpu_s
from benchmarks.table import Row


def rows(series: Series, name: str, pages: int) -> list[Row]:
    """Return growth at N, 10 N and, where it was run, 100 N pages, each in ten times the units."""
    runs = series[name]
    sizes = [size for size in (pages, 10 * pages, 100 * pages) if size in runs]
    found = [_memory(runs, pages, size) for size in sizes[1:]]
    if len(sizes) == 3:
        low, middle, high = (least_cpu_s(runs[size]) for size in sizes)
        measured = f"CPU-s: {low:.1f}, {middle:.1f}, {high:.1f}; the differences of neighbours"
        figure = (high - middle) / (middle - low)
        found.insert(
            0, Row(f"10 times the input: {sizes[1]} -> {sizes[2]} pages", measured, figure, "x CPU", ("<=", 10.5))
        )
    return found


def _memory(runs: dict[int, list[Usage]], low: int, high: int) -> Row:
    worker = [min(usage.worker_bytes for usage in runs[size]) for size in (low, high)]
    child = [min(usage.child_bytes for usage in runs[size]) for size in (low, high)]
    measured = (
        f"worker {worker[0] >> 20} -> {worker[1] >> 20} MiB, child {child[0] >> 20} -> {child[1] >> 20} MiB; the worse"
    )
    figure = max(worker[1] / worker[0], child[1] / child[0])
    return Row(f"{high // low} times the units: peak memory, {low} -> {high} pages", measured, figure, "x", ("<=", 1.1))
