"""A trainer's side of a mixture: any sample by its number, and the rest of the training from a position.

Everything follows from the mixture's manifest, a seed and the number of the sample, so a restarted trainer, or one
with another number of workers, reads the very same samples. Nothing is held but the index of groups; a file's sha256
is checked before its first token is handed out.

A sample is cut from the stream, through documents. Of a conversation that began in another sample nothing is learnt:
what is learnt must see what stands before it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

import numpy as np

from manifests.integrity import IntegrityError, Problem, open_hashed
from manifests.manifest import Manifest, seal
from manifests.reader import ManifestError, Position, locate, shard_of
from manifests.shards import Shard
from manifests.store import Store
from tokenizer.groups import Group
from tokenizer.megatron import read_index
from tokenizer.mixture_order import key_of, permuted

BLOCK = 1024  # samples whose places are computed at once


@dataclass(frozen=True)
class Sample:
    """Tokens of one group, in a row. `epoch`: how often the group was read before its first token."""

    index: int
    stage: str
    group: Group
    epoch: int
    tokens: Any  # uint16 or int32[sequence_tokens]
    mask: Any  # uint8[sequence_tokens], 1 is learnt (never before the first beginning); None where all is


@dataclass(frozen=True)
class _Stage:
    name: str
    first: int  # sample
    bounds: Any  # int64[groups + 1]: samples of the groups before each
    starts: Any  # int64[groups]: samples that earlier stages read of each

    @property
    def samples(self) -> int:
        return int(self.bounds[-1])


class MixtureReader:
    """Reads a mixture. Raises ManifestError where the tokens are not those that were mixed."""

    def __init__(self, store: Store, mixture: Manifest, tokens: Manifest) -> None:
        if seal(mixture)["digest"] != mixture.get("digest"):
            raise ManifestError(f"manifest {mixture.get('digest')}: its body has digest {seal(mixture)['digest']}")
        if tokens["digest"] not in mixture["parents"]:
            raise ManifestError(f"the mixture is of the tokens {mixture['parents']}, these are {tokens['digest']}")
        body = mixture["mixture"]
        self.digest, self.length = str(mixture["digest"]), int(body["sequence_tokens"])
        self.dtype = np.dtype(tokens["settings"]["tokenizer"]["dtype"])
        shards = {shard["name"]: shard_of(shard) for shard in tokens["shards"]}
        self.groups = [Group(*each["group"]) for each in body["groups"]]
        self.streams = [Stream(store, each["prefixes"], shards, self.dtype) for each in body["groups"]]
        self.stages = list(_stages(body["stages"], len(self.groups)))

    @property
    def samples(self) -> int:
        """Samples of the whole training."""
        return sum(stage.samples for stage in self.stages)

    def start(self, seed: int = 0) -> Position:
        """Return the position before the first sample."""
        return Position(self.digest, seed=seed)

    def places(self, first: int, last: int, seed: int) -> Iterator[tuple[int, int, int, int]]:
        """Yield (sample, stage, group, sample of the group's stream) for samples first to last - 1."""
        for number, stage in enumerate(self.stages):
            low, high = max(first, stage.first), min(last, stage.first + stage.samples)
            keys = key_of(self.digest, seed, stage.name)
            for begin in range(low, high, BLOCK):
                index = np.arange(begin, min(begin + BLOCK, high))
                drawn = permuted(index - stage.first, stage.samples, keys)
                group = np.searchsorted(stage.bounds, drawn, "right") - 1
                own = drawn - stage.bounds[group] + stage.starts[group]
                for row in zip(index.tolist(), group.tolist(), own.tolist(), strict=True):
                    yield row[0], number, row[1], row[2]

    def sample(self, index: int, seed: int = 0) -> Sample:
        """Return one sample; raises IndexError past the last."""
        if not 0 <= index < self.samples:
            raise IndexError(f"sample {index} of {self.samples}")
        return self._read(next(self.places(index, index + 1, seed)))

    def samples_from(self, position: Position) -> Iterator[tuple[Position, Sample]]:
        """Yield the rest of the training as (position after the sample, sample).

        Raises ValueError for a position in another mixture, or past the end.
        """
        if position.manifest_digest != self.digest:
            raise ValueError(f"this position is in mixture {position.manifest_digest}, this is {self.digest}")
        if position.epoch or position.index > self.samples:
            raise ValueError(f"epoch {position.epoch}, index {position.index}: past the {self.samples} samples")
        for place in self.places(position.index, self.samples, position.seed):
            yield replace(position, index=place[0] + 1), self._read(place)

    def _read(self, place: tuple[int, int, int, int]) -> Sample:
        index, stage, group, own = place
        stream = self.streams[group]
        first = own * self.length
        tokens, mask = stream.read(first, self.length)
        return Sample(index, self.stages[stage].name, self.groups[group], first // stream.tokens, tokens, mask)

    def close(self) -> None:
        """Close the files."""
        for stream in self.streams:
            stream.close()


def _stages(stages: Sequence[Mapping[str, Any]], groups: int) -> Iterator[_Stage]:
    first, starts = 0, np.zeros(groups, np.int64)
    for stage in stages:
        counts = np.array(stage["samples"], np.int64)
        yield _Stage(stage["name"], first, np.concatenate([[0], np.cumsum(counts)]), starts.copy())
        first, starts = first + int(counts.sum()), starts + counts


class Stream:
    """The tokens of a group's files one behind the other, again and again."""

    def __init__(self, store: Store, prefixes: Sequence[str], shards: Mapping[str, Shard], dtype: Any) -> None:
        self.store, self.dtype = store, dtype
        try:
            self.shards = [shards[f"{prefix}.bin"] for prefix in prefixes]
            self.indexes = [shards[f"{prefix}.idx"] for prefix in prefixes]
        except KeyError as error:
            raise ManifestError(f"the mixture names {error}, and the tokens hold no such file") from error
        self.masks = [shards.get(f"{prefix}.mask.bin") for prefix in prefixes]
        self.ends = np.cumsum([shard.bytes // dtype.itemsize for shard in self.shards])
        self.files: dict[str, BinaryIO] = {}
        self.beginnings: dict[int, Any] = {}  # of a file's documents, and the file's end: int64

    @property
    def tokens(self) -> int:
        """Tokens of one epoch."""
        return int(self.ends[-1])

    def read(self, first: int, count: int) -> tuple[Any, Any]:
        """Return `count` tokens from the first on (of an endless stream) and their mask, None where all is learnt."""
        tokens: list[Any] = []
        masks: list[Any] = []
        rest = 0
        while count:
            at = first % self.tokens
            number = int(np.searchsorted(self.ends, at, "right"))
            begin = int(self.ends[number - 1]) if number else 0
            size = min(count, int(self.ends[number]) - at)
            if not tokens and self.masks[number] is not None:
                rest = self._rest(number, at - begin)
            tokens.append(self._range(self.shards[number], at - begin, size, self.dtype))
            if (mask := self.masks[number]) is not None:
                masks.append(self._range(mask, at - begin, size, np.dtype(np.uint8)))
            first, count = first + size, count - size
        learnt = np.concatenate(masks) if masks else None
        if learnt is not None:
            learnt[:rest] = 0
        return np.concatenate(tokens), learnt

    def _rest(self, number: int, at: int) -> int:
        """Return how many tokens from `at` on are of a document that began before."""
        if number not in self.beginnings:
            data = self._file(self.indexes[number]).read()
            index = read_index(data, self.shards[number].bytes)
            self.beginnings[number] = index.starts()[index.documents]
        beginnings = self.beginnings[number]
        return int(beginnings[np.searchsorted(beginnings, at)]) - at

    def _range(self, shard: Shard, first: int, count: int, dtype: Any) -> Any:
        file = self._file(shard)
        file.seek(first * dtype.itemsize)
        return np.frombuffer(file.read(count * dtype.itemsize), dtype)

    def _file(self, shard: Shard) -> BinaryIO:
        """Return an open file whose bytes have been checked."""
        if shard.name not in self.files:
            hashed = open_hashed(*locate(self.store, shard))
            if hashed.sha256 != shard.sha256:
                hashed.file.close()
                raise IntegrityError(Problem(shard.name, "sha256", shard.sha256, hashed.sha256))
            self.files[shard.name] = hashed.file
        return self.files[shard.name]

    def close(self) -> None:
        """Close the files that were opened."""
        for file in self.files.values():
            file.close()
        self.files = {}
