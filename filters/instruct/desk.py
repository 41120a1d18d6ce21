"""One document as the generators see it: its passages studied once, and what stands beside it."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from zlib import crc32

from filters.instruct.build import Piece, whole
from filters.instruct.leak import squeeze
from filters.instruct.passages import Stretch, stretches
from filters.instruct.phrases import Voice
from filters.instruct.record import Candidate, FactTable, Passage, Settings, Source, Table, TableCell, draw
from filters.instruct.spans import sentences
from filters.instruct.tables import is_pairs, key_of, unique_keys
from filters.instruct.terms import TOPICS, YEAR, Term, is_untranslated, terms
from filters.instruct.words import patterns, words

Pair = tuple[Candidate, Candidate]  # (hedge, its answerable twin): both are kept, or neither
Made = Candidate | Pair

_LEAN = patterns("leaning", before=r"[\"“„«「『(\s]*")
_POINTS = {
    language: re.compile(pattern if language in ("ja", "zh", "ko") else rf"\b{pattern}\b|:\s")
    for language, pattern in words("pointing").items()
}
_NOWHERE = re.compile(r":\s")
NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
# What does not read well by itself: a space that was lost, a heading's number, shouting.
_SPOILT = re.compile(
    r"[a-zà-ÿ]{2}[.!?][A-ZÀ-Þ][a-zà-ÿ]|\b[a-zà-ÿ]{2,}[A-ZÀ-Þ][a-zà-ÿ]{2,}|[。！？][^」』）)。！？…\s][^。]{12,}[。！？]$"
    r"|^[\d.]+\.\d|[図表例图] ?\d+[.．]\d+[ぁ-ヶ一-龯]|[A-Z]{2,}(?: [A-Z]{2,}){3}|[™®�]"
)
_HAN_OR_KANA = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")
_EAST_ASIAN = ("ja", "zh", "ko")
MAX_SENTENCE_CHARS, MIN_SENTENCE_BYTES = 400, 60
RECORDS_PER_10_KB = 8.0


@dataclass(frozen=True)
class Topic:
    """A term and the only sentence of the passage that mentions it."""

    term: Term  # offsets in the passage
    sentence: int


_USES = ("about", "about", "about", "quote", "quote", "cited", "cited", "cloze")


class Study:
    """A passage and what it talks about; everything is found when it is first asked for."""

    def __init__(self, stretch: Stretch, settings: Settings) -> None:
        """Take a passage."""
        self.stretch, self.settings = stretch, settings
        self.source, self.text, self.language = stretch.source, stretch.text, stretch.source.language
        self._alone: dict[int, bool] = {}

    @property
    def lot(self) -> str:
        """Return what names the passage in draws."""
        return f"{self.source.doc_id}:{self.stretch.start}"

    @cached_property
    def squeezed(self) -> str:
        """Return the passage as the leak filter sees it."""
        return squeeze(self.text)

    @cached_property
    def terms(self) -> list[Term]:
        """Return its terms, ordinary words that happen to be written with a capital left out."""
        return [term for term in terms(self.text, self.language) if not _is_plain(term, self.source.text)]

    @cached_property
    def use(self) -> str:
        """Return what it is used for, beside hedges: one thing each, by lot."""
        return _USES[draw(self.settings.seed, self.source.doc_id, "use", self.lot) % len(_USES)]

    def piece(self) -> Piece:
        """Return the passage as what a prompt shows."""
        return Piece(self.source, self.stretch.start, self.stretch.end, "context")

    def sentence(self, index: int) -> Piece:
        """Return a sentence as what a reply cites."""
        return Piece(self.source, *self.stretch.sentences[index])

    def of(self, start: int) -> int:
        """Return which sentence holds a place of the passage."""
        at = start + self.stretch.start
        return next(i for i, (_, end) in enumerate(self.stretch.sentences) if at < end)

    @cached_property
    def topics(self) -> list[Topic]:
        """Return the terms that one sentence alone mentions, if it can be read by itself; the best of it by hash."""
        found = [topic for term in self.terms if term.kind in TOPICS and (topic := self._topic(term))]
        return _by_lot(self, _one_a_sentence(self, found))

    @cached_property
    def years(self) -> list[Topic]:
        """Return the years that one sentence alone mentions."""
        found = [topic for term in self.terms if term.kind == YEAR and (topic := self._topic(term))]
        return _by_lot(self, found)

    def _topic(self, term: Term) -> Topic | None:
        if self.squeezed.count(term.key) != 1:
            return None
        index = self.of(term.start)
        return Topic(term, index) if self.stands_alone(index) else None

    def stands_alone(self, index: int) -> bool:
        """Say whether a sentence can be read without the ones around it."""
        if index not in self._alone:
            self._alone[index] = self._stands_alone(self.stretch.said(index))
        return self._alone[index]

    def _stands_alone(self, said: str) -> bool:
        if len(said) > MAX_SENTENCE_CHARS or len(said.encode("utf-8", "surrogatepass")) < MIN_SENTENCE_BYTES:
            return False
        if (
            _SPOILT.search(said)
            or is_untranslated(said, self.language)
            or (self.language not in _EAST_ASIAN and _HAN_OR_KANA.search(said))
        ):
            return False
        lean = _LEAN.get(self.language)
        starts_well = said[:1].isdigit() or not said[:1].islower() or self.language in _EAST_ASIAN
        return (
            starts_well
            and said[-1:] not in "?？"
            and not (lean and lean.match(said))
            and not _POINTS.get(self.language, _NOWHERE).search(said)
        )


@dataclass
class Desk:
    """A document, its passages in an order drawn by hash, and what stands beside it."""

    source: Source
    near: Sequence[Passage]
    facts: FactTable | None
    settings: Settings
    studies: list[Study]

    @property
    def language(self) -> str:
        """Return the language of the document and of everything that is made of it."""
        return self.source.language

    @cached_property
    def tongue(self) -> str:
        """Return the language in which is asked and answered: of Chinese, in the characters of the document."""
        return tongue_of(self.language, self.source.text)

    def voice(self, *lot: object) -> Voice:
        """Return a voice for one record."""
        return Voice(self.tongue, self.settings.seed, ":".join(map(str, (self.source.doc_id, *lot))))

    def lot(self, *parts: object) -> int:
        """Return the lot of something of this document."""
        return draw(self.settings.seed, self.source.doc_id, *parts)

    @cached_property
    def others(self) -> list[tuple[Passage, tuple[Term, ...]]]:
        """Return the passages beside it with their terms."""
        own = squeeze(self.source.text[:200])
        beside = [
            one
            for one in self.near
            if one.cluster != self.source.cluster
            and squeeze(one.text[:200]) != own
            and tongue_of(one.language, one.text) == self.tongue
        ]
        return [(one, terms(one.text, one.language)) for one in beside]

    @cached_property
    def numbered(self) -> dict[str, list[tuple[Passage, Piece]]]:
        """Return the sentences with numbers of the passages beside it, by what they say but for those."""
        found: dict[str, list[tuple[Passage, Piece]]] = {}
        for passage, _ in self.others:
            for said, start, end in numbered_in(passage.text):
                piece = Piece(passage, passage.start + start, passage.start + end)
                found.setdefault(said, []).append((passage, piece))
        return found

    @cached_property
    def unrecorded(self) -> list[str]:
        """Return the kinds of questions whose answers the document nowhere records."""
        return [kind for kind, cues in patterns("recording").items() if not cues.search(self.source.text)]

    def use(self, study: Study) -> str:
        """Return what a passage is used for, beside hedges: one thing each, by lot."""
        return study.use

    @cached_property
    def strangers(self) -> list[Term]:
        """Return the terms of its own passages and of those beside it, each once, in an order drawn by hash."""
        own = [term for study in self.studies for term in study.terms]
        seen: dict[str, Term] = {}
        for term in (*own, *(term for _, found in self.others for term in found)):
            seen.setdefault(term.key, term)
        key = self.lot("strangers") & 0xFFFFFFFF
        return sorted(seen.values(), key=lambda term: (crc32(term.key.encode("utf-8", "surrogatepass"), key), term.key))

    @cached_property
    def pair_tables(self) -> list[tuple[Table, dict[str, TableCell]]]:
        """Return the tables that are pairs of key and value: their values by key."""
        found = [table for table in self.source.tables if is_pairs(table) and unique_keys(table)]
        return [(table, {key_of(row): row[1] for row in table.rows}) for table in found]

    def distractors(self, count: int, *lot: object) -> list[Piece]:
        """Return passages beside it, by lot."""
        order = sorted(self.others, key=lambda one: self.lot("near", *lot, one[0].doc_id, one[0].start))
        return [whole(passage) for passage, _ in order[:count]]


@lru_cache(1 << 9)
def numbered_in(text: str) -> tuple[tuple[str, int, int], ...]:
    """Return (what it says but for its numbers, start, end) of each sentence of a text that has numbers."""
    found = sentences(text)
    spans = zip(found.starts.tolist(), found.ends.tolist(), strict=True)
    return tuple((without_numbers(text[a:b]), a, b) for a, b in spans if NUMBER.search(text, a, b))


def without_numbers(said: str) -> str:
    """Return the form under which sentences are the same that differ in nothing but numbers."""
    return squeeze(NUMBER.sub("0", said))


def desk_of(source: Source, near: Sequence[Passage], facts: FactTable | None, settings: Settings) -> Desk:
    """Return a document with its passages in the document's own language, in an order drawn by hash."""
    found = [Study(stretch, settings) for stretch in stretches(source, settings)]
    found.sort(key=lambda study: draw(settings.seed, study.lot, "order"))
    return Desk(source, near, facts, settings, list(_spoken(found[: _enough(source, settings)], source.language)))


def _enough(source: Source, settings: Settings) -> int:
    """Return how many passages give as many candidates as are wanted of a document: each gives about three."""
    rate = float(settings.options.get("records_per_10_kb", RECORDS_PER_10_KB))
    return max(1, round(rate * len(source.text.encode("utf-8", "surrogatepass")) / 20_000))


_SCRIPTS = {"ja": ("ぁ", "ヿ"), "ko": ("가", "힣"), "ru": ("а", "я"), "zh": ("一", "鿿")}
MAX_TOLD_CHARS = 240  # of a passage, by which its language is told
_MIN_SCRIPT = 0.3  # of a passage's letters: kana, Hangul, Cyrillic, Han


def _spoken(studies: Sequence[Study], language: str) -> Iterator[Study]:
    """Leave out passages in another language than the document's: untranslated parts of a translation."""
    if language in _SCRIPTS:
        low, high = _SCRIPTS[language]
        for study in studies:
            letters = [sign for sign in study.text if sign.isalpha()]
            if sum(low <= sign <= high for sign in letters) >= _MIN_SCRIPT * len(letters):
                yield study
    elif studies:
        from filters.language import load_model

        lines = [study.text[:MAX_TOLD_CHARS].replace("\n", " ") + "\n" for study in studies]
        labels, _ = load_model().f.multilinePredict(lines, 1, 0.0, "strict")
        said = f"__label__{language}"
        yield from (study for study, best in zip(studies, labels, strict=True) if best and best[0] == said)


_TRADITIONAL = re.compile("[們這說對於檔會來時個後與為無應開關機實際點兩過還進動電網頁設]")
_SIMPLIFIED = re.compile("[们这说对于档会来时个后与为无应开关机实际点两过还进动电网页设]")


@lru_cache(1 << 12)
def tongue_of(language: str, text: str) -> str:
    """Return the language whose phrases fit a text: zh-Hant for Chinese in traditional characters."""
    if language == "zh" and len(_TRADITIONAL.findall(text)) > len(_SIMPLIFIED.findall(text)):
        return "zh-Hant"
    return language


def _is_plain(term: Term, text: str) -> bool:
    """Say whether a capitalised single word also stands in small letters in the text: no name, then."""
    return (
        term.kind in ("name", "capitals")
        and " " not in term.text
        and term.text.lower() != term.text
        and (f" {term.text.lower()} " in text)
    )


def _one_a_sentence(study: Study, topics: Sequence[Topic]) -> list[Topic]:
    """Keep one topic a sentence, chosen by lot."""
    best: dict[int, Topic] = {}
    for topic in _drawn(study, topics, "topic"):
        best.setdefault(topic.sentence, topic)
    return list(best.values())


def _by_lot(study: Study, topics: Sequence[Topic]) -> list[Topic]:
    return _drawn(study, topics, "use")


def _drawn(study: Study, topics: Sequence[Topic], use: str) -> list[Topic]:
    if len(topics) < 2:
        return list(topics)
    key = draw(study.settings.seed, study.lot, use) & 0xFFFFFFFF
    return sorted(topics, key=lambda one: (lot_under(key, one.term.start), one.term.start))


def lot_under(key: int, number: int) -> int:
    """Return the lot of one of several things under a key that was drawn for them: 32 bits, cheaper than a draw."""
    return crc32(number.to_bytes(8, "big"), key)
