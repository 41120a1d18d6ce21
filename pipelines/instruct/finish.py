"""Candidates -> rows: checked, put into a split, named. What fails becomes a reject with its reason."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from filters.instruct.balance import Stratum, lot_of, stratum_of
from filters.instruct.checks import Texts, fault
from filters.instruct.licences import strictest
from filters.instruct.record import Candidate, draw
from filters.instruct.rows import record_of
from filters.instruct.splits import TRAIN, Splits, entities_of, keys_of

FINISH_VERSION = 2
SAMPLE = 1 / 32  # of rejects, stored with their body
Made = Candidate | tuple[Candidate, Candidate]
Place = tuple[str, str]  # split, split key


@dataclass
class Finished:
    """What a task has made so far. `clusters`: document -> duplicate cluster, where it is not the document itself."""

    unit: int
    pipeline: str
    splits: Splits
    clusters: Mapping[str, str] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    rejects: list[dict[str, Any]] = field(default_factory=list)
    strata: Counter[Stratum] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)  # as the ledger calls it
    held_out: set[int] = field(default_factory=set)  # entities of records that are not for training
    made: int = 0
    stratum: Stratum = field(init=False)  # of what is being added, and its lot
    lot: int = 0

    def add(self, made: Made, texts: Texts) -> None:
        """Take a candidate, or a hedge with its twin."""
        if isinstance(made, Candidate):
            self._add_alone(made, texts)
        else:
            self._add_pair(*made, texts)

    def _add_alone(self, candidate: Candidate, texts: Texts) -> None:
        self.made += 1
        self._drawn(candidate)
        place = self._place((candidate,))
        reason = fault(candidate, texts)
        if reason or place is None:
            self._reject(candidate, *(("check", reason) if reason else ("split", "across")))
        else:
            self.strata[self.stratum] += 1
            made = self._record(candidate, place)
            self._row(candidate, made, candidate, made[0], place[0], entities_of((candidate,)))

    def _add_pair(self, hedge: Candidate, twin: Candidate, texts: Texts) -> None:
        """A hedge is nothing without its twin, so both pass or neither does."""
        self.made += 2
        self._drawn((hedge, twin))
        alone, both = self._place((twin,)), self._place((hedge, twin))
        reason = fault(twin, texts) or fault(hedge, texts)
        if reason or alone is None or both is None or hedge.hedge is None:
            for each in (hedge, twin):
                self._reject(each, *(("check", reason) if reason else ("split", "across")))
            return
        self.strata[self.stratum] += 1
        whole = self._record(twin, alone)
        named = replace(hedge, hedge=replace(hedge.hedge, contrast_id=whole[0]))
        entities = entities_of((hedge, twin))
        self._row(twin, whole, twin, whole[0], alone[0], entities_of((twin,)))
        self._row(named, self._record(named, both), twin, whole[0], both[0], entities)

    def _drawn(self, made: Made) -> None:
        """Draw the lot of what comes next."""
        self.stratum, self.lot = stratum_of(made), draw(self.splits.seed, "chosen", lot_of(made))

    def _place(self, together: tuple[Candidate, ...]) -> Place | None:
        """Return (split, split key), None where what they stand on belongs to several splits."""
        keys = keys_of(together, self.clusters)
        split = self.splits.of(keys)
        return None if split is None else (split, f"{draw(0, 'split', *keys):016x}")

    def _record(self, candidate: Candidate, place: Place) -> tuple[str, str]:
        body = replace(candidate, gen=replace(candidate.gen, pipeline=self.pipeline))
        split, split_key = place
        return record_of(body, split_key, strictest(each.licence for each in candidate.evidence), split)

    def _row(
        self,
        candidate: Candidate,
        made: tuple[str, str],
        twin: Candidate,
        group: str,
        split: str,
        entities: list[int],
    ) -> None:
        """Add a row beside its answerable twin's, whose words are its key: what says the same meets."""
        if split != TRAIN:
            self.held_out.update(entities)
        self.rows.append(
            {
                "key": draw(0, "said", *(each.content for each in twin.messages)),
                "group": bytes.fromhex(group),
                "id": bytes.fromhex(made[0]),
                "unit": self.unit,
                **words_of(candidate),
                "is_pair": self.stratum.is_pair,
                "kind": self.stratum.kind,
                "change": self.stratum.change,
                "lot": self.lot,
                "split": split,
                "entities": entities,
                "body": made[1],
            }
        )

    def _reject(self, candidate: Candidate, stage: str, reason: str | None) -> None:
        self.rejected[f"dropped/{stage}/{reason}"] += 1
        id_, line = record_of(candidate, "", None, "")
        is_shown = draw(0, "sample", id_) < SAMPLE * (1 << 64)
        named = words_of(candidate)
        named["hedge_reason"] = named.pop("reason")
        own = {"key": int(id_[:16], 16), "id": bytes.fromhex(id_), "unit": self.unit, "stage": stage, "reason": reason}
        self.rejects.append({**own, **named, "body": line if is_shown else None})


def words_of(candidate: Candidate) -> dict[str, Any]:
    """Return what rows say of a candidate."""
    return {
        "behaviour": candidate.behaviour,
        "task": candidate.task,
        "lang": candidate.lang,
        "template": candidate.gen.template,
        "reason": candidate.hedge.reason if candidate.hedge else "",
    }
