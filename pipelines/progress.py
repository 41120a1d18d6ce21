"""What a person sees while a phase runs: a bar with tasks done, rate, counts so far and time left; in a log, a line.

It looks at done-markers, so it shows the same on every runner and costs a few looks a second.
"""

import json
import sys
import threading
from collections import Counter
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from tqdm import tqdm

from manifests.store import Store

INTERVAL_S = 0.5
LOOKS = 64  # markers looked for in one interval


class Progress:
    """A bar over the markers of a phase; `counts` of each marker are summed and shown."""

    def __init__(self, name: str, store: Store, markers: Sequence[str], quiet: bool) -> None:
        self.store, self.waiting, self.counts = store, list(markers), Counter[str]()
        self.stopped = threading.Event()
        self.name, self.quiet = name, quiet
        shown = not quiet and sys.stderr.isatty()
        self.bar = tqdm(total=len(markers), desc=f"{name:>10}", unit="task", disable=not shown, file=sys.stderr)
        self.thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        if not self.bar.disable:
            self.thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopped.set()
        if not self.bar.disable:
            self.thread.join()
        if not self.quiet and error is None:
            self._look(len(self.waiting))
        self.bar.close()
        if not self.quiet and self.bar.disable:
            print(f"{self.name:>10}: {self._told()}", file=sys.stderr)

    def _watch(self) -> None:
        while not self.stopped.wait(INTERVAL_S):
            self._look(LOOKS)

    def _look(self, count: int) -> None:
        window, self.waiting = self.waiting[:count], self.waiting[count:]
        for marker in window:
            if self.store.size(marker) is None:
                self.waiting.append(marker)
                continue
            self.counts.update(json.loads(self.store.read(marker)).get("counts", {}))
            self.bar.update()
        self.bar.set_postfix_str(self._told())

    def _told(self) -> str:
        return ", ".join(f"{name} {n:,}" for name, n in sorted(self.counts.items()) if n)
