"""Seeds: URLs, sitemaps, and lists of URLs (text, CSV, JSONL, Parquet as img2dataset takes them) -> frontier rows.

What is wrong with a seed of the command line, or with a list as a whole, is a SeedError before anything is fetched; a
bad row in a list is counted by its reason and the list goes on. Lists are streamed: memory does not grow with them.
"""

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any, Literal, NamedTuple

import pyarrow as pa

from filters.url import UrlError, canonical_url, domain_key, location, url_id
from manifests.limits import MIB, CrawlLimits, Limits
from manifests.reasons import LinkSkipped
from manifests.store import Chosen, OneObject, StoreError, open_input, open_store
from pipelines.crawl.block import TRACKING_PARAMETERS, Crawl, Name
from pipelines.crawl.records import FRONTIER
from pipelines.recipe_block import masked
from pipelines.sources.jsonl import Line, lines
from pipelines.sources.parquet import DAMAGED, open_parquet, plain_rows
from pipelines.sources.streams import DecodedStream

Format = Literal["url", "text", "csv", "tsv", "jsonl", "parquet"]
FORMATS: dict[str, Format] = {
    ".txt": "text",
    ".text": "text",
    ".urls": "text",
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}
CODINGS = (".gz", ".zst")
# What a path's end says of a URL that nobody has fetched yet; the response has the last word.
MEDIA: dict[Name, tuple[str, ...]] = {
    "image": (".jpg", ".jpeg", ".png", ".gif", ".webp", ".avif", ".bmp", ".tif", ".tiff", ".heic", ".jxl", ".svg"),
    "audio": (".mp3", ".flac", ".ogg", ".oga", ".opus", ".wav", ".m4a", ".aac"),
    "video": (".mp4", ".m4v", ".webm", ".mkv", ".mov", ".ogv", ".avi", ".mpg", ".mpeg"),
}
SITEMAPS = (".xml", ".xml.gz")
BATCH_ROWS = 8192
MAX_CAPTION_CHARS = 4096  # what goes beyond is cut off
_HTTP = re.compile(r"\s*https?:", re.IGNORECASE)


class SeedError(ValueError):
    """A seed, or a list of them, that can't be used; names it by its place, and never repeats credentials."""

    is_usage = True  # exit status 2, where the launcher raises it


@dataclass(frozen=True)
class SeedSource:
    """One URL, or one file of URLs: what a plan says of where a crawl starts."""

    place: str  # "seed 3", or the list's URI
    format: Format
    root: str  # the URL itself, or what `open_store` opens
    name: str = ""  # of the list, in that store
    bytes: int = 0
    generation: str = ""  # differs when the list has been replaced

    def as_json(self) -> dict[str, Any]:
        """Return what a plan holds of it."""
        return asdict(self)


@dataclass(frozen=True)
class SeedOptions:
    """How seeds are read."""

    kinds: tuple[Name, ...] = ("page",)
    url_column: str = "url"
    caption_column: str = "caption"
    strip_parameters: tuple[str, ...] = TRACKING_PARAMETERS
    sort_query: bool = False

    @classmethod
    def of(cls, block: Crawl) -> "SeedOptions":
        """Return what a `crawl:` block says about it."""
        return cls(block.kinds, block.url_column, block.caption_column, block.strip_parameters, block.sort_query)


class Seed(NamedTuple):
    """One row of a list: `captioned` where the list has captions, whether or not this row has one."""

    url: str
    caption: str | None = None
    captioned: bool = False


class SeedBatch(NamedTuple):
    """Frontier rows in the order read (schema FRONTIER, at most BATCH_ROWS), and how many rows gave none, and why."""

    rows: pa.Table
    skipped: Counter[LinkSkipped]


Rows = Iterable[Seed | LinkSkipped]


def plan_seeds(
    seeds: Sequence[str], options: SeedOptions | None = None, limits: CrawlLimits | None = None
) -> list[SeedSource]:
    """Return the sources of `seeds` in the order given; of folders and patterns each file, by name.

    A seed that begins with http: or https: is a URL, everything else a local path or `s3://...`. No list is read.
    Raises SeedError for what isn't there, or is no list, and for a wrong URL.
    """
    sources = [source for number, seed in enumerate(seeds, 1) for source in _sources(f"seed {number}", seed)]
    for source in sources:
        if source.format == "url":
            _single(source, options or SeedOptions(), limits or CrawlLimits())
    return sources


def _sources(place: str, seed: str) -> Iterator[SeedSource]:
    if not seed.strip():
        raise SeedError(f"{place} is empty: a URL, or a file of URLs, is wanted")
    if _HTTP.match(seed):
        yield SeedSource(place, "url", seed.strip())
        return
    try:
        store = open_input(seed)
        objects = sorted(store.list())
    except StoreError as error:
        raised = SeedError(f"{place}: {masked(str(error))}")
        raised.is_usage = not seed.startswith("s3://")  # there the store may have failed
        raise raised from error
    if not objects:
        raise SeedError(
            f"{place}: {masked(repr(seed))} is no file, and no URL either: that begins with http:// or https://"
        )
    inner = store.store if isinstance(store, OneObject | Chosen) else store
    for name, size in objects:
        if len(objects) > 1 and name.rpartition("/")[2].startswith(("_", ".")):
            continue  # what Spark leaves beside its lists
        whole = f"{inner.uri.rstrip('/')}/{name}"
        yield SeedSource(whole, format_of(place, name), inner.uri, name, size, store.generation(name))


def format_of(place: str, name: str) -> Format:
    """Return how a list is read, by its name, codings left out; a name without a suffix is text."""
    plain = _uncoded(name.lower()).rpartition("/")[2]
    suffix = f".{plain.rpartition('.')[2]}" if "." in plain else ".txt"
    if suffix not in FORMATS or (suffix == ".parquet" and plain != name.lower().rpartition("/")[2]):
        raise SeedError(f"{place}: {name!r} is no list of URLs; known are {', '.join(FORMATS)}, also with .gz or .zst")
    return FORMATS[suffix]


def _uncoded(name: str) -> str:
    return next((name.removesuffix(coding) for coding in CODINGS if name.endswith(coding)), name)


def read_seeds(
    sources: Iterable[SeedSource], options: SeedOptions, crawl_limits: CrawlLimits, limits: Limits | None = None
) -> Iterator[SeedBatch]:
    """Yield the frontier rows of all sources, in order; a batch holds rows of several where they are small.

    Rows read = rows given + rows skipped (malformed, scheme, too_long). The same URL may come twice. Raises SeedError
    for a URL of the command line that is wrong, for a damaged list, and for one without the URL column.
    """
    rows = (row for source in sources for row in _rows(source, options, crawl_limits, limits or Limits()))
    while taken := list(islice(rows, BATCH_ROWS)):
        yield frontier_rows(taken, options, crawl_limits)


def _rows(source: SeedSource, options: SeedOptions, crawl_limits: CrawlLimits, limits: Limits) -> Rows:
    if source.format == "url":
        return [_single(source, options, crawl_limits)]
    if source.format == "parquet":
        return _parquet(source, options, limits)
    return _streamed(source, options, limits)


def _single(source: SeedSource, options: SeedOptions, limits: CrawlLimits) -> Seed:
    try:
        return Seed(_canonical(source.root, options, limits))
    except UrlError as error:
        raise SeedError(f"{source.place}: {error}") from None


def frontier_rows(found: Iterable[Seed | LinkSkipped], options: SeedOptions, limits: CrawlLimits) -> SeedBatch:
    """Return what `found` is to the frontier: pure, and the order stays."""
    skipped: Counter[LinkSkipped] = Counter()
    urls, kinds, captions = [], [], []
    for seed in found:
        if isinstance(seed, LinkSkipped):
            skipped[seed] += 1
            continue
        try:
            url = _canonical(seed.url, options, limits)
        except UrlError as error:
            skipped[error.reason] += 1
            continue
        urls.append(url)
        kinds.append(kind_of(url, options.kinds, captioned=seed.captioned))
        captions.append(seed.caption)
    return SeedBatch(_table(urls, kinds, captions), skipped)


def _table(urls: list[str], kinds: list[str], captions: list[str | None]) -> pa.Table:
    places = [location(url) for url in urls]
    same = {"origin": "seed", "depth": 0, "redirects": 0, "state": "pending", "visits": 0, "attempts": 0}
    columns: dict[str, Any] = {
        "key": [domain_key(place.domain) for place in places],
        "url_id": [url_id(url) for url in urls],
        "url": urls,
        "authority": [place.authority for place in places],
        "kind": kinds,
        "caption": captions,
    }
    arrays = [
        pa.array(columns[field.name], field.type)
        if field.name in columns
        else pa.repeat(pa.scalar(same.get(field.name), field.type), len(urls))
        for field in FRONTIER
    ]
    return pa.Table.from_arrays(arrays, schema=FRONTIER)


def _canonical(url: str, options: SeedOptions, limits: CrawlLimits) -> str:
    return canonical_url(
        url, strip=options.strip_parameters, sort_query=options.sort_query, max_chars=limits.max_url_chars
    )


def kind_of(url: str, kinds: Sequence[Name], *, captioned: bool = False) -> str:
    """Return what a canonical URL is taken for: page, image, audio, video, or sitemap for .xml and .xml.gz.

    The path's end names media that are asked for. Where it names none, a list with captions is one of media, and
    everything else holds pages; what is not asked for is never the answer, save a sitemap.
    """
    path = url.partition("?")[0].lower()
    if path.endswith(SITEMAPS):
        return "sitemap"
    wanted = [kind for kind in kinds if kind != "page"]
    named = next((kind for kind in wanted if path.endswith(MEDIA[kind])), None)
    if named or not wanted:
        return named or "page"
    return wanted[0] if captioned or "page" not in kinds else "page"


def _streamed(source: SeedSource, options: SeedOptions, limits: Limits) -> Rows:
    """Yield the rows of a list that is read from its start to its end."""
    store = open_store(source.root)
    with store.open(source.name) as file:
        if source.name.lower().endswith(CODINGS):
            stream = DecodedStream(file, source.bytes, limits, zstd=source.name.lower().endswith(".zst"))
            yield from _parsed(source, io.BufferedReader(stream, MIB), options, limits)
            if stream.failure is not None:
                raise SeedError(f"{source.place}: {stream.failure.detail}; fetch it again")
        else:
            yield from _parsed(source, file, options, limits)


def _parsed(source: SeedSource, file: Any, options: SeedOptions, limits: Limits) -> Rows:
    if source.format in ("csv", "tsv"):
        return _table_rows(source, file, options, limits)
    read = _text if source.format == "text" else _json
    return (row for line in lines(file, 0, None, limits.max_record_bytes) for row in read(line, options))


def _line(line: Line) -> str | LinkSkipped:
    """Return a line's text without white space at its ends; of one too long to hold, or not UTF-8, the reason."""
    if line.digest is not None:
        return LinkSkipped.TOO_LONG
    try:
        return line.data.decode("utf-8-sig" if line.offset == 0 else "utf-8").strip()
    except UnicodeDecodeError:
        return LinkSkipped.MALFORMED


def _text(line: Line, options: SeedOptions) -> Rows:
    """Give the URL of a line; none for a blank one or a comment, which begins with #."""
    del options
    text = _line(line)
    if isinstance(text, LinkSkipped):
        return [text]
    return [_seed(text)] if text and not text.startswith("#") else []


def _json(line: Line, options: SeedOptions) -> Rows:
    text = _line(line)
    if not text or isinstance(text, LinkSkipped):
        return [text] if text else []
    try:
        row = json.loads(text)
    except (ValueError, RecursionError):  # too many digits is a ValueError too
        return [LinkSkipped.MALFORMED]
    return [_of_row(row, options) if isinstance(row, dict) else LinkSkipped.MALFORMED]


def _table_rows(source: SeedSource, file: Any, options: SeedOptions, limits: Limits) -> Rows:
    """Yield the rows of a CSV or TSV file below its header (RFC 4180; quoted fields may hold line ends).

    A quote that nothing closes swallows at most 131,072 characters, the csv module's limit of a field: one bad row.
    """
    too_long: list[LinkSkipped] = []
    reader = csv.reader(_decoded(file, limits, too_long), delimiter="\t" if source.format == "tsv" else ",")
    header = next(_fields(reader), None) or []
    _check_columns(source, header, options)
    for fields in _fields(reader):
        if fields is None:
            yield LinkSkipped.MALFORMED
        elif fields:
            yield _of_row(dict(zip(header, fields, strict=False)), options)
    yield from too_long


def _decoded(file: Any, limits: Limits, too_long: list[LinkSkipped]) -> Iterator[str]:
    """Yield the lines of a file; one too long to hold stays out. What is no UTF-8 becomes lone surrogates."""
    for line in lines(file, 0, None, limits.max_record_bytes):
        if line.digest is None:
            yield line.data.decode("utf-8-sig" if line.offset == 0 else "utf-8", "surrogateescape")
        else:
            too_long.append(LinkSkipped.TOO_LONG)


def _fields(reader: Any) -> Iterator[list[str] | None]:
    """Yield the fields of each row, None for one that does not parse."""
    while True:
        try:
            yield next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield None


def _parquet(source: SeedSource, options: SeedOptions, limits: Limits) -> Rows:
    try:
        file = open_parquet(open_store(source.root), source.name)
        names = file.schema_arrow.names
        _check_columns(source, names, options)
        wanted = [name for name in (options.url_column, options.caption_column) if name in names]
        for batch in file.iter_batches(limits.batch_rows, columns=wanted, use_threads=False):
            for row in plain_rows(batch, options.url_column):
                yield _of_row(row, options)
    except DAMAGED as error:
        said = str(error).partition("\n")[0][:200]
        raise SeedError(f"{source.place}: not a readable Parquet file: {said}") from error


def _check_columns(source: SeedSource, names: list[str], options: SeedOptions) -> None:
    if options.url_column not in names:
        known = ", ".join(names)[:500] or "no columns"
        raise SeedError(f"{source.place} has no column {options.url_column!r}; it has {known}")
    for name in (options.url_column, options.caption_column):
        if names.count(name) > 1:
            raise SeedError(f"{source.place} has {names.count(name)} columns {name!r}; which one is meant?")


def _of_row(row: dict[str, Any], options: SeedOptions) -> Seed | LinkSkipped:
    """Return the seed of a row; other columns are not ours."""
    url, caption = row.get(options.url_column), row.get(options.caption_column)
    if isinstance(url, bytes):
        url = url.decode(errors="surrogateescape")
    if not isinstance(url, str):
        return LinkSkipped.MALFORMED
    if not isinstance(caption, str) or not caption.strip():
        return _seed(url, None, options.caption_column in row)
    cut = caption.strip()[:MAX_CAPTION_CHARS]
    return _seed(url, cut.encode("utf-16", "surrogatepass").decode("utf-16", "replace"), True)


def _seed(url: str, caption: str | None = None, captioned: bool = False) -> Seed | LinkSkipped:
    """Return a seed; a URL with halves of UTF-16 pairs, or bytes that are no UTF-8, names nothing."""
    try:
        url.encode()
    except UnicodeEncodeError:
        return LinkSkipped.MALFORMED
    return Seed(url, caption, captioned)
