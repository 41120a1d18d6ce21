"""Credentials: keys, tokens and private keys of known shape, and passwords inside URLs.

A search for a few literals, then the issuer's own pattern around each. Shapes: the issuers' documentation; the
patterns were compared with detect-secrets 1.5 (Apache-2.0), whose finds of these kinds are found here too. Guesses
from entropy or from a variable's name are not made: they hit hashes and test data. The detail is the issuer and kind.
"""

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from filters.native import kernel
from filters.personal.places import Batch, Found

LOOK_BACK, LOOK_AHEAD, KEY_BYTES = 160, 4096, 64 << 10
_EDGE, _STOP = rb"(?<![0-9A-Za-z_-])", rb"(?![0-9A-Za-z_])"
_APART = rb"(?<![0-9A-Za-z_.=-])"


class Kind(NamedTuple):
    """A kind of credential: literals of which each holds one, the pattern around; its group `secret` is hidden."""

    detail: str
    literals: tuple[str, ...]
    pattern: re.Pattern[bytes]
    valid: Callable[[bytes], bool] | None = None


def _is_web_token(token: bytes) -> bool:
    """Return whether header and payload of a JWT decode to JSON objects (RFC 7519, section 7.2)."""
    parts = token.split(b".")[:2]
    try:
        return all(
            isinstance(json.loads(base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4))), dict) for part in parts
        )
    except (binascii.Error, ValueError, RecursionError):
        return False


def _kind(detail: str, literals: str, pattern: bytes, valid: Callable[[bytes], bool] | None = None) -> Kind:
    return Kind(detail, tuple(literals.split()), re.compile(pattern), valid)


KINDS = (
    _kind("aws-key-id", "AKIA ASIA ABIA ACCA A3T", _EDGE + rb"(?:A3T[A-Z0-9]|ABIA|ACCA|AKIA|ASIA)[0-9A-Z]{16}" + _STOP),
    _kind("aws-secret", "aws AWS Aws",
          rb"""(?i:aws).{0,20}?(?i:key|pwd|pw|password|pass|token).{0,20}?['"](?P<secret>[0-9a-zA-Z/+]{40})['"]"""),
    _kind("github", "ghp_ gho_ ghu_ ghs_ ghr_", _EDGE + rb"gh[pousr]_[A-Za-z0-9_]{36,255}"),
    _kind("github", "github_pat_", _EDGE + rb"github_pat_[A-Za-z0-9_]{22,255}"),
    _kind("gitlab", "glpat- gldt- glft- glsoat- glrt-",
          _EDGE + rb"(?:glpat|gldt|glft|glsoat|glrt)-[A-Za-z0-9_\-]{20,50}(?!\w)"),
    _kind("gitlab", "GR1348941", _EDGE + rb"GR1348941[A-Za-z0-9_\-]{20,50}(?!\w)"),
    _kind("gitlab", "glcbt- glimt- glptt- glagent- gloas-",
          _EDGE + rb"(?:glcbt-(?:[0-9a-fA-F]{2}_)?[A-Za-z0-9_\-]{20,50}|glimt-[A-Za-z0-9_\-]{25}"
          rb"|glptt-[A-Za-z0-9_\-]{40}|glagent-[A-Za-z0-9_\-]{50,1024}|gloas-[A-Za-z0-9_\-]{64})(?!\w)"),
    _kind("slack", "xox XOX", _EDGE + rb"(?i:xox[abpors]-(?:\d+-)+[a-z0-9]+)"),
    _kind("slack-webhook", "hooks.slack.com/", rb"(?i:https://hooks\.slack\.com/services/T\w+/B\w+/\w+)"),
    _kind("stripe", "k_live_", _EDGE + rb"[rs]k_live_[0-9a-zA-Z]{24,128}"),
    _kind("jwt", "eyJ",
          _APART + rb"eyJ[A-Za-z0-9_=-]+\.[A-Za-z0-9_=-]+(?:\.[A-Za-z0-9_.+/=-]*[A-Za-z0-9_+/=-])?",
          _is_web_token),
    _kind("google", "AIza", _EDGE + rb"AIza[0-9A-Za-z_\-]{35}(?![0-9A-Za-z_-])"),
    _kind("google-oauth", "GOCSPX-", _EDGE + rb"GOCSPX-[0-9A-Za-z_\-]{28}(?![0-9A-Za-z_-])"),
    _kind("sendgrid", "SG.", _EDGE + rb"SG\.[a-zA-Z0-9_-]{22}\.[a-zA-Z0-9_-]{43}(?![0-9A-Za-z_-])"),
    _kind("twilio", "AC SK", _EDGE + rb"(?:AC|SK)[a-z0-9]{32}" + _STOP),
    _kind("npm-config", ":_authToken", rb"//\S+/:_authToken=[ \t]*(?P<secret>npm_[^\s\"']+|[A-Fa-f0-9-]{36})"),
    _kind("npm", "npm_", _EDGE + rb"npm_[A-Za-z0-9]{36}" + _STOP),
    _kind("openai", "T3BlbkFJ", _EDGE + rb"sk-[A-Za-z0-9_-]{0,128}?[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20,}"),
    _kind("anthropic", "sk-ant-", _EDGE + rb"sk-ant-[a-z]+[0-9]{2}-[A-Za-z0-9_-]{80,128}"),
    _kind("hugging-face", "hf_", _EDGE + rb"hf_[A-Za-z]{34}" + _STOP),
    _kind("pypi", "pypi-AgE", _EDGE + rb"pypi-AgE(?:IcHlwaS5vcmc|NdGVzdC5weXBpLm9yZw)[A-Za-z0-9_-]{70,}"),
    _kind("square", "sq0csp- sq0atp-", _EDGE + rb"(?:sq0csp-[0-9A-Za-z\\_-]{43}|sq0atp-[0-9A-Za-z\\_-]{22})"),
    _kind("mailchimp", "-us", _EDGE + rb"[0-9a-z]{32}-us[0-9]{1,2}" + _STOP),
    _kind("azure", "AccountKey=", rb"AccountKey=(?P<secret>[a-zA-Z0-9+/=]{88})"),
    _kind("artifactory", "AKC AP",
          rb"""(?:(?<=[\s=:"])|\A)(?:AKC[a-zA-Z0-9]{10,}|AP[0-9A-F](?=[a-zA-Z0-9]*[0-9a-z])[a-zA-Z0-9]{8,})(?=[\s"]|\Z)"""),
    _kind("putty-key", "PuTTY-User-Key-File-",
          rb"PuTTY-User-Key-File-[23]:(?P<secret>(?s:.){0,16384}?Private-MAC:[^\n]*|[^\n]*)"),
    _kind("password-in-url", "://", rb"""://[^:/?#\[\]@!$&'()*+,;=\s"<>]*:(?P<secret>[^:/?#\[\]@!$&'()*+,;=\s"<>]+)@"""),
    _kind("discord", ".", _EDGE + rb"[MNO][a-zA-Z\d_-]{23,25}\.[a-zA-Z\d_-]{6}\.[a-zA-Z\d_-]{27,38}(?![0-9A-Za-z_-])"),
    _kind("telegram", ":", rb"(?:(?<![0-9A-Za-z_])|(?<=/bot))\d{8,10}:[0-9A-Za-z_-]{35}(?![0-9A-Za-z_-])"),
)  # fmt: skip
# What stands before the literal of a kind whose pattern does not start with it.
_AROUND = {
    "stripe": rb"[rs]\Z", "openai": rb"sk-[A-Za-z0-9_-]{0,150}\Z", "mailchimp": rb"[0-9a-z]{32}\Z",
    "discord": rb"[A-Za-z0-9_-]{24,26}\Z", "telegram": rb"\d{8,10}\Z", "slack-webhook": rb"(?i:https://)\Z",
    "npm-config": rb"//[^\s]{1,150}/\Z",
}  # fmt: skip
_KEY_LITERAL = "BEGIN "
_KEY = re.compile(rb"BEGIN (?P<kind>(?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?)(?:-----)?")
_DASHES = re.compile(rb"----- ?\Z")
_NOT_KEY = b" \t\r\n>#*\"'+,;\\"
_KEY_LINES = re.compile(rb"""(?:[ \t>#*"'+,;]|\\n|\\r|\r|\n)*(?:[A-Za-z-]+: [^\n]*\n|[A-Za-z0-9+/=]{16,}|\\n|\r?\n)*""")

LITERALS = (*((literal, k) for k, kind in enumerate(KINDS) for literal in kind.literals), (_KEY_LITERAL, -1))
_WIDTH = max(len(literal) for literal, _ in LITERALS)


def _literal_tables() -> tuple[Any, Any, Any, Any]:
    """Return (letters: uint8[n, width], lengths: int64[n], edges: uint8[n], wanted pairs of bytes: uint8[65536]).

    edges: 1 where the pattern starts with the literal and asks that no letter or digit stands before it.
    """
    letters, lengths = np.zeros((len(LITERALS), _WIDTH), np.uint8), np.zeros(len(LITERALS), np.int64)
    wanted, edges = np.zeros(65536, np.uint8), np.zeros(len(LITERALS), np.uint8)
    for n, (literal, k) in enumerate(LITERALS):
        code = literal.encode()
        edges[n] = k >= 0 and KINDS[k].detail not in _AROUND and KINDS[k].pattern.pattern.startswith((_EDGE, _APART))
        letters[n, : len(code)], lengths[n] = np.frombuffer(code, np.uint8), len(code)
        if len(code) > 1:
            wanted[code[0] << 8 | code[1]] = 1
    for table in (letters, lengths, edges, wanted):
        table.flags.writeable = False
    return letters, lengths, edges, wanted


_TABLES = _literal_tables()
_DISCORD = next(n for n, (literal, _) in enumerate(LITERALS) if literal == ".")
_TELEGRAM = next(n for n, (literal, _) in enumerate(LITERALS) if literal == ":")
_URL = next(n for n, (literal, _) in enumerate(LITERALS) if literal == "://")
_TWILIO = tuple(n for n, (literal, _) in enumerate(LITERALS) if literal in ("AC", "SK"))
_AP = next(n for n, (literal, _) in enumerate(LITERALS) if literal == "AP")


@kernel
def _is_token(byte: int) -> bool:
    return 48 <= byte <= 57 or 65 <= byte <= 90 or 97 <= byte <= 122 or byte in (45, 95)


@kernel
def _tokens(body: Any, start: int, count: int, last: int) -> bool:
    if start + count > last:
        return False
    for i in range(start, start + count):  # noqa: SIM110  (no generators in kernels)
        if not _is_token(body[i]):
            return False
    return True


@kernel
def _goes_on(body: Any, i: int, n: int, last: int) -> bool:
    """Return whether what follows a weak literal is worth a pattern."""
    if n in _TWILIO:
        return _tokens(body, i + 2, 32, last)
    if n == _AP:
        return _tokens(body, i + 2, 9, last)
    if n == _URL:
        colon = False
        for at in range(i + 3, min(last, i + 3 + 256)):
            byte = body[at]
            if byte <= 32 or byte in (47, 34, 60, 62):
                return False
            if byte == 64:
                return colon
            colon |= byte == 58
        return False
    return True


@kernel
def _matches(body: Any, i: int, literal: Any, size: int, last: int) -> bool:
    if i + size > last:
        return False
    for k in range(size):  # noqa: SIM110
        if body[i + k] != literal[k]:
            return False
    return True


@kernel
def _hang_on(body: Any, i: int, row: Any) -> int:
    """Return the kind of credential that has only a dot or colon at i for a literal, or -1."""
    first, last = row
    byte = body[i]
    if byte == 46 and i + 7 < last and body[i + 7] == 46 and _tokens(body, i + 8, 27, last):
        return _DISCORD
    if byte == 58 and i > first and 48 <= body[i - 1] <= 57 and _tokens(body, i + 1, 35, last):
        return _TELEGRAM
    return -1


@kernel
def _search(body: Any, offsets: Any, tables: Any, out: Any) -> int:
    """Write (position, literal) of all literals and of the dots and colons that two kinds hang on."""
    letters, lengths, edges, wanted = tables
    filled = 0
    for row in range(len(offsets) - 1):
        first, last = offsets[row], offsets[row + 1]
        for i in range(first, last - 1):
            found = _hang_on(body, i, (first, last)) if body[i] == 46 or body[i] == 58 else -1
            if found < 0 and wanted[np.int64(body[i]) << 8 | body[i + 1]]:
                touched = i > first and _is_token(body[i - 1])
                for n in range(len(lengths)):
                    fits = lengths[n] > 1 and not (edges[n] and touched)
                    if fits and _matches(body, i, letters[n], lengths[n], last) and _goes_on(body, i, n, last):
                        found = n
            if found >= 0:
                if filled < len(out):
                    out[filled, 0], out[filled, 1] = i, found
                filled += 1
    return filled


def _places(batch: Batch) -> npt.NDArray[np.int64]:
    out = np.empty((256, 2), np.int64)
    while (count := int(_search(batch.body, batch.offsets, _TABLES, out))) > len(out):
        out = np.empty((count, 2), np.int64)
    return out[:count]


def find_credentials(batch: Batch) -> Iterator[Found]:
    """Yield the credentials of a batch."""
    places = _places(batch)
    rows = batch.rows_of(places[:, 0]).tolist()
    past = -1
    for row, (at, n) in zip(rows, places.tolist(), strict=True):
        if at < past:
            continue
        first, last = batch.bounds(row)
        kind = LITERALS[n][1]
        found = _private_key(batch, at, (first, last)) if kind < 0 else _token(batch, at, (first, last), KINDS[kind])
        if found and found.start < found.end:
            past = found.end
            yield found


def _token(batch: Batch, at: int, row: tuple[int, int], kind: Kind) -> Found | None:
    low = max(row[0], at - LOOK_BACK)
    near = bytes(batch.body[low : min(row[1], at + LOOK_AHEAD)])
    start = _start(near, at - low, kind)
    match = kind.pattern.search(near, start) if kind.detail == "openai" else kind.pattern.match(near, start)
    if match is None or (kind.valid and not kind.valid(match.group())):
        return None
    begin, end = match.span("secret") if "secret" in kind.pattern.groupindex else match.span()
    return Found(low + begin, low + end, kind.detail)


def _start(near: bytes, at: int, kind: Kind) -> int:
    """Return where a pattern starts whose literal stands at `at`."""
    before = _AROUND.get(kind.detail)
    if before is None:
        return at
    match = re.search(before, near[:at])
    return match.start() if match else at


def _private_key(batch: Batch, at: int, row: tuple[int, int]) -> Found | None:
    header = _KEY.match(bytes(batch.body[at : min(row[1], at + 96)]))
    if header is None:
        return None
    dashes = _DASHES.search(bytes(batch.body[max(row[0], at - 6) : at]))
    start, past = at - (len(dashes.group()) if dashes else 0), at + header.end()
    rest = bytes(batch.body[past : min(row[1], past + KEY_BYTES)])
    rest = rest[:end] if (end := rest.find(b"BEGIN ")) >= 0 else rest
    close = re.search(rb"(?:----- ?)END " + header["kind"] + rb"(?:-----)?", rest)
    lines = _KEY_LINES.match(rest)
    size = close.end() if close else len(lines.group().rstrip(_NOT_KEY)) if lines else 0
    return Found(start, past + size, "private-key")
