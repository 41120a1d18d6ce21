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
    UNSAFE_MEMBER_NAME = "unsafe_member_name"  # tar member: absolute, "..", link, device; a chapter outside its book
    ENCRYPTED = "encrypted"  # a book or PDF that needs a key or a password
    TOO_MANY_PARTS = "too_many_parts"  # files or pages of a book beyond limits.max_book_members, max_book_pages


class VideoFailed(StrEnum):
    """Why a video is quarantined by its own job; the guard's reasons (timeout, crash, memory) are those above."""

    EMPTY_PAYLOAD = "empty_payload"
    PAYLOAD_TOO_LARGE = "video_too_large"
    NOT_A_VIDEO = "not_a_video"  # no container that this project reads
    PLAYLIST = "video_playlist"  # text that names other files: HLS, DASH, ffconcat, SMIL ...
    DAMAGED_CONTAINER = "video_damaged_container"
    NO_VIDEO_STREAM = "no_video_stream"
    TOO_MANY_STREAMS = "video_too_many_streams"
    TOO_MANY_PIXELS = "video_too_many_pixels"
    SIDE_TOO_LONG = "video_side_too_long"
    TOO_LONG = "video_too_long"  # duration, declared or decoded
    TOO_MANY_FRAMES = "video_too_many_frames"
    TOO_MUCH_WORK = "video_too_much_work"  # frames x pixels
    UNKNOWN_CODEC = "video_unknown_codec"
    DAMAGED_STREAM = "video_damaged_stream"  # more packets than the limit do not decode
    NO_FRAMES = "video_no_frames"
    TRUNCATED = "video_truncated"  # ends well before its declared duration


class ImageFault(StrEnum):
    """Why an image is quarantined. `limit` and `observed` stand beside the first three."""

    TOO_MANY_BYTES = "image_too_many_bytes"  # limits.max_image_bytes
    TOO_MANY_PIXELS = "image_too_many_pixels"  # limits.max_image_pixels
    SIDE_TOO_LONG = "image_side_too_long"  # limits.max_image_side_px
    EMPTY_PAYLOAD = "empty_payload"
    UNKNOWN_FORMAT = "image_unknown_format"  # none of filters.images.decode.FORMATS, whatever its name says
    TRUNCATED = "image_truncated"
    DAMAGED = "image_damaged"  # its decoder refused it, or warned
    PIXEL_TYPE = "image_pixel_type"  # 32-bit or floating point: no grey level is white


class AudioFailed(StrEnum):
    """Why a sound is quarantined by its own job."""

    EMPTY_PAYLOAD = "empty_payload"
    UNKNOWN_FORMAT = "audio_unknown_format"  # no format of the list, playlists among them
    NO_AUDIO = "audio_no_sound"  # a container without a sound track, or a track without a sample
    TOO_MANY_STREAMS = "audio_too_many_streams"  # beyond limits.max_audio_streams
    TOO_MANY_CHANNELS = "audio_too_many_channels"  # beyond limits.max_audio_channels
    UNUSABLE_RATE = "audio_unusable_rate"  # outside limits.min_audio_rate_hz .. max_audio_rate_hz
    TOO_LONG = "audio_too_long"  # decoded, beyond limits.max_audio_s
    TRUNCATED = "audio_truncated"  # the header promises more than decodes
    DAMAGED = "audio_damaged"  # packets that don't decode, beyond limits.max_audio_damaged_fraction
    PARSE_ERROR = "parse_error"  # the demuxer or the decoder refused it


class CodeFault(StrEnum):
    """Why a file or an archive of the code job is quarantined."""

    UNSAFE_PATH = "code_unsafe_path"  # absolute, "..", not UTF-8, control characters, too long, too deep
    DEVICE = "code_device"  # a device, a pipe or a hard link in an archive
    DUPLICATE_MEMBER = "code_duplicate_member"  # a name that stood in the archive before
    FILE_TOO_LARGE = "code_file_too_large"  # limits.max_record_bytes
    ARCHIVE_TOO_LARGE = "code_archive_too_large"  # limits.max_archive_bytes, as it came
    ARCHIVE_BOMB = "code_archive_bomb"  # limits.max_archive_expanded_bytes or max_coding_ratio
    TOO_MANY_MEMBERS = "code_too_many_members"  # limits.max_archive_members
    DAMAGED_ARCHIVE = "code_damaged_archive"  # no archive that is read here, or cut, or encrypted
    DAMAGED_REPOSITORY = "code_damaged_repository"  # a git repository whose commit can't be read
    UNDECODABLE_TEXT = "undecodable_text"
    TEXT_TOO_LARGE = "text_too_large"


class SkippedCode(StrEnum):
    """A member of a repository that is no source file, as those of `Skipped`."""

    SYMLINK = "code_symlink"
    SUBMODULE = "code_submodule"
    LFS_POINTER = "code_lfs_pointer"
    BINARY = "code_binary"
    EMPTY = "code_empty"
    VERSION_CONTROL = "code_version_control"  # files of .git, .hg, .svn


class RefusedCode(StrEnum):
    """The owner of a repository says no."""

    OPT_OUT_REPOSITORY = "opt_out_repository"
    OPT_OUT_OWNER = "opt_out_owner"


class Skipped(StrEnum):
    """Not a record of this job; counted by kind."""

    WARC_RECORD_TYPE = "warc_record_type"  # warcinfo, request, metadata, revisit ...
    HTTP_STATUS = "http_status"  # other than 2xx
    MEDIA_TYPE = "media_type"  # not a type that this job reads
    FILE_TYPE = "file_type"  # folder or archive member with another extension
    NO_TEXT = "no_text"  # parsed without an error, and there is no text in it
    SCANNED = "scanned"  # a PDF most of whose pages are pictures without text
    WIKI_REDIRECT = "wiki_redirect"  # page of a MediaWiki dump that only names another
    WIKI_NAMESPACE = "wiki_namespace"  # ... that is no article: talk, user, template, category ...
    POST_TYPE = "post_type"  # row of a Stack Exchange dump that is neither question nor answer


class SkippedMedia(StrEnum):
    """Not a record of a media job, as those of `Skipped`."""

    SIDECAR = "sidecar"  # a caption or subtitles: it went to the media of its name
    NO_CLIP = "no_clip"  # a film without a shot that is long enough


class Refused(StrEnum):
    """The owner says no."""

    NOAI = "noai"  # X-Robots-Tag or meta robots: noai
    NOINDEX = "noindex"
    TDM_RESERVATION = "tdm_reservation"  # header, meta or /.well-known/tdmrep.json
    CONTENT_USAGE = "content_usage"  # AIPREF: train-ai=n, by header or robots.txt
    CONTENT_SIGNAL = "content_signal"  # robots.txt: ai-train=no
    AI_TXT = "ai_txt"
    OPT_OUT = "opt_out"  # a list of the recipe's
    ROBOTS = "robots"  # robots.txt disallows it, or could not be read


class Merged(StrEnum):
    """Another record stays in its place."""

    SAME_RECORD = "same_record"  # same id: the same URI and the same bytes seen twice
    EXACT_DUPLICATE = "exact_duplicate"  # same text
    NEAR_DUPLICATE = "near_duplicate"  # verified on the shingles
    SAME_IMAGES = "same_images"  # interleaved documents with the same set of images


class CandidateStage(StrEnum):
    """Where a candidate for an instruction set came to an end. `MERGE`: another stays in its place."""

    CHECK = "check"  # as soon as it is made
    SPLIT = "split"
    MERGE = "merge"
    CONTAMINATION = "contamination"  # also by the name of the evaluation set that it holds an item of
    BALANCE = "balance"
    ENDPOINT = "endpoint"  # of what a model wrote


class CandidateFault(StrEnum):
    """What is wrong with a candidate: stage check. The first fault names the reason."""

    UNFORMED = "unformed"  # no question with a reply behind it, or a hedge that is none
    UNSUPPORTED = "unsupported"  # an answer without evidence that carries it
    NOT_LOCATED = "not_located"  # evidence that does not stand where it is said to
    NOT_LITERAL = "not_literal"  # an answer that is not in the reply
    CITATION_OUTSIDE = "citation_outside"  # of the reply, or of evidence that is not there


class CandidateLeftOut(StrEnum):
    """Why a sound candidate is no record: stages split, merge, contamination and balance."""

    ACROSS = "across"  # its documents belong to different splits
    ENTITY_IN_TRAINING = "entity_in_training"  # held out, and about something that training is about
    TWIN = "twin"  # the other one of its pair went
    SAME_RECORD = "same_record"
    SAME_WORDS = "same_words"  # the same question with the same reply, out of two pages
    SHARE = "share"  # beyond what the balance leaves of its kind


class CandidateRefused(StrEnum):
    """Why what an endpoint's model wrote is no record: stage endpoint."""

    NO_RESPONSE = "no_response"
    NO_ITEM = "no_item"  # nothing of the wanted form in the response
    QUOTE_NOT_LOCATED = "quote_not_located"
    NUMBER_NOT_IN_QUOTES = "number_not_in_quotes"
    NOT_ENTAILED = "not_entailed"  # by its own quotes, `unknown` counted here too
    NOT_ANSWERABLE = "not_answerable"  # says the judge
    ROUND_TRIP = "round_trip"  # the reader answers otherwise
    NOT_CHANGED = "not_changed"  # a hedge's question does not have what was to be put in
    NOT_UNANSWERABLE = "not_unanswerable"  # a hedge that judge or reader can answer


class Missing(StrEnum):
    """Why a part of an interleaved document has no media; what a media job says of it stands behind a slash."""

    NO_ADDRESS = "no_address"  # the page names nothing that can be asked for
    NO_SUCH_MEDIA = "no_such_media"  # no media job has seen the address
    DROPPED = "dropped"  # dropped/<rule of the media job>
    REFUSED = "refused"  # refused/<reason>
    QUARANTINED = "quarantined"  # quarantined/<reason>
    SKIPPED = "skipped"  # skipped/<reason>


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
    OUT_OF_TIME = "out_of_time"  # crawl.max_round_s, or crawl.max_host_s of one host: left for a later round


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
