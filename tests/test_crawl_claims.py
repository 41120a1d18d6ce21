"""One worker owns a range: claims are exclusive, are taken over from the dead at once and from the silent in time."""

import multiprocessing
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from manifests.store import open_store
from pipelines.crawl import claims
from pipelines.crawl.claims import Claim, ClaimLostError, sole_crawl


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path)


def test_a_free_range_is_ours_at_once(store):
    claim = Claim(store, "crawl/r")
    assert (claim.wait_s(), claim.is_resumed) == (0.0, False)


def test_a_held_range_is_not_given_away(store):
    assert Claim(store, "crawl/r").wait_s() == 0.0
    assert Claim(store, "crawl/r").wait_s() > claims.LEASE_S / 2


def test_of_many_that_try_at_once_one_has_it(store):
    with ThreadPoolExecutor(16) as pool:
        waits = list(pool.map(lambda _: Claim(store, "crawl/r").wait_s(), range(64)))
    assert waits.count(0.0) == 1


def test_ranges_are_held_apart(store):
    assert [Claim(store, f"crawl/{name}").wait_s() for name in "abc"] == [0.0] * 3


def test_a_released_range_is_free_and_known_to_be_a_second_try(store):
    first, second = Claim(store, "crawl/r"), Claim(store, "crawl/r")
    first.wait_s()
    first.release(is_done=False)
    assert (second.wait_s(), second.is_resumed) == (0.0, True)


def test_a_range_whose_work_was_done_is_free_and_needs_no_pause(store):
    first, second = Claim(store, "crawl/r"), Claim(store, "crawl/r")
    first.wait_s()
    first.release(is_done=True)
    assert (second.wait_s(), second.is_resumed) == (0.0, False)


def test_an_owner_that_went_silent_loses_the_range_and_notices(store, monkeypatch):
    silent, other = Claim(store, "crawl/r"), Claim(store, "crawl/r")
    silent.wait_s()
    now = time.time()
    monkeypatch.setattr(claims.time, "time", lambda: now + claims.LEASE_S + 1)
    assert other.wait_s() == 0.0
    with pytest.raises(ClaimLostError, match="another worker"):
        silent.renew()


def test_renewing_keeps_it(store, monkeypatch):
    owner, other = Claim(store, "crawl/r"), Claim(store, "crawl/r")
    owner.wait_s()
    now = time.time()
    monkeypatch.setattr(claims.time, "time", lambda: now + claims.LEASE_S - 1)
    owner.renew()
    monkeypatch.setattr(claims.time, "time", lambda: now + claims.LEASE_S + 1)
    assert other.wait_s() > 0


def claim_and_die(uri):
    assert Claim(open_store(uri), "crawl/r").wait_s() == 0.0


def test_a_process_that_died_holds_nothing(tmp_path):
    child = multiprocessing.get_context("spawn").Process(target=claim_and_die, args=(str(tmp_path),))
    child.start()
    child.join()
    assert child.exitcode == 0
    claim = Claim(open_store(tmp_path), "crawl/r")
    assert (claim.wait_s(), claim.is_resumed) == (0.0, True)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7, 8, 9, 100])
def test_the_end_of_a_chain_of_any_length_is_found(store, count):
    owner = Claim(store, "crawl/r")
    for _ in range(count):
        owner.renew()
    other = Claim(store, "crawl/r")
    assert bool(other.wait_s()) == bool(count)
    assert other.epoch == max(1, count)


def test_a_second_crawl_is_refused_at_once(store):
    said = rf"another crawl \(process {os.getpid()} on .*\) writes to "
    with (
        sole_crawl(store, "crawl/claims/job"),
        pytest.raises(RuntimeError, match=said),
        sole_crawl(store, "crawl/claims/job"),
    ):
        pass
    with sole_crawl(store, "crawl/claims/job"):
        pass


def claim_the_crawl_and_die(uri):
    claims._take(Claim(open_store(uri), "crawl/claims/job"))


def test_a_crawl_whose_process_has_died_is_taken_over_at_once(store, tmp_path):
    child = multiprocessing.get_context("spawn").Process(target=claim_the_crawl_and_die, args=(str(tmp_path),))
    child.start()
    child.join()
    assert child.exitcode == 0
    with sole_crawl(store, "crawl/claims/job"):
        pass


@pytest.fixture
def elsewhere(store, monkeypatch):
    """The claim of a crawl on another machine, with a lease of two seconds."""
    monkeypatch.setattr(claims, "LEASE_S", 2.0)
    monkeypatch.setattr(claims, "PAUSE_S", 0.1)
    claim = Claim(store, "crawl/claims/job")
    claim.owner["machine"] = "far.example 1 2"
    assert claim.wait_s() == 0.0
    return claim


def test_a_crawl_of_another_machine_is_waited_for_and_it_is_said(store, elsewhere, capfd):
    began_s = time.monotonic()
    with sole_crawl(store, "crawl/claims/job"):
        assert time.monotonic() - began_s > 1.0
    (line,) = capfd.readouterr().err.splitlines()
    assert f"process {os.getpid()} on far.example" in line


def test_a_crawl_of_another_machine_that_gives_a_sign_is_left_alone(store, elsewhere):
    sign = threading.Timer(0.5, elsewhere.renew)
    sign.start()
    with pytest.raises(RuntimeError, match=r"on far\.example"), sole_crawl(store, "crawl/claims/job"):
        pass
    sign.join()


def test_the_claim_to_a_crawl_is_renewed_while_it_lasts(store, monkeypatch):
    monkeypatch.setattr(claims, "RENEW_S", 0.05)
    monkeypatch.setattr(claims, "LEASE_S", 0.5)
    with sole_crawl(store, "crawl/claims/job"):
        time.sleep(0.8)
        assert Claim(store, "crawl/claims/job").wait_s() > 0


def test_containers_on_one_machine_are_told_apart():
    """Two of them may each have a process 7; a host name and a boot may be the same."""
    assert claims._machine().endswith(str(Path("/proc/self/ns/pid").readlink()))
