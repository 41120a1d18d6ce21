"""Candidates -> rows: checked, put into a split, named. What fails becomes a reject with its reason."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from filters.instruct.balance import Stratum, lot_of, stratum_of
from filters.instruct.checks import Texts, fault
from filters.instruct.licences import strictest
from filters.instruct.record import Candidate, draw
from filters.instruct.rows import record_of
from filters.instruct.splits import TRAIN, Splits, entities_of, keys_of
from manifests.reasons import CandidateFault, CandidateLeftOut, CandidateStage

FINISH_VERSION = 3
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
    bodies: dict[bytes, dict[str, Any]] = field(default_factory=dict)  # BODY rows by id
    training: set[int] = field(default_factory=set)  # what records for training are about
    held_out: list[dict[str, Any]] = field(default_factory=list)  # ENTITY rows of the others
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
            self._reject(candidate, reason)
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
                self._reject(each, reason)
            return
        self.strata[self.stratum] += 1
        whole = self._record(twin, alone)
        entities = entities_of((hedge, twin))
        self._row(twin, whole, twin, whole[0], alone[0], entities_of((twin,)))
        self._row(hedge, self._record(hedge, both, contrast_id=whole[0]), twin, whole[0], both[0], entities)

    def _drawn(self, made: Made) -> None:
        """Draw the lot of what comes next."""
        self.stratum, self.lot = stratum_of(made), draw(self.splits.seed, "chosen", lot_of(made))

    def _place(self, together: tuple[Candidate, ...]) -> Place | None:
        """Return (split, split key), None where what they stand on belongs to several splits."""
        keys = keys_of(together, self.clusters)
        split = self.splits.of(keys)
        return None if split is None else (split, f"{draw(0, 'split', *keys):016x}")

    def _record(self, candidate: Candidate, place: Place, **more: str) -> tuple[str, str]:
        split, split_key = place
        licence = strictest(each.licence for each in candidate.evidence)
        return record_of(candidate, split_key, licence, split, pipeline=self.pipeline, **more)

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
        key, id_ = draw(0, "said", *(each.content for each in twin.messages)), bytes.fromhex(made[0])
        if split == TRAIN:
            self.training.update(entities)
        else:
            self.held_out += [{"key": each, "is_training": False, "of": key, "id": id_} for each in entities]
        self.bodies[id_] = {"key": int.from_bytes(id_[:8], "big"), "id": id_, "of": key, "body": made[1]}
        self.rows.append(
            {
                "key": key,
                "group": bytes.fromhex(group),
                "id": id_,
                "unit": self.unit,
                **words_of(candidate),
                "is_pair": self.stratum.is_pair,
                "kind": self.stratum.kind,
                "change": self.stratum.change,
                "lot": self.lot,
                "split": split,
                "said": said_of(candidate),
            }
        )

    def _reject(self, candidate: Candidate, fault_: CandidateFault | None) -> None:
        """Account for a candidate that is at fault, or whose documents belong to several splits."""
        stage = CandidateStage.CHECK if fault_ else CandidateStage.SPLIT
        reason = fault_ or CandidateLeftOut.ACROSS
        self.rejected[verdict(stage, reason)] += 1
        id_, line = record_of(candidate, "", None, "")
        row = {"id": bytes.fromhex(id_), "unit": self.unit, **words_of(candidate)}
        self.rejects.append(reject_row(row, stage, reason) | {"body": line if is_shown(row["id"]) else None})

    def merge(self) -> None:
        """Merge what is there twice among the rows that wait, before they are written: a hot key stays small.

        What stays is the first by group, id and unit, so merging a part before the whole changes nothing that stays.
        """
        self.rows.sort(key=row_order)
        gone = merged(self.rows)
        for at, why in gone.items():
            row = self.rows[at]
            self.rejected[verdict(CandidateStage.MERGE, why)] += 1
            self.rejects.append(reject_row(row, CandidateStage.MERGE, why) | {"body": self._shown(row)})
        self.rows = [row for at, row in enumerate(self.rows) if at not in gone]
        staying = {row["id"] for row in self.rows}
        self.bodies = {id_: body for id_, body in self.bodies.items() if id_ in staying}

    def forget(self) -> None:
        """Let go of what was written."""
        self.rows, self.rejects, self.held_out = [], [], []
        self.bodies, self.training = {}, set()

    def _shown(self, row: Mapping[str, Any]) -> str | None:
        return self.bodies[row["id"]]["body"] if is_shown(row["id"]) else None


def row_order(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what rows are sorted by: CANDIDATE_ORDER."""
    return row["key"], row["group"], row["id"], row["unit"]


def merged(rows: Sequence[Mapping[str, Any]]) -> dict[int, CandidateLeftOut]:
    """Return row -> why it is merged into another, of rows in `row_order`: the same record, or the same words again.

    A key is what an answerable record says, so of a key one group stays, the first; a hedge goes with its twin.
    """
    staying = {row["key"]: row["group"] for row in reversed(rows) if row["id"] == row["group"]}
    seen: dict[bytes, set[bytes]] = {}  # group -> what was said in it
    ids: set[bytes] = set()
    gone: dict[int, CandidateLeftOut] = {}
    for at, row in enumerate(rows):
        said = seen.setdefault(row["group"], set())
        if row["id"] in ids:
            gone[at] = CandidateLeftOut.SAME_RECORD
        elif staying.get(row["key"]) != row["group"] or row["said"] in said:
            gone[at] = CandidateLeftOut.SAME_WORDS
        else:
            said.add(row["said"])
            ids.add(row["id"])
    return gone


def verdict(stage: CandidateStage, reason: str) -> str:
    """Return how the ledger calls it."""
    return f"merged/{reason}" if stage == CandidateStage.MERGE else f"dropped/{stage}/{reason}"


def is_shown(id_: bytes) -> bool:
    """Say whether a reject is stored with its body: one of a sample by hash."""
    return draw(0, "sample", id_.hex()) < SAMPLE * (1 << 64)


def reject_row(row: Mapping[str, Any], stage: CandidateStage, reason: str) -> dict[str, Any]:
    """Return the REJECT row of a candidate's row; its body is filled in by who has it."""
    named = {name: row[name] for name in ("id", "unit", "behaviour", "task", "lang", "template")}
    key = int.from_bytes(row["id"][:8], "big")
    return {"key": key, "stage": stage, "reason": reason, **named, "hedge_reason": row["reason"], "body": None}


def said_of(candidate: Candidate) -> bytes:
    """Return the digest of all that is said in a candidate."""
    words = "\n".join(message.content for message in candidate.messages)
    return hashlib.blake2b(words.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def words_of(candidate: Candidate) -> dict[str, Any]:
    """Return what rows say of a candidate."""
    return {
        "behaviour": candidate.behaviour,
        "task": candidate.task,
        "lang": candidate.lang,
        "template": candidate.gen.template,
        "reason": candidate.hedge.reason if candidate.hedge else "",
    }
