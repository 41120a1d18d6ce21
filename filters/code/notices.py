"""Licence notices in the heads of source files, by phrases that their texts can't do without.

Phrases are searched in the head with comment signs, quotes and line ends made one space. The table is in order: what
is more special comes first. The wording is that of each licence's own "how to apply" and of the licences themselves.
"""

import re

NOTICES_VERSION = 1
_FILL = re.compile(r"[\s*#;/%!|\"'`<>~\\]+|--|\.\\\"|\bREM\b|\bdnl\b")
_GNU = re.compile(
    r"gnu (?P<kind>affero |lesser |library |library \(or lesser\) |lesser \(or library\) )?general public licen[cs]e",
    re.IGNORECASE,
)
_VERSION = re.compile(r"(?:version |v\.? ?|gpl-?)(?P<version>[123](?:\.[01])?)\b", re.IGNORECASE)
_ANY_LATER = re.compile(r"any later|or later|or newer|or \(at your (?:option|choice)\)|at your option", re.IGNORECASE)
_SAME_AS_PERL = re.compile(r"same terms as (?:the )?perl|under the terms of either.{0,80}artistic", re.IGNORECASE)

_PHRASES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "Apache-2.0 OR MIT",
        (r"licensed under (?:either of )?(?:the )?apache license.{0,200}\bmit\b.{0,120}at your option",),
    ),
    (
        "Apache-2.0 OR MIT",
        (r"dual[- ]licensed under.{0,80}apache.{0,80}mit|dual[- ]licensed under.{0,80}mit.{0,80}apache",),
    ),
    ("MPL-2.0", (r"mozilla public license,? (?:v\.|version) ?2\.0",)),
    ("MPL-1.1", (r"mozilla public license.{0,20}1\.1",)),
    ("EPL-2.0", (r"eclipse public license.{0,20}2\.0",)),
    ("EPL-1.0", (r"eclipse public license.{0,20}1\.0",)),
    ("ErlPL-1.1", (r"erlang public license.{0,20}1\.1",)),
    ("CDDL-1.0", (r"common development and distribution license.{0,40}",)),
    ("Apache-2.0", (r"apache license,? (?:version )?v?2\.0|apache\.org licenses license-2\.0",)),
    ("BSL-1.0", (r"boost software license.{0,20}1\.0",)),
    ("Unlicense", (r"this is free and unencumbered software released into the public domain",)),
    ("CC0-1.0", (r"creativecommons\.org publicdomain zero 1\.0|\bcc0\b.{0,20}1\.0",)),
    ("WTFPL", (r"do what the f\w*k you want to",)),
    (
        "PostgreSQL",
        (
            r"permission to use, copy, modify, and distribute this software and its documentation for any"
            r" purpose, without fee",
        ),
    ),
    (
        "ISC",
        (
            r"permission to use, copy, modify,? and(?: or)? distribute this software for any purpose with"
            r" or without fee is hereby granted, provided",
        ),
    ),
    (
        "0BSD",
        (
            r"permission to use, copy, modify,? and(?: or)? distribute this software for any purpose with"
            r" or without fee is hereby granted\.",
        ),
    ),
    (
        "MIT",
        (
            r"permission is hereby granted, free of charge, to any person obtaining a copy",
            r"above copyright notice",
        ),
    ),
    ("Zlib", (r"altered source versions must be plainly marked",)),
    (
        "BSD-4-Clause",
        (
            r"redistribution and use in source and binary forms",
            r"advertising materials mentioning features",
        ),
    ),
    (
        "BSD-3-Clause",
        (
            r"redistribution and use in source and binary forms",
            r"(?:neither the names?|the names?) .{0,200}may (?:not )?be used to endorse or promote|may not"
            r" be used to endorse",
        ),
    ),
    (
        "BSD-2-Clause",
        (
            r"redistribution and use in source and binary forms",
            r"in binary form must reproduce",
        ),
    ),
    ("BSD-3-Clause", (r"(?:use of this source code is|is) governed by a bsd-style",)),
    (
        "BSD-3-Clause",
        (
            r"(?:licensed|released|distributed|available) under (?:the )?(?:terms of )?(?:the )?(?:new "
            r"|modified |3-clause |revised )bsd license",
        ),
    ),
    (
        "BSD-2-Clause",
        (r"(?:licensed|released|distributed|available) under (?:the )?(?:simplified |2-clause )bsd license",),
    ),
    (
        "MIT",
        (
            r"(?:licensed|released|distributed|available|dual licensed)[\w ,]{0,24} under (?:the )?(?:terms"
            r" of )?(?:the )?(?:an? )?mit(?: x11| expat)?[- ]?(?:style )?licen[cs]e",
        ),
    ),
    ("MIT", (r"\bmit licensed?\b",)),
    ("Ruby", (r"same terms as ruby",)),
    ("PHP-3.01", (r"version 3\.01 of the php license",)),
    ("TCL", (r"see the file license\.terms",)),
    (
        "LicenseRef-public-domain",
        (r"(?:is|are|been|placed|released|dedicated)(?: \w+){0,3} (?:in|into|to) the public domain",),
    ),
)
_COMPILED = tuple((name, tuple(re.compile(each, re.IGNORECASE) for each in needed)) for name, needed in _PHRASES)
_WORTH_READING = re.compile(
    r"licen[cs]e|copying|permission|public domain|redistribution|same terms|altered source|apache|unencumbered|cc0",
    re.IGNORECASE,
)


def notice(text: str) -> str | None:
    """Return the SPDX expression of the notice that stands in a text, None where there is none that is known."""
    if _WORTH_READING.search(text) is None:
        return None
    flat = _FILL.sub(" ", text)
    if _SAME_AS_PERL.search(flat):
        return "Artistic-1.0-Perl OR GPL-1.0-or-later"
    if (gnu := _gnu(flat)) is not None:
        return gnu
    return next((name for name, needed in _COMPILED if all(each.search(flat) for each in needed)), None)


def _gnu(flat: str) -> str | None:
    """Return the GNU licence that a notice grants: the first that is named with a version near it."""
    for found in _GNU.finditer(flat):
        kind = (found["kind"] or "").lower()
        around = flat[max(0, found.start() - 160) : found.end() + 260]
        after = flat[found.end() : found.end() + 160]
        version = _VERSION.search(after) or _VERSION.search(flat[max(0, found.start() - 60) : found.start()])
        if version is None:
            continue
        number = version["version"]
        number = number if "." in number else f"{number}.0"
        family = "AGPL" if "affero" in kind else ("LGPL" if kind.strip() else "GPL")
        if "either" in around.lower() and "apache license" in flat.lower():
            return None  # one of several, which the table does not tell apart
        return f"{family}-{number}-{'or-later' if _ANY_LATER.search(around) else 'only'}"
    return None
