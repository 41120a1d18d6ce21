"""Classes of licences: what a recipe keeps or drops. By SPDX identifier; of an expression the class of the whole."""

import re
from collections.abc import Mapping

CLASSES = ("permissive", "weak_copyleft", "copyleft", "restricted", "unknown", "none")
CLASSES_VERSION = 1
# from what may be done with everything, to what may not
_ORDER = {"permissive": 0, "weak_copyleft": 1, "copyleft": 2, "unknown": 3, "restricted": 4, "none": 5}
_PERMISSIVE = re.compile(
    r"^(?:0BSD|AFL-.*|Apache-.*|Artistic-2\.0|BlueOak-.*|BSD-(?!.*(?:No-Nuclear|Protection)).*|BSL-1\.0|bzip2-.*|CC0-1\.0|CC-BY-[\d.]+(?:-.*)?|"
    r"CC-PDDC|CNRI-.*|curl|ECL-.*|EFL-.*|Fair|FTL|HPND.*|ICU|IJG|Info-ZIP|Intel|ISC|JasPer-2\.0|Libpng|libpng-.*|libtiff|MIT(?:-.*)?|"
    r"MirOS|MPL-1\.0-.*|MS-PL|MulanPSL-.*|NCSA|NTP.*|OFL-.*|OLDAP-2\.8|OpenSSL.*|Pixar|PHP-.*|PostgreSQL|PSF-2\.0|Python-2\.0.*|"
    r"Ruby|SGI-B-2\.0|SSLeay.*|TCL|TCP-wrappers|Unicode-.*|Unlicense|UPL-1\.0|Vim|W3C.*|WTFPL|X11.*|Xnet|xinetd|Zend-.*|Zlib|"
    r"zlib-acknowledgement|ZPL-.*|LicenseRef-public-domain)$"
)
_WEAK = re.compile(
    r"^(?:LGPL-.*|MPL-.*|EPL-.*|CDDL-.*|CPL-.*|APSL-.*|IPL-.*|Artistic-1\.0.*|MS-RL|OSL-.*|LPPL-.*|CC-BY-SA-.*|GFDL-.*|"
    r"wxWindows|QPL-.*|Sleepycat|EUPL-.*|NPL-.*|ErlPL-.*)$"
)
_COPYLEFT = re.compile(r"^(?:A?GPL-.*|SSPL-.*|CECILL-(?!B|C).*|RPL-.*)$")
_RESTRICTED = re.compile(
    r"^(?:CC-BY-N[CD].*|BUSL-.*|Elastic-.*|PolyForm-.*|JSON|LicenseRef-proprietary|Parity-.*|.*-NC-.*)$"
)
_EXCEPTION = re.compile(r"^(?:Classpath|GCC|Bison|Autoconf|Font|LLVM|Libtool|Linux-syscall).*", re.IGNORECASE)


def class_of(identifier: str, treated: Mapping[str, str]) -> str:
    """Return the class of one SPDX identifier; `treated` are a recipe's own words for some."""
    if identifier in treated:
        return treated[identifier]
    for pattern, name in (
        (_RESTRICTED, "restricted"),
        (_PERMISSIVE, "permissive"),
        (_WEAK, "weak_copyleft"),
        (_COPYLEFT, "copyleft"),
    ):
        if pattern.match(identifier):
            return name
    return "unknown"


def class_of_expression(expression: str | None, treated: Mapping[str, str]) -> str:
    """Return the class of an SPDX expression: of OR the freest side, of AND the strictest; none for null.

    `GPL-2.0-or-later WITH Classpath-exception-2.0` and its like are weak copyleft.
    """
    if not expression:
        return "none"
    tokens = re.findall(r"\(|\)|[^\s()]+", expression)
    return _or(tokens, treated) if tokens else "none"


def _or(tokens: list[str], treated: Mapping[str, str]) -> str:
    best = _and(tokens, treated)
    while tokens and tokens[0].upper() == "OR":
        tokens.pop(0)
        best = min(best, _and(tokens, treated), key=_ORDER.__getitem__)
    return best


def _and(tokens: list[str], treated: Mapping[str, str]) -> str:
    worst = _one(tokens, treated)
    while tokens and tokens[0].upper() == "AND":
        tokens.pop(0)
        worst = max(worst, _one(tokens, treated), key=_ORDER.__getitem__)
    return worst


def _one(tokens: list[str], treated: Mapping[str, str]) -> str:
    token = tokens.pop(0) if tokens else ""
    if token == "(":
        inner = _or(tokens, treated)
        if tokens and tokens[0] == ")":
            tokens.pop(0)
        return inner
    found = class_of(token, treated)
    if len(tokens) > 1 and tokens[0].upper() == "WITH":
        exception = tokens[1]
        del tokens[:2]
        if found == "copyleft" and _EXCEPTION.match(exception):
            return "weak_copyleft"
    return found
