"""An OpenAI-compatible endpoint (vLLM, llama.cpp, any): requests through Beam's RunInference, every response kept.

A response is an object of OUT named by the sha256 of model, parameters and prompt, so nothing is asked twice: not by a
job that goes on after a kill, not by another recipe. What got no answer is a dead letter with its reason. Tried again
is what may pass by itself: 429, 5xx, a connection that broke or took too long; 4xx is the caller's fault and stays.

The endpoint is the user's own and may be on loopback, so addresses are not guarded as the crawler's are; but no
redirect is followed, no proxy is used, a body has a largest size and a request a time.
"""

import http.client
import json
import os
import ssl
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import apache_beam as beam
from apache_beam.io.components.rate_limiter import RateLimiter
from apache_beam.ml.inference.base import RemoteModelHandler, RunInference
from apache_beam.pvalue import PBegin
from apache_beam.transforms.util import Reshuffle

from manifests.keys import canonical_json, digest_of
from manifests.objects import read_json
from manifests.store import ObjectNotFound, Store, open_store
from pipelines.instruct.records import JOB

MAX_BODY_BYTES = 8 << 20
MAX_RETRY_AFTER_S = 60.0
RETRIED_STATUSES = frozenset({408, 425, 429, *range(500, 600)})
ERROR_CHARACTERS = 500  # of an endpoint's error that are kept
Body = Mapping[str, Any]  # of a request: model, messages, parameters


class Unanswered(Exception):
    """The endpoint answered with an error, or not at all. `status`: 0 where there was no answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"status {status}: {message[:ERROR_CHARACTERS]}" if status else message[:ERROR_CHARACTERS])
        self.status = status

    def __reduce__(self) -> tuple[Any, ...]:
        return Unanswered, (self.status, self.args[0])


def is_worth_a_retry(error: Exception) -> bool:
    """Tell whether the same request may be answered later: 429, 408, 5xx, no connection, no answer in time."""
    if isinstance(error, Unanswered):
        return error.status in RETRIED_STATUSES or not error.status
    return False


@dataclass(frozen=True)
class Endpoint:
    """Where requests go. The key of the service is read from the environment of the worker, and is kept nowhere."""

    url: str  # base, as "http://127.0.0.1:8000/v1"
    api_key_env: str | None = None
    timeout_s: float = 120.0

    def complete(self, body: Body) -> dict[str, Any]:
        """Return {content, finish_reason, model, usage} of a chat completion; raises Unanswered."""
        place = urlsplit(self.url)
        path = f"{place.path.rstrip('/')}/chat/completions"
        connection = self._connection(place.scheme, place.hostname or "", place.port)
        try:
            connection.request("POST", path, canonical_json(body), self._headers())
            response = connection.getresponse()
            data = response.read(MAX_BODY_BYTES + 1)
        except (OSError, http.client.HTTPException) as error:
            raise Unanswered(0, f"{type(error).__name__}: {error}") from error
        finally:
            connection.close()
        if response.status != 200:
            _wait(response.getheader("Retry-After"), response.status)
            raise Unanswered(response.status, data[:ERROR_CHARACTERS].decode("utf-8", "replace"))
        if len(data) > MAX_BODY_BYTES:
            raise Unanswered(200, f"a response of more than {MAX_BODY_BYTES} bytes")
        return _completion(data)

    def _connection(self, scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
        if scheme == "https":
            return http.client.HTTPSConnection(host, port, timeout=self.timeout_s, context=ssl.create_default_context())
        return http.client.HTTPConnection(host, port, timeout=self.timeout_s)

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "corpusmill"}
        key = os.environ.get(self.api_key_env or "")
        return {**headers, "Authorization": f"Bearer {key}"} if key else headers


def _wait(after: str | None, status: int) -> None:
    """Wait as long as a busy endpoint asks for, within bounds; Beam waits besides before it tries again."""
    if status in RETRIED_STATUSES and after and after.strip().isdigit():
        time.sleep(min(float(after), MAX_RETRY_AFTER_S))


def _completion(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
        choice = found["choices"][0]
        content = choice["message"]["content"]
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise Unanswered(200, f"no chat completion: {data[:200].decode('utf-8', 'replace')}") from error
    if not isinstance(content, str):
        raise Unanswered(200, "a completion without content")
    kept = {name: found.get(name) for name in ("model", "usage")}
    return {"content": content, "finish_reason": choice.get("finish_reason"), **kept}


def response_name(key: str) -> str:
    """Return where the response to a request stands."""
    return f"{JOB}/responses/{key[:2]}/{key}.json"


def letter_name(key: str) -> str:
    """Return where a dead letter stands."""
    return f"{JOB}/dead_letters/{key}.json"


class Kept:
    """The responses that a store has."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def get(self, key: str) -> dict[str, Any] | None:
        """Return {request, response}, None where there is none."""
        try:
            found: dict[str, Any] = read_json(self.store, response_name(key), ("request", "response"), what="response")
        except ObjectNotFound:
            return None
        return found

    def put(self, body: Body, response: Mapping[str, Any]) -> None:
        """Keep a response; the first one stays where two workers asked the same."""
        self.store.put_new(response_name(digest_of(body)), canonical_json({"request": body, "response": response}))


class Steady(RateLimiter):
    """At most so many requests a minute of this process: a request waits until its turn comes, none is refused."""

    def __init__(self, per_minute: float) -> None:
        super().__init__(namespace="corpusmill.endpoint")
        self.interval_s = 60.0 / per_minute
        self.next_s = 0.0

    def allow(self, hits_added: int = 1, **_: Any) -> bool:
        """Wait for the turn of `hits_added` requests and return True."""
        now = time.monotonic()
        turn = max(now, self.next_s)
        self.next_s = turn + hits_added * self.interval_s
        time.sleep(turn - now)
        return True


class Ask(RemoteModelHandler[str, tuple[str, str], Endpoint]):
    """RunInference's handler: requests as canonical JSON -> (key, error or "" where the response is kept now)."""

    def __init__(
        self, endpoint: Endpoint, store_uri: str, concurrency: int, per_minute: float | None, tries: int
    ) -> None:
        limiter = Steady(per_minute) if per_minute else None
        super().__init__(
            "corpusmill.endpoint",
            num_retries=tries - 1,
            throttle_delay_secs=1,
            retry_filter=is_worth_a_retry,
            rate_limiter=limiter,
        )
        self.endpoint, self.store_uri, self.concurrency = endpoint, store_uri, concurrency

    def create_client(self) -> Endpoint:
        return self.endpoint

    def batch_elements_kwargs(self) -> Mapping[str, Any]:
        return {"min_batch_size": 1, "max_batch_size": self.concurrency}

    def request(
        self, batch: Sequence[str], model: Endpoint, inference_args: dict[str, Any] | None = None
    ) -> Iterable[tuple[str, str]]:
        """Ask what has no response yet, all at once; raises Unanswered where one is worth another try."""
        kept = Kept(open_store(self.store_uri))
        with ThreadPoolExecutor(self.concurrency) as pool:
            outcomes = list(pool.map(lambda line: _asked(kept, model, json.loads(line)), batch))
        for _, error in outcomes:
            if error is not None and is_worth_a_retry(error):
                raise error
        return [(key, "" if error is None else str(error)) for key, error in outcomes]


def _asked(kept: Kept, endpoint: Endpoint, body: Body) -> tuple[str, Unanswered | None]:
    key = digest_of(body)
    if kept.get(key) is not None:
        return key, None
    try:
        kept.put(body, endpoint.complete(body))
    except Unanswered as error:
        return key, error
    return key, None


class ReadRequests(beam.DoFn):
    """The name of a list of requests -> those that have no response, as canonical JSON."""

    def __init__(self, store_uri: str) -> None:
        self.store_uri = store_uri

    def process(self, name: str) -> Iterator[str]:
        store = open_store(self.store_uri)
        kept = Kept(store)
        for body in read_json(store, name, kind=list, what="list of requests"):
            if kept.get(digest_of(body)) is None:
                yield canonical_json(body).decode()


class Bury(beam.DoFn):
    """What was refused, and what stayed unanswered after all tries -> dead letters."""

    def __init__(self, store_uri: str) -> None:
        self.store_uri = store_uri

    def process(self, outcome: Any) -> Iterator[str]:
        """outcome: (key, error) of the handler, or (batch of requests, what was raised) of RunInference."""
        store = open_store(self.store_uri)
        first, error = outcome
        if isinstance(first, str):
            keys, reason = ([first] if error else []), error
        else:
            keys, reason = [digest_of(json.loads(line)) for line in first], _reason(error)
        kept = Kept(store)
        for key in keys:
            if kept.get(key) is None:
                bury(store, key, reason)
                yield key


def _reason(raised: Any) -> str:
    """Return the words of what Beam caught: (type, representation, traceback)."""
    return str(raised[1] if isinstance(raised, tuple) and len(raised) > 1 else raised)[:ERROR_CHARACTERS]


def bury(store: Store, key: str, reason: str) -> None:
    """Leave a dead letter; the newest reason stays."""
    store.delete(letter_name(key))
    store.put_new(letter_name(key), canonical_json({"key": key, "error": reason}))


@dataclass
class AskAll(beam.PTransform[PBegin, Any]):
    """Names of lists of requests -> responses in the store, and dead letters."""

    store_uri: str
    lists: Sequence[str]
    handler: Ask

    def expand(self, begin: PBegin) -> Any:
        requests = (
            begin
            | "Lists" >> beam.Create(list(self.lists))
            | "ReadRequests" >> beam.ParDo(ReadRequests(self.store_uri)).with_output_types(str)
            | "Spread" >> Reshuffle()
        )
        answered, lost = requests | "Ask" >> RunInference(self.handler).with_exception_handling()
        return (
            (answered, lost.failed_inferences)
            | "Flatten" >> beam.Flatten()
            | "Bury" >> beam.ParDo(Bury(self.store_uri)).with_output_types(str)
        )
