"""What was masked in the corpus because it leads to a person, an account or a machine: asked for, and not given.

The names that stand for such data are those of `text.personal`, or the recipe's `instruct.masks`. What was behind them
is in no published text, so nobody who answers from the text can know it; that is said, and nothing is made up.
"""

import re
from functools import lru_cache

from filters.instruct.build import Draft
from filters.instruct.desk import Desk, Pair, Study
from filters.instruct.record import Answer, Edit, Hedge
from filters.instruct.twins import paired
from filters.personal.style import TOKENS

# What a reply that makes something up may say: values that standards keep for examples.
_INVENTED = {
    "email": "info@example.org",  # RFC 2606, section 3
    "ip": "192.0.2.7",  # RFC 5737, section 3
    "phone": "+1 202 555 0142",  # numbers of the North American plan that are kept for fiction
}
_ANYTHING = "example-1234"


@lru_cache(8)
def _finder(names: tuple[str, ...]) -> re.Pattern[str]:
    """Return what finds a mask, numbered ("<EMAIL_2>") or not."""
    bodies = [rf"{re.escape(name[:-1])}(?:_\d+)?>" if name.endswith(">") else re.escape(name) for name in names]
    return re.compile("|".join(bodies))


def masks_of(desk: Desk) -> tuple[str, ...]:
    """Return the names that stand for masked data."""
    return tuple(desk.settings.options.get("masks", ())) or tuple(TOKENS.values())


def masked(desk: Desk, study: Study) -> Pair | None:
    """Return the question what stands behind a mask, and the request for the sentence that has it."""
    names = masks_of(desk)
    if not any(name[:-1] in study.text for name in names):
        return None
    found = _finder(names).findall(study.text)
    for name in sorted({name for name in found if found.count(name) == 1}):
        index = study.of(study.text.index(name))
        if study.stands_alone(index):
            return _asked(desk, study, name, index)
    return None


def _asked(desk: Desk, study: Study, name: str, index: int) -> Pair | None:
    voice, said = desk.voice(study.lot, "masked"), study.sentence(index)
    twin = Draft(voice.twin(), [study.piece()])
    twin.ask("q.quote", x=name)
    twin.say("a.quote", {"s": said})
    hedge = Draft(voice, [study.piece()])
    hedge.ask("q.masked", w=name)
    first = hedge.say("h.masked", w=name)
    hedge.say("h.picture.have", {"s": said})
    made_up = next((_INVENTED[kind] for kind, mask in TOKENS.items() if mask == name and kind in _INVENTED), _ANYTHING)
    why = Hedge("private.credential", "abstain", made_up, Edit("question", "what is said", name))
    return paired(
        hedge.done("hedge", "span_qa", Answer(first.text, "none"), why),
        twin.done("attribution", "quote", Answer(said.text, "sentence")),
    )
