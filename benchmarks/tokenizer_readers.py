"""Readers of what packages hold in many languages: translated messages, lists of words, manuals. Nothing is run.

A message is an identifier that is the same in every language, and its text; marks of programs are taken out of it.
"""

import gzip
import io
import json
import re
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Messages = dict[str, str]
_MO_MAGIC = {0x950412DE: "<", 0xDE120495: ">"}
# marks of programs in messages: variables, tags, links, addresses, keys of menus
_MARKS = re.compile(
    r"</?[A-Za-z][^<>]*>|\{\{[^{}|]*(?:\|[^{}|]*(?=\}\}))?|\}\}|\[\[[^\[\]|]*\||\[\[|\]\]|'''?|https?://\S+|\$\d+|"
    r"%\d*\$?[-+ 0-9.]*l*[a-zA-Z]\b|%[%nL0-9]|\{ ?[^{}]* ?\}|&[a-z]+;|&#\d+;|\\[nt]|__\w+__|\S+\(\)|[$#@]\w+"
)
_KEY = re.compile(r"[&_~](?=\w)")
_LINE = re.compile(r"[ \t]+")
_WIKI_LINE = re.compile(r"^[*#:;=|!]+ *| *=+$", re.MULTILINE)


def plain(text: str) -> str:
    """Return a message without the marks of programs, white space as single spaces and newlines."""
    text = _KEY.sub("", _MARKS.sub(" ", text)).replace("|", "\n")  # forms of a plural
    lines = (_LINE.sub(" ", line).strip() for line in _WIKI_LINE.sub("", text).split("\n"))
    return "\n".join(line for line in lines if any(map(str.isalpha, line)))


def mo_messages(data: bytes) -> Messages:
    """Return the messages of a gettext catalogue (.mo), by the English text; plural forms are lines."""
    order = _MO_MAGIC[struct.unpack_from("<I", data)[0]]
    count, originals, translated = struct.unpack_from(f"{order}8x3I", data)

    def at(table: int, number: int) -> str:
        size, place = struct.unpack_from(f"{order}2I", data, table + 8 * number)
        return data[place : place + size].decode("utf-8", "replace").replace("\0", "\n")

    pairs = ((at(originals, n), at(translated, n)) for n in range(count))
    return {key: text for key, text in pairs if key and text and "�" not in text and not _is_english(key, text)}


def _is_english(key: str, text: str) -> bool:
    return text in key


def wiki_messages(path: Path) -> Messages:
    """Return MediaWiki's messages of a language, by their names."""
    found = json.loads(path.read_text("utf-8"))
    return {key: text for key, text in found.items() if isinstance(text, str) and not key.startswith("@")}


def mozilla_messages(path: Path) -> Messages:
    """Return the messages of a language pack of Mozilla's (.xpi), by file and name."""
    messages: Messages = {}
    with zipfile.ZipFile(path) as archive:
        for name in sorted(archive.namelist()):
            kind = name.rpartition(".")[2]
            if kind not in ("ftl", "properties") or "searchFeatures" in name:
                continue
            where = re.sub(r"localization/[^/]+/|locale/[^/]+/|chrome/[^/]+/", "", name)
            read = _fluent if kind == "ftl" else _properties
            messages |= {f"{where}:{key}": text for key, text in read(archive.read(name).decode("utf-8", "replace"))}
    return messages


def _fluent(body: str) -> Iterator[tuple[str, str]]:
    """Give the messages and attributes of Fluent; a message goes on in lines that are indented."""
    key, held = "", list[str]()
    for line in body.split("\n"):
        found = re.match(r"(-?[A-Za-z][\w-]*|\s+\.[\w-]+)\s*=\s*(.*)", line)
        if found:
            if held:
                yield key, "\n".join(held)
            key, held = (key.partition(".")[0] if found[1].strip()[0] == "." else "") + found[1].strip(), [found[2]]
        elif line.startswith(" ") and held:
            held.append(re.sub(r"^\s*\*?\[[^\]]*\]|^\s*\}\s*$|\{ ?\$?\w+ ->\s*$", "", line))
    if held:
        yield key, "\n".join(held)


def _properties(body: str) -> Iterator[tuple[str, str]]:
    for line in body.split("\n"):
        key, sign, text = line.partition("=")
        if sign and not line.startswith("#"):
            yield key.strip(), text.strip()


_ROFF_TEXT = re.compile(r"^\.(?:SH|SS|TP|B|I|BR|BI|IR|RB|IB|RI|SM|IP|Nd|Sh)\b|^\.|^'")
_ROFF_SIGN = re.compile(r"\\f(?:\[\w*\]|\(..|.)|\\[&|/,~^c]|\\s[-+]?\d|\\\*(?:\[\w+\]|\(..|.)|\\\((?:..)|\\\[\w+\]")


def manual_text(data: bytes) -> str:
    """Return the running text of a page of a manual in roff, macros taken out."""
    body = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return ""
    lines = (line for line in text.split("\n") if not _ROFF_TEXT.match(line))
    return "\n".join(_ROFF_SIGN.sub("", line).replace("\\-", "-").replace("\\", "") for line in lines)


class Packed:
    """The little of MessagePack that wordfreq's files use: arrays, maps, texts and whole numbers."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def _number(self, kind: str) -> int:
        size = struct.calcsize(kind)
        (value,) = struct.unpack_from(kind, self.data, self.at)
        self.at += size
        return int(value)

    def _text(self, size: int) -> str:
        self.at += size
        return self.data[self.at - size : self.at].decode()

    def value(self) -> Any:
        """Return the next value; raises ValueError for a kind that isn't known."""
        sign = self._number("B")
        if sign < 0x80 or sign >= 0xE0:
            return sign if sign < 0x80 else sign - 256
        if sign < 0x90 or sign in (0xDE, 0xDF):
            size = sign & 15 if sign < 0x90 else self._number(">H" if sign == 0xDE else ">I")
            return {self.value(): self.value() for _ in range(size)}
        if sign < 0xA0 or sign in (0xDC, 0xDD):
            size = sign & 15 if sign < 0xA0 else self._number(">H" if sign == 0xDC else ">I")
            return [self.value() for _ in range(size)]
        if sign < 0xC0 or sign in (0xD9, 0xDA, 0xDB):
            return self._text(sign & 31 if sign < 0xC0 else self._number({0xD9: "B", 0xDA: ">H", 0xDB: ">I"}[sign]))
        kinds = {0xCC: "B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q", 0xD0: "b", 0xD1: ">h", 0xD2: ">i", 0xD3: ">q"}
        if sign in kinds:
            return self._number(kinds[sign])
        raise ValueError(f"MessagePack's sign {sign:#x} is not one of wordfreq's")


def wordfreq_words(data: bytes) -> Iterator[tuple[str, float]]:
    """Give words and their frequency in [0, 1]: a cBpack holds the words of each centibel, most frequent first."""
    head, *levels = Packed(gzip.decompress(data)).value()
    if head.get("format") != "cB":
        raise ValueError(f"no cBpack of wordfreq's: {head}")
    for centibels, words in enumerate(levels):
        for word in words:
            yield word, 10 ** (-centibels / 100)


_MARKER, _BACKWARDS, _WORD_END = 1, 2, 4  # flags of an edge, above the letter
WORDS, LETTERS = 19, 21  # LSTM_SYSTEM_DAWG, LSTM_UNICHARSET


def tesseract_words(data: bytes) -> list[str]:
    """Return the words of Tesseract's model of a language (dict/dawg.cpp, ccutil/tessdatamanager.cpp of 5.3).

    The file is a list of places, of which one is a graph of letters, 64 bits an edge, and one the letters' texts.
    """
    parts = _tessdata(data)
    if WORDS not in parts or LETTERS not in parts:
        return []
    letters = [line.split(" ")[0] for line in parts[LETTERS].decode("utf-8", "replace").split("\n")[1:]]
    letters = [letter if letter != "NULL" else " " for letter in letters]
    magic, size, edges = struct.unpack_from("<hii", parts[WORDS])
    if magic != 42:
        raise ValueError(f"no graph of words: magic {magic}")
    table = struct.unpack_from(f"<{edges}Q", parts[WORDS], 10)
    return _walked(table, letters, size.bit_length())


def _tessdata(data: bytes) -> dict[int, bytes]:
    (count,) = struct.unpack_from("<i", data)
    places = struct.unpack_from(f"<{count}q", data, 4)
    ends = [*places[1:], len(data)]
    found = {}
    for number, place in enumerate(places):
        end = next((e for e in ends[number:] if e > 0), len(data))
        if place > 0:
            found[number] = data[place:end]
    return found


def _walked(table: tuple[int, ...], letters: list[str], bits: int) -> list[str]:
    mask, words, waiting = (1 << bits) - 1, list[str](), [(0, "")]
    while waiting:
        edge, word = waiting.pop()
        while True:
            flags, letter = (table[edge] >> bits) & 7, letters[table[edge] & mask]
            if not flags & _BACKWARDS:
                if flags & _WORD_END:
                    words.append(word + letter)
                if (following := table[edge] >> (bits + 3)) and len(word) < 40:
                    waiting.append((following, word + letter))
            if flags & _MARKER:
                break
            edge += 1
    return sorted(words)


def spelling_words(body: str) -> Iterator[str]:
    """Give the stems of a dictionary of Hunspell's (.dic)."""
    for line in io.StringIO(body):
        word = re.split(r"[/\t]", line.strip())[0]
        if any(map(str.isalpha, word)):
            yield word
