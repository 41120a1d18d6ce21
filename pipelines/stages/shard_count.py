"""How many shards a job writes."""

from typing import Literal

from manifests.limits import Limits
from manifests.runs import partitions_for


def shard_count(job: str, asked: int | Literal["auto"], text_bytes: int, limits: Limits) -> int:
    """Return the recipe's number of shards; auto gives each half of shard_bytes of text, so that it fits memory.

    Raises ValueError where the recipe's number would put more than shard_bytes into a shard.
    """
    if asked == "auto":
        return partitions_for(text_bytes, max(1, limits.shard_bytes // 2))
    if text_bytes > limits.shard_bytes * asked:
        least = partitions_for(text_bytes, limits.shard_bytes)
        raise ValueError(
            f"{job}.shards: {asked} shards for {text_bytes:,} bytes of text are more than "
            f"limits.shard_bytes = {limits.shard_bytes:,} each; {least} shards would do"
        )
    return asked
