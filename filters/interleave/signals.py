"""What image parts and interleaved documents measure, beside what their media and texts do."""

from typing import Any

import numpy as np
import pyarrow as pa

from filters.interleave.words import adult_words, decoration_words, path_words

SIGNALS_VERSION = 1  # part of the key of the phase that judges
PART_SIGNALS = pa.schema(
    [
        ("path_decoration_word_count", pa.int32()),  # logo, icon, banner ... in the path of its address
        ("path_adult_word_count", pa.int32()),
        ("alt_decoration_word_count", pa.int32()),
        ("alt_adult_word_count", pa.int32()),
        ("earlier_in_document_count", pa.int32()),  # parts of the same document before it that show the same image
    ]
)
DOCUMENT_SIGNALS = pa.schema(
    [
        ("image_part_count", pa.int32()),  # as the page has them
        ("joined_image_count", pa.int32()),  # ... whose media is in the images snapshot
        ("image_count", pa.int32()),  # ... that no rule drops
        ("distinct_image_count", pa.int32()),  # ... without repeats
    ]
)


def part_signals(parts: pa.Table) -> pa.RecordBatch:
    """Return PART_SIGNALS of joined image parts {id, address, alt, media}, sorted by (id, position)."""
    paths = pa.array([path_words(address) for address in parts["address"].to_pylist()], pa.string())
    alts = parts["alt"].combine_chunks()
    columns: list[Any] = [decoration_words(paths), adult_words(paths), decoration_words(alts), adult_words(alts)]
    pairs = zip(parts["id"].to_pylist(), parts["media"].to_pylist(), strict=True)
    seen: dict[tuple[bytes, bytes], int] = {}
    earlier = np.zeros(parts.num_rows, np.int32)
    for row, pair in enumerate(pairs):
        earlier[row] = seen.get(pair, 0)
        seen[pair] = int(earlier[row]) + 1
    return pa.record_batch([*(pa.array(each) for each in columns), pa.array(earlier)], schema=PART_SIGNALS)
