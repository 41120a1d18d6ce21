"""Captions and transcripts: a picture that is not as the question has it, what is only heard, a time after the end, and
what nobody could make out.
"""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from filters.instruct.build import Draft, Piece
from filters.instruct.desk import Desk, Pair
from filters.instruct.media import MIN_CAPTION_CHARS, TimedDraft, clock, cue_piece, text_of, transcript, window
from filters.instruct.phrases import fill
from filters.instruct.record import Answer, Cue, Edit, Hedge
from filters.instruct.twins import paired
from filters.instruct.words import EVERY, patterns

_FOLDER = Path(__file__).parent.parent / "phrases" / "attributes"


def pairs(desk: Desk) -> Iterator[Pair]:
    """Return the pairs of a caption or transcript."""
    source = desk.source
    if not MIN_CAPTION_CHARS <= len(source.text.strip()) <= desk.settings.max_quote_chars:
        makers = [silent, inaudible] if source.modality in ("audio", "video") else []
    elif source.modality == "image":
        makers = [scene]
    elif source.modality in ("audio", "video"):
        makers = [unseen, silent, inaudible] if source.modality == "audio" else [silent, inaudible]
    else:
        makers = []
    for make in makers:
        pair = make(desk)
        if pair:
            yield pair


@cache
def attributes(language: str) -> tuple[tuple[str, ...], ...]:
    """Return groups of words that exclude one another and inflect alike: colours, sizes, sides."""
    path = _FOLDER / f"{language}.tsv"
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    return tuple(tuple(line.split("\t")) for line in lines if line and not line.startswith("#"))


def _attribute(desk: Desk, text: str) -> tuple[int, str, str] | None:
    """Return (place, word, another of its group) for the only word of a group that a caption has."""
    for group in attributes(desk.language):
        body = "|".join(sorted(map(re.escape, group), key=lambda word: (-len(word), word)))
        bounded = body if desk.language in ("ja", "zh", "ko") else rf"(?i)(?<!\w)(?:{body})(?!\w)"
        found = list(re.finditer(bounded, text))
        if len(found) == 1:
            word = found[0].group()
            rest = [other for other in group if other != word.lower()]
            other = rest[desk.lot("attribute", text, word) % len(rest)]
            return found[0].start(), word, other.capitalize() if word[:1].isupper() else other
    return None


def scene(desk: Desk) -> Pair | None:
    """Return a description that gets one attribute wrong, which the caption states, and the right one."""
    of = text_of(desk)
    change = _attribute(desk, of.text)
    if change is None or any(change[2].lower() in other.lower() for other in desk.source.mentions):
        return None
    at, right, wrong = change
    false = of.text[:at] + wrong + of.text[at + len(right) :]
    voice = desk.voice("scene")
    said = Piece(of.source, of.start, of.end)
    twin = Draft(voice.twin(), [of])
    twin.ask("q.scene", s=of.text)
    twin.say("a.caption", {"s": said})
    hedge = Draft(voice, [of])
    hedge.ask("q.scene", s=false)
    first = hedge.say("h.scene", {"s": said}, x=wrong, y=right)
    yes = fill(twin.voice.last_phrase("a.caption"), desk.language, {"s": false}).text
    why = Hedge("premise.false_attribute", "correct_premise", yes, Edit("attribute", right, wrong))
    return paired(
        hedge.done("hedge", "claim", Answer(first.text, "none"), why),
        twin.done("attribution", "claim", Answer(said.text, "text")),
    )


def unseen(desk: Desk) -> Pair | None:
    """Return a question about what can be seen in a recording of sound, and what can be heard."""
    of = text_of(desk)
    said = Piece(of.source, of.start, of.end)
    voice = desk.voice("unseen")
    twin = Draft(voice.twin(), [of])
    twin.ask("q.heard")
    twin.say("a.heard", {"s": said})
    hedge = Draft(voice, [of])
    hedge.ask("q.look")
    first = hedge.say("h.nosight")
    hedge.say("h.nosight.have", {"s": said})
    why = Hedge("modality.wrong_modality", "abstain", twin.reply, Edit("media", "audio", "video"))
    return paired(
        hedge.done("hedge", "span_qa", Answer(first.text, "none"), why),
        twin.done("attribution", "span_qa", Answer(said.text, "text")),
    )


def silent(desk: Desk) -> Pair | None:
    """Return a question about a time after the last word, and about one before it."""
    if len(desk.source.cues) < 2:
        return None
    last = desk.source.cues[-1]
    cues = window(desk, last)
    cue = min(cues, key=lambda one: desk.lot("silent", one.start))
    later = last.t_ms[1] + 4000 + desk.lot("later") % 90_000
    voice = desk.voice("silent")
    piece, end = cue_piece(desk, cue), cue_piece(desk, last)
    twin = TimedDraft(voice.twin(), transcript(desk, cues))
    twin.ask("q.said_at", w=clock(cue.t_ms[0]))
    twin.say("a.heard", {"s": piece})
    hedge = TimedDraft(voice, transcript(desk, cues))
    hedge.ask("q.said_at", w=clock(later))
    first = hedge.say("h.silent", w=clock(later), v=clock(last.t_ms[1]))
    hedge.say("h.silent.have", {"s": end})
    why = Hedge("context.number_swap", "abstain", twin.reply, Edit("time", clock(cue.t_ms[0]), clock(later)))
    return paired(
        hedge.done("hedge", "span_qa", Answer(first.text, "none"), why),
        twin.done("attribution", "span_qa", Answer(piece.text, "text")),
    )


def inaudible(desk: Desk) -> Pair | None:
    """Return the question what is said where the transcript says that it could not be made out, and where it could."""
    marked = [cue for cue in desk.source.cues if is_inaudible(desk, cue)]
    for lost in marked:
        cues = window(desk, lost)
        heard = [cue for cue in cues if cue not in marked and clock(cue.t_ms[0]) != clock(lost.t_ms[0])]
        if heard:
            return _lost(desk, cues, lost, min(heard, key=lambda one: desk.lot("inaudible", one.start)))
    return None


def is_inaudible(desk: Desk, cue: Cue) -> bool:
    """Say whether a piece of a transcript is nothing but the mark for what could not be made out."""
    return patterns("inaudible")[EVERY].fullmatch(desk.source.text[cue.start : cue.end].strip()) is not None


def _lost(desk: Desk, cues: tuple[Cue, ...], lost: Cue, heard: Cue) -> Pair | None:
    voice, mark, piece = desk.voice("inaudible"), cue_piece(desk, lost), cue_piece(desk, heard)
    then, when = clock(lost.t_ms[0]), clock(heard.t_ms[0])
    twin = TimedDraft(voice.twin(), transcript(desk, cues))
    twin.ask("q.said_at", w=when)
    twin.say("a.heard", {"s": piece})
    hedge = TimedDraft(voice, transcript(desk, cues))
    hedge.ask("q.said_at", w=then)
    first = hedge.say("h.inaudible", {"s": mark}, w=then)
    hedge.say("h.nosight.have", {"s": piece})
    why = Hedge("modality.unreadable", "abstain", twin.reply, Edit("time", when, then))
    return paired(
        hedge.done("hedge", "span_qa", Answer(first.text, "none"), why),
        twin.done("attribution", "span_qa", Answer(piece.text, "text")),
    )
