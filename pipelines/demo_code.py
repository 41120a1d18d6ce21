"""Real source code for the demo out of Debian packages: a dozen projects in as many languages, each a repository.

Beside the files of each stands `debian/copyright`, where Debian's developers wrote down whose the files are and under
which licence. Of a package the demo takes a sample, as pipelines.demo_media does of pictures and sounds.
"""

import hashlib
import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from pipelines.demo_input import Package, Say, exclusive, fetch_package, input_root
from pipelines.demo_media import Size, sampled

SOURCES = "sources"  # the input's name in recipes/demo.yaml
SAMPLE_VERSION = 1  # raise when the same packages would give another sample
NAMES: dict[Size, int | None] = {"small": 4, "sample": 40, "all": None}  # of each project


@dataclass(frozen=True)
class Project:
    """A package with source code, and the folders in which it lies."""

    package: str
    folders: tuple[str, ...]


PROJECTS = (
    Project("bash-completion", ("usr/share/bash-completion",)),  # Shell, GPL-2.0-or-later
    Project("elpa-magit", ("usr/share/emacs/site-lisp",)),  # Emacs Lisp, GPL-3.0-or-later
    Project("golang-golang-x-net-dev", ("usr/share/gocode/src",)),  # Go, BSD-3-Clause
    Project("libmoo-perl", ("usr/share/perl5",)),  # Perl, its own two licences
    Project("librust-tokio-dev", ("usr/share/cargo/registry",)),  # Rust, MIT
    Project("lua-penlight", ("usr/share/lua",)),  # Lua, MIT
    Project("nlohmann-json3-dev", ("usr/include", "usr/share/doc/nlohmann-json3-dev/examples")),  # C++, MIT
    Project("node-undici", ("usr/share/nodejs",)),  # JavaScript and TypeScript, MIT
    Project("php-twig", ("usr/share/php",)),  # PHP, BSD-3-Clause
    Project("python3-requests", ("usr/lib/python3/dist-packages",)),  # Python, Apache-2.0
    Project("ruby-rack", ("usr/share/rubygems-integration",)),  # Ruby, MIT
    Project("uthash-dev", ("usr/include", "usr/share/doc/uthash-dev/examples")),  # C, BSD-1-Clause
)


def source_folder(size: Size, say: Say = lambda _: None) -> Path:
    """Return the folder of the demo's repositories, making it where the cache has none.

    Raises InputUnavailable where a package can't be had.
    """
    packages = [fetch_package(project.package, say) for project in PROJECTS]
    identity = json.dumps([SAMPLE_VERSION, NAMES[size], [package.sha256 for package in packages]])
    name = f"{SOURCES}-{size}-{hashlib.sha256(identity.encode()).hexdigest()[:12]}"
    final = input_root() / name
    with exclusive(name):
        if not final.exists():
            with tempfile.TemporaryDirectory(dir=input_root(), prefix=f".{name}-") as work:
                staged = Path(work) / SOURCES
                for project, package in zip(PROJECTS, packages, strict=True):
                    _copy(project, package, staged / project.package, NAMES[size])
                staged.rename(final)
    return final


def _copy(project: Project, package: Package, target: Path, count: int | None) -> None:
    files = [path for folder in project.folders for path in (package.root / folder).rglob("*")]
    paths = [path.relative_to(package.root).as_posix() for path in files if path.is_file() and not path.is_symlink()]
    for path in sampled(paths, len(paths) if count is None else count):
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(package.root / path, target / path)
    (target / "debian").mkdir(parents=True)
    shutil.copy2(package.root / f"usr/share/doc/{package.name}/copyright", target / "debian/copyright")
