"""What licence a record made of several texts has: the strictest of theirs."""

import re
from collections.abc import Iterable

# From free to bound; what is not named here is stricter than all.
_ORDER = (
    r"cc0|public.?domain|pd\b",
    r"cc.?by.?\d|cc.?by$|mit|bsd|apache|isc",
    r"cc.?by.?sa|gfdl|gpl|mpl|lgpl",
    r"nd",
    r"nc",
)


def strictest(licences: Iterable[str | None]) -> str | None:
    """Return the strictest licence of texts; None where one of them states none: then nothing is known."""
    named = set(licences)
    if None in named or not named:
        return None
    return max((each for each in named if each is not None), key=lambda each: (_rank(each), each))


def _rank(licence: str) -> int:
    folded = licence.casefold()
    found = [rank for rank, pattern in enumerate(_ORDER) if re.search(pattern, folded)]
    return max(found) if found else len(_ORDER)
