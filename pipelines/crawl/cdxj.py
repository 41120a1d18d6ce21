"""CDXJ: one line for each response or revisit, so that a capture is found by URL and read by offset.

`<SURT key> <14 digits> <JSON>`, the form that pywb, cdxj-indexer and Common Crawl's index share: every value is a
string. Files are sorted by the bytes of their lines, so sorted files can be merged.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

_WWW = re.compile(r"^www\d*\.")
_SLASHES = re.compile(r"/{2,}")
REVISIT = "warc/revisit"  # what stands for the media type of a revisit
UNKNOWN = "unk"


def surt(url: str) -> str:
    """Return the sort-friendly key of a canonical URL: `https://www.example.com:8080/A/?b&a` is
    `com,example:8080)/a?a&b`.

    Scheme, `www.` and default port, case, the order of parameters and a last slash make no difference, as in the
    Internet Archive's canonicalisation; session ids do, since what names no other page is stripped before it is
    fetched. An address of version 4 is turned round like a name.
    """
    parts = urlsplit(url)
    name = ",".join(reversed(_WWW.sub("", parts.hostname or "").split(".")))
    port = "" if parts.port in (None, {"http": 80, "https": 443}.get(parts.scheme)) else f":{parts.port}"
    path = _SLASHES.sub("/", parts.path.lower())
    path = path.removesuffix("/") or "/"
    query = "&".join(sorted(parts.query.lower().split("&")))
    return f"{name}{port}){path}?{query}" if query else f"{name}{port}){path}"


@dataclass(frozen=True, slots=True)
class CdxLine:
    """One indexed record; `offset` and `length` are bytes of its gzip member in the part or file."""

    key: str  # surt(url)
    timestamp: str  # 14 digits, UTC
    url: str
    mime: str  # declared media type, REVISIT or UNKNOWN
    status: int
    digest: str  # of the payload as sent, as the record states it; "" where it states none
    offset: int
    length: int
    truncated: str = ""  # WARC-Truncated

    def text(self, filename: str, shift: int = 0) -> str:
        """Return the line, without its line feed, for a file in which the part begins at byte `shift`."""
        fields = {
            "url": self.url,
            "mime": self.mime,
            "status": str(self.status),
            "digest": self.digest,
            "length": str(self.length),
            "offset": str(self.offset + shift),
            "filename": filename,
        }
        if self.truncated:
            fields["truncated"] = self.truncated
        body = json.dumps({name: value for name, value in fields.items() if value}, ensure_ascii=False)
        return f"{self.key} {self.timestamp} {body}"

    @classmethod
    def parse(cls, text: str) -> tuple["CdxLine", str]:
        """Return a line that `text` wrote and the file that it names ("" where it names none)."""
        key, timestamp, body = text.split(" ", 2)
        fields: dict[str, Any] = json.loads(body)
        line = cls(
            key,
            timestamp,
            fields["url"],
            fields["mime"],
            int(fields["status"]),
            fields.get("digest", ""),
            int(fields["offset"]),
            int(fields["length"]),
            fields.get("truncated", ""),
        )
        return line, fields.get("filename", "")


def encode_lines(texts: Iterable[str]) -> bytes:
    """Return the lines as a CDXJ file, sorted by their bytes."""
    encoded = sorted(text.encode("utf-8", "backslashreplace") for text in texts)
    return b"".join(line + b"\n" for line in encoded)


def decode_lines(data: bytes) -> list[CdxLine]:
    """Return the lines of a CDXJ file in file order."""
    return [CdxLine.parse(line.decode())[0] for line in data.split(b"\n") if line]
