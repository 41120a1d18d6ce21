"""Instruction sets as trainers take them: JSON lines of messages, prompt and completion, preference, ShareGPT, Alpaca,
or text in Gemma's and Llama's chat templates; one file a split and shard, and a `README.md` that `datasets` reads.

Whatever the format, a line has the record's `id`, `behaviour`, `task` and `language` beside what trainers look for.
The texts of the chat templates have no token that begins a text (`<bos>`, `<|begin_of_text|>`): tokenizers put it
there. What can't be said in a format (control tokens inside a page's text, more than one turn in Alpaca) is left out
and counted, never changed.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from manifests.exports.destination import Destination
from manifests.exports.source import CONVERSATIONS, Source
from manifests.shards import Shard

Row = Mapping[str, Any]
Line = dict[str, Any]
Turns = list[dict[str, str]]
GEMMA_CONTROL = ("<start_of_turn>", "<end_of_turn>", "<bos>", "<eos>")
LLAMA_CONTROL = ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|begin_of_text|>", "<|end_of_text|>")
CONTROL = {"gemma": GEMMA_CONTROL, "llama": LLAMA_CONTROL}


@dataclass(frozen=True)
class Refusal:
    """The reply of a hedge, as its answerable twin must not be answered."""

    reply: str
    edit: tuple[str, str] | None  # (what the twin says, what the hedge says instead)

    def of_twin(self) -> str:
        """Return the refusal in the twin's own words."""
        if self.edit is None or not all(self.edit):
            return self.reply
        before, after = self.edit
        return self.reply.replace(before, "\0").replace(after, before).replace("\0", after)


Refusals = Mapping[str, Refusal]


def messages(row: Row, _: Refusals) -> Line:
    """TRL's conversational language modelling."""
    return {"messages": _turns(row)}


def prompt_completion(row: Row, _: Refusals) -> Line:
    """TRL's conversational prompt and completion: the last turn is what is learnt."""
    turns = _turns(row)
    return {"prompt": turns[:-1], "completion": turns[-1:]}


def preference(row: Row, refusals: Refusals) -> Line | None:
    """TRL's conversational preference, explicit prompt.

    Of a hedge, what a model says that does not look is rejected; of its twin, that it is refused though it can be
    answered. Records of neither kind have no pair.
    """
    turns = _turns(row)
    if row["hedge"] is not None:
        wrong = str(row["hedge"]["plausible_wrong"] or "")
    else:
        refusal = refusals.get(row["id"].hex())
        wrong = "" if refusal is None else refusal.of_twin()
    if not wrong or wrong == turns[-1]["content"]:
        return None
    return {"prompt": turns[:-1], "chosen": turns[-1:], "rejected": [{"role": "assistant", "content": wrong}]}


_SPEAKERS = {"system": "system", "user": "human", "assistant": "gpt"}


def sharegpt(row: Row, _: Refusals) -> Line:
    """ShareGPT's conversations."""
    return {"conversations": [{"from": _SPEAKERS[turn["role"]], "value": turn["content"]} for turn in _turns(row)]}


def alpaca(row: Row, _: Refusals) -> Line | None:
    """Stanford Alpaca's instruction, input (always empty: the passages stand in the instruction) and output."""
    turns = _folded(_turns(row))
    if [turn["role"] for turn in turns] != ["user", "assistant"]:
        return None
    return {"instruction": turns[0]["content"], "input": "", "output": turns[1]["content"]}


def gemma(row: Row, _: Refusals) -> Line | None:
    """Gemma's turns; there is no system role, so what it says opens the user's first turn."""
    turns = _folded([{**turn, "content": turn["content"].strip()} for turn in _turns(row)])
    if _holds(turns, GEMMA_CONTROL):
        return None
    names = {"user": "user", "assistant": "model"}
    return {"text": "".join(f"<start_of_turn>{names[t['role']]}\n{t['content']}<end_of_turn>\n" for t in turns)}


def llama(row: Row, _: Refusals) -> Line | None:
    """Llama 3's turns."""
    turns = _turns(row)
    if _holds(turns, LLAMA_CONTROL):
        return None
    head = "<|start_header_id|>{}<|end_header_id|>\n\n{}<|eot_id|>"
    return {"text": "".join(head.format(turn["role"], turn["content"].strip()) for turn in turns)}


LINES: Mapping[str, Callable[[Row, Refusals], Line | None]] = {
    "alpaca": alpaca,
    "gemma": gemma,
    "llama": llama,
    "messages": messages,
    "preference": preference,
    "prompt-completion": prompt_completion,
    "sharegpt": sharegpt,
}


def export_conversations(source: Source, destination: Destination, format_name: str) -> dict[str, Any]:
    """Write the lines of every split and shard and the README; return what the bytes follow from."""
    refusals = _refusals(source) if format_name == "preference" else {}
    counts: Counter[str] = Counter()
    splits: dict[str, list[str]] = {}
    for number, shard in enumerate(source.shards):
        for split, lines in sorted(_of_splits(source, shard, format_name, refusals, counts).items()):
            name = f"data/{split}-{number:05d}-of-{len(source.shards):05d}.jsonl"
            destination.put(name, "".join(lines).encode(), len(lines))
            splits.setdefault(split, []).append(name)
    destination.put("README.md", _readme(source, format_name, splits).encode())
    return {"lines": counts["lines"], "left_out": counts["left_out"]}


def _of_splits(
    source: Source, shard: Shard, format_name: str, refusals: Refusals, counts: Counter[str]
) -> dict[str, list[str]]:
    """Return the lines of a shard by split, in the order of ids."""
    found: dict[str, list[str]] = {}
    for row in _rows(source, shard):
        line = LINES[format_name](row, refusals)
        counts["left_out" if line is None else "lines"] += 1
        if line is not None:
            named = {"id": row["id"].hex(), "behaviour": row["behaviour"], "task": row["task"], "language": row["lang"]}
            text = json.dumps({**named, **line}, ensure_ascii=False, separators=(",", ":"))
            found.setdefault(row["split"], []).append(f"{text}\n")
    return found


def _rows(source: Source, shard: Shard) -> Iterator[Row]:
    columns = ("id", "behaviour", "task", "lang", "messages", "hedge", "split")
    for batch in source.reader_of(shard).batches(columns):
        yield from batch.to_pylist()


def _refusals(source: Source) -> dict[str, Refusal]:
    """Return the first hedge of each twin by the twin's id; some hundred bytes a hedge are held."""
    found: dict[str, Refusal] = {}
    for shard in source.shards:
        for row in _rows(source, shard):
            hedge = row["hedge"]
            if hedge is not None and hedge["contrast_id"]:
                edit = hedge["edit"]
                swapped = (edit["from"] or "", edit["to"] or "") if edit and edit["kind"] != "context" else None
                found.setdefault(hedge["contrast_id"], Refusal(row["messages"][-1]["content"], swapped))
    return found


def _turns(row: Row) -> Turns:
    return [{"role": turn["role"], "content": turn["content"]} for turn in row["messages"]]


def _folded(turns: Turns) -> Turns:
    """Return turns without a system's: what it says opens the first turn behind it."""
    if not turns or turns[0]["role"] != "system":
        return turns
    first, second, *rest = turns
    return [{"role": second["role"], "content": f"{first['content']}\n\n{second['content']}"}, *rest]


def _holds(turns: Turns, control: tuple[str, ...]) -> bool:
    return any(token in turn["content"] for turn in turns for token in control)


def _readme(source: Source, format_name: str, splits: Mapping[str, list[str]]) -> str:
    """Return the dataset card's head: which files are which split."""
    head = ["configs:", "- config_name: default", "  data_files:"]
    for split in sorted(splits):
        head += [f"  - split: {split}", f"    path: data/{split}-*.jsonl"]
    about = f"{CONVERSATIONS} as {format_name}, of the snapshot with manifest digest `{source.digest}`."
    return "\n".join(["---", *head, "---", "", about, ""])
