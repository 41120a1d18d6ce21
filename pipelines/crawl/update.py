"""Update: what a round brought is merged into the frontier, and every URL that it took is accounted for."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from manifests.keys import key_range
from manifests.limits import CrawlLimits
from manifests.reasons import FetchFailed
from manifests.runs import gather, load_runs, write_run
from manifests.shards import write_shard
from manifests.store import Store
from pipelines.crawl.frontier import Quota, last_outcomes, merge_frontier, merge_hosts, select
from pipelines.crawl.part import KEPT
from pipelines.crawl.records import FRONTIER, HOST, OUTCOME, WITHDRAWN
from pipelines.crawl.withdraw import withdrawals

ORDER = ("key", "url_id")
# How the ledger calls what came of a URL. What is not kept is not lost: the frontier has it.
VERDICTS = {
    "kept": "kept",
    "refused": "refused",
    "failed": "quarantined",
    "redirected": "skipped/redirected",
    "unchanged": "skipped/not_modified",
    "retry": "skipped/to_be_tried_again",
    "later": "skipped/to_be_tried_again",
}
SITEMAP = "skipped/sitemap"  # read for its URLs
LEFT = "skipped/left_for_a_later_round"
MOST_HOSTS = 100
MOST_SAMPLES = 20
MOST_MEDIA_TYPES = 100
OTHER = "other"  # all media types beyond them


class UpdateRange:
    """Worker of the update phase. config: {lists: name -> runs, limits, quota, round, log: stem of its requests}."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store, self.limits, self.log = store, CrawlLimits(**config["limits"]), config["log"]
        self.quota, self.round = Quota(**config["quota"]), config["round"]
        self.runs = {name: load_runs(store, listed) for name, listed in config["lists"].items()}

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """arguments: {partition, partitions, output: stem of the runs}."""
        low, high = key_range(arguments["partition"], arguments["partitions"])

        def read(name: str, schema: pa.Schema, order: tuple[str, ...] = ORDER) -> pa.Table:
            return gather(self.store, self.runs[name], schema, low, high, order)

        outcomes, taken, old = read("outcomes", OUTCOME), read("taken", FRONTIER), read("frontier", FRONTIER)
        merged = merge_frontier(old, outcomes, read("discovered", FRONTIER), self.limits, self.quota.per_host)
        hosts = merge_hosts(
            read("old_hosts", HOST, ("key", "authority")), read("new_hosts", HOST, ("key", "authority"))
        )
        stem, last = arguments["output"], last_outcomes(outcomes)
        withdrawn = withdrawals(read("withdrawn", WITHDRAWN), old, last, self.round)
        return {
            "frontier": write_run(self.store, f"{stem}-frontier", merged.frontier, ORDER).as_json(),
            "hosts": write_run(self.store, f"{stem}-hosts", hosts, ("key", "authority")).as_json(),
            "withdrawn": write_run(self.store, f"{stem}-withdrawn", withdrawn, ORDER).as_json(),
            "requests": self._publish(outcomes, arguments),
            "account": account(taken, last, merged.frontier),
            "statistics": statistics(outcomes, merged.frontier, hosts, withdrawn.num_rows),
            "links_skipped": {str(reason): n for reason, n in sorted(merged.skipped.items())},
            "ready": select(merged.frontier, self.quota).num_rows,
            "counts": {"known URLs": merged.frontier.num_rows},
        }

    def _publish(self, outcomes: pa.Table, arguments: Mapping[str, Any]) -> dict[str, Any] | None:
        """Write the log of this range's requests: the crawl's answer to "why is this page not there?"."""
        if not outcomes.num_rows:
            return None
        names = {"url": "uri", "state": "verdict", "verdict": "signals"}
        table = outcomes.drop_columns(["key", "url_id"]).rename_columns(
            [names.get(name, name) for name in outcomes.column_names if name not in ("key", "url_id")]
        )
        stem = f"{self.log}-{arguments['partition']:05d}-of-{arguments['partitions']:05d}"
        return write_shard(self.store, stem, "requests", table).as_json()


def account(taken: pa.Table, last: pa.Table, frontier: pa.Table) -> dict[str, Any]:
    """Return {in, out} of the URLs of a range: those the round took, and same-domain redirects that it went on to.

    A URL that was taken and has no outcome must stand in the new frontier as pending; otherwise the two differ.
    """
    answered = pc.is_in(taken["url_id"], value_set=last["url_id"].combine_chunks())
    unanswered = taken.filter(pc.invert(answered))["url_id"]
    added = last.num_rows - (pc.sum(answered).as_py() or 0)
    pending = frontier.filter(pc.equal(frontier["state"], "pending"))["url_id"].combine_chunks()
    out = Counter[str]()
    for state, reason, kind in zip(*(last[name].to_pylist() for name in ("state", "reason", "kind")), strict=True):
        verdict = VERDICTS[state] if state != "kept" or kind in KEPT else SITEMAP
        if reason == FetchFailed.CLIENT_ERROR:
            verdict = "skipped"  # the site has no such page: nothing is broken
        out[verdict if "/" in verdict or verdict == "kept" else f"{verdict}/{reason}"] += 1
    left = pc.sum(pc.is_in(unanswered, value_set=pending)).as_py() or 0
    if left:
        out[LEFT] = left
    return {"in": taken.num_rows + added, "out": dict(sorted(out.items()))}


def statistics(outcomes: pa.Table, frontier: pa.Table, hosts: pa.Table, withdrawn: int = 0) -> dict[str, Any]:
    """Return what adds up over ranges and rounds, and, under "now", what describes the present frontier."""
    kept = outcomes.filter(pc.and_(pc.equal(outcomes["state"], "kept"), pc.is_in(outcomes["kind"], pa.array(KEPT))))
    return {
        "kept": kept.num_rows,
        "bytes": _total(kept["bytes"]),
        "payload_bytes": _total(kept["payload_bytes"]),
        "requests": outcomes.num_rows,
        "fetch_s": round(_total(pc.subtract(outcomes["ended_s"], outcomes["started_s"])), 3),
        "statuses": _counted(outcomes["status"]),
        "media_types": commonest(_counted(kept["media_type"])),
        "refused": _counted(outcomes.filter(pc.equal(outcomes["state"], "refused"))["reason"]),
        "failed": _counted(outcomes.filter(pc.equal(outcomes["state"], "failed"))["reason"]),
        "refusal_samples": _samples(outcomes),
        "now": {
            "urls": _counted(frontier["state"]),
            "host_count": len(pc.unique(frontier["authority"])),
            "withdrawn": withdrawn,
        },
        "hosts": largest_hosts(frontier, hosts),
    }


def largest_hosts(frontier: pa.Table, hosts: pa.Table) -> list[dict[str, Any]]:
    """Return the MOST_HOSTS hosts with most kept URLs: how many URLs of each are in which state."""
    counts: dict[str, Counter[str]] = {}
    grouped = frontier.group_by(["authority", "state"]).aggregate([([], "count_all")])
    for row in grouped.to_pylist():
        counts.setdefault(row["authority"], Counter())[row["state"]] += row["count_all"]
    known = {row["authority"]: row for row in hosts.select(["authority", "robots_state", "bytes"]).to_pylist()}
    described = [
        {
            "authority": authority,
            "kept": states["kept"] + states["unchanged"],
            **{state: states[state] for state in ("refused", "failed", "redirected", "pending")},
            "bytes": known.get(authority, {}).get("bytes") or 0,
            "robots": known.get(authority, {}).get("robots_state"),
        }
        for authority, states in counts.items()
    ]
    return sorted(described, key=lambda host: (-host["kept"], host["authority"]))[:MOST_HOSTS]


def commonest(counts: Mapping[str, int]) -> dict[str, int]:
    """Return the MOST_MEDIA_TYPES largest counts, of equal ones the first by name, and the sum of all others."""
    named = sorted((name for name in counts if name != OTHER), key=lambda name: (-counts[name], name))
    kept = {name: counts[name] for name in sorted(named[:MOST_MEDIA_TYPES])}
    rest = sum(counts.values()) - sum(kept.values())
    return kept | ({OTHER: rest} if rest else {})


def _samples(outcomes: pa.Table) -> list[dict[str, Any]]:
    """Return some of the pages whose owner said no, with the owner's words."""
    refused = outcomes.filter(
        pc.and_(pc.equal(outcomes["state"], "refused"), pc.not_equal(outcomes["reason"], "robots"))
    )
    names = ["url", "reason", "policy"]
    return [
        {"url": row["url"], "reason": row["reason"], "said": (row["policy"] or "")[:300]}
        for row in refused.select(names).slice(0, MOST_SAMPLES).to_pylist()
    ]


def _total(column: pa.ChunkedArray) -> Any:
    return pc.sum(column).as_py() or 0


def _counted(column: pa.ChunkedArray) -> dict[str, int]:
    counts = pc.value_counts(column.combine_chunks()).to_pylist()
    return dict(sorted((str(each["values"]), each["counts"]) for each in counts if each["values"] is not None))
