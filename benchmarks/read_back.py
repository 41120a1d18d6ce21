"""Exports read back by the real clients: `make peers`, or

    python -m benchmarks.read_back [--count 120] [--without-trainers]

Real pictures, sounds, a film and texts are committed as snapshots, exported, and read by each client in an environment
of its own; what it saw must be what was committed: the same ids, bytes, text. Where a client has a writer, it writes
the same samples, and the files must be equal. Status 1 where anything differs.
"""

import argparse
import hashlib
import io
import json
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from benchmarks import peers, snapshots, token_files
from benchmarks.measure import say
from manifests.exports import Options, export
from manifests.exports.hf import FEATURES, LISTS
from manifests.exports.source import numbered_extension, open_source
from manifests.keys import canonical_json
from manifests.store import open_store
from manifests.tar_shards import Sample

CLIENTS = Path(__file__).with_name("clients.py")
COUNT = 120
SMALL = 1 << 20  # bytes of a written file, so that there are several
Expected = dict[str, dict[str, str]]


@dataclass(frozen=True)
class Check:
    """One client that reads one export; `expected` makes what it must see of a sample."""

    client: str
    package: str
    python: Callable[[], Path]
    job: str
    format: str
    expected: Callable[[dict[str, bytes]], dict[str, str]]


def own_python() -> Path:
    """Return this Python: it holds the webdataset that corpusmill depends on."""
    return Path(sys.executable)


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def pixels(content: bytes, mode: str = "") -> str:
    """Return the sha256 of mode, size and pixels of a picture, converted to `mode` if that is given."""
    image = Image.open(io.BytesIO(content))
    image = image.convert(mode) if mode else image
    return sha(f"{image.mode} {image.size} ".encode() + image.tobytes())


def all_fields(fields: dict[str, bytes]) -> dict[str, str]:
    return {name: sha(content) for name, content in fields.items()}


def with_json_read(fields: dict[str, bytes]) -> dict[str, str]:
    """Return all fields, `json` as the value that a client hands out when it has read it (MDS)."""
    return all_fields({**fields, "json": canonical_json(json.loads(fields["json"]))})


def chosen(*names: str) -> Callable[[dict[str, bytes]], dict[str, str]]:
    """Return what takes those fields of a sample that it has; `png/pixels` and `png/rgb` are decoded."""

    def take(fields: dict[str, bytes]) -> dict[str, str]:
        found = {}
        for name in names:
            field, _, how = name.partition("/")
            if field in fields:
                content = fields[field]
                found[name] = pixels(content, "RGB" if how == "rgb" else "") if how else sha(content)
        return found

    return take


def document(fields: dict[str, bytes]) -> dict[str, str]:
    return {"txt": sha(fields["txt"]), "uri": sha(json.loads(fields["json"])["uri"].encode())}


def document_columns(fields: dict[str, bytes]) -> dict[str, str]:
    """Return the text columns of a document that are not null, as Croissant names them."""
    columns = json.loads(fields["json"])
    texts = {name: value for name, value in columns.items() if isinstance(value, str) and name != "id"}
    return {name: sha(value.encode()) for name, value in texts.items()} | {"text": sha(fields["txt"])}


def sequence(fields: dict[str, bytes]) -> dict[str, str]:
    """Return the texts and media of a document by their place in it, as its `json` says."""
    parts = json.loads(fields["json"])["parts"]
    said = [part["text"].encode() if "text" in part else fields.get(_field(part)) for part in parts]
    return {str(place): sha(content) for place, content in enumerate(each for each in said if each is not None)}


def _field(part: dict[str, str]) -> str:
    return part.get("member", "").partition(".")[2] if part["kind"] != "video" else ""


def of_croissant(fields: dict[str, bytes]) -> dict[str, str]:
    """Return the fields as Croissant gives them: numbered files are lists, pictures come decoded."""
    found: dict[str, str] = {}
    places: Counter[str] = Counter()
    for name, content in sorted(fields.items()):
        listed = LISTS[FEATURES[extension]] if (extension := numbered_extension(name)) else None
        if listed is None:
            found[name] = sha(content)
            continue
        item = f"{listed}/{places[listed]}"
        places[listed] += 1
        found |= {f"{item}/pixels": pixels(content)} if listed == "images" else {item: sha(content)}
    return found


def shown(fields: dict[str, bytes]) -> dict[str, str]:
    """Return texts and pictures of a document by their place in it, pictures as RGB pixels; sounds are left out."""
    found = {}
    said = [part for part in json.loads(fields["json"])["parts"] if "text" in part or _field(part) in fields]
    for place, part in enumerate(said):
        if part["kind"] == "image":
            found[str(place)] = pixels(fields[_field(part)], "RGB")
        elif "text" in part:
            found[str(place)] = sha(part["text"].encode())
    return found


VARIANTS = {
    "mds-png": ("mds", {"png": "png"}),  # MDS decodes the pictures
    "mds-bytes": ("mds", {"json": "bytes"}),  # its writer would write JSON anew
}
TOKENS = ".bin/.idx"  # what the encode job writes; nothing is exported
PICTURE_FIELDS = ("png", "txt", "json")
CROISSANT_FIELDS = ("png/pixels", "txt", "json", "ogg", "mp4")
CHECKS = (
    Check("webdataset", "webdataset", own_python, "media", "energon", all_fields),
    Check("webdataset-decoded", "webdataset", own_python, "images", "energon", chosen("png/rgb", "txt", "json")),
    Check("webdataset", "webdataset", peers.readers_python, "media", "energon", all_fields),
    Check(
        "webdataset-decoded", "webdataset", peers.readers_python, "images", "energon", chosen("png/rgb", "txt", "json")
    ),
    Check("hf-tars", "datasets", peers.readers_python, "images", "energon", chosen(*PICTURE_FIELDS)),
    Check("hf", "datasets", peers.readers_python, "media", "hf", all_fields),
    Check("hf-decoded", "datasets", peers.readers_python, "images", "hf", chosen("png/pixels", "txt")),
    Check("hf-documents", "datasets", peers.readers_python, "text", "hf", document),
    Check("croissant", "mlcroissant", peers.readers_python, "images", "croissant", chosen(*CROISSANT_FIELDS)),
    Check("croissant", "mlcroissant", peers.readers_python, "media", "croissant", chosen(*CROISSANT_FIELDS)),
    Check("croissant", "mlcroissant", peers.readers_python, "text", "croissant", document_columns),
    Check("hf", "datasets", peers.readers_python, "media", "croissant", all_fields),
    Check("grain", "grain", peers.readers_python, "media", "arrayrecord", all_fields),
    Check("grain", "grain", peers.readers_python, "text", "arrayrecord", all_fields),
    Check("energon", "megatron-energon", peers.trainers_python, "media", "energon", all_fields),
    Check("energon-captions", "megatron-energon", peers.trainers_python, "images", "energon", chosen("png", "txt")),
    Check("energon-decoded", "megatron-energon", peers.trainers_python, "images", "energon", chosen("png/rgb", "txt")),
    Check("twin-energon", "megatron-energon", peers.trainers_python, "media", "energon", all_fields),
    Check("mds", "mosaicml-streaming", peers.trainers_python, "media", "mds", all_fields),
    Check("mds", "mosaicml-streaming", peers.trainers_python, "text", "mds", all_fields),
    Check("mds-decoded", "mosaicml-streaming", peers.trainers_python, "images", "mds-png", chosen("png/pixels", "txt")),
    Check("twin-mds", "mosaicml-streaming", peers.trainers_python, "images", "mds-bytes", all_fields),
    Check("litdata", "litdata", peers.trainers_python, "media", "litdata", all_fields),
    Check("litdata", "litdata", peers.trainers_python, "text", "litdata", all_fields),
    Check("twin-litdata", "litdata", peers.trainers_python, "media", "litdata", all_fields),
    *(
        check
        for job in snapshots.MADE
        for check in (
            Check("webdataset", "webdataset", own_python, job, "energon", all_fields),
            Check("webdataset", "webdataset", peers.readers_python, job, "energon", all_fields),
            Check("hf", "datasets", peers.readers_python, job, "hf", all_fields),
            Check("hf", "datasets", peers.readers_python, job, "croissant", all_fields),
            Check("croissant", "mlcroissant", peers.readers_python, job, "croissant", of_croissant),
            Check("grain", "grain", peers.readers_python, job, "arrayrecord", all_fields),
            Check("mds", "mosaicml-streaming", peers.trainers_python, job, "mds", with_json_read),
            Check("litdata", "litdata", peers.trainers_python, job, "litdata", all_fields),
            Check("twin-energon", "megatron-energon", peers.trainers_python, job, "energon", all_fields),
        )
    ),
    Check("megatron", "megatron-core", peers.megatron_python, "tokens", TOKENS, all_fields),
    Check("twin-megatron", "megatron-core", peers.megatron_python, "tokens", TOKENS, all_fields),
    Check("energon", "megatron-energon", peers.trainers_python, "audio", "energon", all_fields),
    Check("energon-sequence", "megatron-energon", peers.trainers_python, "interleave", "energon", sequence),
    Check("energon-sequence-decoded", "megatron-energon", peers.trainers_python, "interleave", "energon", shown),
)


def truth(count: int) -> dict[str, list[Sample]]:
    """Return by job what was committed, not read from any store."""
    half = count // 2
    media = [*snapshots.pictures(half), *snapshots.sounds(half - 1), snapshots.film()]
    texts = [snapshots.document_sample(row) for row in snapshots.documents(count)]
    return {"images": snapshots.pictures(count), "media": media, "text": texts}


def store_of(root: Path, job: str) -> Path:
    """Return where a job's snapshot is: those that are made by the real jobs have a place of their own."""
    return root / "made" if job in snapshots.MADE else root


def exported(root: Path, job: str, format_name: str) -> Path:
    """Return the folder of an export, made once; of token files the store itself."""
    if format_name == TOKENS:
        return root
    folder = root / "exports" / f"{job}-{format_name}"
    if not folder.exists():
        plain, encodings = VARIANTS.get(format_name, (format_name, {}))
        source = open_source(open_store(store_of(root, job)), job)
        export(source, open_store(folder), plain, Options(SMALL, encodings))
    return folder


def asked(python: Path, client: str, folder: Path, home: Path) -> Expected:
    """Return what a client says of a folder; raises RuntimeError with its last words."""
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(home), "HF_HUB_OFFLINE": "1", "PYTHONHASHSEED": "0"}
    done = subprocess.run(
        [python, "-P", CLIENTS, client, folder], capture_output=True, text=True, env=environment, check=False, cwd=home
    )
    if done.returncode:
        raise RuntimeError(f"{client}: status {done.returncode}\n{done.stderr[-3000:]}")
    answer: Expected = json.loads(done.stdout.splitlines()[-1])
    return answer


def _twin(check: Check, folder: Path, home: Path, samples: Iterable[Sample]) -> tuple[int, str]:
    """Compare files with those of the client's own writer over the same samples."""
    copy = home / folder.name
    kept = None if check.format != TOKENS else shutil.ignore_patterns("exports", "made")
    shutil.copytree(folder, copy, copy_function=shutil.copyfile, ignore=kept)
    if check.format == TOKENS:
        return _alike(asked(check.python(), check.client, copy, home))
    columns = json.loads((folder / "export.json").read_text())["settings"]
    names = columns.get("columns") or columns.get("names") or []
    rows = [snapshots.with_columns(key, fields, names) for key, fields in _in_order(samples)]
    (copy / "samples.json").write_text(json.dumps(rows))
    return _alike(asked(check.python(), check.client, copy, home))


def _alike(seen: Expected) -> tuple[int, str]:
    different = sorted(name for name in seen["ours"].keys() | seen["theirs"] if _unlike(seen, name))
    return len(seen["ours"]), ", ".join(different)


def _unlike(seen: Expected, name: str) -> bool:
    return seen["ours"].get(name) != seen["theirs"].get(name)


def _in_order(samples: Iterable[Sample]) -> list[Sample]:
    """Return samples in the order of the shards that hold them."""
    return sorted(samples, key=lambda sample: (int(sample[0], 16) % snapshots.SHARDS, sample[0]))


def verdict(check: Check, root: Path, samples: Iterable[Sample]) -> tuple[int, str]:
    """Return (things compared, what differs or "")."""
    folder = exported(root, check.job, check.format)
    with tempfile.TemporaryDirectory(prefix="corpusmill-peers-") as home:
        if check.client.startswith("twin"):
            return _twin(check, folder, Path(home), samples)
        seen = asked(check.python(), check.client, folder, Path(home))
    expected = {key: check.expected(fields) for key, fields in samples}
    different = [key for key in sorted(expected.keys() | seen) if expected.get(key) != seen.get(key)]
    return len(expected), ", ".join(different[:3]) + (f" and {len(different) - 3} more" if len(different) > 3 else "")


def row(check: Check, compared: int, different: str) -> str:
    """Return a row of the table."""
    [version] = peers.versions(check.python(), [check.package]).values()
    said = f"differs: {different}" if different else "equal"
    return f"| {check.package} {version} | {check.client} | {check.job} | {check.format} | {compared} | {said} |"


def main() -> int:
    """Print a table of what each client saw; return 1 if anything differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=COUNT, help=f"records of each snapshot (default {COUNT})")
    parser.add_argument("--without-trainers", action="store_true", help="leave out the clients that need torch")
    options = parser.parse_args()
    skipped = {peers.trainers_python, peers.megatron_python} if options.without_trainers else set()
    samples, failed = truth(options.count), 0
    with tempfile.TemporaryDirectory(prefix="corpusmill-exports-") as root:
        snapshots.commit_all(open_store(root), options.count)
        say(f"making {', '.join(snapshots.MADE)}")
        made = Path(root) / "made"
        made.mkdir()
        snapshots.make(made, options.count // 2)
        samples |= {job: snapshots.in_tars(made, job) for job in snapshots.MADE}
        texts = {row["id"]: row["text"] for row in snapshots.documents(options.count)}
        token_files.encode_texts(Path(root), list(texts.values()))
        samples["tokens"] = token_files.token_samples(Path(root), texts)
        print("| client | reads | snapshot | export | compared | verdict |\n|---|---|---|---|---|---|")
        for check in (check for check in CHECKS if check.python not in skipped):
            say(f"{check.client} reads {check.job} as {check.format}")
            compared, different = verdict(check, Path(root), samples[check.job])
            failed += bool(different)
            print(row(check, compared, different), flush=True)
    print(f"{failed} of {len(CHECKS)} differ" if failed else "all equal")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
