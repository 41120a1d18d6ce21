"""An OpenAI-compatible server on loopback: real HTTP, and a model that is a function of the prompt.

The model writes what a test can judge: of each passage a sound question, one whose quote was altered, one with a number
of its own, one that the passage does not entail. `fail` may answer for it: a status, or seconds to wait.
"""

import contextlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Prompt = str
Fail = Callable[[Prompt, int], int | float | None]  # (prompt, times asked before) -> status, seconds to wait, or None
STRANGER = "Zorkovia"
_SENTENCE = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])\s*")


@dataclass
class Served:
    """What a test sees: the address and every prompt with the status that it got."""

    url: str = ""
    asked: list[tuple[Prompt, int]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)

    def times(self, prompt: Prompt) -> int:
        return sum(each == prompt for each, _ in self.asked)

    def of_kind(self, opening: str) -> list[Prompt]:
        return [prompt for prompt, status in self.asked if prompt.startswith(opening) and status == 200]


def model(prompt: Prompt) -> str:
    """Return what the model says."""
    if prompt.startswith("You write questions"):
        return _written(prompt.partition("Passage:\n")[2])
    if prompt.startswith("Answer the question"):
        text, _, question = prompt.partition("Text:\n")[2].rpartition("\n\nQuestion: ")
        return json.dumps({"answer": None if STRANGER in question else _answer(text, question)})
    if prompt.startswith("Does the text contain"):
        return f"Sure! ```json\n{json.dumps({'answerable': STRANGER not in prompt})}\n```"
    if prompt.startswith("Compare a premise"):
        premise, _, hypothesis = prompt.partition("Premise:\n")[2].partition("\n\nHypothesis:\n")
        words = re.findall(r"\w+", hypothesis.replace("It is said that ", ""))
        return json.dumps({"label": "entail" if all(word in premise for word in words) else "neutral"})
    question = prompt.rpartition("Question: ")[2]
    name = max(re.findall(r"[^\W\d_]+", question), key=len)
    changed = question.replace(name, STRANGER)
    return json.dumps({"question": changed, "changed": STRANGER, "reply": f"Nothing is told of {STRANGER} here."})


def _sentences(passage: str) -> list[str]:
    return [each.strip() for each in _SENTENCE.split(passage) if each.strip()]


def _question(sentence: str) -> str:
    return f"“{sentence[:12]}”?"


def _answer(text: str, question: str) -> str:
    begin = question.strip("“”?")
    return next((each for each in _sentences(text) if each.startswith(begin)), "")


def _written(passage: str) -> str:
    first, second, *_ = _sentences(passage)
    copied = first.replace(" ", "  ").replace("(", "（")  # as models do: other spaces, other widths
    items = [
        {"question": _question(first), "answer": first, "quotes": [f"“{copied}”", second]},
        {"question": _question(second), "answer": second, "quotes": [second[:-4] + second[-3:]]},
        {"question": _question(second), "answer": f"{second} 987654.", "quotes": [second]},
        {"question": _question(first), "answer": f"It is said that {first[:-1]} beautifully.", "quotes": [first]},
    ]
    return json.dumps({"items": items}, ensure_ascii=False)


@contextlib.contextmanager
def serving(fail: Fail = lambda prompt, before: None) -> Iterator[Served]:
    """Run the server for the length of the block."""
    served, lock = Served(), threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            prompt = body["messages"][-1]["content"]
            with lock:
                failure = fail(prompt, served.times(prompt))
                is_status = isinstance(failure, int)
                served.asked.append((prompt, failure if is_status else 200))
                served.keys.append(self.headers.get("Authorization"))
            if isinstance(failure, float):
                time.sleep(failure)
            with contextlib.suppress(OSError):
                self._say(failure if is_status else 200, model(prompt), body)

        def _say(self, status: int, content: str, body: dict[str, Any]) -> None:
            choice = {"message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
            found = {"model": body["model"], "choices": [choice], "usage": {"total_tokens": 7}}
            data = json.dumps(found if status == 200 else {"error": {"message": f"no, {status}"}}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.send_header("Retry-After", "0")
            if status == 302:
                self.send_header("Location", "http://127.0.0.1:9/v1/chat/completions")
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    served.url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
