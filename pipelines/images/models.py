"""The models and lists of an images block: checked before anything runs, and put where every worker finds them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filters import language
from filters.images import faces, nsfw
from filters.images.known import parse_known
from filters.models import MODELS, fetch_model
from filters.rules import Rule
from manifests.runs import put_same
from manifests.store import Store
from pipelines.images.block import Images, Scorer
from pipelines.stages.files import keep


@dataclass(frozen=True)
class Listed:
    """A list of known-bad images as it is kept in the output: sorted, each hash once."""

    kind: str
    max_distance: int
    content: bytes

    @property
    def name(self) -> str:
        """Where it stands in the output."""
        return f"images/known/{self.sha256[:32]}.txt"

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    def as_json(self) -> dict[str, Any]:
        """Return what decisions depend on."""
        count = self.content.count(b"\n")
        return {"kind": self.kind, "max_distance": self.max_distance, "hashes": count, "sha256": self.sha256}


def read_lists(block: Images) -> tuple[Listed, ...]:
    """Return the user's lists; raises OSError and ValueError where one cannot be read."""
    found = []
    for each in block.known_bad:
        try:
            known = parse_known(Path(each.path).read_bytes(), each.kind, each.max_distance)
        except ValueError as error:
            raise ValueError(f"{each.path}: {error}") from error
        lines = b"".join(one.hex().encode() + b"\n" for one in known.hashes)
        found.append(Listed(known.kind, known.max_distance, lines))
    return tuple(found)


def measures_nsfw(block: Images, rules: Sequence[Rule]) -> bool:
    """Return whether NSFW scores are measured: as the block says, or where a rule reads them."""
    return any(rule.numerator == "nsfw_score" for rule in rules) if block.nsfw == "auto" else block.nsfw


def shipped(block: Images, *, with_nsfw: bool) -> dict[str, str]:
    """Return {name: sha256} of the models that come with packages."""
    looks = [nsfw.MODEL] if with_nsfw else []
    finds = [] if block.faces == "none" else [faces.MODEL]
    return {name: MODELS[name].sha256 for name in (language.MODEL, *looks, *finds)}


def bring(store: Store, block: Images, lists: Sequence[Listed], models: Sequence[str]) -> None:
    """Fetch the models that come with packages, and put the user's files into the output.

    Raises ModelMissingError and ModelDamagedError.
    """
    for name in models:
        fetch_model(name)
    for each in lists:
        put_same(store, each.name, each.content)
    for scorer in block.scorers:
        keep(store, "images", Path(scorer.model), "images.scorers", scorer.sha256)


def model_name(scorer: Scorer) -> str:
    """Return where `bring` keeps a scorer's file in the output."""
    return f"images/files/{scorer.sha256}{Path(scorer.model).suffix}"
