"""The closed lists of reasons: why a record is quarantined, skipped or refused. Tests walk them."""

from enum import StrEnum


class Quarantine(StrEnum):
    """Something is broken, or beyond a limit; the record is kept out and named."""

    RECORD_TOO_LARGE = "record_too_large"  # payload beyond limits.max_record_bytes
    DECODED_TOO_LARGE = "decoded_too_large"  # content coding expands beyond limits (bomb)
    TRUNCATED_RECORD = "truncated_record"  # shorter than its declared length
    DAMAGED_CONTAINER = "damaged_container"  # bytes between records that no reader can use
    DAMAGED_CODING = "damaged_coding"  # gzip/deflate/br/zstd body that does not decode
    MALFORMED_RECORD = "malformed_record"  # JSON, Parquet or WARC/HTTP header that does not parse
    UNDECODABLE_TEXT = "undecodable_text"  # replaced characters beyond limits.max_replaced_fraction
    TEXT_TOO_LARGE = "text_too_large"  # extracted text beyond limits.max_text_bytes
    LINE_TOO_LONG = "line_too_long"
    NESTING_TOO_DEEP = "nesting_too_deep"
    TOO_MANY_ATTRIBUTES = "too_many_attributes"
    EMPTY_PAYLOAD = "empty_payload"
    PARSE_TIMEOUT = "parse_timeout"  # CPU limit, after one retry alone
    PARSE_CRASH = "parse_crash"  # the parser's process died, after one retry alone
    OUT_OF_MEMORY = "out_of_memory"
    PARSE_ERROR = "parse_error"  # the parser refused it with an error of its own
    UNSAFE_MEMBER_NAME = "unsafe_member_name"  # tar member: absolute, "..", link, device


class Skipped(StrEnum):
    """Not a record of this job; counted by kind."""

    WARC_RECORD_TYPE = "warc_record_type"  # warcinfo, request, metadata, revisit ...
    HTTP_STATUS = "http_status"  # other than 2xx
    MEDIA_TYPE = "media_type"  # not a type that this job reads
    FILE_TYPE = "file_type"  # folder or archive member with another extension
    NO_TEXT = "no_text"  # parsed without an error, and there is no text in it


class Refused(StrEnum):
    """The owner says no."""

    NOAI = "noai"  # X-Robots-Tag or meta robots: noai
    NOINDEX = "noindex"
    TDM_RESERVATION = "tdm_reservation"  # header, meta or /.well-known/tdmrep.json
    CONTENT_USAGE = "content_usage"  # AIPREF: train-ai=n, by header or robots.txt
    CONTENT_SIGNAL = "content_signal"  # robots.txt: ai-train=no
    AI_TXT = "ai_txt"
    ROBOTS = "robots"  # robots.txt disallows it, or could not be read


class Merged(StrEnum):
    """Another record stays in its place."""

    SAME_RECORD = "same_record"  # same id: the same URI and the same bytes seen twice
    EXACT_DUPLICATE = "exact_duplicate"  # same text
    NEAR_DUPLICATE = "near_duplicate"  # verified on the shingles


class FetchFailed(StrEnum):
    """Why a URL of the frontier brought no record."""

    MALFORMED_URL = "malformed_url"
    URL_TOO_LONG = "url_too_long"
    BLOCKED_SCHEME = "blocked_scheme"  # other than http and https
    BLOCKED_PORT = "blocked_port"
    BLOCKED_ADDRESS = "blocked_address"  # private, loopback, metadata ...: no connection was made
    DNS_FAILED = "dns_failed"
    CONNECT_FAILED = "connect_failed"
    TLS_FAILED = "tls_failed"  # never tried again without TLS
    DISCONNECTED = "disconnected"  # the connection ended before the body did
    TIMED_OUT = "timed_out"
    TOO_SLOW = "too_slow"
    MALFORMED_RESPONSE = "malformed_response"
    DAMAGED_CODING = "damaged_coding"
    DECODED_TOO_LARGE = "decoded_too_large"  # a bomb: limits.max_coding_ratio
    TOO_MANY_CODINGS = "too_many_codings"
    REDIRECT_LOOP = "redirect_loop"
    TOO_MANY_REDIRECTS = "too_many_redirects"
    TOO_MANY_REQUESTS = "too_many_requests"  # 429 or 503, after every attempt
    SERVER_ERROR = "server_error"  # 5xx, after every attempt
    CLIENT_ERROR = "client_error"  # 4xx
    MEDIA_TYPE = "media_type"  # not what this crawl keeps
    UNREADABLE = "unreadable"  # no parser survived it, so what its owner says in it is not known
    ROBOTS_UNREACHABLE = "robots_unreachable"  # RFC 9309, section 2.3.1.4: then nothing may be fetched
    REPEATS_ITSELF = "repeats_itself"  # more than 90 % of the host's last 100 pages were seen before
    DELAY_TOO_LONG = "delay_too_long"  # Crawl-delay beyond crawl.max_delay_s


class LinkSkipped(StrEnum):
    """Why a link that was found is not in the frontier; counted by kind."""

    MALFORMED = "malformed"
    SCHEME = "scheme"
    TOO_LONG = "too_long"
    OUT_OF_SCOPE = "out_of_scope"
    EXCLUDED = "excluded"
    TOO_DEEP = "too_deep"
    NOFOLLOW = "nofollow"
    TRAP_PATH = "trap_path"  # too many segments, or one repeated too often
    TRAP_QUERY = "trap_query"
    TRAP_CALENDAR = "trap_calendar"
    TRAP_SESSION = "trap_session"
    HOST_FULL = "host_full"  # max_pages_per_host are known already
    REDIRECTS = "redirects"  # beyond limits.max_redirects
    KNOWN = "known"  # in the frontier already
