"""The `crawl:` block of a recipe: where it starts, how far it goes, how gently, and whose no counts."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from pipelines.recipe_block import Block, masked, wrong

TRACKING_PARAMETERS = ("utm_*", "gclid", "fbclid", "msclkid", "dclid", "yclid", "mc_cid", "mc_eid", "_ga")
MIN_DELAY_S = 0.5
_TOKEN = re.compile(r"[A-Za-z_-]+")  # RFC 9309, section 2.2.1
# what stands before the host of an http(s) URL, however many slashes (WHATWG); a password ends at the last @
_USERINFO = re.compile(r"(?i)(\s*https?:[/\\\s]*)[^/\\?#]*@")
_CONTACT = re.compile(r"(https?://\S+\.\S+|mailto:\S+@\S+\.\S+|[^\s@()<>]+@[^\s@()<>]+\.[^\s@()<>]+)")

Name = Literal["page", "image", "audio", "video"]
Refusal = Literal["noai", "noindex", "tdm_reservation", "content_usage", "content_signal", "ai_txt"]
REFUSALS: tuple[Refusal, ...] = ("noai", "noindex", "tdm_reservation", "content_usage", "content_signal", "ai_txt")


def _check_token(token: str) -> str:
    if not _TOKEN.fullmatch(token):
        raise wrong((), f"{token!r} is no product token: letters, _ and - only (RFC 9309, section 2.2.1)")
    return token


def _check_contact(contact: str) -> str:
    if not contact.isprintable() or not contact.isascii():
        raise wrong((), f"{contact!r} goes into a header field, which holds printable ASCII")
    if not _CONTACT.fullmatch(contact):
        raise wrong((), f"{contact!r} is neither a page nor a mail address at which a site's owner can reach you")
    return contact


def _without_credentials(url: str) -> str:
    """Return an http(s) URL without user name and password, everything else as it is; nobody else needs them."""
    userinfo = _USERINFO.match(url)
    if not userinfo:
        return url
    rest = url[userinfo.end() :]
    return (
        userinfo[1] + ("@" if rest.lstrip()[:1] in ("", "/", "\\", "?", "#") else "") + rest
    )  # @: no host is still no host


def _check_prefix(prefix: str) -> str:
    from filters.url import UrlError, canonical_url

    try:
        canonical_url(prefix)
    except UrlError as error:
        raise wrong((), f"{masked(prefix)!r} is no http(s) URL or the start of one ({error})") from None
    return _without_credentials(prefix)


class Crawl(Block):
    """A polite crawl from seeds to WARC files."""

    seeds: Annotated[
        tuple[Annotated[str, AfterValidator(_without_credentials)], ...],
        Field(min_length=1, description="URLs, or files of URLs: text, CSV, JSONL, Parquet; sitemaps end in .xml"),
    ]
    contact: Annotated[
        str, AfterValidator(_check_contact), Field(description="page or mail address of whoever runs this crawl")
    ]
    agent: Annotated[str, AfterValidator(_check_token), Field(description="what robots.txt may call us")] = "corpusmill"
    url_column: Annotated[str, Field(min_length=1, description="of lists in CSV, JSONL and Parquet")] = "url"
    caption_column: Annotated[str, Field(min_length=1)] = "caption"
    scope: Annotated[
        Literal["host", "domain", "prefix", "any"],
        Field(description="what links may lead to: the seeds' hosts, registrable domains, folders, or anywhere"),
    ] = "domain"
    exclude: Annotated[
        tuple[Annotated[str, AfterValidator(_check_prefix)], ...],
        Field(description="URL prefixes that are never fetched"),
    ] = ()
    kinds: Annotated[tuple[Name, ...], Field(min_length=1, description="what is fetched and kept")] = ("page",)
    sitemaps: Annotated[bool, Field(description="read the sitemaps that robots.txt names")] = True
    rounds: Annotated[int, Field(ge=1, le=1000)] = 4
    visits: Annotated[
        int, Field(ge=1, le=10_000, description="raise it to ask for every page again, if it has changed")
    ] = 1
    max_depth: Annotated[int, Field(ge=0, le=1000, description="links away from a seed")] = 8
    max_pages: Annotated[int, Field(ge=1)] = 10_000
    max_bytes: Annotated[int, Field(ge=1, description="as sent, of all that is kept")] = 10 << 30
    max_pages_per_host: Annotated[int, Field(ge=1)] = 10_000
    pages_per_host_and_round: Annotated[int, Field(ge=1)] = 200
    delay_s: Annotated[float, Field(ge=0, description="between two requests to a host, from end to start")] = 1.0
    delay_factor: Annotated[float, Field(ge=0, description="... or so many times what the last one took")] = 5.0
    max_delay_s: Annotated[
        float, Field(gt=0, description="a longer Crawl-delay: the host is not crawled; no other delay is longer")
    ] = 30.0
    max_round_s: Annotated[
        float, Field(gt=0, description="after it a worker starts no new request; what is left waits for the next round")
    ] = 14_400.0
    max_host_s: Annotated[
        float,
        Field(gt=0, description="what requests to one host may take in a round; then it rests until the next"),
    ] = 3_600.0
    connections: Annotated[int, Field(ge=1, le=4096, description="hosts at once, in one worker")] = 64
    ranges: Annotated[
        int | None, Field(ge=1, le=4096, description="workers that share the hosts; by default as many as --workers")
    ] = None
    connections_per_domain: Annotated[int, Field(ge=1)] = 2
    connections_per_address: Annotated[int, Field(ge=1)] = 2
    strip_parameters: Annotated[
        tuple[str, ...], Field(description="query parameters that name no other page; * at the end stands for any end")
    ] = TRACKING_PARAMETERS
    sort_query: bool = False
    refuse: Annotated[
        tuple[Refusal, ...], Field(description="whose no counts, beside robots.txt, which always does")
    ] = REFUSALS
    robots_forbidden: Annotated[
        Literal["allow", "disallow"], Field(description="what 401 and 403 for robots.txt itself mean")
    ] = "allow"
    test_only_loopback: Annotated[
        int | None,
        Field(ge=1, le=65535, description="TESTS ONLY: every host is 127.0.0.1 at this port, delays may be 0"),
    ] = None

    @model_validator(mode="after")
    def _gentle(self) -> "Crawl":
        if self.test_only_loopback is None and self.delay_s < MIN_DELAY_S:
            raise wrong(("delay_s",), f"{self.delay_s} s is no polite delay: at least {MIN_DELAY_S}")
        if self.delay_s > self.max_delay_s:
            raise wrong(("max_delay_s",), f"is less than delay_s: {self.max_delay_s} < {self.delay_s}")
        return self

    @property
    def user_agent(self) -> str:
        """Return the User-Agent field: who we are, which version, where to complain (RFC 9110, section 10.1.5)."""
        from importlib.metadata import version

        at = self.contact if self.contact.startswith("http") else self.contact.removeprefix("mailto:")
        return f"{self.agent}/{version('corpusmill')} (+{at})"
