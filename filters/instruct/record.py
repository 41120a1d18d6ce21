"""The vocabulary of instruction sets on one screen: a record, its evidence, and what generators see and give.

Offsets are half-open and count Unicode code points of a stored text, which `text_sha256` (of its UTF-8 bytes) names:
  modality text   `text` of the document `doc_id` in the text snapshot;
  modality table  the same text, with the cell; or, where `cell.table` is "markup/<n>", the content of the n-th entry
                  (from 0) of that document's `markup` (JSON-LD, FAQ mark-up);
  modality image, audio, video   the caption or transcript of the media record `doc_id`, as the job's own `sources`
                  shards keep it (columns id, text, text_sha256), whatever job it came from.
What a user sees is `messages`. `answer.text` is the answer proper and stands in the content of the last message, and
the spans of citations count in the content of the last message.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

SCHEMA_NAME = "factuality/1"
Behaviour = Literal["attribution", "closed_book", "hedge"]
Modality = Literal["text", "image", "table", "audio", "video"]
EvidenceRole = Literal["support", "context", "contrast", "conflict"]
Act = Literal["abstain", "correct_premise", "ask", "both_sides", "partial"]
Verdict = Literal["pass", "fail", "unknown"]
UNIT: Literal["unicode_codepoint"] = "unicode_codepoint"
BEHAVIOURS: tuple[Behaviour, ...] = ("attribution", "closed_book", "hedge")


@dataclass(frozen=True)
class Message:
    """One turn."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True)
class Cell:
    """A cell of a table; rows and columns count from 0, null where mark-up has none. `header`: path to the cell."""

    table: str  # "table/<n>" of the document's tables, or "markup/<n>" of its mark-up
    row: int | None = None
    column: int | None = None
    header: tuple[str, ...] = ()


@dataclass(frozen=True)
class Evidence:
    """A piece of a stored text: `text[start:end] == quote`."""

    doc_id: str  # 32 hex digits
    text_sha256: str  # 64 hex digits
    url: str
    domain: str  # registrable
    licence: str | None
    modality: Modality
    start: int
    end: int
    quote: str
    role: EvidenceRole = "support"
    unit: Literal["unicode_codepoint"] = UNIT
    bbox: tuple[float, float, float, float] | None = None  # of an image, [0, 1]
    cell: Cell | None = None
    t_ms: tuple[int, int] | None = None  # of the sound or film, half-open


@dataclass(frozen=True)
class Citation:
    """[start, end) of the last message's content, and the numbers of the evidence (from 0) that carry it."""

    answer_span: tuple[int, int]
    evidence: tuple[int, ...]


@dataclass(frozen=True)
class Answer:
    """The answer proper. `value` is normalised: ISO 8601 dates by precision, decimal numbers, else folded text."""

    text: str
    type: str  # text | date | number | quantity | entity | sentence | json | csv | list | none (nothing to be told)
    value: str | None = None
    aliases: tuple[str, ...] = ()
    as_of: str | None = None  # ISO 8601 date, where the truth depends on the time


@dataclass(frozen=True)
class Corroboration:
    """How many independent publishers state a fact; `agree` in [0, 1] by publishers."""

    n_domains: int
    n_dup_clusters: int
    agree: float
    conflicts: int
    method: str  # of extraction, joined by "+": jsonld, microdata, infobox, table, dl, definition


@dataclass(frozen=True)
class Edit:
    """What was changed against the twin; JSON's from and to."""

    kind: str  # entity | number | date | negation | antonym | relation | context | media | ...
    before: str
    after: str


@dataclass(frozen=True)
class Hedge:
    """Why nothing can be answered as asked, and what the reply does instead."""

    reason: str  # "context.entity_swap", of the taxonomy in docs/instruct.md
    act: Act
    plausible_wrong: str  # what a model that does not look would say
    edit: Edit | None = None
    contrast_id: str | None = None  # id of the answerable twin; filled in when the twin has one


@dataclass(frozen=True)
class Check:
    """One check that was made. `unknown` never counts as passed."""

    check: str  # offset | literal | leak | nli | answerable | roundtrip | judge
    tool: str  # name@version
    score: float
    verdict: Verdict
    at: Literal["generator", "auditor"] = "generator"


@dataclass(frozen=True)
class Origin:
    """How a record was made: the JSON's `gen`. `template` names the surface form: task/language/number."""

    mode: Literal["rule", "template", "llm"]
    template: str
    model: str | None = None
    prompt_sha256: str | None = None
    seed: int = 0
    pipeline: str = ""  # versions of the generators; filled in by the job


@dataclass(frozen=True)
class Candidate:
    """What a generator gives: a record but for its id, split key and the twin's id.

    `entities`: normalised names that the record is about; they and the duplicate clusters of the evidence's documents
    decide its split. `keys`: facts (subject key, relation) that it uses.
    """

    behaviour: Behaviour
    task: str  # span_qa | quote | cloze | cited_answer | summary_extractive | transform | table_qa | fact_qa | ...
    lang: str
    messages: tuple[Message, ...]
    answer: Answer
    evidence: tuple[Evidence, ...]
    gen: Origin
    citations: tuple[Citation, ...] = ()
    corroboration: Corroboration | None = None
    hedge: Hedge | None = None
    verify: tuple[Check, ...] = ()
    entities: tuple[str, ...] = ()
    keys: tuple[tuple[str, str], ...] = ()


# What generators see.


@dataclass(frozen=True)
class Section:
    """A heading and the text below it up to the next heading of any level, both in code points of the text."""

    heading: str
    heading_start: int
    start: int
    end: int


@dataclass(frozen=True)
class TableCell:
    """The text of a cell and where it stands: `source.text[start:end] == text`."""

    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Table:
    """A table of the stored text, row by row; `header` is its first row where that names columns, else ()."""

    number: int
    start: int
    end: int
    header: tuple[TableCell, ...]
    rows: tuple[tuple[TableCell, ...], ...]


@dataclass(frozen=True)
class Pair:
    """A question and its answer as the document itself puts them, both located in the text (or, with `view`, in it)."""

    question: str
    question_start: int
    answer: str
    start: int
    end: int
    method: str  # faq | details | heading | dl | json_ld
    view: str = "text"  # or markup/<n>


@dataclass(frozen=True)
class Cue:
    """A piece of a transcript: where it stands in the text, and when it is said."""

    start: int
    end: int
    t_ms: tuple[int, int]
    confidence: float | None = None


@dataclass(frozen=True)
class Statement:
    """What one document says: subject, relation, value; `start` and `end` locate the value's `quote` in `view`."""

    subject: str
    subject_key: str
    relation: str  # of filters.instruct.relations
    value: str  # as it stands
    value_key: str  # normalised
    value_type: str  # date | number | quantity | entity | text
    method: str  # jsonld | microdata | infobox | table | dl | definition
    view: str  # text | markup/<n>
    start: int
    end: int
    quote: str
    as_of: str | None = None
    cell: Cell | None = None


@dataclass(frozen=True)
class Source:
    """A curated document, or a caption or transcript of the curated media, as generators see it."""

    doc_id: str  # 32 hex digits
    text: str
    text_sha256: str
    url: str
    domain: str  # registrable
    publisher: str  # registrable domain, or the upstream project where one host carries many
    licence: str | None
    language: str  # ISO 639
    cluster: str  # duplicate cluster, hex digits: copies share it
    modality: Modality = "text"
    title: str = ""
    fetched_at: str | None = None  # ISO 8601 date
    sections: tuple[Section, ...] = ()
    tables: tuple[Table, ...] = ()
    faq: tuple[Pair, ...] = ()
    facts: tuple[Statement, ...] = ()
    cues: tuple[Cue, ...] = ()
    markup: tuple[str, ...] = ()  # contents, by number
    mentions: tuple[str, ...] = ()  # media: other captions and alternative texts of the same picture


@dataclass(frozen=True)
class Passage:
    """A piece of a source that may stand in a prompt: `source.text[start:end]`."""

    doc_id: str
    text_sha256: str
    url: str
    domain: str
    licence: str | None
    language: str
    cluster: str
    title: str
    start: int
    end: int
    text: str
    modality: Modality = "text"


@dataclass(frozen=True)
class FactValue:
    """One value of a fact, and who states it."""

    value: str  # commonest surface form
    value_key: str
    aliases: tuple[str, ...]
    n_domains: int
    n_clusters: int
    statements: tuple[tuple[str, Evidence], ...] = ()  # (language, evidence), some of them, chosen by hash


@dataclass(frozen=True)
class Fact:
    """What the corpus says of (subject, relation). `status`: accepted | attribution | low | conflict | stale."""

    subject: str
    subject_key: str
    relation: str
    value_type: str
    status: str
    values: tuple[FactValue, ...]  # best supported first
    corroboration: Corroboration
    as_of: str | None = None
    names: tuple[tuple[str, str], ...] = ()  # (language, the subject's name there)


class FactTable(Protocol):
    """The corroborated facts that concern a document."""

    def of(self, subject_key: str) -> Sequence[Fact]:
        """Return the facts of a subject, by relation."""

    def get(self, subject_key: str, relation: str) -> Fact | None:
        """Return one fact, None where the corpus says nothing of it."""

    def others(self, relation: str, language: str) -> Sequence[str]:
        """Return values (as written in `language`) that the relation takes for other subjects, sorted by hash."""


@dataclass(frozen=True)
class Settings:
    """What generators may be told. Everything that is chosen is chosen by `draw(seed, ...)`."""

    seed: int = 0
    max_records_per_document: int = 40  # of a task and document: an upper bound, before balance
    max_passage_chars: int = 1200
    max_quote_chars: int = 400
    context_passages: int = 4  # of a cited answer, the gold one included
    crawl_date: str | None = None  # ISO 8601; the newest date in the corpus: what is later is the future
    languages: tuple[str, ...] = ()  # () for all
    options: Mapping[str, Any] = field(default_factory=dict)


def draw(seed: int, *parts: object) -> int:
    """Return a 64-bit number that depends on the seed and the parts only: the lot by which things are chosen."""
    key = "\x1f".join((str(seed), *map(str, parts))).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "big")


def sha256_of(text: str) -> str:
    """Return the sha256 (64 hex digits) of a text's UTF-8 bytes."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def evidence_of(
    source: Source | Passage, start: int, end: int, role: EvidenceRole = "support", **more: Any
) -> Evidence:
    """Return [start, end) of a source's text as evidence; of a passage, offsets count in the passage's document."""
    shift = source.start if isinstance(source, Passage) else 0
    quote = source.text[start - shift : end - shift]
    fixed = (source.doc_id, source.text_sha256, source.url, source.domain, source.licence)
    return Evidence(*fixed, more.pop("modality", source.modality), start, end, quote, role, **more)
