"""Every limit of the project in one place; a recipe's `limits:` block overrides them one by one.

Limits are deterministic first (bytes, counts, nesting). The CPU limit behind them is far above typical, and a
record that hits it is tried once more, alone, before it is quarantined.
"""

from dataclasses import dataclass

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30


@dataclass(frozen=True)
class Limits:
    """Limits with their units in their names; `max` is inclusive."""

    # sources
    unit_bytes: int = 256 * MIB  # what one stage task reads of an input
    max_record_bytes: int = 16 * MIB  # one record's payload, decoded
    max_coding_ratio: int = 200  # decoded / coded, past the first MiB
    max_header_bytes: int = 256 * KIB  # WARC and HTTP headers
    max_member_name_bytes: int = 1024
    max_uri_bytes: int = 4096
    # parsing
    max_nesting_depth: int = 512  # open elements
    max_attributes: int = 1000  # of one tag
    max_text_bytes: int = 8 * MIB  # extracted text of one document
    max_line_bytes: int = 4 * MIB
    max_replaced_fraction: float = 0.05  # U+FFFD made by decoding / characters
    parse_cpu_s: float = 10.0
    child_memory_bytes: int = 4 * GIB
    # batches
    batch_rows: int = 1024
    batch_bytes: int = 8 * MIB
    # runs
    part_bytes: int = 32 * MIB  # rows held in memory before a sorted part is written
    partition_bytes: int = 32 * MIB  # rows in memory that one decide partition reads
    shard_bytes: int = 128 * MIB  # text that one write task holds, twice what `shards: auto` puts into a shard
    min_range_bytes: int = 1 * MIB  # below this average, staged files are compacted first
    compact_fan_in: int = 256
    # deduplication
    max_leaders_compared: int = 64  # kept leaders that one member is compared with
    # the job
    max_quarantined_fraction: float = 0.05
