"""What a path in a repository says: whether it can be one, whose code lies there, where licences stand."""

import re
from functools import lru_cache

NAMES_VERSION = 2
MAX_SEGMENTS = 64
_LICENSE = re.compile(
    r"^(?:un)?(?:licen[cs]es?|copying|copyright|legal|notice)(?:[-_.][\w.+-]*)?$|^[\w.+-]*[-_.](?:licen[cs]e|copying)(?:\.(?:txt|md|rst))?$",
    re.IGNORECASE,
)
_NO_LICENSE = re.compile(
    r"\.(?:py|js|ts|go|rs|c|h|cc|cpp|java|rb|php|pl|pm|sh|css|html?|xml|json|ya?ml|png|svg|tcl|erl|hrl|lua)$",
    re.IGNORECASE,
)
_VENDORED = re.compile(
    r"(?:^|/)(?:vendor(?:ed|s)?|third[-_]?party|3rd[-_]?party|external|externals|extern|node_modules|bower_components|"
    r"Godeps/_workspace|_vendor|bundled|contrib/[^/]+/vendor|deps)/(?=.)",
    re.IGNORECASE,
)
_LFS = b"version https://git-lfs.github.com/spec/v1\n"
MAX_LFS_BYTES = 1024
BINARY_HEAD_BYTES = 8000  # git's own test: a NUL in the first 8,000 bytes


def unsafe(raw: bytes | str, max_bytes: int) -> str | None:
    """Return why a member's name can't be a file's below a folder, None where it can."""
    if isinstance(raw, str):
        raw = raw.encode("utf-8", "surrogateescape")
    try:
        name = raw.decode()
    except UnicodeDecodeError:
        return "the name is not UTF-8"
    parts = name.split("/")
    checks = (
        (not name or "\0" in name or name.strip() == "", "the name is empty or holds a NUL"),
        (name.startswith(("/", "\\")) or re.match(r"[A-Za-z]:[/\\]", name) is not None, "the name is absolute"),
        (".." in parts or "..\\" in name, "the name leaves its folder"),
        (len(raw) > max_bytes, "the name is beyond the limit"),
        (len(parts) > MAX_SEGMENTS, f"the name has more than {MAX_SEGMENTS} folders"),
        (any(ord(sign) < 32 for sign in name), "the name holds control characters"),
    )
    return next((why for bad, why in checks if bad), None)


def is_license_name(path: str) -> bool:
    """Return whether a file is called as a licence's text is: COPYING.LESSER, LICENSES/MIT.txt, .reuse/dep5."""
    folder, _, name = path.rpartition("/")
    if folder.rpartition("/")[2] in ("LICENSES", "LICENSE") and name.endswith(".txt"):
        return True
    if path.endswith(".reuse/dep5"):
        return True
    return _LICENSE.match(name) is not None and _NO_LICENSE.search(name) is None


@lru_cache(maxsize=1 << 16)
def vendor_root(path: str) -> str | None:
    """Return the folder of the vendored project that a file belongs to, None for the repository's own files.

    "vendor/github.com/a/b/x.go" -> "vendor/github.com/a/b"; "third_party/zlib/x.c" -> "third_party/zlib".
    """
    every = list(_VENDORED.finditer(path))
    if not every:
        return None
    found = every[-1]  # the innermost
    rest = path[found.end() :].split("/")[:-1]
    hosted = 3 if rest and "." in rest[0] else (2 if rest and rest[0].startswith("@") else 1)
    return "/".join([path[: found.end() - 1], *rest[:hosted]])


def is_lfs_pointer(payload: bytes) -> bool:
    """Return whether a file only says where Git LFS keeps the real one."""
    return len(payload) <= MAX_LFS_BYTES and payload.startswith(_LFS)


def is_binary(payload: bytes) -> bool:
    """Return whether git would call it binary; UTF-16 and UTF-32 with a mark in front are text."""
    head = payload[:BINARY_HEAD_BYTES]
    return b"\0" in head and not head.startswith((b"\xff\xfe", b"\xfe\xff"))
