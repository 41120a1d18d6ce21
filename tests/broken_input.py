"""An input of real pages in every container, without and with all that can be wrong with an input.

`write(folder, broken=False)` and `write(folder, broken=True)` hold the same good pages under the same names.
"""

import gzip
import io
import json
import random
import tarfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import corpora
import pyarrow as pa
import pyarrow.parquet as pq
import real_texts

from manifests.limits import KIB, MIB
from pipelines.sources.warc_writer import Page, gzip_member, http_response, response_record, warcinfo_record

DATE = "2026-01-01T00:00:00Z"
EVERY = 91  # of 9,141 real pages: 101 good ones


@dataclass(frozen=True)
class Broken:
    """One thing that is wrong; where it stands: a URI, a file of the input, or a line of rows.jsonl."""

    id: str
    where: str
    reason: str
    limit: str | None = None


BROKEN = (
    Broken("100 KB of <div>", "in:files/div.html", "nesting_too_deep", "max_nesting_depth"),
    Broken("a tag with 50,000 attributes", "in:files/attributes.html", "too_many_attributes", "max_attributes"),
    Broken("400 KB that burn CPU time in any parser", "in:files/burn.html", "parse_timeout", "parse_cpu_s"),
    Broken("50 MB on one line", "in:files/one-line.txt", "record_too_large", "max_record_bytes"),
    Broken("5 MB on one line", "in:files/long-line.html", "line_too_long", "max_line_bytes"),
    Broken("9 MB of text", "in:files/long.md", "text_too_large", "max_text_bytes"),
    Broken("a page full of NULs", "in:files/nuls.html", "undecodable_text", "max_replaced_fraction"),
    Broken("an empty file", "in:files/empty.html", "empty_payload"),
    Broken("a gzip bomb as coding", "https://bad.example/bomb", "decoded_too_large", "max_coding_ratio"),
    Broken("a gzip body with a flipped bit", "https://bad.example/coding", "damaged_coding"),
    Broken("300 KB of HTTP header", "https://bad.example/header", "malformed_record", "max_header_bytes"),
    Broken("a URI of 5,000 characters", f"https://bad.example/{'u' * 492}", "malformed_record", "max_uri_bytes"),
    Broken("a body shorter than its Content-Length", "https://bad.example/short", "truncated_record"),
    Broken("a gzip member with a flipped bit", "damaged.warc.gz", "damaged_container"),
    Broken("a compressed file that was cut", "cut.warc.gz", "truncated_record"),
    Broken("a plain file that was cut", "cut.warc", "truncated_record"),
    Broken("an empty WARC file", "empty.warc.gz", "damaged_container"),
    Broken("300 KB of WARC header", "head.warc", "damaged_container"),
    Broken("a lone surrogate", "line", "malformed_record"),
    Broken("a NUL in a text", "line", "malformed_record"),
    Broken("no JSON", "line", "malformed_record"),
    Broken("JSON that is no object", "line", "malformed_record"),
    Broken("bytes that are no UTF-8", "line", "malformed_record"),
    Broken("a number with 5,000 digits", "line", "malformed_record"),
    Broken("no text", "line", "malformed_record"),
    Broken("a text that is null", "line", "empty_payload"),
    Broken("JSON 100,000 deep", "line", "nesting_too_deep"),
    Broken("a line of 50 MB", "line", "record_too_large", "max_record_bytes"),
    Broken("a Parquet page with a flipped bit", "table.parquet", "damaged_container"),
    Broken("a Parquet file without its end", "stump.parquet", "damaged_container"),
    Broken("a compressed stream that was cut", "cut.jsonl.gz", "truncated_record"),
    Broken("a compressed stream that is a bomb", "bomb.jsonl.gz", "decoded_too_large", "max_coding_ratio"),
)
UNSAFE_TAR_MEMBERS = 4


@cache
def good_pages() -> tuple[bytes, ...]:
    """Return about 100 real pages of four manuals in 40 locales, the last two of them nearly equal."""
    near = [dict(corpora.pages(f"installation-guide-{cpu}"))["en/ch04s03.html"] for cpu in ("amd64", "arm64")]
    return tuple([body for _, body in corpora.all_pages()[::EVERY]] + near)


@cache
def victims() -> tuple[bytes, ...]:
    """Return real pages that are not among the good ones, to be broken."""
    return tuple(body for _, body in corpora.all_pages()[45::EVERY] if 5_000 < len(body) < 50_000)


@cache
def twin() -> bytes:
    """Return a long page in UTF-8 and Russian, which every wrong declaration would spoil."""
    pages = dict(corpora.pages("debian-handbook"))
    return next(body for name, body in sorted(pages.items()) if name.startswith("ru-RU/") and len(body) > 20_000)


def burning_page(paragraphs: int = 100_000) -> bytes:
    """Return 400 KB within every limit of nesting and attributes that make a parser build 49 million elements.

    Each <p> reconstructs the 490 open <b> of the first (WHATWG, section 13.2.4.3), so no parser that follows the
    standard is spared: 3,000 paragraphs cost 2 s and 700 MB.
    """
    bold = b"".join(b"<b a%d=1>" % i for i in range(490))
    return b"<p>" + bold + b"</p>" + b"<p>x" * paragraphs


def spoiled(body: bytes, share: float) -> bytes:
    """Return a page with NULs strewn in: this share of its bytes."""
    chance = random.Random(1)
    return bytes(0 if chance.random() < share else byte for byte in body)


def without_declaration(body: bytes) -> bytes:
    return body.replace(b"charset", b"tesrahc").replace(b"encoding=", b"gnidocne=")


# ---- files of a folder


DISGUISES = (
    "utf-16-le-with-mark",
    "utf-16-be-with-mark",
    "utf-16-le",
    "utf-16-be",
    "utf-16-that-says-latin-1",
    "utf-8-that-says-latin-1",
    "utf-8-that-says-utf-16",
    "windows-1251-that-says-nothing",
    "a-few-nuls",
)


def good_files(pages: Iterable[bytes]) -> dict[str, bytes]:
    return {f"files/{i:03d}.html": body for i, body in enumerate(pages)}


def odd_files() -> dict[str, bytes]:
    """Return the twin, the twin in every disguise, and what is no page at all and has to be skipped."""
    text = without_declaration(twin()).decode()
    says_latin_1 = "<meta charset=iso-8859-1>"
    disguised = (
        b"\xff\xfe" + text.encode("utf-16-le"),
        b"\xfe\xff" + text.encode("utf-16-be"),
        text.encode("utf-16-le"),
        text.encode("utf-16-be"),
        b"\xff\xfe" + (says_latin_1 + text).encode("utf-16-le"),
        (says_latin_1 + text).encode(),
        b"<meta charset=utf-16>" + text.encode(),
        text.encode("windows-1251", "xmlcharrefreplace"),
        twin().replace(b"</p>", b"\0</p>"),
    )
    return {f"files/{name}.html": body for name, body in zip(DISGUISES, disguised, strict=True)} | {
        "files/twin.html": twin(),
        "files/only-blanks.html": b"<body> \n </body>",
        "files/picture.html": b"\x89PNG\r\n\x1a\n" + bytes(100),
        "files/picture.png": b"\x89PNG\r\n\x1a\n",
    }


def broken_files() -> dict[str, bytes]:
    words = b"many words on one line " * (50 * MIB // 23 + 1)
    attributes = b" ".join(b"a%d=1" % i for i in range(50_000))
    return {
        "files/div.html": b"<div>" * 20_000,
        "files/attributes.html": b"<p " + attributes + b">x</p>",
        "files/burn.html": burning_page(),
        "files/one-line.txt": words,
        "files/long-line.html": b"<p>" + words[: 5 * MIB],
        "files/long.md": b"a line of text\n" * (9 * MIB // 15),
        "files/nuls.html": spoiled(twin(), 0.2),
        "files/empty.html": b"",
    }


# ---- WARC


def response(page: Page) -> bytes:
    return response_record(page, DATE)


def bad_uri(name: str) -> str:
    return f"https://bad.example/{name}"


def odd_responses() -> list[bytes]:
    """Return records that are read right, skipped, refused or merged."""
    other, again = (Page(f"https://a.example/{name}", victims()[0]) for name in ("again", "again"))
    lying = Page(bad_uri("lying-header"), without_declaration(twin()), "text/html; charset=shift_jis")
    copy = replace(other, uri="https://a.example/copy")
    said = (("X-Robots-Tag", "noai"), ("TDM-Reservation", "1"), ("Content-Usage", "train-ai=n"))
    refusals = [(line,) for line in said]
    return [
        *map(response, (other, again, copy, lying)),
        *(response(Page(bad_uri(f"refused-{i}"), victims()[1], headers=said)) for i, said in enumerate(refusals)),
        response(Page(bad_uri("refused-meta"), b"<meta name=robots content=noindex>" + victims()[1])),
        response(Page(bad_uri("refused-signal"), b"<meta name=content-signal content='ai-train=no'>" + victims()[1])),
        response(Page(bad_uri("gone"), b"<p>gone", status="404 Not Found")),
        response(Page(bad_uri("picture"), b"\xff\xd8\xff", "image/jpeg")),
    ]


def broken_responses() -> list[bytes]:
    body = victims()[2]
    coded, wide = (("Content-Encoding", "gzip"),), (("X-Padding", "x" * 300 * KIB),)
    flipped = bytearray(zlib.compress(body, 9, wbits=31))
    flipped[len(flipped) // 2] ^= 0x55
    whole = b"Content-Length: %d" % len(body)
    short = http_response(Page("", body)).replace(whole, b"Content-Length: %d" % (len(body) + 1), 1)
    return [
        response(Page(bad_uri("bomb"), zlib.compress(bytes(30 * MIB), 9, wbits=31), headers=coded)),
        response(Page(bad_uri("coding"), bytes(flipped), headers=coded)),
        response(Page(bad_uri("header"), body, headers=wide)),
        response(Page(bad_uri("u" * 5000), body)),
        record(short, f"WARC-Target-URI: {bad_uri('short')}"),
    ]


def record(block: bytes, *fields: str) -> bytes:
    """Return a WARC record with these fields, for what our own writer would not write."""
    head = "".join(f"{field}\r\n" for field in ("WARC-Type: response", "Content-Type: application/http", *fields))
    return f"WARC/1.1\r\n{head}Content-Length: {len(block)}\r\n\r\n".encode() + block + b"\r\n\r\n"


def web_warc(pages: Iterable[bytes], broken: bool) -> bytes:
    """Return a file whose every member is sound; in between stand the records that are not."""
    info = warcinfo_record("web.warc.gz", DATE, (("software", "test"),))
    good = [response(Page(f"https://web.example/{i}", body)) for i, body in enumerate(pages)]
    bad = [*odd_responses(), *broken_responses()] if broken else []
    return b"".join(map(gzip_member, [info, *good[: len(good) // 2], *bad, *good[len(good) // 2 :]]))


def around(pages: list[bytes], host: str, damage: bytes, pack: Callable[[bytes], bytes] = bytes) -> bytes:
    """Return records of the pages with damaged bytes in the middle."""
    records = [pack(response(Page(f"https://{host}.example/{i}", body))) for i, body in enumerate(pages)]
    half = len(records) // 2
    return b"".join([*records[:half], damage, *records[half:]])


def victim_record(number: int) -> bytes:
    return response(Page(bad_uri(f"victim-{number}"), victims()[number]))


def bad_member() -> bytes:
    member = bytearray(gzip_member(victim_record(3)))
    member[len(member) // 2] ^= 1
    return bytes(member)


def cut_member() -> bytes:
    return gzip_member(victim_record(4))[:-1000]


def cut_record() -> bytes:
    return victim_record(5)[:-1000]


def huge_head() -> bytes:
    padding = (f"X-Padding-{i}: {'x' * 1000}" for i in range(300))
    return record(http_response(Page("", victims()[6])), f"WARC-Target-URI: {bad_uri('head')}", *padding)


# ---- tar, JSON Lines, Parquet


def tar(pages: list[bytes], broken: bool) -> bytes:
    """Return an archive of pages, with a climbing name, an absolute one and two links in the middle."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:

        def add(name: str, body: bytes, kind: bytes = tarfile.REGTYPE) -> None:
            info = tarfile.TarInfo(name)
            info.size, info.type = len(body), kind
            info.linkname = "" if kind == tarfile.REGTYPE else "../../etc/passwd"
            archive.addfile(info, io.BytesIO(body))

        for i, body in enumerate(pages):
            if broken and i == len(pages) // 2:
                add("../x.html", victims()[7])
                add("/etc/x.html", victims()[7])
                add("symbolic.html", b"", tarfile.SYMTYPE)
                add("hard.html", b"", tarfile.LNKTYPE)
            add(f"{i}.html", body)
    return file.getvalue()


def line(text: str, name: str) -> bytes:
    return json.dumps({"text": text, "id": name}, ensure_ascii=False).encode() + b"\n"


@cache
def broken_lines() -> dict[str, bytes]:
    """Return what is wrong with a line -> the line."""
    return {
        "a lone surrogate": b'{"text": "half a pair: \\ud83d"}\n',
        "a NUL in a text": b'{"text": "nothing \\u0000 here"}\n',
        "no JSON": b'{"text": "broken off\n',
        "JSON that is no object": b'["text"]\n',
        "bytes that are no UTF-8": b'{"text": "caf\xe9"}\n',
        "a number with 5,000 digits": b'{"text": "x", "n": ' + b"9" * 5000 + b"}\n",
        "no text": b'{"id": 7}\n',
        "a text that is null": b'{"text": null}\n',
        "JSON 100,000 deep": b'{"text": ' + b"[" * 100_000 + b"]" * 100_000 + b"}\n",
        "a line of 50 MB": b'{"text": "' + b"x" * (50 * MIB) + b'"}\n',
    }


def jsonl(pages: list[bytes], broken: bool) -> bytes:
    good = [line(real_texts.extracted(body), str(i)) for i, body in enumerate(pages)]
    half = len(good) // 2
    return b"".join([*good[:half], *(broken_lines().values() if broken else ()), *good[half:]])


def place(broken: Broken) -> str:
    """Return the URI or file that something broken goes by; a line goes by the offset of its first byte."""
    if broken.where != "line":
        return broken.where
    before = jsonl(shares()["rows.jsonl"], broken=True).index(broken_lines()[broken.id])
    return f"in:rows.jsonl#{before}"


def parquet(pages: list[bytes], broken: bool) -> bytes:
    """Return row groups of two pages; broken: one more in the middle, with a flipped byte in a page of its texts."""
    texts = [real_texts.extracted(body) for body in pages]
    rows = [{"text": text, "id": str(i)} for i, text in enumerate(texts)]
    if broken:
        bad = [f"victim {real_texts.extracted(body)}" for body in victims()[8:10]]
        rows[4:4] = [{"text": text, "id": f"bad-{i}"} for i, text in enumerate(bad)]
    sink = io.BytesIO()
    table = pa.Table.from_pylist(rows)
    pq.write_table(table, sink, row_group_size=2, write_page_checksum=True, compression="none", use_dictionary=False)
    data = bytearray(sink.getvalue())
    if broken:
        data[data.index(b"victim ")] ^= 1
    return bytes(data)


def stump() -> bytes:
    return parquet(shares()["table.parquet"], broken=False)[:-10]


def cut_stream(pages: list[bytes], broken: bool) -> bytes:
    """Return JSON Lines in gzip members, the last of them cut in its middle."""
    good = b"".join(gzip.compress(line(real_texts.extracted(body), str(i)), mtime=0) for i, body in enumerate(pages))
    last = gzip.compress(line(real_texts.extracted(victims()[10]), "bad"), mtime=0)
    return good + (last[: len(last) // 2] if broken else b"")


def bomb_stream(pages: list[bytes], broken: bool) -> bytes:
    """Return JSON Lines in gzip members, the last of them 30 MB of nothing."""
    good = b"".join(gzip.compress(line(real_texts.extracted(body), str(i)), mtime=0) for i, body in enumerate(pages))
    return good + (gzip.compress(bytes(30 * MIB), mtime=0) if broken else b"")


# ---- all of it


def shares() -> dict[str, list[bytes]]:
    """Return container -> the good pages that it holds."""
    sizes = {
        "files": 20, "web.warc.gz": 20, "damaged.warc.gz": 8, "cut.warc.gz": 8, "cut.warc": 8, "head.warc": 8,
        "a.tar": 8, "rows.jsonl": 8, "table.parquet": 8, "cut.jsonl.gz": 4,
    }  # fmt: skip
    pages, at, found = list(good_pages()), 0, {}
    for name, size in sizes.items():
        found[name], at = pages[at : at + size], at + size
    return found | {"bomb.jsonl.gz": pages[at:]}


def contents(broken: bool) -> dict[str, bytes]:
    """Return the input's files by name."""
    share = shares()
    damage: Callable[[Callable[[], bytes]], bytes] = lambda make: make() if broken else b""  # noqa: E731
    files = good_files(share["files"]) | {
        "web.warc.gz": web_warc(share["web.warc.gz"], broken),
        "damaged.warc.gz": around(share["damaged.warc.gz"], "damaged", damage(bad_member), gzip_member),
        "cut.warc.gz": around(share["cut.warc.gz"], "cut-gz", b"", gzip_member) + damage(cut_member),
        "cut.warc": around(share["cut.warc"], "cut", b"") + damage(cut_record),
        "head.warc": around(share["head.warc"], "head", damage(huge_head)),
        "a.tar": tar(share["a.tar"], broken),
        "rows.jsonl": jsonl(share["rows.jsonl"], broken),
        "table.parquet": parquet(share["table.parquet"], broken),
        "cut.jsonl.gz": cut_stream(share["cut.jsonl.gz"], broken),
        "bomb.jsonl.gz": bomb_stream(share["bomb.jsonl.gz"], broken),
    }
    if broken:
        files |= broken_files() | odd_files()
        files["empty.warc.gz"] = b""
        files["stump.parquet"] = stump()
    return files


def write(folder: Path, broken: bool) -> None:
    for name, body in contents(broken).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(body)
