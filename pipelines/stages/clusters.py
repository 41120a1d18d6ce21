"""Clusters of any job: link -> components -> route -> verify, with what differs from job to job as arguments."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from manifests.keys import digest_of
from manifests.runs import save_runs
from pipelines.stages.labels import label_clusters
from pipelines.stages.ranges import Ranges, runs_of
from pipelines.stages.staged import Staged
from pipelines.tasks import Marker

LINK = "pipelines.stages.link:Link"


@dataclass(frozen=True)
class Clustering:
    """module: has the workers Route and Verify; kind: the staged rows that Route reads; verify: how Verify judges.

    beside: configuration of Route that is in no key (Ranges.run).
    """

    module: str
    kind: str
    verify: Mapping[str, Any]
    link: str = LINK
    link_config: Mapping[str, Any] | None = None
    beside: Mapping[str, Any] | None = None


def verified(ranges: Ranges, staged: Staged, common: Mapping[str, Any], how: Clustering) -> list[Marker]:
    """Return the markers of verify, none where no two records met; `common` is the configuration of Route."""
    config = {"staged": common["staged"], **(how.link_config or {})}
    links = ranges.run("link", how.link, config, staged.memory_bytes("bands"))
    labels = label_clusters(ranges.launcher, ranges.job, digest_of([config, ranges.version]), runs_of(links))
    if not sum(run.rows for run in labels):
        return []
    route = {**common, "labels": save_runs(ranges.launcher.store, ranges.job, labels)}
    routed = ranges.run("route", f"{how.module}:Route", route, staged.memory_bytes(how.kind), how.beside)
    size = sum(run.memory_bytes for run in runs_of(routed))
    return ranges.run("verify", f"{how.module}:Verify", {"routed": ranges.listed(routed), **how.verify}, size)
