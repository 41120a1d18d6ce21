"""Names of people in copyright lines and author tags: found by rule, so that they can be masked.

A line that begins a copyright or authorship statement names its holders behind the years, up to an address, a full
stop or "all rights reserved". Where there is no year, a line that holds nothing but sign and name is one too. Names of
firms and projects ("The Go Authors", "Foo Inc.") are no personal data and stay.
"""

import re
from collections.abc import Iterator

PEOPLE_VERSION = 2
TOKEN = "<NAME>"
_STATEMENT = re.compile(
    r"(?:(?:copyright|SPDX-FileCopyrightText:|\(c\)|©)(?:[ \t]*(?:\(c\)|©|&copy;|by|:))*[ \t,]*(?:\d{4}(?:[ \t]*[-–,]["
    r" \t]*(?:\d{2,4}|present|now))*[ \t,]*)+(?:by[ \t]+)?"
    r"|^[^\w\n]{0,8}(?:SPDX-FileCopyrightText:|copyright(?:[ \t]*(?:\(c\)|©))?|\(c\)|©)[ \t]+(?:by[ \t]+)?"
    r"(?=[^\W\d][^\n<,;:]{2,60}(?:<[^>\n]*>)?[ \t]*$)"
    r"|^[^\w\n]{0,8}@?(?:written by|authors?|maintainers?)[ \t]*:?[ \t]+)"
    r"(?P<holders>[^\n<>@(){}\[\]\";]{3,120})",
    re.IGNORECASE | re.MULTILINE,
)
_PERSON = re.compile(
    r"(?:\b[^\W\d_][^\W\d_a-z]?[^\W\d_]*(?:['’-][^\W\d_]+)*\.?)(?:[ \t]+(?:(?:van|von|de|der|den|di|da|del"
    r"|la|le|al|bin|ben|dos|ter)[ \t]+)*"
    r"[^\W\d_][^\W\d_]*(?:['’-][^\W\d_]+)*\.?){1,3}"
)
_FIRM = re.compile(
    r"\b(?:inc|ltd|llc|corp|corporation|company|co|gmbh|ag|ab|s\.?a|b\.?v|oy|kk|foundation|project|projects"
    r"|authors|contributors|team|sas|sarl|srl|plc|pty|bv|kg|"
    r"university|universit\w+|institut\w*|laborator\w+|group|software|systems|technolog\w+|organi[sz]ation"
    r"|consortium|association|society|"
    r"others|community|labs?|committee|regents|developers|maintainers|google|microsoft|facebook|meta|amazon"
    r"|apple|intel|ibm|oracle|"
    r"ericsson|mozilla|redhat|red hat|canonical|debian|apache|python|perl|the|and/or|this|see|all|license"
    r"|licence|file|files|holders?)\b",
    re.IGNORECASE,
)
_END = re.compile(
    r"\.(?:\s|$)|all rights reserved|,?[ \t]+(?:and|&)[ \t]+|[,;/|*#]|https?:|licensed|under", re.IGNORECASE
)


def find_people(text: str) -> Iterator[tuple[int, int]]:
    """Yield [start, end) in characters of people's names in copyright and author statements, ascending."""
    for statement in _STATEMENT.finditer(text):
        at, stop = statement.span("holders")
        while at < stop:
            cut = _END.search(text, at, stop)
            end = cut.start() if cut else stop
            yield from _person(text, at, end)
            if cut is None or cut[0].lower().startswith(("all", "licensed", "under", "http")):
                break
            at = cut.end()


def _person(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    piece = text[start:end]
    name = piece.strip(" \t-–.:")
    if not name or _FIRM.search(name) or (not name[0].isupper() and name[0].isascii()):
        return
    if _PERSON.fullmatch(name) and sum(word[0].isupper() or not word[0].isascii() for word in name.split()) >= 2:
        at = start + piece.index(name)
        yield at, at + len(name)
