"""What repositories are called, and whether their owners said no."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pyarrow as pa

from filters.safety.url_lists import opted_out
from filters.safety.url_table import UrlTable
from manifests.reasons import Refused, RefusedCode
from manifests.store import Store, open_input
from pipelines.repositories.plan import ARCHIVES
from pipelines.sources.units import Unit, shown

_URL = re.compile(r"^\s*url\s*=\s*(\S+)\s*$", re.MULTILINE)
_ORIGIN = re.compile(r'\[remote "origin"\](.*?)(?=^\[|\Z)', re.DOTALL | re.MULTILINE)
_HOST = re.compile(r"(?:[a-z+]+://)?(?:[^/@]*@)?([^/:@]+\.[^/:@]+)(?::\d+)?[:/]")
_VERSION = re.compile(r"[-_]v?\d[\w.+~:-]*$")
MAX_CONFIG_BYTES = 1 << 16


def of_url(url: str) -> str | None:
    """Return "owner/name" of a remote's URL: https, ssh, or user@host:path; credentials never go on."""
    path = re.sub(r"^(?:[a-z+]+://)?(?:[^/@]*@)?[^/:]+(?::\d+)?[:/]+", "", url.strip())
    parts = [part for part in path.removesuffix("/").removesuffix(".git").split("/") if part]
    return "/".join(parts[-2:]) if len(parts) >= 2 else None


def address_of(url: str) -> str | None:
    """Return "https://host/owner/name" of a remote's URL, as lists of sites name repositories."""
    found, name = _HOST.match(url.strip()), of_url(url)
    return f"https://{found[1].lower()}/{name}" if found and name else None


def remote_of(text: str) -> str | None:
    """Return the URL of the remote "origin" of a git configuration."""
    origin = _ORIGIN.search(text)
    url = _URL.search(origin[1]) if origin else None
    return url[1] if url else None


def of_archive(name: str) -> str:
    """Return the project's name of an archive: "requests-2.32.0.tar.gz" is "requests"."""
    base = name.rpartition("/")[2]
    suffix = max((each for each in ARCHIVES if base.lower().endswith(each)), key=len, default="")
    bare = base[: len(base) - len(suffix)] if suffix else base
    if suffix in (".deb", ".whl"):
        return bare.split("_" if suffix == ".deb" else "-")[0]
    return _VERSION.sub("", bare) or bare


def is_bare(unit: Unit) -> bool:
    """Return whether a unit is a bare git repository."""
    return unit.kind == "files" and f"{unit.uri}HEAD" in unit.members and f"{unit.uri}config" in unit.members


class Named(NamedTuple):
    """What a repository is called, and where it is hosted: "https://host/owner/name", null where nothing says so."""

    name: str
    address: str | None = None


def repository_of(store: Store, unit: Unit) -> Named:
    """Return what a unit's repository is called: by its remote, else by its folder's or archive's name."""
    if unit.kind == "tar":
        return Named(shown(of_archive(unit.uri)))
    config = f"{unit.uri}config" if is_bare(unit) else f"{unit.uri}.git/config"
    size = store.size(config) if unit.kind == "files" else None
    if size is not None and size <= MAX_CONFIG_BYTES:
        remote = remote_of(store.read(config).decode(errors="replace")) or ""
        if name := of_url(remote):
            return Named(shown(name), address_of(remote))
    folder = unit.uri.rstrip("/").rpartition("/")[2].removesuffix(".git")
    return Named(shown(folder or unit.source))


@dataclass(frozen=True)
class OptOuts:
    """Repositories ("owner/name" or a bare name) and owners, all in small letters; the recipe's lists of sites."""

    repositories: frozenset[str]
    owners: frozenset[str]
    sites: UrlTable | None = None

    def refusal(self, repository: str, address: str | None = None) -> RefusedCode | Refused | None:
        """Return why a repository is not read, None where it is."""
        spelt = [address, address.lower()] if address else []  # hosts of code don't tell letters by their case
        if self.sites is not None and spelt and opted_out(pa.array(spelt), self.sites).any():
            return Refused.OPT_OUT
        name = repository.lower()
        owner = name.partition("/")[0] if "/" in name else None
        if name in self.repositories or name.rpartition("/")[2] in self.repositories:
            return RefusedCode.OPT_OUT_REPOSITORY
        return RefusedCode.OPT_OUT_OWNER if owner in self.owners else None


def opt_outs(repositories: Sequence[str], owners: Sequence[str], files: Sequence[str]) -> OptOuts:
    """Return what is named in a recipe and in its lists (a line each: owner/name, or an owner alone; # comments)."""
    lines = [line for uri in files for line in _lines(uri)]
    return OptOuts(
        frozenset(name.lower() for name in (*repositories, *(line for line in lines if "/" in line))),
        frozenset(name.lower() for name in (*owners, *(line for line in lines if "/" not in line))),
    )


def _lines(uri: str) -> list[str]:
    source = open_input(uri)
    names = sorted(name for name, _ in source.list())
    if not names:
        raise FileNotFoundError(f"code.opt_out.files: {uri} is not there")
    text = "\n".join(source.read(name).decode() for name in names)
    return [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
