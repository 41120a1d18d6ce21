"""Secrets that only their variable tells: a value of an issuer's shape behind a name of that issuer.

The four of detect-secrets' detectors that go by name (Cloudant, IBM Cloud IAM, IBM COS HMAC, SoftLayer; StarCoder used
them too). A value without such a name is a digest or an identifier, and stays: no entropy is measured.
"""

import re
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

ASSIGNED_VERSION = 1
_BEFORE = 80  # characters in front of a value in which its name stands
_VALUE = re.compile(r"(?<![\w-])(?:[0-9a-f]{48}|[0-9a-z]{64}|[\w-]{44}|[a-z]{24})(?![\w-])", re.ASCII)
_KEY = r"(?:key|pwd|pw|password|pass|token)"
_GIVEN = r"[\"'\]]*[ \t]*(?::=|=>|::|=|:)[ \t]*[\"'(\[]*$"
_NAMES = (  # (shape of the value, name in front of it)
    (re.compile(r"[0-9a-f]{64}|[a-z]{24}"), rf"(?<![a-z])(?:cloudant|cl|clou)[-_]?(?:api)?[-_]?{_KEY}"),
    (re.compile(r"[0-9a-z]{64}"), rf"(?<![a-z])(?:softlayer|sl)[-_]?(?:api)?[-_]?{_KEY}"),
    (re.compile(r"[0-9a-f]{48}"), r"(?:cos[-_]?(?:hmac)?[-_]?)?secret[-_]?(?:access)?[-_]?key"),
    (re.compile(r"[\w-]{44}", re.ASCII), rf"(?<![a-z])(?:ibm|cloud|iam)(?:[-_]?(?:cloud|iam|api))*[-_]?{_KEY}"),
)
# what every such assignment holds, for one scan of a whole batch in machine code (RE2)
_ANY = r"(?i)(?:key|pwd|pw|pass|password|token)[\"'\]]*[ \t]*(?::=|=>|::|=|:)[ \t]*[\"'(\[]*[0-9a-z_-]{24}"
_PATTERNS = [(shape, re.compile(name + _GIVEN, re.IGNORECASE)) for shape, name in _NAMES]


def rows_with_assigned(text: pa.StringArray) -> list[int]:
    """Return the rows that may hold such a secret, ascending."""
    found = pc.match_substring_regex(text, _ANY).fill_null(False)
    rows: list[int] = np.flatnonzero(found.to_numpy(zero_copy_only=False)).tolist()
    return rows


def find_assigned(text: str) -> Iterator[tuple[int, int]]:
    """Yield [start, end) in characters of secrets that are known by their names, ascending."""
    for found in _VALUE.finditer(text):
        start, end = found.span()
        before = text[max(0, start - _BEFORE) : start]
        if any(shape.fullmatch(found[0]) and name.search(before) for shape, name in _PATTERNS):
            yield start, end
