"""Small committed snapshots of real media and texts, for tests and peers that read exports.

From one Debian package of captioned pictures with spoken captions and one with a film: `images` (picture, text,
description: every sample has all three), `media` (pictures, sounds, one film: samples differ), `text` (documents,
each a caption in up to 77 languages). `made` runs the real command over pages with pictures, spoken captions and films:
what its `audio`, `video` and `interleave` jobs leave, read out of their tars by the standard library.
"""

import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Collection, Iterable, Mapping
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa

from manifests.contents import DOCUMENTS
from manifests.keys import canonical_json, record_id
from manifests.manifest import commit
from manifests.reader import read_manifest
from manifests.records import document_schema
from manifests.shards import Shard, write_shard
from manifests.store import Store, open_store
from manifests.tar_shards import Sample, write_tar_shard
from pipelines.demo_input import fetch_package

SHARDS = 3
MADE = ("audio", "video", "interleave")  # jobs that are run
PAGES = 12  # of the handbook, in two languages
LOCALES = ("en-US", "ja-JP")
STAMPS, FILMS = "tuxpaint-stamps-default", "forensics-samples-files"
_SIGNALS = pa.schema([("words", pa.int64()), ("share", pa.float64())])


def _stamps() -> Path:
    return fetch_package(STAMPS).root / "usr/share/tuxpaint/stamps"


def _described(path: Path, root: Path, extension: str, caption: str) -> Sample:
    """Return a file as a sample: its content, its caption, what is known of it."""
    content = path.read_bytes()
    uri = f"{root.name}:{path.relative_to(root).as_posix()}"
    digest = sha256(content)
    about = {"uri": uri, "caption": caption, "bytes": len(content), "sha256": digest.hexdigest()}
    key = record_id(uri, digest.digest()).hex()
    return key, {extension: content, "txt": caption.encode(), "json": canonical_json(about)}


def pictures(count: int) -> list[Sample]:
    """Return `count` captioned PNG pictures, by path."""
    root = _stamps()
    found = [path for path in sorted(root.rglob("*.png")) if path.with_suffix(".txt").exists()]
    return [_described(path, root, "png", _caption(path.with_suffix(".txt"))) for path in found[:count]]


def _caption(path: Path) -> str:
    return path.read_text(errors="replace").splitlines()[0]


def sounds(count: int) -> list[Sample]:
    """Return `count` spoken captions, without the text: the field is missing."""
    root = _stamps()
    found = (_described(path, root, "ogg", "") for path in sorted(root.rglob("*_desc_*.ogg"))[:count])
    return [(key, {"ogg": fields["ogg"], "json": fields["json"]}) for key, fields in found]


def film() -> Sample:
    """Return one film."""
    root = fetch_package(FILMS).root
    (path,) = root.rglob("movie-hello.mp4")
    return _described(path, root, "mp4", "Hello")


def documents(count: int) -> list[dict[str, Any]]:
    """Return `count` documents as rows of `document_schema`."""
    root = _stamps()
    rows = []
    for path in sorted(root.rglob("*.txt"))[:count]:
        payload = path.read_bytes()
        uri, digest = f"stamps:{path.relative_to(root).as_posix()}", sha256(payload).digest()
        text = payload.decode(errors="replace")
        rows.append(
            {
                "id": record_id(uri, digest),
                "uri": uri,
                "source": "stamps",
                "digest": digest,
                "media_type": "text/plain",
                "language": "und",
                "language_score": 0.25,
                "text": text,
                "parts": [{"kind": "text", "start": 0, "end": len(text)}],
                "signals": {"words": len(text.split()), "share": 1 / 3},
            }
        )
    return rows


def _sharded(items: Iterable[Any], key: Callable[[Any], str]) -> list[list[Any]]:
    """Return items by shard, each by ascending key."""
    shards: list[list[Any]] = [[] for _ in range(SHARDS)]
    for item in sorted(items, key=key):
        shards[int(key(item), 16) % SHARDS].append(item)
    return shards


def commit_samples(store: Store, job: str, samples: list[Sample]) -> None:
    """Commit samples as tar shards with their indexes."""
    shards: list[Shard] = []
    with tempfile.TemporaryDirectory() as scratch:
        for number, some in enumerate(_sharded(samples, lambda sample: sample[0])):
            stem = f"{job}/data/part-{number:05d}-of-{SHARDS:05d}"
            shards += write_tar_shard(store, stem, job, some, Path(scratch) / "tar")
    commit(store, job, {"job": job, "shards": [shard.as_json() for shard in shards]})


def commit_documents(store: Store, rows: list[dict[str, Any]]) -> None:
    """Commit rows as Parquet shards of the job `text`."""
    shards = []
    for number, some in enumerate(_sharded(rows, lambda row: row["id"].hex())):
        table = pa.Table.from_pylist(some, document_schema(_SIGNALS))
        shards.append(write_shard(store, f"text/data/part-{number:05d}-of-{SHARDS:05d}", DOCUMENTS, table))
    commit(store, "text", {"job": "text", "shards": [shard.as_json() for shard in shards]})


def commit_all(store: Store, count: int) -> None:
    """Commit `images`, `media` and `text`, `count` records each."""
    commit_samples(store, "images", pictures(count))
    commit_samples(store, "media", [*pictures(count // 2), *sounds(count // 2 - 1), film()])
    commit_documents(store, documents(count))


def document_sample(row: dict[str, Any]) -> Sample:
    """Return what an export must make of a document's row: its text, and every other column as JSON."""
    table = pa.Table.from_pylist([row], document_schema(_SIGNALS))
    columns = {name: value for name, value in table.to_pylist()[0].items() if name != "text"}
    hexed = {name: value.hex() if isinstance(value, bytes) else value for name, value in columns.items()}
    return row["id"].hex(), {"json": canonical_json(hexed), "txt": row["text"].encode()}


def with_columns(key: str, fields: Mapping[str, bytes], names: Collection[str]) -> dict[str, str]:
    """Return a sample with a value in every column of MDS or LitData, its bytes as latin-1 text."""
    values = {"id": key.encode(), "fields": ",".join(sorted(fields)).encode(), **fields}
    return {name: values.get(name, b"").decode("latin-1") for name in names}


def make(root: Path, count: int) -> None:
    """Run the real jobs over pages with pictures, `count` spoken captions and a film, with OUT `root`."""
    source = root / "in"
    _pages(source / "book")
    stamps = _stamps()
    for path in sorted(stamps.rglob("*_desc_*.ogg"))[:count]:
        stem = source / "spoken" / "-".join(path.relative_to(stamps).parts)
        stem.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, stem)
        stem.with_suffix(".txt").write_text(_caption(_captions_of(path)))
    (source / "films").mkdir()
    (film_path,) = fetch_package(FILMS).root.rglob("movie-hello.mp4")
    shutil.copy(film_path, source / "films" / "hello.mp4")
    (source / "films" / "hello.ja.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nこんにちは\n")
    _story(source / "story", film_path, next(iter(sorted((source / "spoken").glob("*.ogg")))))
    recipe = {
        "corpusmill": 1,
        "inputs": [{"name": each.name, "uri": str(each)} for each in sorted(source.iterdir())],
        "text": {"rules": [], "edits": [], "dedup": {"exact": False, "near": None}},
        **{name: {"profiles": [], "shards": 2} for name in ("images", "video")},
        "interleave": {"shards": 2},
        "audio": {"profiles": [], "shards": 2, "segments": {"mode": "whole"}},
    }
    (root / "recipe.yaml").write_text(json.dumps(recipe))
    script = Path(sys.executable).parent / "corpusmill"
    done = subprocess.run(
        [script, "run", root / "recipe.yaml", "--out", root, "--quiet"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"corpusmill run: status {done.returncode}\n{done.stderr[-3000:]}")


def _story(folder: Path, film: Path, sound: Path) -> None:
    """Write a page that shows a film and plays a sound."""
    folder.mkdir()
    shutil.copy(film, folder / "film.mp4")
    shutil.copy(sound, folder / "sound.ogg")
    shown = '<p>一つ。</p><video src="film.mp4"></video><p>二つ。</p><audio src="sound.ogg"></audio><p>三つ。</p>'
    (folder / "page.html").write_text(f"<!doctype html><meta charset=utf-8><title>話</title>{shown}")


def _captions_of(path: Path) -> Path:
    return path.with_name(path.name.partition("_desc")[0] + ".txt")


def _pages(folder: Path) -> None:
    """Copy pages of the handbook that show pictures, and these pictures."""
    book = fetch_package("debian-handbook").page_folder
    for locale in LOCALES:
        pages = [each for each in sorted((book / locale).glob("*.html")) if '<img src="images/' in each.read_text()]
        shown = "".join(page.read_text() for page in pages[: PAGES // 2])
        pictures = [each for each in sorted((book / locale).rglob("*.png")) if f'/{each.name}"' in shown]
        for path in [*pages[: PAGES // 2], *pictures]:
            target = folder / path.relative_to(book)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)


def in_tars(root: Path, job: str) -> list[Sample]:
    """Return the samples of a job's newest snapshot, in the order of its shards, by the standard library's reader."""
    samples: list[Sample] = []
    for entry in read_manifest(open_store(root), job)["shards"]:
        if entry["name"].endswith(".tar"):
            with tarfile.open(root / entry["name"]) as archive:
                members = [(member.name, _content(archive, member)) for member in archive]
            for key, some in groupby(members, lambda member: member[0].partition(".")[0]):
                samples.append((key, {name.partition(".")[2]: content for name, content in some}))
    return samples


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    assert file is not None, f"{member.name} is no file"
    return file.read()
