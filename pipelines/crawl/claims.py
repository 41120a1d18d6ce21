"""One worker owns a range of hosts: claims are a chain of objects, and only the newest one counts.

Each claim is created exclusively and says until when it holds. Its owner renews it by creating the next one; who finds
the next one taken has lost the range and must stop. A claim whose process has died on this machine is taken over at
once, any other when its time is over. So two workers never fetch from one host, even if a runner starts one twice.
"""

import json
import os
import socket
import time
import uuid
from pathlib import Path
from typing import Any

from manifests.keys import canonical_json
from manifests.store import ObjectNotFound, Store

LEASE_S = 120.0
RENEW_S = 30.0


class ClaimLostError(RuntimeError):
    """Another worker has the range; this one must not make another request."""


class Claim:
    """The right to fetch from the hosts of one range."""

    def __init__(self, store: Store, prefix: str) -> None:
        self.store, self.prefix, self.epoch, self.is_resumed = store, prefix, 0, False
        self.owner = {"machine": _machine(), "process": os.getpid(), "born": _born(os.getpid()), "id": uuid.uuid4().hex}

    def wait_s(self) -> float:
        """Try to take the range; return 0.0 once it is ours, else how long its owner may still hold it."""
        newest = self._newest()
        if newest is not None:
            self.is_resumed = True
            left = float(newest["until_s"]) - time.time()
            if left > 0 and not _has_died(newest["owner"]):
                return max(left, 0.1)
        return 0.0 if self._create(time.time() + LEASE_S) else 0.1

    def renew(self) -> None:
        """Hold the range for another while; raises ClaimLostError where somebody else has taken it."""
        if not self._create(time.time() + LEASE_S):
            raise ClaimLostError(f"{self.prefix}: another worker fetches from these hosts")

    def release(self) -> None:
        """Let others have it at once."""
        self._create(0.0)

    def _create(self, until_s: float) -> bool:
        body = canonical_json({"owner": self.owner, "until_s": until_s})
        if not self.store.put_new(self._name(self.epoch + 1), body):
            return False
        self.epoch += 1
        return True

    def _newest(self) -> dict[str, Any] | None:
        while self.store.size(self._name(self.epoch + 1)) is not None:
            self.epoch += 1
        try:
            claim: dict[str, Any] = json.loads(self.store.read(self._name(self.epoch)))
        except ObjectNotFound:
            return None
        return claim

    def _name(self, epoch: int) -> str:
        return f"{self.prefix}/claims/{epoch:06d}.json"


def _machine() -> str:
    """Return what tells this machine, since this boot, from every other."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        boot = ""
    return f"{socket.gethostname()} {boot}"


def _born(process: int) -> str:
    """Return when a process of this machine started, in clock ticks; "" for none."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return ""


def _has_died(owner: dict[str, Any]) -> bool:
    """Return whether we know that the owner is gone; of another machine we never do."""
    return owner["machine"] == _machine() and bool(owner["born"]) and _born(owner["process"]) != owner["born"]
