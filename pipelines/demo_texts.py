"""Real texts for the demo beside its crawl: books (EPUB, PDF), a WET file, an extract of a Wikipedia dump, pages of
many projects (pipelines.demo_projects), lists.

Every second article of the dump stands in an earlier snapshot too, and so is not kept again. What the quality model
learns from is one manual against another, so it knows their difference and nothing of quality: it is there to be seen
at work, scores every document, and decides only who stays of a cluster.
"""

import bz2
import gzip
import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from filters.models import ModelMissingError, fetch_model
from pipelines.demo_input import FETCHED_AT, InputUnavailable, Package, Say, exclusive, fetch_package, input_root
from pipelines.demo_input import page_paths as pages_of
from pipelines.demo_media import Size
from pipelines.demo_projects import PROJECTS, project_packages, write_projects
from pipelines.sources.warc_writer import conversion_record, gzip_member, warcinfo_record

VERSION = 1  # raise when the same packages would give other files
BOOKS = {  # package -> files of its books; the first of each is the small demo's
    "developers-reference": ("developers-reference.epub",),
    "debmake-doc": ("debmake-doc.ja.epub", "debmake-doc.ru.epub", "debmake-doc.en.pdf", "debmake-doc.zh-cn.epub"),
    "ubuntu-packaging-guide-epub-ru": ("ubuntu-packaging-guide.epub",),
    "live-manual-epub": ("live-manual.de.epub", "live-manual.fr.epub", "live-manual.es.epub", "live-manual.it.epub"),
}
TEXTS = ("debmake-doc", "developers-reference")  # packages whose plain texts fill the WET file
LANGUAGES = {"en": "eng", "de": "deu", "ru": "rus", "zh-cn": "zho", "zh-tw": "zho"}  # as Common Crawl names them
GENSIM = "gensim-4.4.0"
DUMPS = tuple(
    f"{GENSIM}/gensim/test/test_data/{name}"
    for name in (
        "enwiki-latest-pages-articles1.xml-p000000010p000030302-shortened.bz2",
        "bgwiki-latest-pages-articles-shortened.xml.bz2",
        "enwiki-table-markup.xml.bz2",
    )
)
PAGE, END = b"  <page>", b"</mediawiki>\n"
WORDS = "naughty_words_en.txt"  # LDNOOBW's English list: the others are in no package but npm's
GOOD, POOR = "debian-handbook", "apache2-doc"  # a book and a reference
EXAMPLES: dict[Size, int] = {"small": 60, "sample": 300, "all": 300}  # of each, of those in many languages
FETCH_S = 300.0


def text_folders(size: Size, say: Say = lambda _: None) -> dict[str, Path]:
    """Return the folder of each input of the text job by its name, making them where the cache has none.

    Raises InputUnavailable where a package can't be had.
    """
    packages = {name: fetch_package(name, say) for name in dict.fromkeys([*BOOKS, *TEXTS])}
    texts = _made("wet", size, [packages[name] for name in TEXTS], lambda folder: _write_wet(folder, packages))
    projects = project_packages(size, say)
    pages = _made(PROJECTS, size, projects, lambda folder: write_projects(folder, size, projects))
    return {"books": _books(size, packages), "wet": texts, "wiki": wiki_folder(say), PROJECTS: pages}


def wiki_folder(say: Say = lambda _: None, *, earlier: bool = False) -> Path:
    """Return the folder of a dump of articles; `earlier`: of every second one, as an older dump would hold fewer."""
    dump = dumps(say) / Path(DUMPS[0]).name

    def write(folder: Path) -> None:
        head, *pages = bz2.decompress(dump.read_bytes()).removesuffix(END).split(PAGE)
        whole = PAGE.join([head, *(pages[::2] if earlier else pages)]).rstrip().removesuffix(END.strip()) + END
        (folder / "enwiki.xml.bz2").write_bytes(bz2.compress(whole))

    return _made("wiki-earlier" if earlier else "wiki", "all", [], write)


def quality_examples(size: Size, say: Say = lambda _: None) -> tuple[Path, Path]:
    """Return JSON lines of good examples and of poor ones: pages of two manuals, in the languages that both have."""
    packages = [fetch_package(name, say) for name in (GOOD, POOR)]

    def write(folder: Path) -> None:
        for package in packages:
            lines = (json.dumps({"text": text}) + "\n" for text in _texts(package, EXAMPLES[size]))
            (folder / f"{package.name}.jsonl").write_text("".join(lines))

    folder = _made("quality", size, packages, write)
    return folder / f"{GOOD}.jsonl", folder / f"{POOR}.jsonl"


def word_lists() -> Path:
    """Return a folder with the English list of words."""
    try:
        found = fetch_model(WORDS)
    except ModelMissingError as error:
        raise InputUnavailable(str(error)) from error
    return _made("words", "all", [], lambda folder: Path(shutil.copyfile(found, folder / "en.txt")))


def dumps(say: Say = lambda _: None) -> Path:
    """Return the folder of gensim's source distribution's extracts of Wikipedia dumps (CC-BY-SA-3.0).

    Raises InputUnavailable where the package index can't be reached.
    """
    final = input_root() / f"{GENSIM}-dumps"
    with exclusive(GENSIM):
        if not final.exists():
            say(f"fetching {GENSIM}")
            with tempfile.TemporaryDirectory(dir=input_root(), prefix=f".{GENSIM}-") as work:
                _download(Path(work)).rename(final)
    return final


def _download(work: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary=:all:", "--no-build-isolation"]
    command += ["--quiet", "--disable-pip-version-check", GENSIM.replace("-", "==")]
    try:
        done = subprocess.run(command, cwd=work, capture_output=True, text=True, timeout=FETCH_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise InputUnavailable(f"{GENSIM}: no answer in {FETCH_S} s") from error
    archive = work / f"{GENSIM}.tar.gz"
    if not archive.exists():
        raise InputUnavailable(f"pip could not download {GENSIM}: {done.stderr.strip()[-400:]}")
    (work / "dumps").mkdir()
    with tarfile.open(archive) as packed:
        for name in DUMPS:
            member = packed.extractfile(name)
            assert member is not None, name
            with member, (work / "dumps" / Path(name).name).open("wb") as out:
                shutil.copyfileobj(member, out)
    return work / "dumps"


def _made(name: str, size: Size, packages: list[Package], write: Callable[[Path], object]) -> Path:
    """Return the folder of the cache that `write` fills, made once for the same packages."""
    identity = json.dumps([VERSION, GENSIM, name, size, [package.sha256 for package in packages]])
    called = f"{name}-{size}-{hashlib.sha256(identity.encode()).hexdigest()[:12]}"
    final = input_root() / called
    with exclusive(called):
        if not final.exists():
            with tempfile.TemporaryDirectory(dir=input_root(), prefix=f".{called}-") as work:
                staged = Path(work) / "made"
                staged.mkdir()
                write(staged)
                staged.rename(final)
    return final


def _file(package: Package, name: str) -> Path:
    return next(path for path in sorted(package.root.rglob(name)) if not path.is_symlink())


def _books(size: Size, packages: dict[str, Package]) -> Path:
    chosen = [(packages[name], book) for name, own in BOOKS.items() for book in (own[:1] if size == "small" else own)]

    def copy(folder: Path) -> None:
        for package, book in chosen:
            shutil.copyfile(_file(package, book), folder / book)

    return _made("books", size, [package for package, _ in chosen], copy)


def _write_wet(folder: Path, packages: dict[str, Package]) -> None:
    """Write the plain texts of the packages as Common Crawl writes what it has extracted."""
    info = (("software", "corpusmill"), ("format", "WARC File Format 1.1"))
    with (folder / "manuals.warc.wet.gz").open("wb") as out:
        out.write(gzip_member(warcinfo_record("manuals.warc.wet.gz", FETCHED_AT, info)))
        for name in TEXTS:
            for path in sorted(packages[name].root.rglob("*.txt.gz")) + sorted(packages[name].root.rglob("*.rst.txt")):
                text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
                language = LANGUAGES.get(path.name.split(".")[1], "eng")
                address = f"https://{name}.example/{path.name}"
                out.write(gzip_member(conversion_record(address, text, language, FETCHED_AT)))


def _texts(package: Package, count: int) -> Iterator[str]:
    """Yield the texts of some pages, those whose names' hashes are smallest."""
    from filters import html
    from filters.charset import decode
    from manifests.limits import Limits

    chosen = sorted(pages_of(package), key=lambda path: hashlib.sha256(path.encode()).digest())[:count]
    for path in chosen:
        page = decode((package.page_folder / path).read_bytes(), None, is_markup=True).text
        text = html.read_within(page, f"{package.name}:{path}", Limits(), xml=page.startswith(b"<?xml")).text
        if len(text) > 200:
            yield text.decode()
