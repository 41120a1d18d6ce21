"""Who is merged into whom in a cluster: members in their canonical order meet the leaders that were kept before them.

The clusters are small next to the corpus and each comparison is native, so this walk is plain Python.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping
from itertools import groupby
from operator import itemgetter
from typing import Any

from manifests.reasons import Merged

MAX_LEADERS = 64  # kept members of a cluster that one member is compared with
Member = Mapping[str, Any]
Likeness = Callable[[Member, Member], float | None]  # of (leader, member): None where they are no duplicates


def merges_of(
    members: Iterable[Member], identity: Callable[[Member], Hashable], likeness: Likeness, *, exact: bool
) -> tuple[list[dict[str, Any]], int]:
    """Return MERGED rows, and how many members were kept because their cluster has too many leaders.

    `members` are sorted by label, then the best first; those of one `identity` are the same.
    """
    found = [_cluster(cluster, identity, likeness, exact) for _, cluster in groupby(members, itemgetter("label"))]
    return [merge for merges, _ in found for merge in merges], sum(uncompared for _, uncompared in found)


def _cluster(
    members: Iterable[Member], identity: Callable[[Member], Hashable], likeness: Likeness, exact: bool
) -> tuple[list[dict[str, Any]], int]:
    leaders: list[Member] = []
    first: dict[Hashable, Member] = {}  # identity -> who was decided on with it, so equals cost nothing
    merges: dict[bytes, dict[str, Any]] = {}
    uncompared = 0
    for member in members:
        same = first.setdefault(identity(member), member)
        if exact and same is not member:
            kept = merges.get(same["id"], {"kept_id": same["id"], "similarity": 1.0})
            merges[member["id"]] = _merge(member, kept["kept_id"], Merged.EXACT_DUPLICATE, kept["similarity"])
            continue
        found = _leader(member, leaders[:MAX_LEADERS], likeness)
        if found is not None:
            merges[member["id"]] = _merge(member, found[0]["id"], Merged.NEAR_DUPLICATE, found[1])
            continue
        uncompared += len(leaders) > MAX_LEADERS
        leaders.append(member)
    return list(merges.values()), uncompared


def _leader(member: Member, leaders: Iterable[Member], likeness: Likeness) -> tuple[Member, float] | None:
    for leader in leaders:
        if (similarity := likeness(leader, member)) is not None:
            return leader, similarity
    return None


def _merge(member: Member, kept: bytes, reason: Merged, similarity: float) -> dict[str, Any]:
    key = int.from_bytes(member["id"][:8])
    return {"key": key, "id": member["id"], "kept_id": kept, "reason": str(reason), "similarity": similarity}
