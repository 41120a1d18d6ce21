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
    TDM_RESERVATION = "tdm_reservation"


class Merged(StrEnum):
    """Another record stays in its place."""

    SAME_RECORD = "same_record"  # same id: the same URI and the same bytes seen twice
    EXACT_DUPLICATE = "exact_duplicate"  # same text
    NEAR_DUPLICATE = "near_duplicate"  # verified on the shingles
