"""Packages that other libraries load if they find them, and that nothing here asks for."""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder


class _LeaveOut(MetaPathFinder):
    def __init__(self, names: Sequence[str]) -> None:
        self.names = frozenset(names)

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        """Raise ModuleNotFoundError for what is left out, as if it were not installed."""
        if fullname in self.names:
            raise ModuleNotFoundError(f"{fullname} is left out of this process", name=fullname)


def leave_out(*names: str) -> None:
    """Let this process do without the packages `names`, unless they are loaded already.

    pyarrow and Beam load pandas (0.2 CPU seconds, 40 MiB in each process) only to ask whether a value is one of its.
    """
    sys.meta_path.insert(0, _LeaveOut(names))
