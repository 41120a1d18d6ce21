"""One worker owns a range of hosts: claims are a chain of objects, and only the newest one counts.

Each claim is created exclusively and says until when it holds. Its owner renews it by creating the next one; who finds
the next one taken has lost the range and must stop. A claim whose process has died on this machine is taken over at
once, any other when its time is over. So two workers never fetch from one host, even if a runner starts one twice.
A crawl as a whole is claimed in the same way (`sole_crawl`): none goes on from a snapshot that another replaces.
"""

import os
import socket
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from manifests.keys import canonical_json
from manifests.objects import read_json
from manifests.store import ObjectNotFound, Store

LEASE_S = 120.0
RENEW_S = 30.0
PAUSE_S = 1.0  # between two looks at a claim that has to be waited for
_KEYS = ("owner", "until_s", "is_done")


class ClaimLostError(RuntimeError):
    """Another worker has the range; this one must not make another request."""


class Claim:
    """The right to fetch from the hosts of one range."""

    def __init__(self, store: Store, prefix: str) -> None:
        self.store, self.prefix, self.epoch, self.is_resumed = store, prefix, 0, False
        self.until_s = 0.0  # the time until which we hold it
        self._lock = threading.Lock()
        self.owner = {"machine": _machine(), "process": os.getpid(), "born": _born(os.getpid()), "id": uuid.uuid4().hex}

    def wait_s(self) -> float:
        """Try to take the range; return 0.0 once it is ours, else how long its owner may still hold it."""
        newest = self._newest()
        if newest is not None:
            self.is_resumed = not newest["is_done"]
            if left := _left_s(newest):
                return max(left, 0.1)
        return 0.0 if self._create(time.time() + LEASE_S) else 0.1

    def holder(self) -> dict[str, Any]:
        """Return {machine, process, born, id} of whose it may be now; empty where it is free."""
        newest = self._newest()
        return dict(newest["owner"]) if newest and _left_s(newest) else {}

    def renew(self) -> None:
        """Hold the range for another while; raises ClaimLostError where somebody else has taken it."""
        with self._lock:
            self._renew()

    def check(self) -> None:
        """Before a request: a claim whose time is over (this process stood still) is renewed first, or is lost."""
        if time.time() >= self.until_s:
            with self._lock:
                if time.time() >= self.until_s:
                    self._renew()

    def _renew(self) -> None:
        if not self._create(time.time() + LEASE_S):
            raise ClaimLostError(f"{self.prefix}: another worker fetches from these hosts")

    def release(self, *, is_done: bool) -> None:
        """Let others have it at once; unless all is done, they must take it that our last requests are not known."""
        self._create(0.0, is_done=is_done)

    def _create(self, until_s: float, *, is_done: bool = False) -> bool:
        body = canonical_json({"owner": self.owner, "until_s": until_s, "is_done": is_done})
        if not self.store.put_new(self._name(self.epoch + 1), body):
            return False
        self.epoch += 1
        self.until_s = until_s
        return True

    def _newest(self) -> dict[str, Any] | None:
        self.epoch = self._last()
        try:
            claim: dict[str, Any] = read_json(self.store, self._name(self.epoch), _KEYS, what="claim")
        except ObjectNotFound:
            return None
        return claim

    def _last(self) -> int:
        """Return the newest epoch, 0 for none; the chain has no gaps, so few looks find the end of a long one."""
        low, step = self.epoch, 1
        while self._is_taken(low + step):
            low, step = low + step, step * 2
        while step > 1:
            step //= 2
            if self._is_taken(low + step):
                low += step
        return low

    def _is_taken(self, epoch: int) -> bool:
        return self.store.size(self._name(epoch)) is not None

    def _name(self, epoch: int) -> str:
        return f"{self.prefix}/claims/{epoch:06d}.json"


def _machine() -> str:
    """Return what tells this machine, since this boot, from every other: where one process id is one process."""
    boot = namespace = ""
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        namespace = str(Path("/proc/self/ns/pid").readlink())  # containers number their processes apart
    return f"{socket.gethostname()} {boot} {namespace}"


def _born(process: int) -> str:
    """Return when a process of this machine started, in clock ticks; "" for none, and for one that has ended."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]


def _left_s(claim: dict[str, Any]) -> float:
    """Return how long a claim may still hold."""
    return 0.0 if _has_died(claim["owner"]) else max(0.0, float(claim["until_s"]) - time.time())


def _has_died(owner: dict[str, Any]) -> bool:
    """Return whether we know that the owner is gone; of another machine we never do."""
    return owner["machine"] == _machine() and bool(owner["born"]) and _born(owner["process"]) != owner["born"]


@contextmanager
def sole_crawl(store: Store, prefix: str) -> Iterator[None]:
    """Hold the claim to all of a crawl for as long as the block lasts.

    A crawl whose process has died is taken over at once. One of another machine that does not renew its claim is waited
    for until its time is over. Raises RuntimeError where another one is at work.
    """
    claim = Claim(store, prefix)
    _take(claim)
    ended = threading.Event()
    renewing = threading.Thread(target=_renew_until, args=(claim, ended), daemon=True, name="claim")
    renewing.start()
    is_done = False
    try:
        yield
        is_done = True
    finally:
        ended.set()
        renewing.join()
        claim.release(is_done=is_done)


def _take(claim: Claim) -> None:
    seen = 0  # the epoch of the claim that is waited for
    while wait_s := claim.wait_s():
        owner = claim.holder()
        if not owner:  # it has just become free
            continue
        who = f"process {owner['process']} on {owner['machine'].partition(' ')[0]}"
        if (owner["born"] and owner["machine"] == _machine()) or seen not in (0, claim.epoch):
            raise RuntimeError(f"another crawl ({who}) writes to {claim.store.uri}: wait until it has ended")
        if not seen:
            told = f"another crawl ({who}) wrote to {claim.store.uri}; waiting {wait_s:.0f} s to see that it has ended"
            print(f"corpusmill: {told}", file=sys.stderr, flush=True)
        seen = claim.epoch
        time.sleep(min(wait_s, PAUSE_S))


def _renew_until(claim: Claim, ended: threading.Event) -> None:
    """Renew until the end; if the store fails for a moment, the next try may do."""
    while not ended.wait(RENEW_S):
        with suppress(OSError):
            try:
                claim.renew()
            except ClaimLostError:  # we were silent for too long: what is not ours to commit will be refused
                return
