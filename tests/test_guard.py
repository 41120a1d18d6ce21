"""Guarded children: what hangs, dies or eats memory costs itself; the rest of the batch comes through."""

import ctypes
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pytest

from filters.guard import ChildError, GuardedPool
from filters.guard_child import WHOLE_BATCH, pack, unpack
from manifests.limits import GIB, Limits
from manifests.reasons import Quarantine

LIMITS = Limits(parse_cpu_s=1.5, child_memory_bytes=GIB)


def obedient(config):
    """A worker that does to each row what the row says; the tests' own entry point."""

    def work(batch, progress):
        orders = batch.column(0).to_pylist()
        for row, order in enumerate(orders):
            progress(row)
            misbehave(order)
        progress(WHOLE_BATCH)
        if "batch: die" in orders:
            misbehave("die")
        if "flaky" in orders and not Path(config["marker"]).exists():
            Path(config["marker"]).touch()
            misbehave("die")
        done = pa.record_batch({"order": batch.column(0), "child": [os.getpid()] * len(orders)})
        return {"done": done, "note": config.get("note", "").encode()}

    return work


def loaded(config):
    """A worker that says whether pandas is loaded, after what loads it in pyarrow."""

    def work(batch, progress):
        assert len(pa.array(["a"])) == 1
        return {"pandas": b"yes" if "pandas" in sys.modules else b"no"}

    return work


def misbehave(order):
    if order == "die":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif order == "exit":
        os._exit(3)
    elif order == "spin":
        while True:
            pass
    elif order == "spin in C":
        spin_in_c()
    elif order == "eat memory":
        hoard = [bytearray(1 << 26) for _ in range(64)]
        assert not hoard
    elif order == "stand still":
        time.sleep(1e6)
    elif order == "killed from outside":
        os.kill(os.getpid(), signal.SIGKILL)
    elif order.startswith("killed once more: "):
        kills = Path(order.removeprefix("killed once more: "))
        kills.write_text(f"{int(kills.read_text()) - 1}")
        if int(kills.read_text()) >= 0:
            os.kill(os.getpid(), signal.SIGKILL)
    elif order == "raise":
        raise ZeroDivisionError("a bug of ours")


def spin_in_c():
    libc = ctypes.PyDLL(None)
    libc.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
    page = ctypes.create_string_buffer(1 << 20)
    while True:
        libc.memset(page, 0, 1 << 20)


def unstartable(config):
    raise FileNotFoundError("no such model")


def batch(*orders):
    return pa.record_batch({"order": pa.array(orders, pa.string())})


@pytest.fixture(scope="module")
def pool():
    with GuardedPool("test_guard:obedient", {"note": "hello"}, LIMITS) as pool:
        yield pool


def orders_done(guarded):
    return guarded.outputs["done"].column("order").to_pylist()


def test_outputs_come_back_as_they_were(pool):
    guarded = pool.run(batch("a", "b"))
    assert (orders_done(guarded), guarded.outputs["note"], guarded.failures) == (["a", "b"], b"hello", [])
    assert guarded.rows.tolist() == [0, 1]


def test_one_child_serves_many_batches(pool):
    children = {pool.run(batch("a")).outputs["done"].column("child")[0].as_py() for _ in range(5)}
    assert len(children) == 1
    assert children != {os.getpid()}


@pytest.mark.parametrize(
    ("order", "reason", "detail"),
    [
        pytest.param("die", Quarantine.PARSE_CRASH, "SIGSEGV", id="segmentation fault"),
        pytest.param("exit", Quarantine.PARSE_CRASH, "exit status 3", id="silent exit"),
        pytest.param("spin", Quarantine.PARSE_TIMEOUT, "CPU time", id="endless loop"),
        pytest.param("spin in C", Quarantine.PARSE_TIMEOUT, "CPU time", id="loop that holds the GIL"),
        pytest.param("eat memory", Quarantine.OUT_OF_MEMORY, "memory limit", id="memory beyond the limit"),
        pytest.param("batch: die", Quarantine.PARSE_CRASH, "SIGSEGV", id="crash in a step over all rows"),
    ],
)
def test_a_bad_record_costs_only_itself(pool, order, reason, detail):
    guarded = pool.run(batch("a", "b", order, "c"))
    assert orders_done(guarded) == ["a", "b", "c"]
    assert guarded.rows.tolist() == [0, 1, 3]
    assert [(failure.row, failure.reason) for failure in guarded.failures] == [(2, reason)]
    assert detail in guarded.failures[0].detail


def test_kills_from_outside_are_no_verdict_on_the_record(pool, tmp_path):
    (tmp_path / "kills").write_text("2")
    order = f"killed once more: {tmp_path / 'kills'}"
    guarded = pool.run(batch("a", order, "b"))
    assert (orders_done(guarded), guarded.failures) == (["a", order, "b"], [])


def test_a_child_that_others_keep_killing_fails_the_task_and_not_the_record(pool):
    with pytest.raises(ChildError, match="killed from outside 3 times"):
        pool.run(batch("a", "killed from outside", "b"))
    assert orders_done(pool.run(batch("a"))) == ["a"]


def test_a_child_that_stands_still_is_stopped_by_the_wall_clock():
    with GuardedPool("test_guard:obedient", {}, Limits(parse_cpu_s=0.05)) as pool:
        guarded = pool.run(batch("stand still", "a"))
    assert orders_done(guarded) == ["a"]
    assert guarded.failures[0].reason is Quarantine.PARSE_TIMEOUT


def test_several_bad_records_are_all_found(pool):
    guarded = pool.run(batch("die", "a", "exit", "die", "b"))
    assert orders_done(guarded) == ["a", "b"]
    assert [failure.row for failure in guarded.failures] == [0, 2, 3]


def test_a_crash_that_does_not_come_back_costs_nothing(tmp_path):
    with GuardedPool("test_guard:obedient", {"marker": str(tmp_path / "seen")}, LIMITS) as pool:
        guarded = pool.run(batch("a", "flaky", "b"))
    assert (orders_done(guarded), guarded.failures) == (["a", "flaky", "b"], [])


def test_a_bug_is_raised_with_the_childs_traceback(pool):
    with pytest.raises(ChildError, match=r"(?s)misbehave.*ZeroDivisionError: a bug of ours"):
        pool.run(batch("a", "raise"))
    assert orders_done(pool.run(batch("a"))) == ["a"]


def test_a_worker_that_cannot_start_says_why():
    with (
        GuardedPool("test_guard:unstartable", {}, LIMITS) as pool,
        pytest.raises(ChildError, match="no such model"),
    ):
        pool.run(batch("a"))


def test_an_empty_batch_passes(pool):
    assert pool.run(batch()).outputs["done"].num_rows == 0


def test_batches_beyond_the_shared_memory_make_it_grow(pool):
    big = "x" * (30 << 20)
    assert orders_done(pool.run(batch(big, "a"))) == [big, "a"]
    assert orders_done(pool.run(batch("a"))) == ["a"]


def test_a_slice_sends_only_its_own_rows(pool):
    assert orders_done(pool.run(batch("die", "a", "b").slice(1))) == ["a", "b"]


def test_threads_work_side_by_side(pool):
    start = threading.Barrier(2)

    def one(name):
        start.wait()
        return orders_done(pool.run(batch(name)))

    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(one, ["a", "b"])) == [["a"], ["b"]]


def test_a_child_outlives_the_thread_that_asked_for_it():
    with GuardedPool("test_guard:obedient", {}, LIMITS) as pool:
        seen = []
        for _ in range(2):
            thread = threading.Thread(target=lambda: seen.append(pool.run(batch("a")).outputs["done"].column(1)[0]))
            thread.start()
            thread.join()
    assert seen[0] == seen[1]


def test_closing_ends_the_children():
    pool = GuardedPool("test_guard:obedient", {}, LIMITS)
    child = pool.run(batch("a")).outputs["done"].column("child")[0].as_py()
    pool.close()
    assert not Path(f"/proc/{child}").exists()


def test_a_shared_pool_keeps_its_children_until_the_last_one_closes_it():
    def child_of(pool):
        return pool.run(batch("a")).outputs["done"].column("child")[0].as_py()

    entry = "test_guard:obedient"
    one, other = (GuardedPool.shared(entry, {"note": "shared"}, LIMITS) for _ in range(2))
    assert GuardedPool.shared(entry, {"note": "another"}, LIMITS) is not one
    child = child_of(one)
    one.close()
    assert child_of(other) == child
    other.close()
    assert not Path(f"/proc/{child}").exists()
    with GuardedPool.shared(entry, {"note": "shared"}, LIMITS) as fresh:
        assert child_of(fresh) != child


def test_a_child_does_without_packages_that_others_would_load_for_nothing():
    with GuardedPool("test_guard:loaded", {}, LIMITS) as pool:
        assert pool.run(pa.record_batch({"order": [""]})).outputs["pandas"] == b"no"


@pytest.mark.parametrize("order", ["idle", "spin", "stand still"])
def test_children_die_with_a_parent_that_is_killed(order):
    program = f"""
        import sys, threading, pyarrow as pa
        sys.path[:0] = {[str(Path(__file__).parent)]!r}
        from filters.guard import GuardedPool
        pool = GuardedPool("test_guard:obedient", {{}})
        batch = lambda order: pa.record_batch({{"order": [order]}})
        print(pool.run(batch("a")).outputs["done"].column("child")[0], flush=True)
        if {order!r} == "idle":
            sys.stdin.read()
        pool.run(batch({order!r}))
    """
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parent.parent,
    )
    with parent:
        child = int(parent.stdout.readline())
        time.sleep(0.2)
        assert is_running(child)
        parent.kill()
    deadline = time.monotonic() + 10
    while is_running(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_running(child)


def is_running(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_packed_outputs_come_apart_again():
    outputs = {"a": batch("x", "y"), "raw": b"\0\1\2", "none": b"", "b": batch()}
    header, bodies = pack(outputs)
    assert unpack(bytearray(header + b"".join(bytes(body) for body in bodies))) == outputs
