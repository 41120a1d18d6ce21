"""The mixture job: exact token counts of the newest token shards to exact budgets, one commit, no text and no Beam."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from manifests.manifest import Manifest, commit, newest_version
from manifests.reader import read_manifest
from manifests.runs import put_same
from manifests.shards import Shard
from manifests.store import Store
from pipelines.launcher import Launcher
from pipelines.mixture.block import Mixture
from pipelines.tokens.records import JOB as TOKENS
from pipelines.tokens.write import MEGATRON, folder_of
from tokenizer.groups import Group
from tokenizer.mixture_order import ORDER_VERSION
from tokenizer.training_mix import Budget, budgets

JOB = "mixture"
MIXTURE_VERSION = 1


@dataclass
class MixtureJob:
    """A recipe's mixture block over the newest tokens of OUT."""

    block: Mixture
    launcher: Launcher

    def run(self) -> tuple[int, Manifest, bool]:
        """Mix, commit, and return (version, manifest, whether it stood already)."""
        store = self.launcher.store
        before = newest_version(store, JOB)
        body = self.described()
        body["shards"] = [each.as_json() for each in _blends(store, body["mixture"], body.pop("sizes"))]
        version, manifest = commit(store, JOB, body)
        return version, manifest, version <= before

    def described(self) -> dict[str, Any]:
        """Return the body of the manifest but for its files, which are written from it.

        Raises ManifestError where there are no token shards, ValueError where the mixture can't be had from them.
        """
        tokens = read_manifest(self.launcher.store, TOKENS)
        sizes, prefixes = group_tokens(tokens), group_prefixes(tokens)
        if sizes and not prefixes:
            raise ValueError("the token shards hold no files of Megatron's to mix; encode with megatron in formats")
        made = budgets(sizes, self.block.schedule())
        groups = sorted({group for stage in made for group in stage.samples})
        settings = {
            **self.block.model_dump(mode="json"),
            "versions": {"mixture": MIXTURE_VERSION, "order": ORDER_VERSION},
        }
        return {
            "job": JOB,
            "settings": settings,
            "mixture": mixture_json(made, groups, sizes, prefixes, self.block.sequence_tokens),
            "parents": [tokens["digest"]],
            "sizes": {shard["name"]: shard["bytes"] for shard in tokens["shards"]},
        }


def group_tokens(tokens: Manifest) -> dict[Group, int]:
    """Return the tokens of each group of a tokens snapshot."""
    return {
        Group(source, language, kind): numbers["tokens"]
        for kind, sources in tokens["statistics"].get("tokens", {}).items()
        for source, languages in sources.items()
        for language, numbers in languages.items()
    }


def group_prefixes(tokens: Manifest) -> dict[Group, list[str]]:
    """Return the prefixes of each group's `.bin` files, in the order of key ranges."""
    folders: dict[str, list[str]] = {}
    for shard in tokens["shards"]:
        if shard["kind"] == MEGATRON and shard["name"].endswith(".bin"):
            folder, _, _ = shard["name"].rpartition("/")
            folders.setdefault(folder, []).append(shard["name"].removesuffix(".bin"))
    found = {group: sorted(folders.get(f"{TOKENS}/data/{folder_of(group)}", [])) for group in group_tokens(tokens)}
    return {group: names for group, names in found.items() if names}


def mixture_json(
    made: Sequence[Budget],
    groups: Sequence[Group],
    sizes: Mapping[Group, int],
    prefixes: Mapping[Group, Sequence[str]],
    length: int,
) -> dict[str, Any]:
    """Return the mixture as manifests hold it (tokenizer.mixture_reader reads it): whole numbers alone."""
    total = {group: sum(stage.samples.get(group, 0) for stage in made) for group in groups}
    return {
        "sequence_tokens": length,
        "samples": sum(total.values()),
        "tokens": sum(total.values()) * length,
        "groups": [
            {
                "group": list(group),
                "tokens": sizes[group],
                "samples": total[group],
                "read_tokens": total[group] * length,
                "epochs_permille": total[group] * length * 1000 // sizes[group],
                "prefixes": list(prefixes[group]),
            }
            for group in groups
        ],
        "stages": [
            {
                "name": stage.name,
                "samples": [stage.samples.get(group, 0) for group in groups],
                "tokens": stage.total * length,
            }
            for stage in made
        ],
        "left_out": [{"group": list(group), "tokens": sizes[group]} for group in sorted(set(sizes) - set(groups))],
    }


def _blends(store: Store, mixture: Mapping[str, Any], sizes: Mapping[str, int]) -> Iterator[Shard]:
    """Write each stage as Megatron's `--data-args-path` reads it: weight and prefix, by file.

    A group's weight is parted among its files by their sizes.
    """
    for number, stage in enumerate(mixture["stages"]):
        lines = []
        for group, samples in zip(mixture["groups"], stage["samples"], strict=True):
            tokens = samples * mixture["sequence_tokens"]
            whole = sum(sizes[f"{prefix}.bin"] for prefix in group["prefixes"])
            for prefix in group["prefixes"] if tokens else ():
                lines.append(f"{tokens * sizes[f'{prefix}.bin'] / whole!r} {prefix}\n")
        data = "".join(lines).encode()
        sha256 = hashlib.sha256(data).hexdigest()
        name = f"{JOB}/blends/{number:02d}-{stage['name']}-{sha256[:8]}.txt"
        put_same(store, name, data)
        yield Shard(name, "blend", len(data), sha256, len(lines), None, None)
