"""How far things move: blocks of the sample grid are looked for again half a second later.

A three-step search (Koga et al. 1981) over 8 x 8 samples, up to 7 samples away. It asks how much moves, not where to.
"""

from typing import Any

import numpy as np

from filters.native import kernel

FLOW_FPS = 2  # pairs of frames a second, as Cosmos-Curate and Data-Juicer take them
BLOCK = 8
STEPS = (4, 2, 1)
NOISE_LEVELS = 1  # mean difference that a move must save, per sample


@kernel
def _difference(before: Any, after: Any, y: int, x: int, dy: int, dx: int) -> int:
    """Return the sum of absolute differences of the block at (y, x) and the one it may have come from."""
    total = np.int32(0)
    for i in range(BLOCK):
        for j in range(BLOCK):
            total += abs(np.int32(after[y + i, x + j]) - np.int32(before[y + dy + i, x + dx + j]))
    return int(total)


@kernel
def _search(before: Any, after: Any, y: int, x: int) -> tuple[int, int]:
    """Return (dy, dx) of where the block at (y, x) of `after` stood in `before`; (0, 0) unless it is clearly better."""
    still = _difference(before, after, y, x, 0, 0)
    best, best_dy, best_dx = still, 0, 0
    for step in STEPS:
        middle_dy, middle_dx = best_dy, best_dx
        for dy in (middle_dy - step, middle_dy, middle_dy + step):
            for dx in (middle_dx - step, middle_dx, middle_dx + step):
                if 0 <= y + dy <= before.shape[0] - BLOCK and 0 <= x + dx <= before.shape[1] - BLOCK:
                    found = _difference(before, after, y, x, dy, dx)
                    if found < best:
                        best, best_dy, best_dx = found, dy, dx
    if still - best < NOISE_LEVELS * BLOCK * BLOCK:
        return 0, 0
    return best_dy, best_dx


@kernel
def _flow(before: Any, after: Any, out: Any) -> None:
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j, 0], out[i, j, 1] = _search(before, after, i * BLOCK, j * BLOCK)


def flow(before: Any, after: Any) -> Any:
    """Return int32[rows // 8, columns // 8, 2]: (down, across) to where each block of `after` stood in `before`.

    Both uint8[rows, columns], luma.
    """
    out = np.empty((before.shape[0] // BLOCK, before.shape[1] // BLOCK, 2), np.int32)
    _flow(before, after, out)
    return out


def flow_sum_milli(moves: Any, longer_side: int) -> int:
    """Return the lengths of all moves added up, in thousandths of the grid's longer side."""
    lengths = np.sqrt((moves.astype(np.int64) ** 2).sum(axis=2).astype(np.float64))
    return int(np.rint(lengths * 1000.0 / longer_side).sum())
