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
    settings: dict[str, Any],
    staged: Sequence[Marker],
    written: Sequence[Marker],
    verified: Sequence[Marker],
    parents: Sequence[str] = (),
) -> Manifest:
    """Return the manifest's body; raises LedgerError unless every unit balances, RuntimeError unless its files do."""
    accounts = {str(marker["unit_key"]): _account(marker) for marker in staged}
    for marker in written:
        for unit, counts in marker["accounts"].items():
            _add(accounts[unit], counts)
    shards = [shard for marker in (*staged, *written) for shard in marker["shards"]]
    check_files(store, shards, accounts.values())
    clusters = [{"sizes": marker["cluster_sizes"], "uncompared": marker["uncompared"]} for marker in verified]
    statistics = merge_statistics([marker["statistics"] for marker in written])
    return {
        "settings": settings,
        "inputs": [{name: marker[name] for name in ("unit", "source", "content")} for marker in staged],
        "shards": sorted(shards, key=lambda shard: str(shard["name"])),
        "units": balance(accounts.values()),
        "ledger": total(accounts.values()).as_json(),
        "statistics": statistics | {"clusters": merge_statistics(clusters)},
        "parents": list(parents),
    }


def _account(marker: Marker) -> Account:
    account = Account(marker["unit"], str(marker["unit_key"]), marker["read"], lost_bytes=marker["lost_bytes"])
    _add(account, marker["reasons"])
    return account


def _add(account: Account, counts: dict[str, int]) -> None:
    for name, count in counts.items():
        verdict, _, reason = name.partition("/")
        account.add(verdict, reason, count)


def check_files(store: Store, shards: Sequence[dict[str, Any]], accounts: Collection[Account]) -> None:
    """Hold the account against the published files: each there with its bytes, their rows as many as were counted."""
    whole, rows = total(accounts), Counter[str]()
    for shard in shards:
        if store.size(shard["name"]) != shard["bytes"]:
            made = "write" if shard["kind"] in ("documents", "dropped") else "staged"
            raise RuntimeError(
                f"{shard['name']}: not there with its {shard['bytes']} bytes; nothing was committed. "
                f"Delete what stands under that name and text/{made}/, and run the same command again"
            )
        rows[shard["kind"]] += shard["records"]
    expected = {
        "documents": whole.total("kept"),
        "dropped": whole.total("dropped") + whole.total("merged"),
        "quarantine": whole.total("quarantined"),
        "refused": whole.total("refused"),
    }
    for kind, count in expected.items():
        if rows[kind] != count:
            raise RuntimeError(f"the ledger has {count} records for {kind}, its files hold {rows[kind]}")
