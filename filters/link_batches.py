"""What goes into a guarded reader of links (`filters.links`) and what comes out; without its parsers."""

import pyarrow as pa

BODIES = pa.schema(
    [
        ("url", pa.string()),  # canonical; what it was fetched from
        ("kind", pa.string()),  # page | sitemap
        ("media_type", pa.string()),  # declared, lower case, or null
        ("charset", pa.string()),  # declared, or null
        ("payload", pa.large_binary()),  # content codings undone
    ]
)
LINKS = pa.schema(
    [
        ("row", pa.int32()),  # of the batch
        ("url", pa.string()),
        ("kind", pa.string()),
        ("origin", pa.string()),
        ("text", pa.string()),
        ("nofollow", pa.bool_()),
    ]
)
PAGES = pa.schema(
    [
        ("row", pa.int32()),
        ("policy", pa.string()),  # lines as filters.policy reads them, or null
        ("failed", pa.string()),  # a Quarantine reason; then there are no links, or a sitemap's first ones only
        ("malformed", pa.int32()),  # references that are no URL, LinkSkipped.MALFORMED
        ("scheme", pa.int32()),  # ... that are neither http nor https
        ("too_long", pa.int32()),
        ("left_out", pa.int32()),  # links beyond a limit on their number; 1 for a sitemap that was cut
    ]
)
