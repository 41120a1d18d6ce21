"""Requests to a model, named by what they are: the same request is asked once, whoever needs it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from filters.instruct.record import Message
from manifests.keys import digest_of


@dataclass(frozen=True)
class Model:
    """A model as the endpoint knows it, and what it is told beside the messages (temperature, max_tokens, seed)."""

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Request:
    """One conversation to be completed. `purpose` is for people: it is in no key."""

    model: Model
    messages: tuple[Message, ...]
    purpose: str

    def body(self) -> dict[str, Any]:
        """Return what is sent, in the form of OpenAI's chat completions."""
        turns = [{"role": turn.role, "content": turn.content} for turn in self.messages]
        return {"model": self.model.name, "messages": turns, **self.model.parameters}

    @property
    def key(self) -> str:
        """The sha256 (64 hex digits) of model, parameters and prompt: the name of its response."""
        return digest_of(self.body())


class Dead(Exception):
    """The endpoint gave no answer to a request, and will not be asked again in this run."""


class Waiting(Exception):
    """Responses are needed that are not there yet."""

    def __init__(self, requests: Iterable[Request]) -> None:
        super().__init__("responses are needed")
        self.requests = tuple(requests)


class Responses(Protocol):
    """The responses that there are."""

    def get(self, request: Request) -> str | None:
        """Return a response, None where it is still to be asked for; raises Dead where there will be none."""


def answers(responses: Responses, *requests: Request) -> list[str]:
    """Return the responses to some requests; raises Waiting for all that are not there, Dead for one that never is."""
    found = [responses.get(request) for request in requests]
    missing = [request for request, answer in zip(requests, found, strict=True) if answer is None]
    if missing:
        raise Waiting(missing)
    return [answer for answer in found if answer is not None]
