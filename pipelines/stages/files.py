"""Files of the user's that workers need: kept in the output under names of their contents, brought to them once."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from filters.models import ModelDamagedError, ModelMissingError
from filters.native import cache_root
from filters.safety import word_lists
from manifests.keys import digest_of
from manifests.runs import put_same
from manifests.store import Store


def keep(store: Store, job: str, path: Path, what: str, sha256: str | None = None) -> str:
    """Put a file into the output, unless it is there, and return its name.

    Raises ModelMissingError where there is no file, ModelDamagedError where it is not the one that is pinned.
    """
    if not path.is_file():
        raise ModelMissingError(f"{what}: there is no file at {path}")
    return keep_bytes(store, job, path.read_bytes(), what, path.suffix, sha256)


def keep_bytes(store: Store, job: str, data: bytes, what: str, suffix: str = "", sha256: str | None = None) -> str:
    """Put `data` into the output, unless it is there, and return its name."""
    found = hashlib.sha256(data).hexdigest()
    if sha256 not in (None, found):
        raise ModelDamagedError(f"{what}: sha256 {found}, not {sha256}")
    name = f"{job}/files/{found}{suffix}"
    if store.size(name) is None:
        put_same(store, name, data)
    return name


def keep_word_lists(store: Store, job: str, folder: Path, sha256: str | None = None) -> str:
    """Put a folder's lists of words into the output as one file and return its name; `sha256` is their digest."""
    word_lists.load(folder, sha256)
    return keep_bytes(store, job, word_lists.pack(folder), f"{job}: lists of words", ".json")


def keep_folder(store: Store, job: str, folder: Path, files: Mapping[str, str], what: str) -> dict[str, str]:
    """Put files of a folder into the output and return {file name: its name there}. files: name -> sha256."""
    return {file: keep(store, job, folder / file, what, sha256) for file, sha256 in sorted(files.items())}


def bring_folder(store: Store, kept: Mapping[str, str]) -> Path:
    """Return a local folder with what `keep_folder` kept, under the names that the files had."""
    local = cache_root() / "folders" / digest_of(dict(kept))[:32]
    if not local.is_dir():
        local.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(dir=local.parent))
        for file, name in kept.items():
            (made / file).symlink_to(bring(store, name))
        try:
            made.rename(local)
        except OSError:  # another worker was faster
            shutil.rmtree(made)
    return local


def bring(store: Store, name: str) -> Path:
    """Return a local copy of what `keep` kept, from the cache or fetched now; its sha256 is its name."""
    file = name.rpartition("/")[2]
    local = cache_root() / "files" / file
    if not local.is_file():
        data = store.read(name)
        if (found := hashlib.sha256(data).hexdigest()) != file.partition(".")[0]:
            raise ModelDamagedError(f"{name}: sha256 {found}; delete it and run the same command again")
        _write(local, data)
    return local


def _write(local: Path, data: bytes) -> None:
    local.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=local.parent)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
    Path(temporary).replace(local)
