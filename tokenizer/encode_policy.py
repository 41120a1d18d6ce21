"""What becomes of the tokens of a document: its beginning, its end, and how long it may be."""

from dataclasses import dataclass
from typing import Literal

OverLong = Literal["keep", "cut", "split", "drop"]


@dataclass(frozen=True)
class Policy:
    """What becomes of a document's tokens; numbers include beginning and end.

    An over-long document is kept, cut at the end, split into sequences of at most `max_tokens`, or dropped. A
    conversation is never split: what is learnt must see what stands before it.
    """

    bos: bool = False
    eos: bool = True
    min_tokens: int = 1
    max_tokens: int | None = None
    over_long: OverLong = "keep"

    def __post_init__(self) -> None:
        """Refuse limits that nothing could meet."""
        if self.max_tokens is None and self.over_long != "keep":
            raise ValueError(f"over_long={self.over_long} needs max_tokens")
        if self.max_tokens is not None and self.max_tokens < max(self.min_tokens, self.bos + self.eos + 1):
            raise ValueError(f"max_tokens={self.max_tokens} leaves no room for a token, or is below min_tokens")
