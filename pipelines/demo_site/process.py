"""The site as a process of its own, for the demo and for tests."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MODULE = "pipelines.demo_site"
END_S = 10.0


@contextmanager
def running_site(full: bool = False, *, log: Path | None = None, max_s: float = 600.0, port: int = 0) -> Iterator[int]:
    """Serve the site in a child process, give its port; the child ends with the block, or with this process.

    Raises RuntimeError where the site does not start.
    """
    command = [sys.executable, "-m", MODULE, "--port", str(port), "--max-s", str(max_s)]
    command += ["--full"] * full + (["--log", str(log)] if log else [])
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen(
        command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin and child.stdout and child.stderr
        try:
            line = child.stdout.readline()
            if not line.strip().isdigit():
                raise RuntimeError(f"the demo's site did not start: {child.stderr.read().strip()[-400:]}")
            yield int(line)
        finally:
            child.stdin.close()
            try:
                child.wait(END_S)
            except subprocess.TimeoutExpired:
                child.kill()
