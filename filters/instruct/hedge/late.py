"""What a text says of its own time, asked for a day after it was retrieved, and for the day on which it was."""

from datetime import date, timedelta

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


def later(desk: Desk, study: Study) -> Pair | None:
    """Return the question whether something is so on a later day, and whether it was on that of the text."""
    day = (desk.settings.crawl_date or desk.source.fetched_at or "")[:10]
    if not day:
        return None
    for index in by_lot(desk, study, "later"):
        said = study.sentence(index)
        if not is_of_its_time(said.text, desk.language):
            continue
        after = day_after(day, desk.lot("day", study.lot))
        voice = desk.voice(study.lot, "later")
        twin = Draft(voice.twin(), [study.piece()], date=day)
        twin.ask("q.later", s=said.text, w=day)
        twin.say("a.yes", {"s": said})
        hedge = Draft(voice, [study.piece()], date=day)
        hedge.ask("q.later", s=said.text, w=after)
        first = hedge.say("h.later", w=after, d=day)
        hedge.say("h.picture.have", {"s": said})
        why = Hedge("stale.after_cutoff", "partial", twin.reply, Edit("date", day, after))
        return paired(
            hedge.done("hedge", "claim", Answer(first.text, "none"), why),
            twin.done("attribution", "claim", Answer(said.text, "sentence", as_of=day)),
        )
    return None
