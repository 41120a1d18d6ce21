"""From parts to the files of a round: warcinfo, then whole parts one behind the other, and an index beside it.

Gzip members may stand one behind the other (RFC 1952, section 2.2), so a file is copied together, never packed again,
and only a few MiB of it are in memory.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from manifests.limits import KIB, MIB
from manifests.runs import put_same
from manifests.shards import Shard
from manifests.store import Store
from pipelines.crawl.cdxj import CdxLine, decode_lines, encode_lines
from pipelines.crawl.warc import warcinfo_member

INFO_BYTES = 16 * KIB  # room for the warcinfo record of each file
PIECE_BYTES = 4 * MIB


@dataclass(frozen=True)
class PartRef:
    """A stored part: WARC bytes without warcinfo, and its index. What a done-marker says about it."""

    name: str
    bytes: int
    sha256: str
    cdx: str  # the object with its lines, offsets counted in the part
    records: int  # as the manifest counts them: captures that are kept

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class FilePlan:
    """One file to be: its number in the round, and its parts in order."""

    index: int
    parts: tuple[PartRef, ...]

    @property
    def bytes(self) -> int:
        """Return the bytes of its parts; the warcinfo record, at most INFO_BYTES, comes on top."""
        return sum(part.bytes for part in self.parts)


def put_part(store: Store, stem: str, data: bytes, lines: Iterable[CdxLine], records: int) -> PartRef:
    """Store what `write_captures` gave as `stem-<sha16>.warc.gz` and `stem-<sha16>.cdxj`."""
    sha256 = hashlib.sha256(data).hexdigest()
    name, cdx = f"{stem}-{sha256[:16]}.warc.gz", f"{stem}-{sha256[:16]}.cdxj"
    put_same(store, cdx, encode_lines(line.text("") for line in lines))
    put_same(store, name, data)
    return PartRef(name, len(data), sha256, cdx, records)


def compose(parts: Sequence[PartRef], limit_bytes: int, first: int = 0) -> list[FilePlan]:
    """Return which parts make which file: in their order, as many as fit into `limit_bytes`, no part cut.

    A part that is larger alone is a file alone; an empty one is in none. `first` numbers the first file.
    """
    groups: list[list[PartRef]] = []
    room = 0
    for part in parts:
        if part.bytes == 0:
            continue
        if not groups or part.bytes > room:
            groups.append([])
            room = limit_bytes - INFO_BYTES
        groups[-1].append(part)
        room -= part.bytes
    return [FilePlan(first + index, tuple(group)) for index, group in enumerate(groups)]


def write_file(
    store: Store, plan: FilePlan, folder: str, file_info: Mapping[str, str], scratch: Path
) -> tuple[Shard, Shard]:
    """Store a file as `folder/part-00000-<sha8>.warc.gz` with its index `folder/part-00000-<sha8>.cdxj`; return both.

    It is made in the local file `scratch`, which is gone afterwards. The same plan gives the same names and bytes.
    Raises RuntimeError for a part that does not hold what was written.
    """
    info = warcinfo_member(file_info)
    if len(info) > INFO_BYTES:
        raise ValueError(f"the warcinfo record takes {len(info)} bytes, at most {INFO_BYTES}: shorten file_info")
    try:
        size, sha256 = _fill(store, plan, info, scratch)
        stem = f"{folder}/part-{plan.index:05d}"
        name = f"{stem}-{sha256[:8]}.warc.gz"
        if not store.put_new(name, scratch) and store.size(name) != size:
            raise RuntimeError(f"{name}: written twice with different bytes; what makes it is not deterministic")
    finally:
        with suppress(FileNotFoundError):
            scratch.unlink()
    shard = Shard(name, "warc", size, sha256, sum(part.records for part in plan.parts), None, None)
    return shard, _write_index(store, plan, stem, name.rpartition("/")[2], len(info))


def _fill(store: Store, plan: FilePlan, info: bytes, scratch: Path) -> tuple[int, str]:
    """Write the file; return its bytes and sha256."""
    whole = hashlib.sha256(info)
    with scratch.open("wb") as out:
        out.write(info)
        for part in plan.parts:
            for piece in _pieces(store, part):
                whole.update(piece)
                out.write(piece)
        return out.tell(), whole.hexdigest()


def _pieces(store: Store, part: PartRef) -> Iterator[bytes]:
    """Yield the bytes of a part, checked when the last one is out."""
    own, size = hashlib.sha256(), 0
    with store.open(part.name) as file:
        while piece := file.read(PIECE_BYTES):
            own.update(piece)
            size += len(piece)
            yield piece
    if size != part.bytes or own.hexdigest() != part.sha256:
        raise RuntimeError(
            f"{part.name}: {size} bytes with sha256 {own.hexdigest()}, was written as {part.bytes} with {part.sha256}; "
            f"delete {part.name.rpartition('/')[0]}/ and run again"
        )


def _write_index(store: Store, plan: FilePlan, stem: str, filename: str, start: int) -> Shard:
    texts: list[str] = []
    for part in plan.parts:
        texts += [line.text(filename, start) for line in decode_lines(store.read(part.cdx))]
        start += part.bytes
    data = encode_lines(texts)
    sha256 = hashlib.sha256(data).hexdigest()
    name = f"{stem}-{sha256[:8]}.cdxj"
    put_same(store, name, data)
    return Shard(name, "cdxj", len(data), sha256, len(texts), None, None)
