"""Run by a peer's own Python: reads an export of conversations with `datasets` and with TRL's own format functions.

    python chat_clients.py CLIENT FOLDER [TEMPLATE]      prints {"id": {"field": sha256 of the content, ...}, ...}

Nothing of corpusmill is imported here. `trl` renders the conversation with a chat template that TRL ships.
"""

import hashlib
import json
import sys
from pathlib import Path

Seen = dict[str, dict[str, str]]
OWN = ("id", "behaviour", "task", "language")


def sha(value) -> str:
    """Return the sha256 of text, or of a value's JSON."""
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def rows(folder: Path):
    """Yield every row of every split, as datasets.load_dataset gives them."""
    from datasets import load_dataset

    for split, found in load_dataset(str(folder)).items():
        for row in found:
            yield split, row


def read_datasets(folder: Path, _: str) -> Seen:
    """Give every column but our own, and the split."""
    found = {}
    for split, row in rows(folder):
        found[row["id"]] = {name: sha(value) for name, value in row.items() if name not in OWN} | {"split": split}
    return found


def read_trl(folder: Path, template: str) -> Seen:
    """Give what TRL makes of a row: is it a conversation, and the texts that its chat template gives."""
    import trl
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from transformers import PreTrainedTokenizerFast
    from trl.data_utils import is_conversational, maybe_apply_chat_template, maybe_convert_to_chatml

    vocabulary = Tokenizer(WordLevel({"<unk>": 0}, unk_token="<unk>"))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=vocabulary, unk_token="<unk>", bos_token="<bos>")
    shipped = Path(trl.__file__).parent / "chat_templates" / f"{template}.jinja"
    tokenizer.chat_template = shipped.read_text(encoding="utf-8")
    found = {}
    for _, row in rows(folder):
        known = maybe_convert_to_chatml({name: value for name, value in row.items() if name not in OWN})
        made = maybe_apply_chat_template(known, tokenizer)
        texts = {name: sha(value) for name, value in made.items() if isinstance(value, str)}
        found[row["id"]] = {"is_conversational": str(is_conversational(known)), **texts}
    return found


def read_chatml(folder: Path, _: str) -> Seen:
    """Give what TRL makes of ShareGPT: it renames the fields and keeps the speakers' names."""
    from trl.data_utils import is_conversational, maybe_convert_to_chatml

    found = {}
    for _, row in rows(folder):
        known = maybe_convert_to_chatml({"conversations": row["conversations"]})
        found[row["id"]] = {"is_conversational": str(is_conversational(known)), "messages": sha(known["messages"])}
    return found


CLIENTS = {"datasets": read_datasets, "trl": read_trl, "trl-chatml": read_chatml}

if __name__ == "__main__":
    client, place, *more = sys.argv[1:]
    seen = CLIENTS[client](Path(place), *(more or [""]))
    print(json.dumps(seen))
