"""The real console script as a process of its own, as a user starts it, and what it leaves."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from manifests.manifest import load_manifest, newest_version
from manifests.store import open_store

SCRIPT = Path(sys.executable).parent / "corpusmill"
UNITS = 8  # at least, so that kills and workers have something to cut


def start(*arguments: str | Path, env: dict[str, str] | None = None) -> "subprocess.Popen[str]":
    """Start `corpusmill` in a session of its own."""
    return subprocess.Popen(
        [str(SCRIPT), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(env or {})},
        start_new_session=True,
    )


def run(*arguments: str | Path, status: int = 0, env: dict[str, str] | None = None, timeout_s: float = 600) -> str:
    """Run `corpusmill` to its end, hold it to an exit status and return what it printed."""
    process = start(*arguments, env=env)
    out, err = process.communicate(timeout=timeout_s)
    assert process.returncode == status, f"exit status {process.returncode}\n{out[-3000:]}\n{err[-5000:]}"
    return out + err


def kill(process: "subprocess.Popen[str]") -> None:
    """SIGKILL the launcher alone: its children must end by themselves."""
    process.send_signal(signal.SIGKILL)
    process.communicate()


def manifest(out: Path, job: str = "text", version: int | None = None) -> dict[str, Any]:
    """Return a committed manifest, the newest by default."""
    store = open_store(out)
    return load_manifest(store, job, version or newest_version(store, job))


def digest(out: Path, job: str = "text") -> str:
    """Return the digest of the newest snapshot."""
    found: str = manifest(out, job)["digest"]
    return found


def markers(out: Path) -> list[Path]:
    """Return all done-markers that stand, oldest first."""
    found = [path for path in out.rglob("*.json") if path.parent.name != "manifests" and "plans" not in path.parts]
    return sorted(found, key=lambda path: path.stat().st_mtime_ns)


def wait_for(condition: Any, process: "subprocess.Popen[str]", timeout_s: float = 120) -> bool:
    """Wait until `condition()` holds (True) or the process ends (False)."""
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        if condition():
            return True
        if process.poll() is not None:
            return bool(condition())
        time.sleep(0.005)
    raise TimeoutError("neither the condition nor the end of the process came")


def quarantined(out: Path) -> list[dict[str, Any]]:
    """Return every quarantined row of the newest text snapshot."""
    import pyarrow.parquet as pq

    names = [shard["name"] for shard in manifest(out)["shards"] if shard["kind"] == "quarantine"]
    return [row for name in names for row in pq.read_table(out / name).to_pylist()]


def rows(out: Path, kind: str = "documents") -> list[dict[str, Any]]:
    """Return every row of the newest text snapshot's shards of a kind, in the order of the shards."""
    import pyarrow.parquet as pq

    names = [shard["name"] for shard in manifest(out)["shards"] if shard["kind"] == kind]
    return [row for name in names for row in pq.read_table(out / name).to_pylist()]


def funnel(out: Path) -> dict[str, int]:
    """Return in and each verdict's total of the newest text snapshot."""
    from manifests.ledger import funnel as of

    return of(json.loads(json.dumps(manifest(out)["ledger"])))
