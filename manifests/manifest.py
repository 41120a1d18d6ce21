"""The manifest of a snapshot, and the commit: creating one object.

`OUT/<job>/manifests/v000001.json` is made by exclusive creation, so of two launchers that commit at once one wins
and the other looks again. The body has no clock, path or host in it: the same input and settings give the same
bytes, and `digest` (sha256 of the canonical JSON of everything else) is the one figure that two runs compare.
`CURRENT` is a hint only: the newest snapshot is found by probing from it.
"""

from typing import Any

from manifests.keys import canonical_json, digest_of
from manifests.objects import read_json
from manifests.store import ObjectNotFound, Store

FORMAT = 1
_MEND = "restore it, or delete it and all later ones to go back to the snapshot before"
Manifest = dict[str, Any]


def manifest_name(job: str, version: int) -> str:
    return f"{job}/manifests/v{version:06d}.json"


def seal(body: Manifest) -> Manifest:
    """Return `body` with its format and digest."""
    body = {"format": FORMAT, **body}
    body.pop("digest", None)
    return {**body, "digest": digest_of(body)}


def newest_version(store: Store, job: str) -> int:
    """Return the highest committed version, 0 where there is none; one probe past the hint in the usual case."""
    version = _hint(store, job)
    if store.size(manifest_name(job, version)) is None:  # no hint, or a wrong one: from the beginning
        version = 0
    while store.size(manifest_name(job, version + 1)) is not None:
        version += 1
    return version


def load_manifest(store: Store, job: str, version: int) -> Manifest:
    """Return a committed manifest; raises ValueError when its digest is not that of its body."""
    manifest: Manifest = read_json(store, manifest_name(job, version), ("digest",), what="manifest", mend=_MEND)
    if seal(manifest)["digest"] != manifest.get("digest"):
        raise ValueError(f"{manifest_name(job, version)}: the body does not have the digest that it states; {_MEND}")
    return manifest


def commit(store: Store, job: str, body: Manifest, *, after: str | None = None) -> tuple[int, Manifest]:
    """Commit a snapshot and return (version, manifest); if the newest one is equal, that is it.

    An earlier equal snapshot does not count: who goes back to an old recipe gets it as the newest. With `after`, the
    digest of the snapshot that the body goes on from ("" for none), raises RuntimeError where another is the newest.
    """
    manifest = seal(body)
    data = canonical_json(manifest)
    while True:
        newest = newest_version(store, job)
        standing = load_manifest(store, job, newest)["digest"] if newest else ""
        if standing == manifest["digest"]:
            if newest > _hint(store, job):  # whoever committed it did not come to write the hint
                _write_hint(store, job, newest)
            return newest, manifest
        if after is not None and standing != after:
            raise RuntimeError(
                f"another {job} has committed {manifest_name(job, newest)} since this one began; "
                "run the same command again, it goes on from there"
            )
        if store.put_new(manifest_name(job, newest + 1), data):
            _write_hint(store, job, newest + 1)
            return newest + 1, manifest


def _hint(store: Store, job: str) -> int:
    try:
        text = store.read(f"{job}/CURRENT").strip()
    except ObjectNotFound:  # also for the moment in which another launcher replaces it
        return 0
    return int(text) if text.isdigit() else 0


def _write_hint(store: Store, job: str, version: int) -> None:
    store.delete(f"{job}/CURRENT")
    store.put_new(f"{job}/CURRENT", str(version).encode())
