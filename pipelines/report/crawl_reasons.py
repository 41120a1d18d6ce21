"""The closed reasons of a crawl in a reader's words."""

from collections.abc import Mapping

from manifests.reasons import FetchFailed, LinkSkipped, Refused

REFUSED: Mapping[Refused, str] = {
    Refused.ROBOTS: "robots.txt disallows it: it was never asked for",
    Refused.NOAI: "noai, in a header or in the page",
    Refused.NOINDEX: "noindex or none, in a header or in the page",
    Refused.TDM_RESERVATION: "rights reserved by the TDM Reservation Protocol",
    Refused.CONTENT_USAGE: "Content-Usage: train-ai=n, in a header or in robots.txt",
    Refused.CONTENT_SIGNAL: "Content-Signal: ai-train=no",
    Refused.AI_TXT: "ai.txt disallows it",
    Refused.OPT_OUT: "an opt-out list of the recipe",
}
FAILED: Mapping[FetchFailed, str] = {
    FetchFailed.MALFORMED_URL: "no URL",
    FetchFailed.URL_TOO_LONG: "a URL beyond the limit",
    FetchFailed.BLOCKED_SCHEME: "neither http nor https",
    FetchFailed.BLOCKED_PORT: "a port that is not crawled",
    FetchFailed.BLOCKED_ADDRESS: "a private or special address: no connection was made",
    FetchFailed.DNS_FAILED: "no such host",
    FetchFailed.CONNECT_FAILED: "no connection",
    FetchFailed.TLS_FAILED: "the certificate does not hold; never tried without one",
    FetchFailed.DISCONNECTED: "the connection ended before the page did",
    FetchFailed.TIMED_OUT: "no answer in time",
    FetchFailed.TOO_SLOW: "too few bytes a second",
    FetchFailed.MALFORMED_RESPONSE: "not HTTP",
    FetchFailed.DAMAGED_CODING: "a compressed body that does not decode",
    FetchFailed.DECODED_TOO_LARGE: "a bomb: it decodes to far more than was sent",
    FetchFailed.TOO_MANY_CODINGS: "compressed again and again",
    FetchFailed.REDIRECT_LOOP: "redirects that lead in a circle",
    FetchFailed.TOO_MANY_REDIRECTS: "redirects without end",
    FetchFailed.TOO_MANY_REQUESTS: "the server asked us to come later, every time",
    FetchFailed.SERVER_ERROR: "the server failed, every time",
    FetchFailed.CLIENT_ERROR: "not there, or not for us",
    FetchFailed.MEDIA_TYPE: "not a kind that this crawl keeps",
    FetchFailed.UNREADABLE: "no parser survived it, so what its owner says in it is not known",
    FetchFailed.ROBOTS_UNREACHABLE: "robots.txt could not be read, so nothing was asked for",
    FetchFailed.REPEATS_ITSELF: "nearly all of the host's last 100 pages were seen before",
    FetchFailed.DELAY_TOO_LONG: "a Crawl-delay beyond crawl.max_delay_s",
    FetchFailed.OUT_OF_TIME: "the round's time, or that of its host, was over: left for a later round",
}
SKIPPED: Mapping[LinkSkipped, str] = {
    LinkSkipped.MALFORMED: "no URL",
    LinkSkipped.SCHEME: "neither http nor https",
    LinkSkipped.TOO_LONG: "a URL beyond the limit",
    LinkSkipped.OUT_OF_SCOPE: "outside crawl.scope",
    LinkSkipped.EXCLUDED: "in crawl.exclude",
    LinkSkipped.TOO_DEEP: "more links from a seed than crawl.max_depth",
    LinkSkipped.NOFOLLOW: "the page asks not to follow it",
    LinkSkipped.TRAP_PATH: "a path that repeats itself or has no end",
    LinkSkipped.TRAP_QUERY: "a query beyond the limit",
    LinkSkipped.TRAP_CALENDAR: "a calendar without end",
    LinkSkipped.TRAP_SESSION: "a session's number in the address",
    LinkSkipped.HOST_FULL: "crawl.max_pages_per_host are known already",
    LinkSkipped.REDIRECTS: "redirects without end",
    LinkSkipped.KNOWN: "known already",
}


def words_for(reason: str) -> str:
    """Return what a reason of any of the lists means, "" for one of a later version."""
    return _WORDS.get(reason, "")


_WORDS = {str(reason): text for reasons in (SKIPPED, FAILED, REFUSED) for reason, text in reasons.items()}
