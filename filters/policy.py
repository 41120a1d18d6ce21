"""What a page's owner says about its use, and whether we may go on: nine kinds of signals, one verdict.

Signals are lines: "name: value" of a header, "meta name: value" of a page, "robots.txt ...", "tdmrep.json ..." and
"ai.txt ..." of a site's files. The raw lines and what each came to are kept with the record.

Sources: Google's robots meta tag specification (directives, user-agent prefixes); `noai` and `noimageai` (DeviantArt
2022), `noml`; the TDM Reservation Protocol (W3C community group final report, 10 May 2024); `Content-Usage`
(draft-ietf-aipref-attach-05 and -vocab, still drafts: the labels of older ones are heard too); Cloudflare's
`Content-Signal` (2025); ai.txt (Spawning 2023).
"""

import json
import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

from filters.robots import Line, Patterns, Robots, group_for, read_lines
from manifests.reasons import Refused

OUR_AGENT = "corpusmill"
AIPREF = "draft-ietf-aipref-attach-05"  # what Content-Usage is read by
NO_IMAGES = "noimageai"  # the text may be used, the images may not

RESERVED, USAGE, SIGNAL, AI_TXT = "tdm-reservation", "content-usage", "content-signal", "ai-txt"
DEFAULT_REFUSALS: frozenset[Refused] = frozenset(Refused) - {Refused.ROBOTS, Refused.OPT_OUT}  # no matter of choice
LIFTED_BY_PAGES = frozenset({Refused.TDM_RESERVATION})  # what a page may take back that a header has said

_REFUSALS = {
    "noai": Refused.NOAI,
    "noml": Refused.NOAI,
    RESERVED: Refused.TDM_RESERVATION,
    USAGE: Refused.CONTENT_USAGE,
    SIGNAL: Refused.CONTENT_SIGNAL,
    AI_TXT: Refused.AI_TXT,
    "noindex": Refused.NOINDEX,
}
_IMAGE_REFUSALS = {NO_IMAGES: Refused.NOAI, "noimageindex": Refused.NOINDEX}
_COUNTING = frozenset({*_REFUSALS, *_IMAGE_REFUSALS, "nofollow", "tdm-reservation=0"})

# Directives that carry a value after a colon, so that their colon ends no user-agent's name.
_VALUED = {"max-snippet", "max-image-preview", "max-video-preview", "unavailable_after"}
_PREFIX = re.compile(r"\s*([a-z0-9*_.-]+)\s*:\s*(.*)", re.DOTALL)
_NAMED = re.compile(
    r"\s*(?P<origin>meta\s|robots\.txt\s|tdmrep\.json\s|ai\.txt\s)?\s*(?:(?P<name>[a-z-]+)\s*:)?\s*(?P<value>.*)",
    re.DOTALL,
)
_FILE, _HEADER, _META = range(3)  # a reservation said nearer to the page counts for more (TDMRep, processing priority)
_UNREAD: Mapping[str, tuple[int | None, tuple[str, ...]]] = {  # what a file that cannot be read comes to
    "tdmrep.json": (_FILE, (RESERVED,)),
    "ai.txt": (None, (AI_TXT,)),
    "robots.txt": (None, (USAGE,)),  # more usage lines than are heard
}
_WORD = re.compile(r"[^\s,;\"']+")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
# Categories of use that take in ours, the narrowest first: it decides (the vocabulary's drafts 00 to 07).
_TRAINING = ("train-ai", "train-genai", "genai", "ai", "tdm", "bots", "all")
_FILE_TYPE = re.compile(r"/?\*\.[A-Za-z0-9]+")
_CACHED_FILES = 256
MAX_FILE_RULES = 1000  # of a tdmrep.json or ai.txt; the crawl takes a longer one for unreadable
_WITHDRAWN = "withdrawn "  # begins the line of a no that came later
_WITHDRAWN_WORD = "withdrawn:"  # and its word, which nobody else can say: no directive holds a colon
LICENSE_LINE = "license "  # begins the line of a licence ("license rel: https://..."): kept, and no directive
_UNREADABLE = "unreadable: "  # what stands for a file that nobody could read: its owner's no
MAX_STORED_BYTES = 16 << 10  # of what an owner says of one page; all of it is heard
MAX_STORED_WORDS = 100  # directives that nobody has defined
_CACHED_LINES = 4096
_CACHED_CHARS = 1024  # a longer line is heard anew each time


class Heard(NamedTuple):
    """A line, and what it came to: directives for us, lower case, () where it says nothing to us."""

    raw: str
    means: tuple[str, ...]


@dataclass(frozen=True)
class Verdict:
    """What the owner says, and from which lines that follows."""

    said: frozenset[str]  # directives, with tdm-reservation, content-usage, content-signal, ai-txt for their no
    heard: tuple[Heard, ...]

    def as_json(self) -> dict[str, Any]:
        """Return what JSON can hold of it: each raw line with its meaning, and the draft that was read by."""
        stored, left_out = self._stored
        signals = [{"raw": each.raw, "means": _told(each.means)} for each in stored]
        counted = {"left_out_bytes": left_out} if left_out else {}
        return {"said": sorted(_told(sorted(self.said))), "signals": signals, "aipref": AIPREF} | counted

    @property
    def lines(self) -> tuple[str, ...]:
        """Return the raw lines, at most MAX_STORED_BYTES of them.

        Where more was said, a last line tells how much, and every no of the whole: who reads the lines again hears it.
        """
        stored, left_out = self._stored
        lines = tuple(each.raw for each in stored)
        noes = [word for word in (*_REFUSALS, *_IMAGE_REFUSALS) if word in self.said]
        return (*lines, ", ".join([f"{left_out} bytes left out", *noes])) if left_out else lines

    @cached_property
    def _stored(self) -> tuple[list[Heard], int]:
        """Return the lines that are stored, the last one cut, and how many bytes are not."""
        sizes = [len(each.raw.encode(errors="replace")) for each in self.heard]
        if sum(sizes) <= MAX_STORED_BYTES:
            return list(self.heard), 0
        stored: list[Heard] = []
        room = MAX_STORED_BYTES
        for each, size in zip(self.heard, sizes, strict=True):
            if size > room:
                cut = each.raw.encode(errors="replace")[:room].decode(errors="ignore")
                return [*stored, each._replace(raw=cut)], sum(sizes) - MAX_STORED_BYTES + room - len(cut.encode())
            stored.append(each)
            room -= size
        return stored, 0


def judge(lines: Iterable[str], agent: str = OUR_AGENT) -> Verdict:
    """Return what the lines say to everyone or to the crawler called `agent` (in any case).

    A line is an X-Robots-Tag value ("noai, max-image-preview:large", "somebot: noindex"), or "name: value" of a header
    or meta tag ("x-robots-tag: noai", "meta robots: noai", "tdm-reservation: 1"), or one of `Robots.usage`,
    `tdmrep_lines`, `ai_txt_lines`. An agent's name holds until the next name in the same line. "none" is noindex and
    nofollow. A reservation in the page overrides the header's, and that the file's; of all else any no counts.
    """
    heard: list[Heard] = []
    said: set[str] = set()
    reserved: list[bool | None] = [None, None, None]  # by the file, the header, the page
    for raw in lines:
        source, means = _hear(raw, agent.lower())
        heard.append(Heard(raw, means))
        if source is None:
            said.update(means)
        elif means:
            reserved[source] = reserved[source] or RESERVED in means
    if next((each for each in reversed(reserved) if each is not None), False):
        said.add(RESERVED)
    return Verdict(frozenset(said), tuple(heard))


def directives(lines: Iterable[str], agent: str = OUR_AGENT) -> frozenset[str]:
    """Return `judge(lines, agent).said`: the directives, lower case, that are meant for everyone or for us."""
    return judge(lines, agent).said


def refusal(
    said: Collection[str], refuse: Collection[Refused] = DEFAULT_REFUSALS, kind: str = "page"
) -> Refused | None:
    """Return the reason to leave the record out, among those that the recipe refuses, or None.

    `kind` "image" hears what is said of images too (noimageai, noimageindex). What was withdrawn is refused always.
    """
    for word in said:
        if word.startswith(_WITHDRAWN_WORD):
            return Refused(word.removeprefix(_WITHDRAWN_WORD))
    heard = _REFUSALS | _IMAGE_REFUSALS if kind == "image" else _REFUSALS
    return next((reason for word, reason in heard.items() if word in said and reason in refuse), None)


def tdmrep_lines(body: bytes, url: str) -> list[str]:
    """Return the rule of a /.well-known/tdmrep.json that holds for the URL as a line, [] where none does.

    Of the first MAX_FILE_RULES the first whose location matches the path counts. What is no such file says nothing:
    ask `tdmrep_defect` first.
    """
    patterns, lines = _tdmrep_at(body, url.partition("://")[2].partition("/")[0])
    path = patterns.first(url)
    return [] if path is None else [lines[path]]


def ai_txt_lines(body: bytes, url: str, agent: str = OUR_AGENT) -> list[str]:
    """Return the line of a site's /ai.txt that decides about the URL, [] where none does.

    Groups and rules are those of robots.txt; "*.jpg" stands for a type of file, so for the end of the path.
    """
    rule = _ai_txt(body, agent).rule(url.partition("#")[0].partition("?")[0])
    return [f"ai.txt {rule}"] if rule else []


def unreadable(name: str, why: str) -> str:
    """Return the line of a tdmrep.json or ai.txt that is there and cannot be read; it counts as a no."""
    return f"{name} {_UNREADABLE}{why}"


def is_unreadable(line: str) -> bool:
    """Say whether a line is one of `unreadable`."""
    name, _, why = line.partition(" ")
    return name in _UNREAD and why.startswith(_UNREADABLE)


def withdrawn(reason: str, said: str | None) -> str:
    """Return the line of a record whose owner said no after it was fetched; `reason` is a Refused, `said` the words."""
    return f"{_WITHDRAWN}{reason}: {' '.join((said or '').split())}".rstrip()


def is_web_page(body: bytes) -> bool:
    """Say whether a file begins as HTML or XML does: as an answer to /ai.txt or tdmrep.json it means there is none."""
    return body.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"<"


def tdmrep_defect(body: bytes) -> str | None:
    """Return why a tdmrep.json cannot be read (no JSON, no rules), None where it can be; an empty file says nothing."""
    body = body.removeprefix(b"\xef\xbb\xbf").strip()
    if not body:
        return None
    held = _json(body)
    if held is None:
        return "no JSON"
    rules = held if isinstance(held, list) else [held]
    if not all(isinstance(rule, dict) for rule in rules):
        return "no list of rules"
    return None if len(rules) <= MAX_FILE_RULES else f"more than {MAX_FILE_RULES} rules"


def ai_txt_defect(body: bytes, agent: str = OUR_AGENT) -> str | None:
    """Return why an ai.txt cannot be read, None where it can be; one that is empty but for comments says nothing."""
    lines = read_lines(body)
    if len(group_for(lines, agent)) > MAX_FILE_RULES:
        return f"more than {MAX_FILE_RULES} rules"
    text = body.removeprefix(b"\xef\xbb\xbf").splitlines()
    says = any(line.partition(b"#")[0].strip() for line in text)
    return "no rules" if says and not lines else None


def _hear(raw: str, agent: str) -> tuple[int | None, tuple[str, ...]]:
    return _hear_cached(raw, agent) if len(raw) <= _CACHED_CHARS else _hear_anew(raw, agent)


def _told(means: Sequence[str]) -> list[str]:
    """Return directives once each: all that count, of others the first MAX_STORED_WORDS, none longer than 64."""
    if len(means) <= MAX_STORED_WORDS and not any(len(word) > 64 for word in means):
        return list(means)
    words = dict.fromkeys(means)
    others = [word[:64] for word in words if word not in _COUNTING]
    return [*(word for word in words if word in _COUNTING), *dict.fromkeys(others[:MAX_STORED_WORDS])]


def _hear_anew(raw: str, agent: str) -> tuple[int | None, tuple[str, ...]]:
    """Return where a reservation was said (None: the line is no reservation), and what the line means."""
    if raw.startswith(_WITHDRAWN):
        reason = raw.removeprefix(_WITHDRAWN).partition(":")[0]
        return None, (f"{_WITHDRAWN_WORD}{reason}",) if reason in list(Refused) else ()
    if raw.startswith(LICENSE_LINE):
        return None, ()
    if is_unreadable(raw):
        return _UNREAD[raw.partition(" ")[0]]
    found = _NAMED.fullmatch(_plain(raw))
    origin, name, value = (part.strip() if part else "" for part in found.groups()) if found else ("", "", raw)
    return _hear_said(raw, origin, name, value, agent)


def _hear_said(raw: str, origin: str, name: str, value: str, agent: str) -> tuple[int | None, tuple[str, ...]]:
    if origin == "tdmrep.json":
        return _FILE, _file_reservation(raw)
    if name == RESERVED:
        return _META if origin == "meta" else _HEADER, _reservation(value)
    if name in (USAGE, SIGNAL):
        refused = _no_training(value) if name == USAGE else _members(value).get("ai-train") == "no"
        return None, (name,) if refused else ()
    if origin == "ai.txt":
        return None, (AI_TXT,) if (name or value).startswith("d") else ()
    if origin == "robots.txt":
        return None, ()
    if name in ("x-robots-tag", "robots"):
        return None, tuple(_of_line(value, agent))
    return None, tuple(_of_line(f"{name}:{value}" if name else value, agent))


_hear_cached = lru_cache(_CACHED_LINES)(_hear_anew)


def _plain(raw: str) -> str:
    """Return the line in small letters; full-width ones and the ideographic comma count as what they look like."""
    line = raw.lower()
    return line if line.isascii() else unicodedata.normalize("NFKC", line).lower().replace("、", ",")


def _of_line(line: str, agent: str) -> Iterable[str]:
    meant = True
    for token in line.split(",") if ":" in line else dict.fromkeys(map(str.strip, line.split(","))):
        prefixed = _PREFIX.fullmatch(token)
        is_agent = prefixed is not None and prefixed[1] not in _VALUED
        if prefixed and is_agent:
            meant = prefixed[1] in ("*", agent)
        name = (prefixed[2] if prefixed and is_agent else token).partition(":")[0].strip()
        if meant and name:
            yield from ["noindex", "nofollow"] if name == "none" else [name]


def _reservation(value: str) -> tuple[str, ...]:
    values = set(_WORD.findall(value))
    return (RESERVED,) if "1" in values else ("tdm-reservation=0",) if values == {"0"} else ()


def _file_reservation(raw: str) -> tuple[str, ...]:
    rule = _json(raw.partition(" ")[2])
    value = rule.get(RESERVED) if isinstance(rule, Mapping) else None
    return () if isinstance(value, bool | float) else _reservation(str(value))


def _no_training(value: str) -> bool:
    """Say whether a Content-Usage value disallows training: its narrowest category that says y or n decides."""
    said = _members(value)
    return next((said[name] == "n" for name in _TRAINING if said.get(name) in ("y", "n")), False)


def _members(value: str) -> dict[str, str]:
    """Return the members of a dictionary (RFC 9651, section 3.2), behind the path that robots.txt may put before it.

    Of a key said twice the last counts. Parameters are left out and strings are no tokens; what the grammar would
    refuse as a whole is read member by member, since a no that is spelt badly is a no.
    """
    if value.startswith("/"):
        value = value.replace("\t", " ").partition(" ")[2]
    members = _QUOTED.sub('""', value).split(",")
    pairs = (member.partition(";")[0].partition("=") for member in members)
    return {name.strip(): token.strip() for name, _, token in pairs}


def _json(text: str | bytes) -> Any:
    """Return what a JSON text holds, None where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


@lru_cache(_CACHED_FILES)
def _tdmrep_rules(body: bytes) -> tuple[Mapping[str, Any], ...]:
    held = _json(body.removeprefix(b"\xef\xbb\xbf"))
    rules = held if isinstance(held, list) else [held]  # the brackets are mandatory, and forgotten
    return tuple(rule for rule in rules[:MAX_FILE_RULES] if isinstance(rule, dict))


@lru_cache(_CACHED_FILES)
def _tdmrep_at(body: bytes, host: str) -> tuple[Patterns, Mapping[str, str]]:
    """Return the patterns of paths for which a host's tdmrep.json has rules, in their order, and the line of each."""
    lines: dict[str, str] = {}
    for rule in _tdmrep_rules(body):
        location = rule.get("location")
        path = _path_at(location, host) if isinstance(location, str) else None
        if path is not None:
            said = {name: rule[name] for name in ("location", RESERVED, "tdm-policy") if name in rule}
            lines.setdefault(path, f"tdmrep.json {json.dumps(said)}")
    return Patterns(list(lines)), lines


def _path_at(location: str, host: str) -> str | None:
    """Return the path of a location of tdmrep.json; None where it names another host."""
    _, named, rest = location.partition("://")
    if named:
        owner, _, location = rest.partition("/")
        if owner.lower() != host:
            return None
    path = location if location.startswith(("/", "*")) else f"/{location}"
    return path.encode("utf-8", "replace").decode("latin-1")


@lru_cache(_CACHED_FILES)
def _ai_txt(body: bytes, agent: str) -> Robots:
    return Robots(map(_to_the_end, group_for(read_lines(body), agent)[:MAX_FILE_RULES]))


def _to_the_end(line: Line) -> Line:
    return line._replace(value=f"{line.value}$") if _FILE_TYPE.fullmatch(line.value) else line
