"""What a command costs: CPU seconds of its whole process tree, peak memory of each of its processes, and slopes.

CPU time is user + system as the kernel counts it for the process and every descendant that was waited for. Memory is
VmHWM of /proc, read while the command runs: the root process is the worker, the largest other one the child.
"""

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

POLL_S = 0.1
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS", "RAYON_NUM_THREADS", "ARROW_NUM_THREADS"), "1"
)


@dataclass(frozen=True)
class Usage:
    """What one run of a command took."""

    cpu_s: float
    wall_s: float
    worker_bytes: int  # peak resident memory of the process itself
    child_bytes: int  # of its largest descendant


@dataclass(frozen=True)
class Contender:
    """A way to do some work: the command for an input of `pages`, given where it may write."""

    name: str
    command: Callable[[int, Path], Sequence[str | Path]]
    environment: Mapping[str, str] | None = None
    look: Callable[[int, Path], None] | None = None  # sees the size and the output before it goes


Series = dict[str, dict[int, list[Usage]]]  # contender -> pages -> runs


def run(command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> Usage:
    """Run a command to its end; raises RuntimeError with its last words if it fails."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    started = time.monotonic()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            list(map(str, command)),
            stdout=output,
            stderr=output,
            env={**inherited, **ONE_THREAD, **(environment or {})},
        )
        peaks = _Peaks(process.pid)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        peaks.stop()
        if process.returncode:
            output.seek(0)
            said = output.read().decode(errors="replace")[-2000:]
            raise RuntimeError(f"{' '.join(map(str, command))}: status {process.returncode}\n{said}")
    return Usage(used.ru_utime + used.ru_stime, time.monotonic() - started, *peaks.worker_and_child())


class _Peaks:
    """Reads the peak memory of a process and its descendants from /proc, in a thread, until stopped."""

    def __init__(self, root: int) -> None:
        self.root, self.bytes = root, {root: 0}
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self._watch)
        self.thread.start()

    def _watch(self) -> None:
        while not self.stopped.wait(POLL_S):
            for pid in tree(self.root):
                self.bytes[pid] = max(self.bytes.get(pid, 0), _peak_bytes(pid))

    def stop(self) -> None:
        self.stopped.set()
        self.thread.join()

    def worker_and_child(self) -> tuple[int, int]:
        return self.bytes[self.root], max((size for pid, size in self.bytes.items() if pid != self.root), default=0)


def tree(root: int) -> set[int]:
    """Return a process and its living descendants."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found, new = {root}, {root}
    while new := {pid for pid, parent in parents.items() if parent in new} - found:
        found |= new
    return found


def _peak_bytes(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM:"))


def measure(contenders: Sequence[Contender], sizes: Sequence[int], repeats: int, series: Series) -> None:
    """Add `repeats` runs of each contender at each size to `series`, in turn, so that a busy spell hits all alike."""
    for _ in range(repeats):
        for pages in sizes:
            for one in contenders:
                with tempfile.TemporaryDirectory(prefix="corpusmill-bench-") as out:
                    usage = run(one.command(pages, Path(out)), one.environment)
                    if one.look:
                        one.look(pages, Path(out))
                series.setdefault(one.name, {}).setdefault(pages, []).append(usage)
                say(f"{one.name}, {pages} pages: {usage.cpu_s:.2f} CPU-s, {usage.wall_s:.1f} s")


def least_cpu_s(runs: Sequence[Usage]) -> float:
    """Return the CPU seconds of the least disturbed run."""
    return min(usage.cpu_s for usage in runs)


def slope_ms(by_pages: Mapping[int, Sequence[Usage]], low: int, high: int) -> float:
    """Return CPU milliseconds a page between two sizes: start-up stands apart."""
    return (least_cpu_s(by_pages[high]) - least_cpu_s(by_pages[low])) * 1000 / (high - low)


def startup_s(by_pages: Mapping[int, Sequence[Usage]], low: int, high: int) -> float:
    """Return the CPU seconds that the line through two sizes has at no pages at all."""
    return least_cpu_s(by_pages[low]) - slope_ms(by_pages, low, high) * low / 1000


def say(text: str) -> None:
    """Show how far it is."""
    print(f"[{time.strftime('%H:%M:%S')}] {text}", file=sys.stderr, flush=True)
