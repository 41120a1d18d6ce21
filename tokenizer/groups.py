"""Where counted texts come from: source, language and kind; counts of each stay apart."""

import hashlib
import json
from typing import NamedTuple

KINDS = ("text", "code", "caption", "transcript")
UNDETERMINED = "und"


class Group(NamedTuple):
    """What the words of a part of the corpus have in common."""

    source: str  # the input's name in the recipe
    language: str  # ISO 639 code, "und" where nobody knows
    kind: str  # one of KINDS

    @property
    def key(self) -> int:
        """Return the group's number in tables of counts, uint64: it follows from the names alone."""
        named = json.dumps([*self], ensure_ascii=False, separators=(",", ":"))
        return int.from_bytes(hashlib.sha256(named.encode("utf-8", "surrogatepass")).digest()[:8], "big")
