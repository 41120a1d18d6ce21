"""Real media for the demo out of Debian packages: captioned pictures, speech in many languages, music and films.

Of a package the demo takes a sample: what belongs together by name (a picture, its captions, its spoken captions) is
in it or not, by the hash of that name, so the sample is the same on every machine and for every order of the files.
"""

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipelines.demo_input import Package, Say, exclusive, fetch_package, input_root

Size = Literal["small", "sample", "all"]
SAMPLE_VERSION = 1  # raise when the same packages would give other samples
_STEM = re.compile(r"_desc(_[A-Za-z_]+)?$")  # hen.png, hen.txt, hen_desc_fr.ogg: all of them are the hen's


@dataclass(frozen=True)
class Media:
    """An input of recipes/demo.yaml. `small`, `sample`: how many names of the package; None: all."""

    name: str  # of the input
    package: str
    folder: str
    small: int | None
    sample: int | None

    def count(self, size: Size) -> int | None:
        """Return how many names an input of that size has; None: all."""
        return {"small": self.small, "sample": self.sample, "all": None}[size]


PROMPTS = ("en", "es", "fr", "it", "ru")
MEDIA = (
    Media("stamps", "tuxpaint-stamps-default", "usr/share/tuxpaint/stamps", 12, 100),
    *(
        Media(f"prompts-{language}", f"asterisk-core-sounds-{language}-gsm", "usr/share/asterisk/sounds", 12, 60)
        for language in PROMPTS
    ),
    Media("hold-music", "asterisk-moh-opsound-gsm", "usr/share/asterisk/moh", 1, 2),
    Media("films", "forensics-samples-files", "usr/share/forensics-samples/original-files/movie2", None, None),
)


def media_folders(size: Size, say: Say = lambda _: None) -> dict[str, Path]:
    """Return the folder of each input by its name, fetching packages where the cache has none.

    Raises InputUnavailable where a package can't be had.
    """
    return {media.name: media_folder(media, fetch_package(media.package, say), size) for media in MEDIA}


def media_folder(media: Media, package: Package, size: Size) -> Path:
    """Return the folder of an input: the package's own where all is asked for, else a sample in the cache."""
    folder, count = package.root / media.folder, media.count(size)
    if count is None:
        return folder
    identity = json.dumps([SAMPLE_VERSION, media.folder, count, package.sha256])
    name = f"{media.name}-{size}-{hashlib.sha256(identity.encode()).hexdigest()[:12]}"
    final = input_root() / name
    with exclusive(name):
        if not final.exists():
            with tempfile.TemporaryDirectory(dir=input_root(), prefix=f".{name}-") as work:
                staged = Path(work) / "sample"
                _copy(folder, staged, count)
                staged.rename(final)
    return final


def _copy(folder: Path, target: Path, count: int) -> None:
    paths = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    for path in sampled(paths, count):
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(folder / path, target / path)


def stem_of(path: str) -> str:
    """Return the name that a file shares with what belongs to it: its path without suffix and language."""
    return _STEM.sub("", path.rpartition(".")[0] or path)


def sampled(paths: Iterable[str], count: int) -> list[str]:
    """Return the files of `count` names, those whose hashes are smallest, sorted by path."""
    files = sorted(paths)
    stems = sorted({stem_of(path) for path in files}, key=lambda stem: hashlib.sha256(stem.encode()).digest())
    chosen = set(stems[:count])
    return [path for path in files if stem_of(path) in chosen]
