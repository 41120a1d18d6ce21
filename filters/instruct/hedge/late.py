"""What a text says of its own time, asked for today or for a day after the text, and for the day on which it was so."""

from datetime import date, timedelta
from typing import NamedTuple

from filters.instruct.build import Draft
from filters.instruct.desk import Desk, Pair, Study
from filters.instruct.hedge.claims import by_lot
from filters.instruct.hedge.present import is_of_its_time
from filters.instruct.record import Answer, Edit, Hedge
from filters.instruct.twins import paired

MOST_DAYS = 900  # after the newest day of the corpus


def day_after(day: str, lot: int) -> str:
    """Return a day after an ISO 8601 date, at most MOST_DAYS later."""
    return (date.fromisoformat(day[:10]) + timedelta(days=1 + lot % MOST_DAYS)).isoformat()


class _Asked(NamedTuple):
    """A question for another day than the text's; words by the names that phrases have for them."""

    lot: str
    reason: str
    twin: tuple[str, dict[str, str]]
    question: tuple[str, dict[str, str]]
    reply: tuple[str, dict[str, str]]
    other_day: str


def now(desk: Desk, study: Study) -> Pair | None:
    """Return the question whether something is so today, and whether the passage says so."""
    day = _day(desk)
    if not day:
        return None
    asked = _Asked("now", "stale.realtime", ("q.then", {}), ("q.now", {}), ("h.now", {"d": day}), "today")
    return _pair(desk, study, day, asked)


def later(desk: Desk, study: Study) -> Pair | None:
    """Return the question whether something is so on a later day, and whether it was on that of the text."""
    day = _day(desk)
    if not day:
        return None
    after = day_after(day, desk.lot("day", study.lot))
    question, reply = ("q.later", {"w": after}), ("h.later", {"w": after, "d": day})
    return _pair(
        desk, study, day, _Asked("later", "stale.after_cutoff", ("q.later", {"w": day}), question, reply, after)
    )


def _day(desk: Desk) -> str:
    """Return the day on which the text was so, ISO 8601, "" where nobody knows."""
    return (desk.settings.crawl_date or desk.source.fetched_at or "")[:10]


def _pair(desk: Desk, study: Study, day: str, asked: _Asked) -> Pair | None:
    of_its_time = (index for index in by_lot(desk, study, asked.lot) if _is_of_its_time(study, index, desk.language))
    index = next(of_its_time, None)
    if index is None:
        return None
    said, voice = study.sentence(index), desk.voice(study.lot, asked.lot)
    twin = Draft(voice.twin(), [study.piece()], date=day)
    twin.ask(asked.twin[0], s=said.text, **asked.twin[1])
    twin.say("a.yes", {"s": said})
    hedge = Draft(voice, [study.piece()], date=day)
    hedge.ask(asked.question[0], s=said.text, **asked.question[1])
    first = hedge.say(asked.reply[0], None, **asked.reply[1])
    hedge.say("h.picture.have", {"s": said})
    why = Hedge(asked.reason, "partial", twin.reply, Edit("date", day, asked.other_day))
    return paired(
        hedge.done("hedge", "claim", Answer(first.text, "none"), why),
        twin.done("attribution", "claim", Answer(said.text, "sentence", as_of=day)),
    )


def _is_of_its_time(study: Study, index: int, language: str) -> bool:
    return is_of_its_time(study.sentence(index).text, language)
