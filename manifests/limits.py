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


@dataclass(frozen=True)
class CrawlLimits:
    """Limits of the crawler; in a recipe they stand beside the others, in the same `limits:` block."""

    # URLs (traps: Heritrix's defaults)
    max_url_chars: int = 4096
    max_path_segments: int = 20
    max_segment_repeats: int = 2
    max_query_chars: int = 512
    # bodies, decoded
    max_page_bytes: int = 5 * MIB
    max_image_bytes: int = 32 * MIB
    max_media_bytes: int = 256 * MIB  # audio and video
    max_robots_bytes: int = 512_000  # RFC 9309, section 2.5: at least 500 KiB
    max_site_file_bytes: int = 64 * KIB  # tdmrep.json and ai.txt; what follows is not heard
    max_sitemap_bytes: int = 50 * MIB  # sitemaps.org
    max_sitemap_urls: int = 50_000
    max_sitemap_depth: int = 2
    max_sitemaps_per_host: int = 500  # that robots.txt and other sitemaps name, of one authority
    max_codings: int = 2
    max_coding_ratio: int = 200  # decoded / coded, past the first MiB; one field with the one above
    max_header_bytes: int = 256 * KIB
    # time
    fetch_s: float = 60.0  # one request, all of it
    connect_s: float = 10.0
    slow_window_s: float = 30.0  # over which a body must keep min_bytes_per_s
    min_bytes_per_s: int = 1024
    max_retry_after_s: float = 3600.0
    robots_ttl_s: float = 86_400.0  # RFC 9309, section 2.4
    # hops and attempts
    max_redirects: int = 10
    max_robots_redirects: int = 5
    max_attempts: int = 3
    max_host_failures: int = 5  # in a row; the host rests for the round
    # files
    warc_file_bytes: int = 1 * GIB
    checkpoint_pages: int = 256  # what a killed worker fetches again, at most
    checkpoint_bytes: int = 32 * MIB
    checkpoint_s: float = 5.0


@dataclass(frozen=True)
class MediaLimits:
    """Limits of media jobs; in a recipe they stand beside the others, in the same `limits:` block."""

    # images
    max_image_bytes: int = 32 * MIB  # as it came
    max_image_pixels: int = 50_000_000  # width x height, told by the header before anything is decoded
    max_image_side_px: int = 16_384
    max_frames_counted: int = 10_000  # of an animation; only the first is decoded
    max_icc_bytes: int = 4 * MIB  # a larger colour profile is not applied
    max_faces: int = 100  # of one image
