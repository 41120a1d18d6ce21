"""The crawl's own vocabulary on one screen: the frontier, the hosts, and what came of each request.

`key` is uniform and belongs to the registrable domain, so all hosts of a domain lie in one key range: one worker owns
a domain for a round, and politeness never depends on two workers agreeing.
"""

import pyarrow as pa

from manifests.records import DIGEST, KEY, TIMESTAMP

URL_ID = pa.binary(16)

# A URL that is known. One row a URL, sorted by (key, url_id).
FRONTIER = pa.schema(
    [
        ("key", KEY),  # filters.url.domain_key
        ("url_id", URL_ID),  # filters.url.url_id: first half of the sha256 of the canonical URL
        ("url", pa.string()),  # canonical
        ("authority", pa.string()),  # scheme://host[:port], what robots.txt speaks for
        ("kind", pa.string()),  # page | sitemap | image | audio | video
        ("origin", pa.string()),  # seed | sitemap | link | redirect | canonical
        ("referrer", pa.string()),  # the page or sitemap in which it was found first, null for a seed
        ("caption", pa.string()),  # what a URL list or an alt text says of it, or null
        ("depth", pa.int16()),  # links away from a seed; a redirect or sitemap is no link
        ("redirects", pa.int16()),  # hops behind us
        ("state", pa.string()),  # pending | kept | redirected | unchanged | refused | failed
        ("reason", pa.string()),  # Refused or FetchFailed, else null
        ("visits", pa.int16()),  # times that it was fetched to the end
        ("attempts", pa.int16()),  # failed tries since then
        ("status", pa.int16()),  # HTTP, of the last response, or null
        ("etag", pa.string()),
        ("last_modified", pa.string()),
        ("digest", DIGEST),  # sha256 of the last payload
        ("fetched_s", pa.float64()),  # seconds since 1970: when the response that was kept last was asked for
    ]
)

# What came of one request for a URL of the frontier. Sorted by (key, url_id).
OUTCOME = pa.schema(
    [
        ("key", KEY),
        ("url_id", URL_ID),
        ("url", pa.string()),
        ("authority", pa.string()),
        ("kind", pa.string()),
        ("state", pa.string()),  # kept | redirected | unchanged | refused | failed | retry (attempts + 1) | later
        ("reason", pa.string()),
        ("detail", pa.string()),  # what failed, the line that decided, or where a redirect led; at most 512 characters
        ("status", pa.int16()),
        ("media_type", pa.string()),
        ("ip", pa.string()),
        ("bytes", pa.int64()),  # as sent
        ("payload_bytes", pa.int64()),
        ("etag", pa.string()),
        ("last_modified", pa.string()),
        ("digest", DIGEST),
        ("started_s", pa.float64()),
        ("ended_s", pa.float64()),
        ("robots_digest", DIGEST),  # of the robots.txt that decided, null where there was none
        ("policy", pa.string()),  # the owner's signals, raw, one a line
        ("verdict", pa.string()),  # JSON: what each signal came to
    ]
)

# A host (an authority) as its worker last knew it. Sorted by (key, authority).
HOST = pa.schema(
    [
        ("key", KEY),
        ("authority", pa.string()),
        ("robots_state", pa.string()),  # parsed | allow_all | disallow_all (unreachable)
        ("robots", pa.binary()),  # what is parsed; a long one without comments and packed (sites.pack)
        ("robots_digest", DIGEST),
        ("robots_until_s", pa.float64()),  # when they must be fetched again
        ("tdmrep", pa.binary()),  # /.well-known/tdmrep.json, "" for none, null for not asked (sites.held)
        ("ai_txt", pa.binary()),
        ("next_s", pa.float64()),  # not before
        ("failures", pa.int16()),  # in a row
        ("pages", pa.int64()),  # kept so far
        ("bytes", pa.int64()),  # as sent, of these
    ]
)

# A URL that was kept once and whose owner says no by now: its earlier records must not be read any more. It leaves the
# list when it is kept again. Sorted by (key, url_id).
WITHDRAWN = pa.schema(
    [
        ("key", KEY),
        ("url_id", URL_ID),
        ("url", pa.string()),
        ("reason", pa.string()),  # Refused
        ("said", pa.string()),  # the owner's words, or the line of robots.txt that decided
        ("since", TIMESTAMP),  # when we were told
        ("round", pa.int32()),  # in which
    ]
)
