"""The report: one HTML page that shows what came in, what stayed, what went and why."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from manifests.manifest import Manifest
    from manifests.store import Store


def build_report(store: "Store", manifests: Mapping[str, "Manifest"]) -> bytes:
    """Return the page of committed snapshots, {job: manifest}: at least one of crawl, text, images, audio and video.

    It reads the manifests and a few rows of a few shards, however large the corpus is.
    """
    from pipelines.report.collect import collect
    from pipelines.report.page import render

    return render(collect(store, manifests))
