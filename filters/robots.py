"""What a robots.txt allows to our crawler (RFC 9309), how fast, and how its owner lets the pages be used.

Groups are read here: a group belongs to us by our exact product token, as Google's parser has it, and the lines that
decide can be named. Paths are matched by protego. Bytes that are not UTF-8 stay what they are, so rules in EUC-JP or
Shift_JIS count as well.
"""

import codecs
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property, lru_cache
from itertools import takewhile
from math import isqrt
from typing import Literal, NamedTuple

from protego import Protego

State = Literal["parsed", "allow_all", "disallow_all"]

EVERYONE = "*"
MAX_DELAY_S = 1e9  # what a longer Crawl-delay counts as
USAGE = ("content-usage", "content-signal")

_TOKEN = re.compile(r"[a-z_-]+|\*(?=\s|$)")  # RFC 9309, section 2.2.1; what follows it is no part of it
_BLANKS = re.compile("[ \t]+")  # a blank in Latin-1 may be a byte of a character
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]*)?|\.[0-9]+")
_RATE = re.compile(r"([0-9]{1,9})/([0-9]{1,9})([smhd]?)", re.IGNORECASE)
_UNITS_S = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_AUTHORITY = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*")
_BEYOND_ASCII = re.compile(r"(?:%[89A-Fa-f][0-9A-Fa-f]|[\x80-\xff])+")
_UNPRINTABLE = re.compile(r"[\x00-\x20#\x7f]")
_FIELDS = {
    alias: name
    for name, aliases in {
        "user-agent": ("user-agent", "useragent", "user agent"),
        "allow": ("allow",),
        # the misspellings that Google's parser takes for it
        "disallow": ("disallow", "dissallow", "dissalow", "disalow", "diasllow", "disallaw"),
        "sitemap": ("sitemap", "sitemaps", "site-map"),
        "crawl-delay": ("crawl-delay", "crawl delay"),
        "request-rate": ("request-rate", "request rate"),
        "content-usage": ("content-usage",),
        "content-signal": ("content-signal",),
    }.items()
    for alias in aliases
}
_LINE = re.compile(rf"^[ \t\0]*({'|'.join(_FIELDS)})([ \t]*:|[ \t])([^#\n]*)", re.IGNORECASE | re.MULTILINE)
_BLANK = " \t\v\f\0\xa0\u3000\ufeff" + "".join(map(chr, range(0x2000, 0x200C)))  # at the ends of a value
_OUTSIDE_GROUPS = frozenset({"crawl-delay", "request-rate", *USAGE})  # outside of any group they are for everyone
MAX_USAGE_LINES = 200  # of a robots.txt that are heard, the first; a site has a handful, and each page pays for them
_TOO_MANY = f"robots.txt unreadable: more than {MAX_USAGE_LINES} usage lines"  # filters.policy takes it for a no
_MATCHERS = 4096  # single patterns whose matcher is kept


class Line(NamedTuple):
    """One line of a robots.txt that says something."""

    field: str  # its right name, lower case
    value: str  # Latin-1: each character is one byte of the file
    text: str | None  # Latin-1: as it stands in the file, without comment; None where no file said it


class Patterns:
    """Path patterns (see `pattern_matches`); those that match are found by halves."""

    def __init__(self, paths: Sequence[str]) -> None:
        self.paths = paths
        self._any = _matcher(paths)

    def first(self, url: str) -> str | None:
        """Return the first pattern that matches the URL's path and query."""
        return next(self.matching(_target(url)), None)

    def matching(self, target: str) -> Iterator[str]:
        """Yield the patterns that match a target (`_target`), in their order."""
        if not self.paths or self._any.can_fetch(target, EVERYONE):
            return
        if len(self.paths) == 1:
            yield self.paths[0]
            return
        for half in self._halves:
            yield from half.matching(target)

    @cached_property
    def _halves(self) -> tuple["Patterns", "Patterns"]:
        middle = len(self.paths) // 2
        return Patterns(self.paths[:middle]), Patterns(self.paths[middle:])


class _Usage:
    """The lines of one usage field, by the path that each begins with."""

    def __init__(self, lines: Iterable[Line]) -> None:
        self._lines: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
        for place, line in enumerate(lines):
            self._lines[_path_of(line.value)].append((place, f"robots.txt {_utf8(line.text or '')}"))
        self._paths = Patterns(sorted(filter(None, self._lines), key=_length, reverse=True))

    def holding(self, target: str) -> list[str]:
        """Return the lines that hold for a target (`_target`), in their order."""
        paths = self._paths.matching(target)
        first = next(paths, "")
        longest = [first, *(takewhile(lambda path: _length(path) == _length(first), paths) if first else ())]
        return [text for _, text in sorted(line for path in longest for line in self._lines.get(path, ()))]


class Robots:
    """What one robots.txt says to one crawler. Every method is total; URLs are canonical."""

    def __init__(self, lines: Iterable[Line] = (), sitemaps: Iterable[str] = ()) -> None:
        """Take the lines of the one group that holds for us."""
        self._lines = tuple(lines)
        self._blocks: dict[tuple[str, int], Protego] = {}
        said = [line for line in self._lines if line.field in USAGE]
        self._unheard = (_TOO_MANY,) if len(said) > MAX_USAGE_LINES else ()
        said = said[:MAX_USAGE_LINES]
        self._usage = [_Usage(some) for field in USAGE if (some := [line for line in said if line.field == field])]
        self._parsed = Protego.parse(_document(self._lines))
        self.crawl_delay: float | None = max(filter(None, map(_delay_s, self._lines)), default=None)
        """Seconds between two requests, the longest that the group asks for (Crawl-delay, Request-rate), or None."""
        self.sitemaps: tuple[str, ...] = tuple(dict.fromkeys(sitemaps))
        """What Sitemap lines name, in their order: absolute URLs, if the owner keeps to the rules."""

    @classmethod
    def parse(cls, body: bytes, agent: str) -> "Robots":
        """Read a robots.txt as the crawler called `agent` (see `group_for`)."""
        lines = read_lines(body)
        return cls(group_for(lines, agent), [_utf8(line.value) for line in lines if line.field == "sitemap"])

    def allowed(self, url: str) -> bool:
        """Say whether the URL may be fetched: the longest rule that matches decides, Allow where two are as long."""
        return bool(self._parsed.can_fetch(_target(url), EVERYONE))

    def rule(self, url: str) -> str | None:
        """Return the line that decided about the URL, as it stands in the file; None where none did."""
        field = "allow" if self.allowed(url) else "disallow"
        rules, target = self._rules[field], _target(url)
        size = isqrt(len(rules)) + 1
        for start in range(0, len(rules), size):
            block = rules[start : start + size]
            if not self._block((field, start), block).can_fetch(target, EVERYONE):
                text = next(line.text for line in block for each in _patterns(line) if pattern_matches(each, url))
                return None if text is None else _utf8(text)
        return None

    def usage(self, url: str) -> tuple[str, ...]:
        """Return the Content-Usage and Content-Signal lines that hold for the URL, each behind "robots.txt ".

        Of each field those with the longest path that matches (draft-ietf-aipref-attach-05, section 3.1), all of
        them where several are as long: filters.policy takes the strictest. The first MAX_USAGE_LINES are heard; where
        there are more, a last line says so.
        """
        if not self._usage:
            return ()
        target = _target(url)
        return (*(line for usage in self._usage for line in usage.holding(target)), *self._unheard)

    @cached_property
    def _rules(self) -> dict[str, list[Line]]:
        rules = {name: [line for line in self._lines if line.field == name] for name in ("allow", "disallow")}
        return {name: sorted(found, key=_by_length, reverse=True) for name, found in rules.items()}

    def _block(self, key: tuple[str, int], lines: Sequence[Line]) -> Protego:
        if key not in self._blocks:
            self._blocks[key] = _matcher(each for line in lines for each in _patterns(line))
        return self._blocks[key]


def robots_state(status: int | None, forbidden: Literal["allow", "disallow"] = "allow") -> State:
    """Return what a status for robots.txt, at the end of its redirects, means (RFC 9309, section 2.3.1).

    None is no response at all. 429 counts as unreachable, like 5xx; 401 and 403 as `forbidden` says; a redirect that
    was one too many, and the rest of 4xx, as no robots.txt. 304 answers a condition that nobody set: unreachable.
    """
    if status is None or status in (304, 429) or not 200 <= status < 500:
        return "disallow_all"
    if status < 300:
        return "parsed"
    return "disallow_all" if status in (401, 403) and forbidden == "disallow" else "allow_all"


def read_lines(body: bytes) -> list[Line]:
    """Return the lines of a robots.txt that say something, in their order; whatever else stands there is left out.

    A rule's colon may be missing, as Google's parser has it.
    """
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        body = body.decode("utf-16", "replace").encode()
    text = body.removeprefix(codecs.BOM_UTF8).replace(b"\r", b"\n").decode("latin-1")
    return [
        Line(field, _stripped(found[3]), _stripped(found[0]))
        for found in _LINE.finditer(text)
        if (field := _FIELDS[found[1].lower()]) not in USAGE or ":" in found[2]
    ]


def without_comments(body: bytes) -> bytes:
    """Return what counts of a robots.txt: the lines that say something, but for its sitemaps; it reads the same."""
    lines = (line.text for line in read_lines(body) if line.field != "sitemap" and line.text)
    return "\n".join(lines).encode("latin-1")


def group_for(lines: Iterable[Line], agent: str) -> list[Line]:
    """Return the lines of a robots.txt that hold for the crawler called `agent`, in their order.

    `agent` is a product token in any case, with or without a version ("name/1.0"); what follows a token in the file
    is ignored. Groups that name it are read as one; where there are none, those of `*`. Only rules end a list of user
    agents (RFC 9309, section 2.2.4: other records must not end a group). A delay or a usage outside of any group is
    for everyone.
    """
    token = agent.partition("/")[0].strip().lower()
    groups: dict[str, list[Line]] = {}
    agents: set[str] = set()
    outside: list[Line] = []
    ended = True
    for line in lines:
        if line.field == "user-agent":
            agents = set() if ended else agents
            ended = False
            found = _TOKEN.match(line.value.lower())
            agents.add(found[0] if found else "")
            groups.setdefault(found[0] if found else "", [])
        elif line.field != "sitemap":
            ended = ended or line.field in ("allow", "disallow", "content-usage")
            for name in agents:
                groups[name].append(line)
            if not agents and line.field in _OUTSIDE_GROUPS:
                outside.append(line)
    return outside + groups.get(token, groups.get(EVERYONE, []))


def pattern_matches(pattern: str, url: str) -> bool:
    """Say whether a path pattern (`*` anything, `$` the end, else a prefix) matches the URL's path and query.

    `pattern` is Latin-1, each character a byte, or ASCII with escapes.
    """
    return not _single(pattern).can_fetch(_target(url), EVERYONE)


def _document(lines: Iterable[Line]) -> str:
    """Return a robots.txt of one group, in the form in which protego reads it as RFC 9309 has it."""
    rules = (line for line in lines if line.field in ("allow", "disallow"))
    said = [f"{line.field}: {value}" for line in rules if (value := _octets(line.value))]
    return "\n".join([f"user-agent: {EVERYONE}", *said])


def _matcher(patterns: Iterable[str]) -> Protego:
    """Return what refuses all that one of the patterns matches."""
    return Protego.parse(_document(Line("disallow", pattern, None) for pattern in patterns))


def _patterns(line: Line) -> list[str]:
    """Return the patterns that a rule stands for: a folder whose index.html is allowed is allowed itself."""
    implied = line.field == "allow" and line.value.endswith("/index.html")
    return [line.value, *([line.value.removesuffix("index.html") + "$"] if implied else [])]


@lru_cache(_MATCHERS)
def _single(pattern: str) -> Protego:
    return _matcher([pattern])


def _target(url: str) -> str:
    """Return the URL as protego matches it: no user's host name is left that could be taken for something else."""
    found = _AUTHORITY.match(url)
    rest = url[found.end() :] if found else url
    rest = rest.partition("#")[0]
    octets = _octets(rest.encode("utf-8", "surrogatepass").decode("latin-1"))
    return f"http://h{octets if octets.startswith('/') else f'/{octets}'}"


def _octets(value: str) -> str:
    """Return a path of bytes in printable ASCII: what is beyond becomes escapes.

    Escapes that are no UTF-8 get a second escape, as protego would take one for the other.
    """
    value = _UNPRINTABLE.sub(lambda found: f"%{ord(found[0]):02X}", value)
    return value if value.isascii() and "%" not in value else _BEYOND_ASCII.sub(_escaped, value)


def _escaped(found: re.Match[str]) -> str:
    raw = re.sub("%(..)", lambda escape: chr(int(escape[1], 16)), found[0]).encode("latin-1")
    try:
        raw.decode()
    except UnicodeDecodeError:
        return "".join(f"%25{byte:02X}" for byte in raw)
    return "".join(f"%{byte:02X}" for byte in raw)


def _stripped(value: str) -> str:
    if value.isascii():
        return value.strip(_BLANK)
    text = value.encode("latin-1").decode("utf-8", "surrogateescape").strip(_BLANK)
    return text.encode("utf-8", "surrogateescape").decode("latin-1")


def _path_of(value: str) -> str:
    """Return the path that a usage line begins with, or nothing."""
    return _BLANKS.split(value, 1)[0] if value.startswith("/") else ""


def _delay_s(line: Line) -> float | None:
    """Return the seconds between two requests that a line asks for, or None."""
    if line.field == "crawl-delay" and (number := _NUMBER.match(line.value)):
        return min(float(number[0]), MAX_DELAY_S)
    if line.field == "request-rate" and (rate := _RATE.match(line.value)):
        return min(int(rate[2]) * _UNITS_S[rate[3].lower()] / max(int(rate[1]), 1), MAX_DELAY_S)
    return None


def _by_length(line: Line) -> int:
    return _length(line.value)


def _length(path: str) -> int:
    return len(_octets(path))


def _utf8(value: str) -> str:
    return value.encode("latin-1").decode("utf-8", "replace")


ALLOW_ALL = Robots()
DISALLOW_ALL = Robots([Line("disallow", "/", None)])
"""robots.txt is unreachable: nothing may be fetched (RFC 9309, section 2.3.1.4), and no line says so."""
