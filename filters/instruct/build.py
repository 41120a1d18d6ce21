"""How a candidate is put together: what is shown, what is asked, what is said, and which words stand on what.

A prompt shows pieces of sources, one as it is or several with numbers; a reply is made of phrases whose slots hold
literal pieces of those. Where each piece came to stand in the reply becomes a citation by itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from filters.instruct.phrases import Voice, Wording
from filters.instruct.record import (
    Answer,
    Behaviour,
    Candidate,
    Check,
    Citation,
    Evidence,
    EvidenceRole,
    Hedge,
    Message,
    Origin,
    Passage,
    Source,
    evidence_of,
)

TOOL = "corpusmill.instruct@1"
_TIGHT = ("ja", "zh")  # no space between sentences

_FRAMES = {"table": "table", "image": "image", "audio": "sound", "video": "sound"}

Span = tuple[int, int]


@dataclass(frozen=True)
class Piece:
    """[start, end) of a source's text, in code points of that text, that a prompt shows or a reply cites."""

    source: Source | Passage
    start: int
    end: int
    role: EvidenceRole = "support"
    more: Mapping[str, Any] = field(default_factory=dict)  # cell, t_ms

    @property
    def text(self) -> str:
        """Return the piece."""
        shift = self.source.start if isinstance(self.source, Passage) else 0
        return self.source.text[self.start - shift : self.end - shift]

    def evidence(self, role: EvidenceRole | None = None) -> Evidence:
        """Return it as evidence."""
        return evidence_of(self.source, self.start, self.end, role or self.role, **self.more)


def whole(passage: Passage) -> Piece:
    """Return a passage as a piece."""
    return Piece(passage, passage.start, passage.end, "context")


@dataclass
class Draft:
    """A record in the making: call `ask` once, `say` for each sentence of the reply, then `done`."""

    voice: Voice
    shown: Sequence[Piece]
    numbered: bool = False
    date: str = ""  # when the text was retrieved, if the prompt says so
    question: str = ""
    reply: str = ""
    evidence: list[Evidence] = field(default_factory=list)
    citations: list[Citation] = field(default_factory=list)

    def ask(self, kind: str, **slots: str) -> None:
        """Word the question, and the prompt around it."""
        self.ask_in_words(self.voice.say(kind, **slots).text)

    def ask_in_words(self, question: str) -> None:
        """Put the prompt around a question."""
        if not self.shown:
            self.question = question
            return
        self.question = self.voice.say(f"frame.{self.frame()}", p=self.body(), q=question, d=self.date).text

    def frame(self) -> str:
        """Return what kind of thing the prompt shows."""
        if self.numbered:
            return "many"
        if self.date:
            return "dated"
        shown = self.shown[0]
        return _FRAMES.get(shown.more.get("modality", shown.source.modality), "one")

    def body(self) -> str:
        """Return what the prompt shows."""
        texts = [piece.text for piece in self.shown]
        return "\n\n".join(f"[{n}] {text}" for n, text in enumerate(texts, 1)) if self.numbered else texts[0]

    def say(self, kind: str, cited: Mapping[str, Piece] | None = None, **slots: str) -> Wording:
        """Add a phrase to the reply; `cited` are pieces by slot, whose text goes in and is cited."""
        pieces = cited or {}
        worded = self.voice.say(kind, **{name: piece.text for name, piece in pieces.items()}, **slots)
        return self.add(worded, pieces)

    def add(self, worded: Wording, pieces: Mapping[str, Piece]) -> Wording:
        """Add a text to the reply."""
        shift = len(self.reply)
        if self.reply and not self.reply.endswith("\n") and self.voice.language[:2] not in _TIGHT:
            self.reply += " "
            shift += 1
        self.reply += worded.text
        for name, piece in pieces.items():
            if name in worded.at:
                start, end = worded.at[name]
                self.cite((start + shift, end + shift), piece)
        return worded

    def cite(self, span: Span, piece: Piece) -> None:
        """Say that reply[span] stands on a piece."""
        made = piece.evidence()
        if made not in self.evidence:
            self.evidence.append(made)
        self.citations.append(Citation(span, (self.evidence.index(made),)))

    def done(
        self, behaviour: Behaviour, task: str, answer: Answer, hedge: Hedge | None = None, about: Sequence[str] = ()
    ) -> Candidate:
        """Return the candidate."""
        shown = tuple(made for piece in self.shown if (made := piece.evidence("context")) not in self.evidence)
        checks = [Check("offset", TOOL, 1.0, "pass"), Check("literal", TOOL, 1.0, "pass")]
        if hedge:
            checks.append(Check("leak", TOOL, 0.0, "pass"))
        template = f"{task}/{self.voice.language}/{'-'.join(self.voice.chosen)}"
        return Candidate(
            behaviour=behaviour,
            task=task,
            lang=self.voice.language.partition("-")[0],
            messages=(Message("user", self.question), Message("assistant", self.reply)),
            answer=answer,
            evidence=(*self.evidence, *shown),
            gen=Origin("rule", template, seed=self.voice.seed),
            citations=tuple(self.citations),
            hedge=hedge,
            verify=tuple(checks),
            entities=tuple(about),
        )
