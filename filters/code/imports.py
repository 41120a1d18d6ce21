"""What a file of a repository needs of the same repository: its imports, by pattern, and the order that follows.

A file comes behind those that it imports; where imports go round, and among equals, the path decides. The patterns are
of the languages in which projects name their own files or modules; others keep the order of paths.
"""

import re
from collections.abc import Mapping, Sequence
from heapq import heapify, heappop, heappush
from posixpath import normpath

IMPORTS_VERSION = 1
MAX_IMPORTS = 512  # of one file
_HEAD_CHARS = 1 << 16

_QUOTED = r"""["']([^"'\n]{1,200})["']"""
_PATTERNS: dict[str, tuple[re.Pattern[str], ...]] = {
    "Python": (
        re.compile(r"^[ \t]*from[ \t]+([.\w]+)[ \t]+import[ \t]", re.M),
        re.compile(r"^[ \t]*import[ \t]+([\w.]+)", re.M),
    ),
    "C": (re.compile(r'^[ \t]*#[ \t]*include[ \t]*["<]([^">\n]+)[">]', re.M),),
    "JavaScript": (re.compile(rf"(?:\bfrom|\brequire\(|\bimport|\bimport\()\s*{_QUOTED}"),),
    "Go": (re.compile(r'^[ \t]*(?:import[ \t]+)?(?:[\w.]+[ \t]+)?"([^"\n]+)"[ \t]*$', re.M),),
    "Rust": (
        re.compile(r"^[ \t]*(?:pub(?:\([^)]*\))?[ \t]+)?mod[ \t]+(\w+)[ \t]*;", re.M),
        re.compile(r"^[ \t]*(?:pub[ \t]+)?use[ \t]+((?:crate|super|self)(?:::\w+)+)", re.M),
    ),
    "Ruby": (re.compile(rf"^[ \t]*require(?:_relative)?[ \t]*\(?{_QUOTED}", re.M),),
    "PHP": (
        re.compile(rf"\b(?:require|include)(?:_once)?[ \t]*\(?[^;\n]*?{_QUOTED}"),
        re.compile(r"^[ \t]*use[ \t]+([\w\\]+)", re.M),
    ),
    "Perl": (re.compile(r"^[ \t]*(?:use|require)[ \t]+([A-Z][\w:]*)", re.M),),
    "Java": (re.compile(r"^[ \t]*import[ \t]+(?:static[ \t]+)?([\w.]+)", re.M),),
    "Erlang": (re.compile(rf"^-include(?:_lib)?\({_QUOTED}", re.M),),
    "Tcl": (
        re.compile(r"\bsource[ \t]+(?:\[file join [^\]\n]*?)?([\w./-]+\.tcl)"),
        re.compile(r"package[ \t]+require[ \t]+([\w:]+)"),
    ),
    "Lua": (re.compile(rf"\brequire[ \t]*\(?{_QUOTED}"),),
    "Shell": (re.compile(r"^[ \t]*(?:source|\.)[ \t]+[\"']?([\w./${}-]+)", re.M),),
}
_LIKE = {
    "C++": "C",
    "Objective-C": "C",
    "TypeScript": "JavaScript",
    "TSX": "JavaScript",
    "JSX": "JavaScript",
    "CoffeeScript": "JavaScript",
    "Vue": "JavaScript",
    "Kotlin": "Java",
    "Scala": "Java",
    "Groovy": "Java",
    "Cython": "Python",
    "Raku": "Perl",
    "Bash": "Shell",
}


def imports_of(text: str, language: str) -> list[str]:
    """Return what a file names that may be a file of its own repository, as it is written; each once, in order."""
    patterns = _PATTERNS.get(_LIKE.get(language, language), ())
    head = text[:_HEAD_CHARS]
    return list(dict.fromkeys(found for each in patterns for found in each.findall(head)))[:MAX_IMPORTS]


def stems(path: str) -> list[str]:
    """Return the names under which a file may be imported: its path without the suffix, and each of its endings."""
    bare = path.rpartition(".")[0] if "." in path.rpartition("/")[2] else path
    for last in ("/__init__", "/index", "/mod", "/lib", "/main"):
        bare = bare.removesuffix(last) if bare.endswith(last) and bare != last else bare
    parts = bare.split("/")
    return ["/".join(parts[i:]) for i in range(len(parts))]


def targets(name: str, path: str) -> list[str]:
    """Return the stems that an import of a file at `path` may mean, the likeliest first."""
    folder = path.rpartition("/")[0]
    if name.startswith(("./", "../")):
        return [_bare(normpath(f"{folder}/{name}" if folder else name))]
    if name.startswith("."):  # Python's own way of saying so
        up = len(name) - len(name.lstrip("."))
        base = "/".join(folder.split("/")[: max(0, len(folder.split("/")) - up + 1)])
        rest = name.lstrip(".").replace(".", "/")
        return [normpath(f"{base}/{rest}" if base else rest)] if rest else [base]
    plain = re.sub(r"^(?:crate|super|self)::", "", name)
    slashed = re.sub(r"::|\\", "/", plain)
    options = [_bare(slashed)]
    if "/" not in slashed and "." in slashed:
        options.append(slashed.replace(".", "/"))
    if "/" in slashed and "::" in plain:  # a module, or something inside it
        options.append(slashed.rpartition("/")[0])
    beside = [f"{folder}/{each}" for each in options] if folder else []
    return [*beside, *options]


def _bare(name: str) -> str:
    head, dot, suffix = name.rpartition(".")
    return (
        head if dot and head and "/" not in suffix and 1 <= len(suffix) <= 4 and not head.endswith((".", "/")) else name
    )


def in_order(files: Sequence[tuple[str, Sequence[str]]]) -> list[int]:
    """Return the places of files (path, imports) in the order in which they are read: what is imported comes first."""
    known: dict[str, list[int]] = {}
    for place, (path, _) in enumerate(files):
        for stem in stems(path):
            known.setdefault(stem, []).append(place)
    needs: list[set[int]] = [set(_met(known, path, imports, place)) for place, (path, imports) in enumerate(files)]
    return _sorted([path for path, _ in files], needs)


def _met(known: Mapping[str, Sequence[int]], path: str, imports: Sequence[str], own: int) -> list[int]:
    met = []
    for name in imports:
        for target in targets(name, path):
            places = known.get(target, ())
            if 0 < len(places) <= 8:  # a name that many files share says nothing
                met += [place for place in places if place != own]
                break
    return met


def _sorted(paths: Sequence[str], needs: Sequence[set[int]]) -> list[int]:
    """Kahn's order with the smallest path first; where all that is left goes round, the smallest path breaks it."""
    wanted_by: list[list[int]] = [[] for _ in paths]
    left = [len(each) for each in needs]
    for place, each in enumerate(needs):
        for other in each:
            wanted_by[other].append(place)
    ready = [(paths[place], place) for place in range(len(paths)) if not left[place]]
    rest = [(paths[place], place) for place in range(len(paths))]
    heapify(ready)
    heapify(rest)
    done = [False] * len(paths)
    order: list[int] = []
    while len(order) < len(paths):
        place = heappop(ready)[1] if ready else heappop(rest)[1]
        if done[place]:
            continue
        done[place] = True
        order.append(place)
        for other in wanted_by[place]:
            left[other] -= 1
            if left[other] == 0 and not done[other]:
                heappush(ready, (paths[other], other))
    return order
