"""The `instruct.endpoint:` block of a recipe: a model of the user's that writes questions, and who checks it."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from pipelines.recipe_block import Block

Name = Annotated[str, Field(min_length=1, max_length=200)]


class EndpointBlock(Block):
    """An OpenAI-compatible endpoint (vLLM, llama.cpp, any) that writes records of its own beside those of rules."""

    url: Annotated[str, Field(description="base of the API, e.g. http://127.0.0.1:8000/v1")]
    model: Annotated[Name, Field(description="writes questions, answers and quotes")]
    reader: Annotated[Name | None, Field(description="answers again, unseen; better another model. None: the same")] = (
        None
    )
    judge: Annotated[Name | None, Field(description="says what is answerable and entailed. None: the same model")] = (
        None
    )
    entailment: Annotated[
        Literal["judge", "verbatim"],
        Field(description="judge: asked sentence by sentence; verbatim: only what stands in the quotes word by word"),
    ] = "judge"
    parameters: Annotated[
        Mapping[str, Any], Field(description="sent with each request: temperature, max_tokens, seed and the like")
    ] = {"max_tokens": 800, "seed": 0, "temperature": 0.0}
    passages: Annotated[int, Field(ge=1, le=64, description="of a document, at most")] = 2
    questions: Annotated[int, Field(ge=1, le=8, description="of a passage, at most")] = 2
    api_key_env: Annotated[
        str | None, Field(pattern=r"^[A-Z_][A-Z0-9_]*$", description="environment variable with the service's key")
    ] = None
    concurrency: Annotated[int, Field(ge=1, le=256, description="requests at once of a worker thread")] = 8
    per_minute: Annotated[float | None, Field(gt=0, description="requests a minute of all --workers, at most")] = None
    tries: Annotated[int, Field(ge=1, le=20, description="of a request that gets 429, 5xx or no answer in time")] = 6
    timeout_s: Annotated[float, Field(gt=0, le=3600)] = 120.0

    @field_validator("url")
    @classmethod
    def _is_http(cls, url: str) -> str:
        place = urlsplit(url)
        if place.scheme not in ("http", "https") or not place.hostname:
            raise ValueError("an http or https address is wanted, e.g. http://127.0.0.1:8000/v1")
        if place.username or place.password or place.query or place.fragment:
            raise ValueError("the base of the API has no user, query or fragment; name the key by api_key_env")
        return url.rstrip("/")

    @field_validator("parameters")
    @classmethod
    def _are_beside_the_messages(cls, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        taken = {"messages", "model", "stream", "n"} & set(parameters)
        if taken:
            raise ValueError(f"{', '.join(sorted(taken))}: is said by the job itself")
        return parameters

    def decisive(self) -> dict[str, Any]:
        """Return what decides the records: not where the endpoint is, nor how fast it may be asked."""
        quick = {"url", "api_key_env", "concurrency", "per_minute", "tries", "timeout_s"}
        return {name: value for name, value in self.model_dump(mode="json").items() if name not in quick}
