"""What a page's owner says about its use: X-Robots-Tag, meta robots, TDM reservation; and whether we may go on.

Sources: Google's robots meta tag specification (directives, user-agent prefixes), `noai` and `noimageai`
(DeviantArt 2022), the TDM Reservation Protocol (W3C community group report, 2024).
"""

import re
from collections.abc import Collection, Iterable

from manifests.reasons import Refused

OUR_AGENT = "corpusmill"
NO_IMAGES = "noimageai"  # the text may be used, the images may not

# Directives that carry a value after a colon, so that their colon ends no user-agent's name.
_VALUED = {"max-snippet", "max-image-preview", "max-video-preview", "unavailable_after"}
_PREFIX = re.compile(r"\s*([a-z0-9*_.-]+)\s*:\s*(.*)", re.DOTALL)
_REFUSALS = {"noai": Refused.NOAI, "tdm-reservation": Refused.TDM_RESERVATION, "noindex": Refused.NOINDEX}

DEFAULT_REFUSALS: frozenset[Refused] = frozenset({Refused.NOAI, Refused.TDM_RESERVATION})


def directives(lines: Iterable[str]) -> frozenset[str]:
    """Return the directives, lower case, that are meant for everyone or for us.

    A line is an X-Robots-Tag value ("noai, max-image-preview:large", "somebot: noindex"), or "name: value" of a header
    or meta tag ("x-robots-tag: noai", "meta robots: noai", "tdm-reservation: 1"). An agent's name holds until the next
    name in the same line. "none" is noindex and nofollow; a reservation of 1 is the directive "tdm-reservation".
    """
    return frozenset(directive for line in lines for directive in _of_line(line.lower()))


def _of_line(line: str) -> Iterable[str]:
    line = re.sub(r"^\s*(?:meta\s+)?(?:x-robots-tag|robots)\s*:", "", line)
    reservation = re.match(r"\s*(?:meta\s+)?tdm-reservation\s*:\s*(\S+)", line)
    if reservation:
        return ["tdm-reservation"] if reservation[1].strip("\"'") == "1" else []
    line = re.sub(r"^\s*meta\s+", "", line)
    meant = True
    found: list[str] = []
    for token in line.split(","):
        prefixed = _PREFIX.fullmatch(token)
        is_agent = prefixed is not None and prefixed[1] not in _VALUED
        if prefixed and is_agent:
            meant = prefixed[1] in ("*", OUR_AGENT)
        name = (prefixed[2] if prefixed and is_agent else token).partition(":")[0].strip()
        if meant and name:
            found += ["noindex", "nofollow"] if name == "none" else [name]
    return found


def refusal(said: Collection[str], refuse: Collection[Refused] = DEFAULT_REFUSALS) -> Refused | None:
    """Return the reason to leave the record out, among those that the recipe refuses, or None."""
    for directive, reason in _REFUSALS.items():
        if directive in said and reason in refuse:
            return reason
    return None
