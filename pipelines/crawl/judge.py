"""What becomes of a fetched URL once its page has been read: the owner's signals in the page may still say no."""

from dataclasses import dataclass
from typing import Any, cast

from filters import policy
from manifests.reasons import FetchFailed, Refused
from pipelines.crawl.block import Crawl
from pipelines.crawl.fetched import Fetched
from pipelines.crawl.warc import State

# What a crawl keeps, by the kind that was asked for.
PAGE_TYPES = (
    "text/",
    "application/xhtml+xml",
    "application/xml",
    "application/pdf",
    "application/epub+zip",
    "application/rtf",
    "application/json",
    "application/ld+json",
    "application/rss+xml",
    "application/atom+xml",
)
MEDIA_PREFIXES = {"image": ("image/",), "audio": ("audio/", "application/ogg"), "video": ("video/", "application/mp4")}
UNDECLARED = (None, "application/octet-stream", "binary/octet-stream")  # then the payload is what it was asked for


@dataclass(frozen=True)
class Judged:
    """The end of one URL in this round."""

    fetched: Fetched
    state: str
    reason: str | None
    detail: str | None
    policy: tuple[str, ...]  # every signal that spoke, raw, cut at policy.MAX_STORED_BYTES
    verdict: dict[str, Any]

    is_withheld: bool = False  # its owner says no, or what its owner says is not known: its body is not stored

    @property
    def recorded_as(self) -> State:
        """Return the state under which a WARC record of it stands; of a refused one only the metadata is kept."""
        if self.is_withheld or self.state == "refused":
            return "refused"
        return "failed" if self.state in ("retry", "later") else cast(State, self.state)


class Judge:
    """Applies the recipe's `refuse` list to everything that an owner said about a URL."""

    def __init__(self, block: Crawl) -> None:
        self.agent = block.agent
        self.refuse = frozenset(Refused(name) for name in block.refuse)

    def __call__(self, fetched: Fetched, in_page: tuple[str, ...] = (), *, unread: str | None = None) -> Judged:
        """Return the verdict; `in_page` are the lines of the page's own meta elements.

        `unread`: no parser survived the page (a Quarantine reason), so these are not known.
        """
        lines = (*fetched.policy, *in_page)
        said = policy.judge(lines, self.agent) if lines else None
        verdict = said.as_json() if said else {}
        no = policy.refusal(said.said, self.refuse, fetched.target.kind) if said else None
        state, reason, detail = fetched.state, fetched.reason, fetched.detail
        if state in ("kept", "unchanged") and no:
            state, reason, detail = "refused", str(no), _unread_file(fetched.policy)
        elif state == "kept" and unread:
            state, reason, detail = "failed", str(FetchFailed.UNREADABLE), unread
        elif state == "kept" and not is_wanted(fetched):
            media_type = fetched.exchange.content_type[0] if fetched.exchange else None
            state, reason = "failed", str(FetchFailed.MEDIA_TYPE)
            detail = f"{media_type}, asked for {fetched.target.kind}"
        withheld = bool(fetched.exchange) and bool(no or unread)
        return Judged(fetched, state, reason, detail, said.lines if said else (), verdict, withheld)


def _unread_file(lines: tuple[str, ...]) -> str | None:
    """Return what the log tells of a site's file that could not be read, and therefore counts as a no."""
    return next((line for line in lines if policy.is_unreadable(line)), None)


def is_wanted(fetched: Fetched) -> bool:
    """Return whether the response's declared type is one that its kind may have."""
    kind = fetched.target.kind
    media_type = fetched.exchange.content_type[0] if fetched.exchange else None
    if media_type in UNDECLARED or kind == "sitemap":
        return True
    assert media_type is not None
    return media_type.startswith(PAGE_TYPES if kind == "page" else MEDIA_PREFIXES[kind])
