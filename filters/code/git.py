"""The tree of one commit of a bare git repository, from the bytes of its files (dulwich reads packs and objects)."""

import io
import re
import stat
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

GIT_VERSION = 1
_SHA = re.compile(rb"[0-9a-f]{40}")
MAX_DEPTH = 64


class GitError(ValueError):
    """The commit can't be read; the message holds no content of the repository."""


def commit_of(files: Mapping[str, bytes], revision: str | None) -> bytes:
    """Return the hex sha of a revision: 40 hex digits, a branch or a tag; HEAD where none is given."""
    refs: dict[str, bytes] = {"HEAD": files.get("HEAD", b"").strip()}
    for line in files.get("packed-refs", b"").splitlines():
        sha, _, name = line.partition(b" ")
        if _SHA.fullmatch(sha):
            refs[name.decode(errors="replace").strip()] = sha
    refs |= {name: data.strip() for name, data in files.items() if name.startswith("refs/")}
    if revision and re.fullmatch(r"[0-9a-f]{40}", revision):
        return revision.encode()
    names = [revision, f"refs/heads/{revision}", f"refs/tags/{revision}"] if revision else ["HEAD"]
    for asked in names:
        found = refs.get(str(asked))
        for _ in range(5):  # symbolic references
            if found is None or not found.startswith(b"ref:"):
                break
            found = refs.get(found[4:].strip().decode(errors="replace"))
        if found is not None and _SHA.fullmatch(found):
            return found
    raise GitError(f"no commit is called {revision or 'HEAD'}")


class _Objects:
    """Objects by their hex sha, out of packs and loose files."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        from dulwich.object_format import SHA1
        from dulwich.pack import Pack, PackData, load_pack_index_file

        if "objects/info/alternates" in files:
            raise GitError("its objects lie in another repository (alternates)")
        self.files, self.packs = files, []
        for name in sorted(files):
            if name.startswith("objects/pack/") and name.endswith(".pack"):
                index = files.get(f"{name.removesuffix('.pack')}.idx")
                if index is None:
                    raise GitError("a pack without an index")
                data = PackData(name, file=io.BytesIO(files[name]), size=len(files[name]), object_format=SHA1)
                self.packs.append(
                    Pack.from_objects(data, load_pack_index_file(name, io.BytesIO(index), object_format=SHA1))
                )

    def get(self, sha: bytes) -> tuple[bytes, bytes]:
        """Return (kind, content) of an object."""
        from dulwich.objects import ObjectID, ShaFile

        loose = self.files.get(f"objects/{sha[:2].decode()}/{sha[2:].decode()}")
        if loose is not None:
            head, _, content = zlib.decompress(loose).partition(b"\0")
            return head.split(b" ")[0], content
        for pack in self.packs:
            if ObjectID(sha) in pack:
                number, content = pack.get_raw(ObjectID(sha))
                return ShaFile.from_raw_string(number, content).type_name, content
        raise GitError("an object is not there (a shallow or partial copy?)")


def tree_of(files: Mapping[str, bytes], revision: str | None, most: int) -> Iterator[tuple[bytes, str, bytes | int]]:
    """Yield (path, file | symlink | submodule, content) of a commit's tree in the order of paths.

    Of a file of more than `most` bytes its size stands for the content. Raises GitError.
    """
    from dulwich.errors import ApplyDeltaError, ChecksumMismatch, ObjectFormatException
    from dulwich.objects import Tree

    damage = (
        ApplyDeltaError,
        ChecksumMismatch,
        ObjectFormatException,
        zlib.error,
        KeyError,
        IndexError,
        AssertionError,
    )
    try:
        objects = _Objects(files)
        sha = commit_of(files, revision)
        for _ in range(5):
            kind, content = objects.get(sha)
            if kind == b"tag":
                sha = _field(content, b"object ")
            elif kind == b"commit":
                sha = _field(content, b"tree ")
            else:
                break
        yield from _walk(objects, Tree, sha, b"", most, 0)
    except damage as error:
        raise GitError(f"damaged: {type(error).__name__}") from error


def _field(content: bytes, name: bytes) -> bytes:
    line = next((line for line in content.split(b"\n") if line.startswith(name)), b"")
    return line[len(name) :].strip()


def _walk(
    objects: _Objects, tree_class: Any, sha: bytes, above: bytes, most: int, depth: int
) -> Iterator[tuple[bytes, str, bytes | int]]:
    if depth > MAX_DEPTH:
        raise GitError(f"folders deeper than {MAX_DEPTH}")
    _, content = objects.get(sha)
    tree = tree_class.from_string(content)
    for name, mode, child in tree.items():
        path = above + name
        if stat.S_ISDIR(mode):
            yield from _walk(objects, tree_class, child, path + b"/", most, depth + 1)
        elif mode == 0o160000:
            yield path, "submodule", b""
        elif stat.S_ISLNK(mode):
            yield path, "symlink", b""
        else:
            data = objects.get(child)[1]
            yield path, "file", len(data) if len(data) > most else data
