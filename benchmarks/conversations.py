"""Exports of instruction sets read back by `datasets` and by TRL's own format functions: part of `make peers`, or

    python -m benchmarks.conversations [OUT]

OUT holds a snapshot of the job `instruct`; without it one is made of a small real input. What `datasets` reads must be
the records' own turns; what TRL renders with the chat templates that it ships must be our Gemma and Llama texts, and
the prompts, completions, chosen and rejected replies in them. Status 1 where anything differs.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks import peers
from benchmarks.measure import say
from manifests.exports import OF_CONVERSATIONS, export
from manifests.exports.conversations import LINES
from manifests.exports.source import open_source
from manifests.store import open_store

CLIENTS = Path(__file__).with_name("chat_clients.py")
Seen = dict[str, dict[str, str]]
Row = Mapping[str, Any]
TEMPLATES = {"gemma3": "gemma", "llama3": "llama"}  # TRL's -> ours


def sha(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def records(out: str) -> list[dict[str, Any]]:
    """Return the records as they were committed."""
    source = open_source(open_store(out), "instruct")
    return [row for batch in source.reader.batches() for row in batch.to_pylist()]


def refusals(rows: list[dict[str, Any]]) -> Mapping[str, Any]:
    """Return by twin what rejects it: the format's own reading, from rows in the order of ids."""
    from manifests.exports.conversations import Refusal

    found: dict[str, Any] = {}
    for row in rows:
        if row["hedge"] and row["hedge"]["contrast_id"]:
            edit = row["hedge"]["edit"]
            swapped = (edit["from"] or "", edit["to"] or "") if edit and edit["kind"] != "context" else None
            found.setdefault(row["hedge"]["contrast_id"], Refusal(row["messages"][-1]["content"], swapped))
    return found


def as_read(rows: list[dict[str, Any]], format_name: str) -> Seen:
    """Return what `datasets` must see."""
    beside, found = refusals(rows), {}
    for row in rows:
        line = LINES[format_name](row, beside)
        if line is not None:
            found[row["id"].hex()] = {name: sha(value) for name, value in line.items()} | {"split": row["split"]}
    return found


def as_rendered(rows: list[dict[str, Any]], format_name: str, template: str) -> Seen:
    """Return what TRL must make of messages, prompt and completion, or preference, by our own templates."""
    write = LINES[TEMPLATES[template]]
    start = "<bos>"

    def text(turns: Any) -> str:
        written = write({"messages": turns, "hedge": None}, {})
        return "" if written is None else start + str(written["text"])

    beside, found = refusals(rows), {}
    for row in rows:
        line, turns = LINES[format_name](row, beside), row["messages"]
        if line is None or not text(turns):
            continue
        whole = text(turns)
        replies = {"completion": "completion", "chosen": "chosen", "rejected": "rejected"}
        parts = {name: text([*turns[:-1], *line[name]]) for name in replies if name in line}
        if not parts:
            found[row["id"].hex()] = {"is_conversational": "True", "text": sha(whole)}
            continue
        prompt = _opened(text(turns[:-1]), template)
        cut = {name: sha(value.removeprefix(prompt)) for name, value in parts.items()}
        found[row["id"].hex()] = {"is_conversational": "True", "prompt": sha(prompt), **cut}
    return found


def as_chatml(rows: list[dict[str, Any]]) -> Seen:
    """Return what TRL must make of ShareGPT."""
    found = {}
    for row in rows:
        turns = LINES["sharegpt"](row, {})["conversations"]  # type: ignore[index]
        renamed = [{"role": turn["from"], "content": turn["value"]} for turn in turns]
        found[row["id"].hex()] = {"is_conversational": "True", "messages": sha(renamed)}
    return found


def _opened(prompt: str, template: str) -> str:
    """Return a prompt with the head of the reply, which a template adds where something is to be generated."""
    heads = {"gemma3": "<start_of_turn>model\n", "llama3": "<|start_header_id|>assistant<|end_header_id|>\n\n"}
    return prompt + heads[template]


def asked(client: str, folder: Path, home: Path, *more: str) -> Seen:
    """Return what a client says of a folder; raises RuntimeError with its last words."""
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(home), "HF_HUB_OFFLINE": "1", "PYTHONHASHSEED": "0"}
    command = [str(peers.trl_python()), "-P", str(CLIENTS), client, str(folder), *more]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, cwd=home)
    if done.returncode:
        raise RuntimeError(f"{client}: status {done.returncode}\n{done.stderr[-3000:]}")
    answer: Seen = json.loads(done.stdout.splitlines()[-1])
    return answer


def differing(expected: Seen, seen: Seen) -> list[str]:
    """Return ids of which a client saw something else; one that our template leaves out is not compared."""
    return [key for key in sorted(expected) if expected[key] != seen.get(key)]


def compared(out: str, root: Path) -> int:
    """Print a row for each export and client; return how many differ."""
    rows, failed = records(out), 0
    source = open_source(open_store(out), "instruct")
    checks: list[tuple[str, str, tuple[str, ...], Callable[[], Seen]]] = []
    for name in OF_CONVERSATIONS:
        checks.append((name, "datasets", (), lambda name=name: as_read(rows, name)))  # type: ignore[misc]
    checks.append(("sharegpt", "trl-chatml", (), lambda: as_chatml(rows)))
    for name in ("messages", "prompt-completion", "preference"):
        for template in TEMPLATES:
            checks.append((name, "trl", (template,), lambda n=name, t=template: as_rendered(rows, n, t)))  # type: ignore[misc]
    for name, client, more, expect in checks:
        folder = root / name
        if not folder.exists():
            export(source, open_store(folder), name)
        say(f"{client} reads {name} {' '.join(more)}")
        with tempfile.TemporaryDirectory(prefix="corpusmill-peers-") as home:
            seen = asked(client, folder, Path(home), *more)
        expected = expect()
        different = differing(expected, seen)
        failed += bool(different)
        said = f"differs: {', '.join(different[:3])}" if different else "equal"
        print(f"| {client} {' '.join(more)} | instruct | {name} | {len(expected)} | {said} |", flush=True)
    return failed


def make(out: str) -> None:
    """Make a small real set: Debian's manuals, with the real jobs."""
    from pipelines.cli import main as corpusmill
    from pipelines.demo_input import demo_input

    folder = demo_input(full=False, say=say)
    for command in (["text", str(folder), "--out", out, "--quiet"], ["instruct", "--out", out, "--quiet"]):
        if status := corpusmill(command):
            raise RuntimeError(f"corpusmill {' '.join(command)}: status {status}")


def main() -> int:
    """Print a table of what each client saw; return 1 if anything differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", nargs="?", metavar="OUT", help="an output with instruction sets (default: a small one)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="corpusmill-conversations-") as root:
        out = options.out or f"{root}/made"
        if not options.out:
            make(out)
        print("| client | snapshot | export | compared | verdict |\n|---|---|---|---|---|")
        failed = compared(out, Path(root) / "exports")
    print(f"{failed} differ" if failed else "all equal")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
