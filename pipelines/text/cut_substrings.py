"""The phases that cut repeated strings, one after the other; `pipelines.text.substrings` holds their workers."""

from collections.abc import Mapping, Sequence

from filters.substrings import VERSION
from manifests.limits import Limits
from manifests.runs import Run, save_runs
from pipelines.stages.ranges import Ranges, runs_of
from pipelines.tasks import Marker
from pipelines.text.block import Substrings
from pipelines.text.substrings import sent_runs

_MODULE = "pipelines.text.substrings"


def cut_substrings(
    ranges: Ranges, survivors: Mapping[str, str], size: int, block: Substrings, limits: Limits
) -> list[Marker]:
    """Return the markers of the last phase, whose runs are CUT; `size`: bytes of the documents' rows in memory."""
    store, job = ranges.launcher.store, ranges.job
    texts = {**survivors, "min_bytes": block.min_bytes, "version": VERSION}
    anchors = ranges.run("anchors", f"{_MODULE}:FindAnchors", texts, size)
    config = {"anchors": ranges.listed(anchors), "max_pieces": limits.max_anchor_pieces}
    shared = ranges.run("shared", f"{_MODULE}:FindShared", config, _bytes(runs_of(anchors)))
    config = {**texts, "shared": ranges.listed(shared), "part_bytes": limits.part_bytes}
    sent = ranges.run("pieces", f"{_MODULE}:SendPieces", config, size)
    config = {"pieces": save_runs(store, job, sent_runs(sent)), "min_bytes": block.min_bytes}
    across = ranges.run("windows", f"{_MODULE}:CompareWindows", config, _bytes(sent_runs(sent)))
    config = {**texts, "found": ranges.listed([*sent, *across]), "min_characters": block.min_characters}
    return ranges.run("cuts", f"{_MODULE}:FitCuts", config, size)


def _bytes(runs: Sequence[Run]) -> int:
    return sum(run.memory_bytes for run in runs)
