"""Lists that are public: found in the package that carries them when they are asked for, never part of this one.

datatrove (Apache-2.0) carries the blocklist of FineWeb: 4.6 million domains and 19,586 URLs, nearly all of pornography,
after UT1's categories (Universite Toulouse Capitole, CC-BY-SA-4.0: name it where you publish what came of it).
"""

import tarfile
import tempfile
from pathlib import Path

from filters.models import fetch_model, model_path
from filters.native import cache_root
from filters.safety.url_lists import UrlList

FINEWEB_ARCHIVE = "url_filterblacklistsv0_3_0.tar.gz"
_SHA256 = {
    "domains": "774cc3b6567998658c9705376fb6f3c439fe425a4643324a6396085d55c037ca",
    "urls": "e3c2fd3df042dfc5d0e53a0eb56d29cf0f3fdc3fc5b8253361b4f34deaee8bb1",
}


def fineweb_lists(fetch: bool = False) -> tuple[UrlList, UrlList]:
    """Return the lists `fineweb_domains` and `fineweb_urls`, unpacked in the cache (125 MB).

    `fetch`: from the package index, if they aren't there; else ModelMissingError says what to run.
    """
    archive = fetch_model(FINEWEB_ARCHIVE) if fetch else model_path(FINEWEB_ARCHIVE)
    folder = cache_root() / "url_lists" / archive.parent.name
    for name in _SHA256:
        if not (folder / name).is_file():
            _unpack(archive, folder, name)
    domains, urls = (str(folder / name) for name in ("domains", "urls"))
    return (
        UrlList("fineweb_domains", domains, "domain", _SHA256["domains"]),
        UrlList("fineweb_urls", urls, "url", _SHA256["urls"]),
    )


def _unpack(archive: Path, folder: Path, name: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as work, tarfile.open(archive) as packed:
        packed.extract(packed.getmember(name), work, filter="data")
        (Path(work) / name).replace(folder / name)
