"""How many of the candidates become records: the mix of behaviours, reasons, tasks and languages.

Two passes, neither of which needs an order: `tally` counts candidates by stratum and adds up over workers, `quotas`
says what fraction of each stratum is kept, and `chosen` keeps a candidate by a lot of its own. A pair has one lot.
What a user's model wrote, and facts, come first: what rules made fills up the rest.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from filters.instruct.desk import Made
from filters.instruct.record import Candidate, Settings, draw

HEDGE_FRACTION = 0.25  # of all records; SQuAD2's training set has a third
TASK_FRACTION = {
    "table_qa": 0.10,
    "transform": 0.12,
    "cloze": 0.08,
    "summary_extractive": 0.10,
}  # at most, of the single ones
LANGUAGE_EXCESS = 1.15  # of the share of a language that it has in the corpus, at most
PER_10_KB = 8.0  # records, pairs counted as two, at most
_SCALE = 1 << 64


class Stratum(NamedTuple):
    """What candidates are counted by. `kind`: a single one's task, or the reason of a pair with the direction of its
    edit, so that a word and its opposite are exchanged in both directions alike.
    """

    language: str
    is_pair: bool
    kind: str
    change: str


@dataclass(frozen=True)
class Quotas:
    """The fraction of each stratum that is kept, in [0, 1]."""

    fractions: Mapping[Stratum, float]

    def chosen(self, made: Made, seed: int) -> bool:
        """Say whether a candidate, or a pair, is kept."""
        return draw(seed, "chosen", lot_of(made)) < self.fractions.get(stratum_of(made), 0.0) * _SCALE


def stratum_of(made: Made) -> Stratum:
    """Return what a candidate or a pair counts as."""
    if isinstance(made, Candidate):
        return Stratum(made.lang, False, made.behaviour if made.behaviour != "attribution" else made.task, "")
    hedge = made[0].hedge
    if made[0].gen.mode == "llm":
        return Stratum(made[0].lang, True, made[0].task, "")
    change = ""
    if hedge and hedge.edit and hedge.reason in ("context.negation", "context.antonym"):
        change = f"{hedge.edit.before}>{hedge.edit.after}"
    return Stratum(made[0].lang, True, hedge.reason if hedge else "", change)


def lot_of(made: Made) -> str:
    """Return what a candidate's lot is drawn by: its words."""
    first = made if isinstance(made, Candidate) else made[0]
    return "\x1e".join(message.content for message in first.messages)


def tally(candidates: Iterable[Made]) -> Counter[Stratum]:
    """Return how many candidates and pairs there are in each stratum; sums of tallies are tallies."""
    return Counter(stratum_of(made) for made in candidates)


def quotas(counts: Mapping[Stratum, int], corpus_bytes: Mapping[str, int], settings: Settings) -> Quotas:
    """Return what is kept of each stratum.

    counts: of all candidates; corpus_bytes: UTF-8 bytes of the documents by language. Closed-book candidates count as
    single ones, and all of them stay.
    """
    kept = {stratum: float(count) for stratum, count in counts.items()}
    _even_directions(kept)
    for language in sorted({stratum.language for stratum in kept}):
        own = {stratum: count for stratum, count in kept.items() if stratum.language == language}
        kept |= _mixed(own, hedge_fraction(settings))
    most = _by_language(kept, corpus_bytes, _wanted(settings))
    share = hedge_fraction(settings)
    for language, records in most.items():
        own = {stratum: count for stratum, count in kept.items() if stratum.language == language}
        own = _scaled(own, records * share, pairs=True)
        kept |= _scaled(own, records * (1 - 2 * share), pairs=False)
    return Quotas({stratum: min(1.0, kept[stratum] / count) for stratum, count in counts.items() if count})


def chosen(candidates: Iterable[Made], corpus_bytes: Mapping[str, int], settings: Settings) -> list[Made]:
    """Return what is kept of candidates that are all at hand."""
    made = list(candidates)
    plan = quotas(tally(made), corpus_bytes, settings)
    return [one for one in made if plan.chosen(one, settings.seed)]


def hedge_fraction(settings: Settings) -> float:
    """Return the share of hedges among all records that is aimed at, in [0, 0.5]: each has a twin beside it."""
    return min(0.5, max(0.0, float(settings.options.get("hedge_fraction", HEDGE_FRACTION))))


def _wanted(settings: Settings) -> Callable[[int], float]:
    rate = float(settings.options.get("records_per_10_kb", PER_10_KB))
    return lambda size: rate * size / 10_000


def _even_directions(kept: dict[Stratum, float]) -> None:
    """Let a word take the place of its opposite as often as the other way round."""
    for stratum in [one for one in kept if one.change]:
        before, after = stratum.change.split(">")
        back = stratum._replace(change=f"{after}>{before}")
        kept[stratum] = min(kept[stratum], kept.get(back, 0.0))


def _mixed(own: dict[Stratum, float], wanted: float) -> dict[Stratum, float]:
    """Bring one language's candidates to the mix: `wanted` of all records hedges, no task above its share."""
    pairs = sum(count for stratum, count in own.items() if stratum.is_pair)
    single = {stratum: count for stratum, count in own.items() if not stratum.is_pair}
    total = sum(single.values())
    plain = sum(count for stratum, count in single.items() if stratum.kind not in TASK_FRACTION)
    open_share = 1.0 - sum(TASK_FRACTION.values())
    for stratum, count in single.items():
        if stratum.kind in TASK_FRACTION:
            most = TASK_FRACTION[stratum.kind] * max(plain / open_share, total * 0.5)
            own[stratum] = min(count, most)
    singles = sum(count for stratum, count in own.items() if not stratum.is_pair)
    if pairs * (1 - 2 * wanted) > singles * wanted:  # pairs / (2 pairs + singles) = wanted
        return _scaled(own, singles * wanted / (1 - 2 * wanted), pairs=True)
    return _scaled(own, pairs * (1 - 2 * wanted) / wanted if wanted else singles, pairs=False)


def _is_first(stratum: Stratum) -> bool:
    """Say whether candidates are left out only where those of rules do not suffice: they were paid for, or are few."""
    return stratum.kind == "closed_book" or stratum.kind.startswith("generated")


def _scaled(own: dict[Stratum, float], target: float, *, pairs: bool) -> dict[Stratum, float]:
    """Bring the pairs, or the single ones, of one language down to a number; what comes first goes last."""
    side = {stratum: count for stratum, count in own.items() if stratum.is_pair == pairs}
    first = sum(count for stratum, count in side.items() if _is_first(stratum))
    rest = sum(side.values()) - first
    of_first = min(1.0, target / first) if first else 0.0
    of_rest = min(1.0, max(0.0, target - first) / rest) if rest else 0.0
    return own | {stratum: count * (of_first if _is_first(stratum) else of_rest) for stratum, count in side.items()}


def _by_language(
    kept: Mapping[Stratum, float], corpus_bytes: Mapping[str, int], wanted: Callable[[int], float]
) -> dict[str, float]:
    """Return how many records each language may have: what its text should give, and LANGUAGE_EXCESS of its share."""
    records: dict[str, float] = defaultdict(float)
    for stratum, count in kept.items():
        records[stratum.language] += count * (2 if stratum.is_pair else 1)
    sizes = {language: corpus_bytes.get(language, 0) for language in records}
    most = {language: min(count, wanted(sizes[language])) for language, count in records.items()}
    every = sum(corpus_bytes.values()) or 1
    covered = sum(sizes.values()) / every or 1.0
    for _ in range(64):  # what one language gives up changes the shares of the others; settles by then
        total = sum(most.values())
        most = {
            language: min(count, LANGUAGE_EXCESS * total * sizes[language] / every / covered)
            for language, count in most.items()
        }
    return most
