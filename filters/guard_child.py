"""The far side of `filters.guard`: a process that works on batches and can be killed at any moment.

The child shares one file in memory with its parent: the first 8 bytes are the row it is at, the next 8 count
its signs of life, the batch stands from `ARENA_OFFSET` on as an Arrow IPC stream and is read without a copy. Answers
go back through a socket.
"""

import contextlib
import ctypes
import gc
import importlib
import json
import mmap
import os
import resource
import signal
import socket
import struct
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

WHOLE_BATCH = -1  # progress: at work on all rows at once
ARENA_OFFSET = mmap.PAGESIZE
FRAME = struct.Struct("<cQ")  # kind of message, bytes that follow
RUN = struct.Struct("<QQ")  # bytes of the batch in the arena, bytes of the arena
READY, WORK, DONE, BUG, MEMORY = b"R", b"W", b"D", b"B", b"M"

Progress = Callable[[int], None]
Outputs = Mapping[str, pa.RecordBatch | bytes]
Worker = Callable[[pa.RecordBatch, Progress], Outputs]

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000


def serve(connection: socket.socket, arena_fd: int) -> None:
    """Read the order to start, make the worker, and answer batches until the parent hangs up."""
    order = json.loads(receive(connection)[1])
    restrict(order["parent"], order["limits"])
    sys.path[:] = order["path"]
    try:
        worker = _load(order["entry"])(order["config"])
    except MemoryError:
        send(connection, MEMORY)
        return
    except BaseException:  # noqa: BLE001  (told to the parent, who raises it)
        send(connection, BUG, traceback.format_exc().encode())
        return
    gc.collect()
    gc.freeze()  # what is loaded stays: no collection needs to look at it again
    send(connection, READY)
    arena = mmap.mmap(arena_fd, 0)
    while (request := receive(connection)) and request[0] == WORK:
        length, size = RUN.unpack(request[1])
        if len(arena) != size:
            arena = mmap.mmap(arena_fd, size)
        _answer(connection, worker, arena, length)


def _answer(connection: socket.socket, worker: Worker, arena: mmap.mmap, length: int) -> None:
    position = memoryview(arena)[:16].cast("q")

    def progress(row: int) -> None:
        position[0] = row
        position[1] += 1

    try:
        source = pa.py_buffer(memoryview(arena)[ARENA_OFFSET : ARENA_OFFSET + length])
        header, bodies = pack(worker(pa.ipc.open_stream(source).read_next_batch(), progress))
    except MemoryError:
        send(connection, MEMORY)
    except BaseException:  # noqa: BLE001  (told to the parent, who raises it)
        send(connection, BUG, traceback.format_exc().encode())
    else:
        send(connection, DONE, header, *bodies)


def _load(entry: str) -> Callable[[dict[str, Any]], Worker]:
    module, _, factory = entry.partition(":")
    found: Callable[[dict[str, Any]], Worker] = getattr(importlib.import_module(module), factory)
    return found


def restrict(parent: int, limits: Mapping[str, int]) -> None:
    """Give up what a parser doesn't need: memory, files, network, core dumps, and life after the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.dup2(2, 1)
    for name, value in limits.items():
        kind = getattr(resource, name)
        ceiling = resource.getrlimit(kind)[1]
        most = value if ceiling == resource.RLIM_INFINITY else min(value, ceiling)
        resource.setrlimit(kind, (most, most))
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        if libc.unshare(_CLONE_NEWNET) != 0:
            _leave_network_unprivileged(libc)
        libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)  # last: a new namespace clears it
    if os.getppid() != parent:
        os._exit(1)


def _leave_network_unprivileged(libc: ctypes.CDLL) -> None:
    user, group = os.geteuid(), os.getegid()
    if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) != 0:
        return
    with contextlib.suppress(OSError):
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")


def send(connection: socket.socket, kind: bytes, *bodies: Any) -> None:
    """Send one message; bodies are buffers and aren't joined."""
    connection.sendall(FRAME.pack(kind, sum(memoryview(body).nbytes for body in bodies)))
    for body in bodies:
        connection.sendall(body)


def receive(connection: socket.socket) -> tuple[bytes, bytearray]:
    """Return (kind, body) of the next message; raise EOFError where the other side is gone."""
    kind, length = FRAME.unpack(_receive_exactly(connection, FRAME.size))
    return kind, _receive_exactly(connection, length)


def _receive_exactly(connection: socket.socket, length: int) -> bytearray:
    body = bytearray(length)
    rest = memoryview(body)
    while rest:
        count = connection.recv_into(rest)
        if not count:
            raise EOFError("the other side of a guarded pipe is gone")
        rest = rest[count:]
    return body


def pack(outputs: Outputs) -> tuple[bytes, Sequence[Any]]:
    """Return (header, bodies): a table of names, kinds and sizes, then the bodies, padded to 64 bytes."""
    bodies: list[Any] = []
    table = []
    for name, value in outputs.items():
        body = value if isinstance(value, bytes) else serialize(value)
        size = memoryview(body).nbytes
        table.append((name, "bytes" if isinstance(value, bytes) else "batch", size))
        bodies += [body, bytes(-size % 64)]
    text = json.dumps(table).encode()
    text += b" " * (-(len(text) + 8) % 64)
    return struct.pack("<Q", len(text)) + text, bodies


def unpack(message: bytearray) -> dict[str, pa.RecordBatch | bytes]:
    """Undo `pack`; the batches stand on the message's memory."""
    (length,) = struct.unpack_from("<Q", message)
    buffer = pa.py_buffer(message)
    outputs: dict[str, pa.RecordBatch | bytes] = {}
    start = 8 + length
    for name, kind, size in json.loads(message[8:start]):
        body = buffer.slice(start, size)
        outputs[name] = body.to_pybytes() if kind == "bytes" else pa.ipc.open_stream(body).read_next_batch()
        start += size + -size % 64
    return outputs


def serialize(batch: pa.RecordBatch) -> pa.Buffer:
    """Return the Arrow IPC stream of one batch."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue()


def main(connection_fd: int, arena_fd: int) -> None:
    """Entry of the child process; a parent that hung up is a normal end."""
    with socket.socket(fileno=connection_fd) as connection:
        try:
            serve(connection, arena_fd)
        except (EOFError, BrokenPipeError, ConnectionResetError):
            os._exit(0)
