"""The classes of personal data, and what stands in its place. Nothing heavy is imported: recipes read it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

CLASSES = ("secret", "email", "iban", "address", "card", "national_id", "ip", "phone")

TOKENS: Mapping[str, str] = {
    "secret": "<SECRET>",
    "email": "<EMAIL>",
    "iban": "<IBAN>",
    "address": "<ADDRESS>",
    "card": "<CARD>",
    "national_id": "<NATIONAL_ID>",
    "ip": "<IP_ADDRESS>",
    "phone": "<PHONE>",
}
NAMINGS = ("class", "numbered")


@dataclass(frozen=True)
class Style:
    """What stands in the place of data."""

    naming: str = "class"  # class: one name for all; numbered: one for each different string of a text
    tokens: Mapping[str, str] = field(default_factory=dict)  # by class, over TOKENS

    def __post_init__(self) -> None:
        if self.naming not in NAMINGS:
            raise ValueError(f"naming {self.naming!r} of personal data: known are {list(NAMINGS)}")
        if unknown := sorted(set(self.tokens) - set(CLASSES)):
            raise ValueError(f"tokens for unknown classes of personal data {unknown}: known are {list(CLASSES)}")
        if self.naming == "numbered" and (open_ended := sorted(t for t in self.tokens.values() if t[-1:] != ">")):
            raise ValueError(f"numbered tokens end with '>', and these don't: {open_ended}")

    def token(self, name: str) -> str:
        """Return what stands for data of a class, before it is numbered."""
        return self.tokens.get(name, TOKENS[name])
