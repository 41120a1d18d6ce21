"""Conversations as a trainer sees them: turns between signs of the vocabulary, and which of it is to be learnt.

Learnt is what the assistant says and the sign that ends its turn; all else only stands before it. Each turn encodes
by itself, so nothing that a user writes can join with a sign, and a sign that is written out in a message stays text
where the vocabulary has it as a control piece.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

ROLES = ("system", "user", "assistant")
LEARNT = "assistant"


class Piece(NamedTuple):
    """A part of a document: a text, or a sign of the vocabulary by its name."""

    text: str
    is_sign: bool
    is_learnt: bool


class BadConversationError(ValueError):
    """Messages that are no conversation; the text says why."""


@dataclass(frozen=True)
class Template:
    """How turns are written. `names`: what stands for each role; a role that is not in it has no turn of its own."""

    start: str
    end: str
    names: Mapping[str, str]
    fold_system: bool = False  # the system's words open the first turn of the user

    def pieces(self, messages: Sequence[Mapping[str, Any]]) -> Iterator[Piece]:
        """Yield the parts of a conversation in order.

        Raises BadConversationError.
        """
        for role, content in self._turns(messages):
            learnt = role == LEARNT
            yield Piece(self.start, True, False)
            yield Piece(f"{self.names[role]}\n", False, False)
            yield Piece(content, False, learnt)
            yield Piece(self.end, True, learnt)
            yield Piece("\n", False, False)

    def _turns(self, messages: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
        """Yield (role, content) with the system's words where the template wants them."""
        told = [(each["role"], each["content"]) for each in messages]
        check(told)
        if self.fold_system and told[0][0] == "system":
            (_, words), (role, first), *rest = told
            told = [(role, f"{words}\n\n{first}"), *rest]
        yield from told


TEMPLATES: dict[str, Template] = {
    # Gemma's model card: no role of the system's own
    "gemma": Template("<start_of_turn>", "<end_of_turn>", {"user": "user", "assistant": "model"}, fold_system=True),
    "chatml": Template("<|im_start|>", "<|im_end|>", {role: role for role in ROLES}),
}
TemplateName = Literal["gemma", "chatml"]


def check(told: Sequence[tuple[Any, Any]]) -> None:
    """Refuse what no trainer could learn from.

    Raises BadConversationError: no message, an unknown role, no text, turns that do not take turns, no answer.
    """
    if not told:
        raise BadConversationError("no message")
    for number, (role, content) in enumerate(told):
        if role not in ROLES:
            raise BadConversationError(f"message {number} has role {role!r}")
        if not isinstance(content, str) or not content:
            raise BadConversationError(f"message {number} of the {role} has no text")
    turns = [role for role, _ in (told[1:] if told[0][0] == "system" else told)]
    if turns[:1] != ["user"] or any(role != ROLES[1 + n % 2] for n, role in enumerate(turns)):
        raise BadConversationError("user and assistant do not take turns")
    if turns[-1] != LEARNT:
        raise BadConversationError("the assistant does not have the last word")


def signs_of(templates: Iterable[Template]) -> set[str]:
    """Return the signs that a vocabulary needs."""
    return {sign for each in templates for sign in (each.start, each.end)}
