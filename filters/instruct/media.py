"""Captions, transcripts and their times."""

from collections.abc import Iterator

from filters.instruct.build import Draft, Piece
from filters.instruct.desk import Desk
from filters.instruct.phrases import Voice, Wording
from filters.instruct.record import Answer, Candidate, Cue

MIN_CAPTION_CHARS = 8
MAX_CUES = 12


def candidates(desk: Desk) -> Iterator[Candidate]:
    """Return what can be asked of a caption or a transcript by itself."""
    source = desk.source
    if source.modality == "image" and MIN_CAPTION_CHARS <= len(source.text.strip()) <= desk.settings.max_quote_chars:
        yield caption(desk.voice("caption"), text_of(desk))
    elif source.modality in ("audio", "video"):
        if MIN_CAPTION_CHARS <= len(source.text.strip()) <= desk.settings.max_quote_chars:
            yield heard(desk.voice("heard"), text_of(desk))
        if len(source.cues) >= 2:
            yield timeline(desk, source.cues[:MAX_CUES])
        for cue in sorted(source.cues, key=lambda one: desk.lot("cue", one.start))[: 1 + len(source.cues) // 8]:
            yield said_at(desk.voice("cue", cue.start), desk, cue)


def text_of(desk: Desk) -> Piece:
    """Return a caption or transcript without the white space around it."""
    text = desk.source.text
    start = len(text) - len(text.lstrip())
    return Piece(desk.source, start, start + len(text.strip()), "context")


def caption(voice: Voice, of: Piece) -> Candidate:
    """Return the question what a picture shows."""
    draft = Draft(voice, [of])
    draft.ask("q.caption")
    draft.say("a.caption", {"s": Piece(of.source, of.start, of.end)})
    return draft.done("attribution", "span_qa", Answer(of.text, "text"))


def heard(voice: Voice, of: Piece) -> Candidate:
    """Return the question what is said."""
    draft = Draft(voice, [of])
    draft.ask("q.heard")
    draft.say("a.heard", {"s": Piece(of.source, of.start, of.end)})
    return draft.done("attribution", "span_qa", Answer(of.text, "text"))


def clock(ms: int) -> str:
    """Return a time as minutes and seconds: 75,300 is 1:15."""
    minutes, seconds = divmod(ms // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def cue_piece(desk: Desk, cue: Cue) -> Piece:
    """Return a cue as what a reply cites."""
    return Piece(desk.source, cue.start, cue.end, more={"t_ms": cue.t_ms})


def transcript(desk: Desk, cues: tuple[Cue, ...]) -> list[Piece]:
    """Return the lines of a transcript as what a prompt shows."""
    return [Piece(desk.source, cue.start, cue.end, "context", {"t_ms": cue.t_ms}) for cue in cues]


def said_at(voice: Voice, desk: Desk, cue: Cue) -> Candidate:
    """Return the question what is said at a time."""
    piece = cue_piece(desk, cue)
    draft = TimedDraft(voice, transcript(desk, window(desk, cue)))
    draft.ask("q.said_at", w=clock(cue.t_ms[0]))
    draft.say("a.heard", {"s": piece})
    return draft.done("attribution", "span_qa", Answer(piece.text, "text"))


def window(desk: Desk, cue: Cue) -> tuple[Cue, ...]:
    """Return a cue with some of those around it, all of them with different times to the second."""
    cues = desk.source.cues
    at = cues.index(cue)
    found = cues[max(0, at - MAX_CUES // 2) : at + MAX_CUES // 2]
    return tuple(one for one in found if one is cue or one.t_ms[0] // 1000 != cue.t_ms[0] // 1000)


def timeline(desk: Desk, cues: tuple[Cue, ...]) -> Candidate:
    """Return the request for a list with times."""
    draft = TimedDraft(desk.voice("timeline"), transcript(desk, cues))
    draft.ask("q.timeline")
    for cue in cues:
        piece = cue_piece(desk, cue)
        lead = f"- {clock(cue.t_ms[0])} "
        line = f"{lead}{piece.text}" + ("" if cue is cues[-1] else "\n")
        draft.add(Wording(line, {"s": (len(lead), len(lead) + len(piece.text))}), {"s": piece})
    return draft.done("attribution", "transform", Answer(draft.reply, "list"))


class TimedDraft(Draft):
    """A draft that shows a transcript, each line with its time."""

    def body(self) -> str:
        """Return the lines with their times."""
        return "\n".join(f"[{clock(piece.more['t_ms'][0])}] {piece.text}" for piece in self.shown)
