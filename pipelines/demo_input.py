"""Real multilingual input from what Debian's archive serves: manuals in 40 locales, written as WARC files.

`apt-get download` fetches and checks the packages, `dpkg -x` unpacks them into the cache; nothing is
installed and no root is needed. A folder of the cache is complete as soon as it exists: it is made beside,
then renamed, under a lock.
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from urllib.parse import quote

from filters.native import cache_root
from pipelines.sources.warc_writer import Page, write_warc

# Where the pages of a package lie, and the manual's licence.
PAGE_FOLDERS = {
    "debian-handbook": "usr/share/doc/debian-handbook/html",
    "installation-guide-amd64": "usr/share/doc/installation-guide-amd64",
    "installation-guide-arm64": "usr/share/doc/installation-guide-arm64",
    "apache2-doc": "usr/share/doc/apache2-doc/manual",
}
FETCHED_AT = "2026-01-01T00:00:00Z"  # fixed: the same packages give the same bytes
DEMO_VERSION = 1  # raise when the WARC files of the same packages would differ
FULL_FILE_BYTES = 7 << 20  # pages, before compression
SMALL_FILE_BYTES = 512 << 10
SMALL_SHARE = 32  # the small input takes about one page name in 32, the same names in every locale

Say = Callable[[str], None]


class InputUnavailable(RuntimeError):
    """The demo's input can't be made on this machine; the message says what to do."""


@dataclass(frozen=True)
class Package:
    """An unpacked Debian package; `sha256` is that of the .deb file."""

    name: str
    version: str
    sha256: str
    root: Path

    @property
    def page_folder(self) -> Path:
        """Return the folder that relative page names start from."""
        return self.root / PAGE_FOLDERS[self.name]


def input_root() -> Path:
    """Return the cache folder of packages and demo inputs."""
    return cache_root() / "input"


@contextmanager
def exclusive(name: str) -> Iterator[None]:
    """Hold the lock `name` of the cache, so that of many processes one makes what all wait for."""
    input_root().mkdir(parents=True, exist_ok=True)
    with (input_root() / f".{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _cached(name: str) -> Package | None:
    for record in sorted(input_root().glob(f"{name}_*/package.json")):
        stated = json.loads(record.read_text())
        return Package(stated["name"], stated["version"], stated["sha256"], record.parent / "tree")
    return None


def _run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    plain = os.environ | {"LC_ALL": "C.UTF-8"}
    return subprocess.run(command, cwd=folder, env=plain, capture_output=True, text=True, check=False)


def _download(name: str, folder: Path) -> Path:
    """Return the .deb of `name` in `folder`.

    Where the package lists are empty, fetch lists of our own first.
    """
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        raise InputUnavailable(
            f"the demo's input is built from Debian packages and there is no apt-get and dpkg here to fetch {name!r}: "
            "give your own input, INPUT=folder-or-warc"
        )
    fetch = ["apt-get", "-o", "APT::Sandbox::User=", "download", name]
    first = _run(fetch, folder)
    if first.returncode:
        lists = folder / "lists"
        (lists / "partial").mkdir(parents=True)
        own = ["-o", f"Dir::State::lists={lists}", "-o", f"Dir::Cache={folder}", "-o", "Debug::NoLocking=1"]
        update = _run([*fetch[:3], *own, "update"], folder)
        first = _run([*fetch[:3], *own, *fetch[3:]], folder) if not update.returncode else update
    found = sorted(folder.glob(f"{name}_*.deb"))
    if first.returncode or not found:
        raise InputUnavailable(
            f"apt-get could not download {name!r}: {first.stderr.strip()[-400:]}\n"
            "give your own input instead: INPUT=folder-or-warc"
        )
    return found[0]


def _unpack(name: str, work: Path) -> Package:
    archive = _download(name, work)
    version = archive.name.removeprefix(f"{name}_").rpartition("_")[0].replace("%3a", ":")
    staged = work / "package"
    (staged / "tree").mkdir(parents=True)
    unpacked = _run(["dpkg", "-x", str(archive), str(staged / "tree")], work)
    if unpacked.returncode:
        raise InputUnavailable(f"dpkg -x {archive.name}: {unpacked.stderr.strip()[-400:]}")
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    stated = {"name": name, "version": version, "sha256": digest, "bytes": archive.stat().st_size}
    (staged / "package.json").write_text(json.dumps(stated, indent=1) + "\n")
    final = input_root() / f"{name}_{version}"
    staged.rename(final)
    return Package(name, version, digest, final / "tree")


def fetch_package(name: str, say: Say = lambda _: None) -> Package:
    """Return the unpacked package, from the cache or from the package archive (no root, nothing installed).

    Raises InputUnavailable where it can't be had.
    """
    with exclusive(name):
        if cached := _cached(name):
            return cached
        say(f"fetching {name}")
        with tempfile.TemporaryDirectory(dir=input_root(), prefix=f".{name}-") as work:
            return _unpack(name, Path(work))


def page_paths(package: Package) -> list[str]:
    """Return the page files of a package, relative to its page folder, sorted.

    Links count as what they show.
    """
    folder = package.page_folder
    found = (p for p in folder.rglob("*.html") if p.is_file())
    return sorted(p.relative_to(folder).as_posix() for p in found)


def locale_of(path: str) -> str:
    """Return the locale folder that a page lies in, "" for a page above them.

    Not a language label: many pages of a translated manual are English.
    """
    return path.partition("/")[0] if "/" in path else ""


def media_type_of(payload: bytes) -> str:
    """Return the type that the page's own first line states: an XML declaration makes it XHTML."""
    return "application/xhtml+xml" if payload.startswith(b"<?xml") else "text/html"


def in_small(path: str) -> bool:
    """Return whether the small input has the page.

    Decided by its file name, so translations stay together.
    """
    name = path.rpartition("/")[2].encode()
    return int.from_bytes(hashlib.sha256(name).digest()[:4], "big") % SMALL_SHARE == 0


def packed(sizes: Iterable[tuple[str, int]], file_bytes: int) -> list[list[str]]:
    """Pack pages into files in the order given: a file is closed before the locale that would overfill it.

    A single locale may be larger than `file_bytes`; it is then a file of its own.
    """
    files: list[list[str]] = []
    filled = file_bytes
    for _, group in groupby(sizes, key=lambda page: locale_of(page[0])):
        pages = list(group)
        total = sum(size for _, size in pages)
        if not files or filled + total > file_bytes:
            files.append([])
            filled = 0
        files[-1] += [path for path, _ in pages]
        filled += total
    return files


def page_of(package: Package, path: str) -> Page:
    """Return the page at `path` as its web server would send it.

    The host is reserved (RFC 2606), not real.
    """
    payload = (package.page_folder / path).read_bytes()
    return Page(f"https://{package.name}.example/{quote(path)}", payload, media_type_of(payload))


def _write_package(package: Package, folder: Path, full: bool) -> dict[str, int]:
    chosen = [path for path in page_paths(package) if full or in_small(path)]
    sizes = [(path, (package.page_folder / path).stat().st_size) for path in chosen]
    info = (
        ("software", "corpusmill"),
        ("format", "WARC File Format 1.1"),
        ("conformsTo", "http://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/"),
        ("description", f"Debian package {package.name} {package.version} sha256:{package.sha256}"),
    )
    written = {}
    for index, paths in enumerate(packed(sizes, FULL_FILE_BYTES if full else SMALL_FILE_BYTES)):
        target = folder / f"{package.name}-{index:03d}.warc.gz"
        written[target.name] = write_warc(target, FETCHED_AT, info, (page_of(package, path) for path in paths))
    return written


def build_warcs(folder: Path, packages: Iterable[Package], full: bool) -> dict[str, int]:
    """Write the demo's WARC files into `folder`, give the response records of each.

    Same packages, same bytes.
    """
    written: dict[str, int] = {}
    for package in packages:
        written |= _write_package(package, folder, full)
    return written


def demo_input(full: bool = True, say: Say = lambda _: None) -> Path:
    """Return the folder of the demo's WARC files, making it when the cache has none.

    full: 9,141 pages of bookworm's packages in about 25 files; else about 300 pages in at least 8 files, the
    same page names in every locale, so that duplicates and near-duplicates meet.
    """
    packages = [fetch_package(name, say) for name in PAGE_FOLDERS]
    identity = json.dumps([DEMO_VERSION, full, [p.sha256 for p in packages]])
    name = f"demo-{'full' if full else 'small'}-{hashlib.sha256(identity.encode()).hexdigest()[:12]}"
    final = input_root() / name
    with exclusive(name):
        if not final.exists():
            say("writing WARC files")
            with tempfile.TemporaryDirectory(dir=input_root(), prefix=f".{name}-") as work:
                staged = Path(work) / "warc"
                staged.mkdir()
                written = build_warcs(staged, packages, full)
                stated = [{"name": p.name, "version": p.version, "sha256": p.sha256} for p in packages]
                described = json.dumps({"packages": stated, "records": written}, indent=1)
                (input_root() / f"{name}.json").write_text(described + "\n")
                staged.rename(final)
    return final
