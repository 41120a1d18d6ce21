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
    max_book_bytes: int = 128 * MIB  # an EPUB or PDF file as it came; in WARC and tar files max_record_bytes counts
    # parsing
    max_nesting_depth: int = 512  # open elements
    max_attributes: int = 1000  # of one tag
    max_text_bytes: int = 8 * MIB  # extracted text of one document
    max_line_bytes: int = 4 * MIB
    max_replaced_fraction: float = 0.05  # U+FFFD made by decoding / characters
    max_book_members: int = 20_000  # files in an EPUB
    max_book_markup_bytes: int = 64 * MIB  # of an EPUB's documents together, unpacked
    max_book_pages: int = 20_000  # of a PDF
    max_markup_bytes: int = 256 * KIB  # JSON-LD, FAQs and microdata of one page: a block beyond is left out
    max_items: int = 1000  # of microdata in one page
    max_item_depth: int = 16  # items around an item
    max_item_elements: int = 65_536  # looked at in one page for its items, again for every itemref
    max_item_value_chars: int = 8192  # HTML of a value that is text; what is longer is the page's own text
    max_item_html_chars: int = 4 * MIB  # of all values that are text
    parse_cpu_s: float = 10.0
    book_cpu_s: float = 300.0  # of a whole book; parse_cpu_s holds for each of its documents or pages
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
    max_anchor_pieces: int = 50_000  # of one anchor of repeated strings; beyond, its windows go one by one
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


@dataclass(frozen=True)
class VideoLimits:
    """Limits of the video job; in a recipe they stand beside the others, in the same `limits:` block.

    The work is bounded by numbers of pixels and frames, so a verdict is the same on every machine; the CPU limits
    of the guard lie behind them: `frame_cpu_s` between two signs of life, `decode_cpu_s` for a whole film.
    """

    max_media_bytes: int = 256 * MIB  # as it came; one field with the crawl's
    max_video_streams: int = 32
    max_frame_pixels: int = 33_177_600  # 7,680 x 4,320
    max_frame_side_px: int = 16_384
    max_video_s: float = 14_400.0
    max_decoded_frames: int = 1_000_000
    max_decoded_pixels: int = 200_000_000_000  # an hour of 1080p at 25 frames/s is 187e9: about 10 CPU minutes
    max_video_damaged_fraction: float = 0.01  # packets that do not decode / packets
    max_video_missing_fraction: float = 0.05  # of the declared duration, at the end
    max_video_missing_s: float = 1.0  # ... and at least this much
    max_frames_out: int = 3_600  # of one video
    max_subtitle_bytes: int = 16 * MIB
    max_cues: int = 100_000
    max_audio_bytes: int = 256 * MIB
    frame_cpu_s: float = 60.0  # between two packets or frames, far above any
    decode_cpu_s: float = 1_800.0  # of one film, far above what the limits above allow


@dataclass(frozen=True)
class AudioLimits:
    """Limits of the audio job; in a recipe they stand beside the others, in the same `limits:` block."""

    max_audio_bytes: int = 256 * MIB  # as it came
    max_audio_s: float = 7200.0  # decoded; 460 MB as 16 kHz float32
    max_audio_streams: int = 32
    max_audio_channels: int = 16
    min_audio_rate_hz: int = 4000
    max_audio_rate_hz: int = 384_000
    max_audio_damaged_fraction: float = 0.01  # packets
    max_audio_missing_fraction: float = 0.02  # of the duration that the header promises, past the first half second
    audio_cpu_s: float = 3600.0  # of one file, far above what max_audio_s allows; parse_cpu_s holds between two beats


@dataclass(frozen=True)
class CodeLimits:
    """Limits of the code job; in a recipe they stand beside the others, in the same `limits:` block."""

    max_archive_bytes: int = 512 * MIB  # as it came; also all objects of a bare repository
    max_archive_expanded_bytes: int = 4 * GIB  # all members together
    max_archive_members: int = 200_000
    archive_window_bytes: int = 64 * MIB  # of members that leave the reading process at once
    archive_cpu_s: float = 600.0  # one window of one archive; parse_cpu_s holds between two members
