"""Does a premise entail a hypothesis? One interface for whoever can tell; who can't says unknown, which is no pass."""

from typing import Literal, Protocol

from filters.instruct.endpoint import replies
from filters.instruct.endpoint.asking import Model, Responses, answers
from filters.instruct.endpoint.locate import locate
from filters.instruct.endpoint.prompts import entails

Label = Literal["entail", "neutral", "contradict", "unknown"]


class Scorer(Protocol):
    """Whatever can tell entailment: an endpoint's judge, a model of the user's."""

    @property
    def tool(self) -> str:
        """Name and version, for the record's checks."""

    def score(self, premise: str, hypothesis: str, lang: str) -> Label:
        """Return entail, neutral, contradict, or unknown where it can't tell."""


class Verbatim:
    """What stands in the premise word by word is entailed; of everything else it knows nothing."""

    tool = "corpusmill.literal@1"

    def score(self, premise: str, hypothesis: str, lang: str) -> Label:
        return "entail" if locate(hypothesis.rstrip(" .。!！"), premise) else "unknown"


class Judged:
    """A model at the endpoint, asked by a prompt; what stands there word by word is not asked."""

    def __init__(self, model: Model, responses: Responses) -> None:
        self.model, self.responses = model, responses
        self.tool = f"{model.name}@judge1"

    def score(self, premise: str, hypothesis: str, lang: str) -> Label:
        """Raises Waiting while the judge has not been asked, Dead where it does not answer."""
        if Verbatim().score(premise, hypothesis, lang) == "entail":
            return "entail"
        (said,) = answers(self.responses, entails(self.model, premise, hypothesis))
        found: Label = replies.label(said)  # type: ignore[assignment]
        return found
