"""One worker owns a range: claims are exclusive, are taken over from the dead at once and from the silent in time."""

import multiprocessing
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from manifests.store import open_store
from pipelines.crawl import claims
from pipelines.crawl.claims import Claim, ClaimLostError


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
    first.release()
    assert (second.wait_s(), second.is_resumed) == (0.0, True)


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
