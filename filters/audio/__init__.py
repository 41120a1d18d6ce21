"""Sound: foreign audio bytes -> speech segments of 16 kHz mono, with what is measured of them.

Everything here works on one float32 array in [-1, 1] at `RATE_HZ`. `factory` is the entry of a guarded child
("filters.audio:factory"); `filters.audio.child` says what goes in and what comes out.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from filters.guard_child import Worker

RATE_HZ = 16_000
FRAME = 512  # samples, 32 ms: what the speech detector judges, and the unit that frame counts are in


def factory(config: Mapping[str, Any]) -> "Worker":
    """Return the worker of a guarded child; see `filters.audio.child.factory`."""
    from filters.audio import child

    return child.factory(config)
