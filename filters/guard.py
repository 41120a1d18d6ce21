"""Foreign bytes are parsed by guarded children: a hang, a crash or a memory bomb costs its own record only.

A `GuardedPool` keeps long-lived child processes. A batch goes in, the child tells row by row where it is, and
the parent keeps the time: CPU time of the child per record, read from /proc, so a busy machine changes no
verdict. A record on which a child hangs or dies is tried once more, alone, in a fresh child; if that fails too,
it is reported and the rest of the batch is run without it.
"""

import json
import mmap
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections import Counter, deque
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np
import pyarrow as pa

from filters import guard_child
from filters.guard_child import ARENA_OFFSET, BUG, DONE, MEMORY, READY, RUN, WHOLE_BATCH, WORK
from manifests.limits import MIB, Limits
from manifests.reasons import Quarantine

POLL_S = 0.1  # how often a busy child's clock is read
WHOLE_BATCH_FACTOR = 30  # CPU limit of a step over a whole batch, in limits of one record
IDLE_FACTOR = 30  # wall clock without any CPU time or progress, in limits of one record: a child that is stuck
DEATH_S = 10.0  # between a child's hanging up and its end
BATCHES_PER_CHILD = 2000
START_S = 600.0  # imports, models and, with a cold cache, kernels to compile
MAX_FAILURES_OF_ONE_RECORD = 2
MAX_KILLS = 3  # of children by others, before a batch is given up

_BOOT = """\
import sys
sys.path[:0] = [sys.argv[1]]
from manifests.lean import leave_out
leave_out("pandas")
from filters.guard_child import main
main(*map(int, sys.argv[2:]))
"""
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")


class ChildError(RuntimeError):
    """Not the fault of a record: a bug in the worker (with the child's traceback), or a child killed by others."""


class _KilledError(Exception):
    """The child got a SIGKILL that isn't ours: the system ran out of memory, or somebody stopped it."""


class Failure(NamedTuple):
    """A record that took its child down twice."""

    row: int  # of the batch given to `run`
    reason: Quarantine  # PARSE_TIMEOUT | PARSE_CRASH | OUT_OF_MEMORY
    detail: str


class Guarded(NamedTuple):
    """What a batch came to; `outputs` speak of `batch.take(rows)`, the rows that aren't among the failures."""

    outputs: dict[str, pa.RecordBatch | bytes]
    failures: list[Failure]
    rows: np.ndarray  # int32, ascending


class GuardedPool:
    """Children that all run `entry`, one for each thread that calls `run` at the same time.

    `entry` is "module:factory": factory(config) -> worker(batch, progress) -> {name: RecordBatch or bytes}. The
    worker calls progress(row) before each record and progress(WHOLE_BATCH) before a step over all of them. What
    the factory loads or compiles is on no record's clock.

    `row_cpu_s`: for records that take minutes. The worker then calls progress(row) again and again, and
    limits.parse_cpu_s is what it may use between two calls, `row_cpu_s` what a whole record may.
    """

    def __init__(
        self, entry: str, config: Mapping[str, Any], limits: Limits | None = None, row_cpu_s: float | None = None
    ) -> None:
        self.entry, self.config, self.limits = entry, dict(config), limits or Limits()
        self.row_cpu_s = row_cpu_s
        self._order = {"entry": entry, "config": self.config, "limits": _rlimits(self.limits)}
        self._idle: deque[_Child] = deque()
        self._holders = 1
        self._process = os.getpid()
        self._finalizer = weakref.finalize(self, _end_all, self._idle)

    @classmethod
    def shared(cls, entry: str, config: Mapping[str, Any], limits: Limits | None = None) -> "GuardedPool":
        """Return the pool of this process for these arguments; it ends when all who asked for it have closed it.

        So whoever holds one over several pieces of work spares them the start of their children.
        """
        limits = limits or Limits()
        name = json.dumps([os.getpid(), entry, config, asdict(limits)], sort_keys=True)
        with _shared_lock:
            pool = _shared.get(name)
            if pool is None or not pool._finalizer.alive:
                pool = _shared[name] = cls(entry, config, limits)
                pool._holders = 0
            pool._holders += 1
        return pool

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all idle children; a batch under way in another thread goes on, and its child ends after it.

        A shared pool ends with the last one who closes it.
        """
        with _shared_lock:
            self._holders -= 1
        if self._holders <= 0:
            self._finalizer()

    def run(self, batch: pa.RecordBatch) -> Guarded:
        """Return what the worker makes of the batch, and the records that it could not survive.

        Raises ChildError where the worker itself raises: a bug, not a bad record. Raises it too where others (the
        system, when memory is short) keep killing the child: that depends on the machine, so it is no verdict.
        """
        rows = np.arange(batch.num_rows, dtype=np.int32)
        failures: list[Failure] = []
        strikes: Counter[int] = Counter()
        while True:
            outcome = self._attempt(_rows_of(batch, rows))
            if isinstance(outcome, dict):
                return Guarded(outcome, sorted(failures), rows)
            at = self._suspect(batch, rows, outcome)
            strikes[at] += 1
            if at == WHOLE_BATCH:
                if strikes[at] >= MAX_FAILURES_OF_ONE_RECORD:
                    raise ChildError(f"{self.entry}: {outcome.detail}; no single record is the cause")
                continue
            again = self._attempt(batch.take(pa.array([at])), fresh=True)
            if not isinstance(again, dict) or strikes[at] >= MAX_FAILURES_OF_ONE_RECORD:
                verdict = outcome if isinstance(again, dict) else again
                failures.append(Failure(at, verdict.reason, verdict.detail))
                rows = rows[rows != at]

    def _suspect(self, batch: pa.RecordBatch, rows: np.ndarray, trouble: "_Trouble") -> int:
        """Return the row of `batch` on which the child was, or WHOLE_BATCH if that can't be told.

        Where it was on all rows at once, the batch is halved until one row is left.
        """
        while trouble.row == WHOLE_BATCH and len(rows) > 1:
            for half in (rows[: len(rows) // 2], rows[len(rows) // 2 :]):
                outcome = self._attempt(_rows_of(batch, half))
                if not isinstance(outcome, dict):
                    rows, trouble = half, outcome
                    break
            else:
                return WHOLE_BATCH
        return int(rows[max(trouble.row, 0)]) if len(rows) else WHOLE_BATCH

    def _attempt(self, batch: pa.RecordBatch, *, fresh: bool = False) -> "dict[str, pa.RecordBatch | bytes] | _Trouble":
        for _ in range(MAX_KILLS):
            try:
                return self._attempt_once(batch, fresh=fresh)
            except _KilledError:
                fresh = True
        raise ChildError(
            f"{self.entry}: the parser's process was killed from outside {MAX_KILLS} times in a row. "
            "Is there too little memory for this many workers?"
        )

    def _attempt_once(self, batch: pa.RecordBatch, *, fresh: bool) -> "dict[str, pa.RecordBatch | bytes] | _Trouble":
        child = _Child(self._order) if fresh else self._take()
        try:
            outcome = child.run(batch, self.limits, self.row_cpu_s)
        except BaseException:
            child.end()
            raise
        if isinstance(outcome, _Trouble) or child.is_worn(self.limits) or not self._finalizer.alive:
            child.end()
        else:
            self._idle.append(child)
        return outcome

    def _take(self) -> "_Child":
        if os.getpid() != self._process:  # a fork: these children belong to the process that made them
            self._idle.clear()
            self._process = os.getpid()
        try:
            return self._idle.pop()
        except IndexError:
            return _Child(self._order)


_shared: "weakref.WeakValueDictionary[str, GuardedPool]" = weakref.WeakValueDictionary()
_shared_lock = threading.Lock()


class _Trouble(NamedTuple):
    row: int
    reason: Quarantine
    detail: str


class _Child:
    """One child process, its socket, and the memory that it shares with us."""

    def __init__(self, order: Mapping[str, Any]) -> None:
        self.batches = 0
        self.entry = order["entry"]
        self.arena_fd = _memory_file(16 * MIB)
        self.arena = mmap.mmap(self.arena_fd, 0)
        self.connection, theirs = socket.socketpair()
        with theirs:
            self.process = _spawn(theirs.fileno(), self.arena_fd)
        self._start(order)

    def _start(self, order: Mapping[str, Any]) -> None:
        self.connection.settimeout(START_S)
        message = {**order, "parent": os.getpid(), "path": sys.path}
        try:
            guard_child.send(self.connection, WORK, json.dumps(message).encode())
            kind, body = guard_child.receive(self.connection)
        except (EOFError, OSError) as error:
            self.end()
            why = str(error) or type(error).__name__
            raise ChildError(f"{self.entry}: the child did not start ({why})") from error
        if kind != READY:
            self.end()
            raise ChildError(f"{self.entry}: {bytes(body).decode() or 'out of memory'} (while starting)")

    def run(
        self, batch: pa.RecordBatch, limits: Limits, row_cpu_s: float | None = None
    ) -> "dict[str, pa.RecordBatch | bytes] | _Trouble":
        """Return the worker's outputs, or what went wrong and on which row."""
        self.batches += 1
        length = self._write(batch)
        position = memoryview(self.arena)[:16].cast("q")
        position[0] = WHOLE_BATCH
        self.connection.settimeout(limits.parse_cpu_s * IDLE_FACTOR)
        try:
            guard_child.send(self.connection, WORK, RUN.pack(length, len(self.arena)))
            late = self._watch(position, limits, row_cpu_s)
            kind, body = (late, bytearray()) if late else guard_child.receive(self.connection)
        except (EOFError, OSError):
            kind, body = b"", bytearray()
        if kind == DONE:
            return guard_child.unpack(body)
        if kind == BUG:
            raise ChildError(f"{self.entry}:\n{bytes(body).decode()}")
        return self._explain(kind, int(position[0]), batch.num_rows)

    def _explain(self, kind: bytes, row: int, row_count: int) -> _Trouble:
        """Say what ended the child; a row out of range (a child that wrote nonsense) is no row."""
        row = row if 0 <= row < row_count else WHOLE_BATCH
        status = self.end(0.0 if kind in _LATE else DEATH_S)
        if kind == MEMORY:
            return _Trouble(row, Quarantine.OUT_OF_MEMORY, "memory limit of the parser's process")
        if kind in _LATE or status is None:
            return _Trouble(row, Quarantine.PARSE_TIMEOUT, _LATE.get(kind, _STOOD_STILL))
        if status == -signal.SIGKILL:
            raise _KilledError
        name = signal.Signals(-status).name if status < 0 else f"exit status {status}"
        return _Trouble(row, Quarantine.PARSE_CRASH, f"the parser's process died: {name}")

    def _watch(self, position: memoryview, limits: Limits, row_cpu_s: float | None) -> bytes:
        """Wait for an answer (or the child's death): return b"", or the kind of clock that ran out."""
        poll = select.poll()
        poll.register(self.connection, select.POLLIN)
        row, beat, row_began_s, wall_s = position[0], position[1], self._cpu_s(), time.monotonic()
        beat_s = seen_cpu_s = row_began_s
        while not poll.poll(POLL_S * 1000):
            now_cpu_s, now_s = self._cpu_s(), time.monotonic()
            if position[0] != row:
                row, row_began_s = position[0], now_cpu_s
            if position[1] != beat:
                beat, beat_s, wall_s = position[1], now_cpu_s, now_s
            limit_s = limits.parse_cpu_s * (WHOLE_BATCH_FACTOR if row == WHOLE_BATCH else 1)
            has_own = row_cpu_s is not None and row != WHOLE_BATCH
            if now_cpu_s - (beat_s if has_own else row_began_s) > limit_s:
                return b"c"
            if row_cpu_s is not None and has_own and now_cpu_s - row_began_s > row_cpu_s:
                return b"c"
            if now_cpu_s > seen_cpu_s:
                seen_cpu_s, wall_s = now_cpu_s, now_s
            if now_s - wall_s > limits.parse_cpu_s * IDLE_FACTOR:
                return b"w"
        return b""

    def _write(self, batch: pa.RecordBatch) -> int:
        """Put the batch into the shared memory; return its length in bytes."""
        need = pa.ipc.get_record_batch_size(batch) + batch.schema.serialize().size + 4096
        if ARENA_OFFSET + need > len(self.arena):
            size = 1 << (ARENA_OFFSET + need).bit_length()
            os.ftruncate(self.arena_fd, size)
            self.arena = mmap.mmap(self.arena_fd, size)
        sink = pa.FixedSizeBufferWriter(pa.py_buffer(memoryview(self.arena)[ARENA_OFFSET:]))
        with pa.ipc.new_stream(sink, batch.schema) as writer:
            writer.write_batch(batch)
        length: int = sink.tell()
        return length

    def _cpu_s(self) -> float:
        """Return the child's CPU seconds; where there is no /proc, a tenth of the wall clock."""
        try:
            fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return time.monotonic() / 10
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def is_worn(self, limits: Limits) -> bool:
        """Say whether a fresh child should follow: many batches, or half of its memory in use."""
        try:
            pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        except OSError:
            pages = 0
        return self.batches >= BATCHES_PER_CHILD or pages * mmap.PAGESIZE > limits.child_memory_bytes // 2

    def end(self, patience_s: float = 0.5) -> int | None:
        """Free what the child holds; return its exit status (negative: a signal), or None if we killed it."""
        self.connection.close()
        try:
            return self.process.wait(timeout=patience_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return None
        finally:
            if self.arena_fd >= 0:
                os.close(self.arena_fd)
                self.arena_fd = -1


_STOOD_STILL = "the parser's process stood still"
_LATE = {b"c": "CPU time limit of one record", b"w": _STOOD_STILL}


def _end_all(children: "deque[_Child]") -> None:
    while children:
        children.pop().end()


def _rows_of(batch: pa.RecordBatch, rows: np.ndarray) -> pa.RecordBatch:
    return batch if len(rows) == batch.num_rows else batch.take(pa.array(rows))


def _rlimits(limits: Limits) -> dict[str, int]:
    return {
        "RLIMIT_AS": limits.child_memory_bytes,
        "RLIMIT_CORE": 0,
        "RLIMIT_NOFILE": 256,
        "RLIMIT_FSIZE": 256 * MIB,
    }


def _memory_file(size: int) -> int:
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("corpusmill-guard")
    else:
        with tempfile.TemporaryFile() as file:
            fd = os.dup(file.fileno())
    os.ftruncate(fd, size)
    return fd


def _spawn(connection_fd: int, arena_fd: int) -> "subprocess.Popen[bytes]":
    """Start a child from a thread that lives as long as this process.

    Linux sends the parent-death signal when the *thread* that started a child ends; Beam's threads come and go.
    """
    root = str(Path(__file__).resolve().parent.parent)
    command = [sys.executable, "-P", "-c", _BOOT, root, str(connection_fd), str(arena_fd)]
    environment = {**os.environ, **_ONE_THREAD, "MALLOC_ARENA_MAX": "2"}

    def start() -> "subprocess.Popen[bytes]":
        return subprocess.Popen(command, pass_fds=(connection_fd, arena_fd), stdin=subprocess.DEVNULL, env=environment)

    return _spawner().submit(start).result()


_spawners: dict[int, ThreadPoolExecutor] = {}
_spawners_lock = threading.Lock()


def _spawner() -> ThreadPoolExecutor:
    with _spawners_lock:
        return _spawners.setdefault(os.getpid(), ThreadPoolExecutor(1, "guard-spawner"))
