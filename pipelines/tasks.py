"""What the launcher and the workers speak in: tasks with their markers, and the phases that they make up."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

Marker = dict[str, Any]


@dataclass(frozen=True)
class Task:
    """A piece of work, named by the object that says it is done; `arguments` are JSON."""

    marker: str
    arguments: dict[str, Any]


class Worker(Protocol):
    """What a phase does: made once in each worker thread, closed at its end."""

    def run(self, arguments: dict[str, Any]) -> Marker: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Phase:
    """A named list of tasks and the importable `module:class` that does one; the class takes (store, config)."""

    name: str
    tasks: Sequence[Task]
    worker: str
    config: dict[str, Any]
