"""The body of a snapshot's manifest: every published file, the balanced account of every unit, the statistics."""

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

from manifests.ledger import Account, balance, total
from manifests.manifest import Manifest
from manifests.store import Store
from pipelines.stages.statistics import merge_statistics
from pipelines.tasks import Marker


def snapshot_body(
    store: Store,
    job: str,
    settings: dict[str, Any],
    staged: Sequence[Marker],
    written: Sequence[Marker],
    *,
    kept: str = "documents",
    parents: Sequence[str] = (),
) -> Manifest:
    """Return the manifest's body; `kept` is the kind of shard that has a row for each record that is kept.

    Raises LedgerError unless every unit balances, RuntimeError unless its files do.
    """
    accounts = {str(marker["unit_key"]): _account(marker) for marker in staged}
    for marker in written:
        for unit, counts in marker.get("accounts", {}).items():
            _add(accounts[unit], counts)
    shards = [shard for marker in (*staged, *written) for shard in marker["shards"]]
    check_files(store, job, shards, accounts.values(), kept)
    return {
        "job": job,
        "settings": settings,
        "inputs": [{name: marker[name] for name in ("unit", "source", "content")} for marker in staged],
        "shards": sorted(shards, key=lambda shard: str(shard["name"])),
        "units": balance(accounts.values()),
        "ledger": total(accounts.values()).as_json(),
        "statistics": merge_statistics([marker.get("statistics", {}) for marker in written]),
        "parents": list(parents),
    }


def cluster_statistics(verified: Sequence[Marker]) -> dict[str, Any]:
    """Return {clusters: how many there are of each size, and members that were not compared}."""
    found = [{"sizes": marker["cluster_sizes"], "uncompared": marker["uncompared"]} for marker in verified]
    return {"clusters": merge_statistics(found)}


def _account(marker: Marker) -> Account:
    account = Account(marker["unit"], str(marker["unit_key"]), marker["read"], lost_bytes=marker["lost_bytes"])
    account.expanded, account.expanded_into = marker.get("expanded", 0), marker.get("expanded_into", 0)
    _add(account, marker["reasons"])
    return account


def _add(account: Account, counts: dict[str, int]) -> None:
    for name, count in counts.items():
        verdict, _, reason = name.partition("/")
        account.add(verdict, reason, count)


def check_files(
    store: Store, job: str, shards: Sequence[dict[str, Any]], accounts: Collection[Account], kept: str
) -> None:
    """Hold the account against the published files: each there with its bytes, their rows as many as were counted."""
    whole, rows = total(accounts), Counter[str]()
    for shard in shards:
        if store.size(shard["name"]) != shard["bytes"]:
            made = "staged" if shard["kind"] in ("quarantine", "refused") else "write"
            raise RuntimeError(
                f"{shard['name']}: not there with its {shard['bytes']} bytes; nothing was committed. "
                f"Delete what stands under that name and {job}/{made}/, and run the same command again"
            )
        rows[shard["kind"]] += shard["records"] or 0
    expected = {
        kept: whole.total("kept"),
        "dropped": whole.total("dropped") + whole.total("merged"),
        "quarantine": whole.total("quarantined"),
        "refused": whole.total("refused"),
    }
    for kind, count in expected.items():
        if rows[kind] != count:
            raise RuntimeError(f"the ledger has {count} records for {kind}, its files hold {rows[kind]}")
