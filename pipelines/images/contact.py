"""The contact sheet of a shard: some of its images, small, with what became of them. The report shows it.

Rows stand by id, a digest, so the first of each verdict are drawn by lot, and always the same. What stands on a list
of known-bad images, or is dropped for its NSFW score, is named and not shown.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from filters.images.encode import Encode, encode
from filters.images.resize import scaled
from manifests.records import ID
from manifests.store import Store
from pipelines.images.packs import PLACE, read_payloads
from pipelines.images.rules import Judged, first_of

OF_EACH = 8  # images of each verdict
SIDE_PX = 144
THUMBNAIL = Encode("jpg", 70)
CONTACT = pa.schema(
    [
        ("id", ID),
        ("uri", pa.string()),
        ("caption", pa.string()),
        ("width_px", pa.int32()),
        ("height_px", pa.int32()),
        ("verdict", pa.string()),
        ("reason", pa.string()),
        ("reasons", pa.list_(pa.string())),
        ("kept_id", ID),
        ("thumbnail", pa.binary()),  # JPEG, or null where it must not be shown
    ]
)


def contact_sheet(store: Store, judged: Judged, fate: Mapping[str, pa.Array], captions: pa.ListArray) -> pa.Table:
    """Return CONTACT rows of the first images of each verdict, by id."""
    verdicts = np.array(fate["verdict"].to_pylist(), object)
    firsts = [np.flatnonzero(verdicts == verdict)[:OF_EACH] for verdict in ("kept", "dropped", "merged")]
    chosen = pa.array(np.sort(np.concatenate(firsts)))
    images = judged.rows.take(chosen)
    columns: dict[str, Any] = {name: images[name] for name in ("id", "uri", "width_px", "height_px")}
    columns |= {name: column.take(chosen) for name, column in fate.items() if name in CONTACT.names}
    columns["caption"] = first_of(captions.take(chosen))
    shown = np.array([not _is_hidden(failed, judged) for failed in columns["reasons"].to_pylist()], bool)
    places = images.select(list(PLACE)).filter(pa.array(shown))
    thumbnails = iter([thumbnail(payload) for payload in read_payloads(store, places)])
    columns["thumbnail"] = pa.array([next(thumbnails) if is_shown else None for is_shown in shown], pa.binary())
    return pa.table({name: columns[name] for name in CONTACT.names}, schema=CONTACT)


def _is_hidden(failed: list[str], judged: Judged) -> bool:
    hidden = {rule.name for rule in judged.rules if rule.numerator == "nsfw_score" or _is_list(rule.numerator)}
    return not hidden.isdisjoint(failed)


def _is_list(column: str) -> bool:
    return column.startswith("is_known_")


def thumbnail(payload: bytes) -> bytes:
    """Return a JPEG of at most SIDE_PX a side of a file that the job itself has encoded."""
    import cv2

    stored: Any = cv2.imdecode(np.frombuffer(payload, np.uint8), cv2.IMREAD_COLOR)
    pixels = cv2.cvtColor(stored, cv2.COLOR_BGR2RGB)
    height, width = pixels.shape[:2]
    scale = min(1.0, SIDE_PX / max(height, width))
    return encode(scaled(pixels, max(1, round(height * scale)), max(1, round(width * scale))), THUMBNAIL)
