"""What the fetcher gives back: one request and its response, as they stood on the wire."""

from dataclasses import dataclass
from typing import Literal

from manifests.reasons import FetchFailed

Truncated = Literal["length", "time", "disconnect"]  # WARC-Truncated (ISO 28500:2017, 5.13)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its response. Redirects are never followed: a hop is an exchange of its own.

    `request_head` and `response_head` are the start line and header fields with their CRLFs and the empty line that
    ends them; transfer codings are undone and their field is left out, content codings stand.
    """

    url: str
    status: int
    request_head: bytes
    response_head: bytes
    headers: tuple[tuple[str, str], ...]  # of the response, in the order sent, names lower case
    body: bytes  # as sent, content-coded
    payload: bytes  # decoded; at most the limit that was asked for
    ip: str
    started_s: float  # seconds since 1970
    ended_s: float
    truncated: Truncated | None = None

    def header(self, name: str) -> str | None:
        """Return the first field called `name` (lower case)."""
        return next((value for key, value in self.headers if key == name), None)

    def header_lines(self, name: str) -> list[str]:
        """Return the values of every field called `name`, in order."""
        return [value for key, value in self.headers if key == name]

    @property
    def content_type(self) -> tuple[str | None, str | None]:
        """Return (media type without parameters, charset), lower case, None where nothing is declared."""
        declared = (self.header("content-type") or "").lower()
        media_type, _, parameters = declared.partition(";")
        fields = dict(part.strip().partition("=")[::2] for part in parameters.split(";"))
        return media_type.strip() or None, fields.get("charset", "").strip("\"' ") or None


class FetchError(Exception):
    """A request that brought no usable response. `detail` has no credentials and no bytes of the response."""

    def __init__(
        self, reason: FetchFailed, detail: str, ip: str | None = None, exchange: Exchange | None = None
    ) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail, self.ip = reason, detail, ip
        self.exchange = exchange  # what arrived before it failed, if anything did
