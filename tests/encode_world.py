"""Real texts in many scripts, small models of them, a store of snapshots to encode, and an independent reader."""

import hashlib
import mmap
import random
import statistics
import struct
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import corpora
import numpy as np
import pyarrow as pa
import sentencepiece
from resiliparse.extract.html2text import extract_plain_text

from manifests.manifest import commit, load_manifest, newest_version
from manifests.records import ID
from manifests.shards import Shard, write_shard
from manifests.store import open_store
from manifests.tar_shards import write_tar_shard
from tokenizer.count import count_words
from tokenizer.settings import TrainSettings
from tokenizer.train import train

LOCALES = {"en": "en-US", "ja": "ja-JP", "zh": "zh-CN", "ko": "ko-KR", "ar": "ar-MA", "ru": "ru-RU"}
SYLLABLES = {
    "th": "กา รบ ที่ เป็น ได้ ใน ของ คน ไทย ระบบ แฟ้ม ข้อมูล เครื่อง คือ และ ไม่ มี ให้ ว่า จะ",
    "hi": "क्या है में के लिए से को और हिं दी का की फ़ाइल प्र णाली पर एक नहीं कि यह",
}
HOSTILE = [
    "",
    " ",
    "   ",
    "\n",
    "\n\n\n \n",
    "a\r\nb\r\n",
    "\t\tindent\n\t \tmixed",
    "a▁b ▁▁ c",
    "▅ block",
    "nul\0inside",
    "<s>text</s><unk><0x41><start_of_turn>user\n<end_of_turn>",
    "x" * 5000,
    " " * 300 + "end" + "\n" * 70 + " " * 65,
    "日本語。日本語、「日本」ーー々〆",
    "e\u0301 re\u0301sume\u0301 \u0301\u0301",
    "\u200b\u200d\ufeff\u202e\u2028\u3000全角　スペース\u00a0nbsp",
    "\U0001f469\u200d\U0001f4bb\U0010ffff\U00013000",
    "１２３ 123 ๑๒๓ १२३",
    "ends with spaces   ",
    "ends with a newline\n",
]
SIGNS = ("<start_of_turn>", "<end_of_turn>", "<image>")


@cache
def texts() -> dict[str, tuple[str, ...]]:
    """Return texts by language: pages of a handbook, two more scripts, code."""
    found: dict[str, list[str]] = {code: [] for code in LOCALES}
    locales = {locale: code for code, locale in LOCALES.items()}
    for path, page in corpora.pages("debian-handbook"):
        if code := locales.get(path.split("/")[0]):
            found[code].append(page.decode())
    chosen = {code: tuple(extract_plain_text(page) for page in pages[::24]) for code, pages in found.items()}
    files = sorted(Path(statistics.__file__).parent.glob("*.py"))
    return {**chosen, **{c: (made_up(c),) for c in SYLLABLES}, "Python": tuple(p.read_text() for p in files[::40][:4])}


def made_up(code: str) -> str:
    """Return lines of words drawn from syllables."""
    rng, syllables = random.Random(code), SYLLABLES[code].split()
    joint = " " if code == "hi" else ""
    words = ["".join(rng.choices(syllables, k=rng.randint(1, 4))) for _ in range(200)]
    return "\n".join(joint.join(rng.choices(words, k=rng.randint(2, 12))) for _ in range(200))


@cache
def all_texts() -> tuple[str, ...]:
    return tuple(text for own in texts().values() for text in own)


@cache
def model(size: int = 3000, signs: tuple[str, ...] = SIGNS, **options: Any) -> bytes:
    """Return a model of these texts."""
    settings = TrainSettings(size, character_coverage=0.9995, hard_limit=False, control_symbols=signs, **options)
    return train([count_words(pa.array(all_texts())).counts], settings).model


@cache
def processor(size: int = 3000, **options: Any) -> sentencepiece.SentencePieceProcessor:
    return sentencepiece.SentencePieceProcessor(model_proto=model(size, **options))


def record_id(*names: object) -> bytes:
    return hashlib.sha256("/".join(map(str, names)).encode()).digest()[:16]


Row = dict[str, Any]


def documents() -> list[Row]:
    """Return rows of a text snapshot: two sources, all languages, one of code, one without text."""
    rows = [
        {
            "id": record_id("text", code, number),
            "source": "manuals" if number % 3 else "other",
            "language": None if code == "Python" else code,
            "media_type": "text/x-python" if code == "Python" else "text/html",
            "text": text,
        }
        for code, own in texts().items()
        for number, text in enumerate(own)
    ]
    rows.append({**rows[0], "id": record_id("empty"), "text": ""})
    return sorted(rows, key=lambda row: row["id"])


TALK = [
    [("user", "富士山の高さは？"), ("assistant", "3776 メートルです。")],
    [("system", "Be brief."), ("user", "Who wrote it?"), ("assistant", "Nobody knows."), ("user", "Sure?"),
     ("assistant", "Yes: <end_of_turn> is only text here.")],
    [("user", "ประเทศไทยอยู่ที่ไหน"), ("assistant", "ในเอเชีย")],
]  # fmt: skip
BAD_TALK = [[], [("user", "hello")], [("assistant", "first"), ("user", "second")], [("judge", "x"), ("assistant", "y")]]


def conversations() -> list[Row]:
    told = [*TALK, *BAD_TALK]
    rows = [
        {
            "id": record_id("talk", number),
            "lang": "en",
            "messages": [{"role": role, "content": content} for role, content in talk],
        }
        for number, talk in enumerate(told)
    ]
    return sorted(rows, key=lambda row: row["id"])


def _published(store: Any, job: str, kind: str, rows: list[Row], schema: pa.Schema, cut: int = 1) -> list[Row]:
    size = -(-len(rows) // cut)
    pieces = [rows[at : at + size] for at in range(0, len(rows), size)]
    stem = f"{job}/{kind}/part"
    return [
        write_shard(store, f"{stem}-{n:05d}", kind, pa.Table.from_pylist(piece, schema)).as_json()
        for n, piece in enumerate(pieces)
    ]


_TEXT = pa.schema([("id", ID), *((n, pa.string()) for n in ("source", "language", "media_type", "text"))])
_IMAGES = pa.schema(
    [("id", ID), ("source", pa.string()), ("caption_language", pa.string()), ("captions", pa.list_(pa.string()))]
)
_AUDIO = pa.schema([("id", ID), *((n, pa.string()) for n in ("source", "transcript_language", "transcript"))])
_TALK = pa.schema(
    [
        ("id", ID),
        ("lang", pa.string()),
        ("messages", pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))),
    ]
)


def snapshots(root: Path, scratch: Path, control: dict[str, Any] | None = None) -> None:
    """Commit a text, images, audio, instruct, interleave and tokenizer snapshot."""
    store = open_store(root)
    captions = [
        {"id": record_id("image", n), "source": "photos", "caption_language": "en", "captions": each}
        for n, each in enumerate([["A cat.", "猫"], [], ["A dog on the grass"]])
    ]
    spoken = [
        {"id": record_id("audio", n), "source": "radio", "transcript_language": "ja", "transcript": each}
        for n, each in enumerate(["こんにちは、世界。", None])
    ]
    by_job = {
        "text": _published(store, "text", "documents", documents(), _TEXT, cut=4),
        "images": _published(store, "images", "records", sorted(captions, key=_by_id), _IMAGES),
        "audio": _published(store, "audio", "records", sorted(spoken, key=_by_id), _AUDIO),
        "instruct": _published(store, "instruct", "conversations", conversations(), _TALK),
        "interleave": _interleaved(store, scratch),
        "tokenizer": [_model(store, control or {})],
    }
    for job, shards in by_job.items():
        commit(store, job, {"job": job, "shards": shards})


def _by_id(row: Row) -> bytes:
    return bytes(row["id"])


SAMPLE = (
    '{"id": "%s", "source": "manuals", "language": "en", "parts": [{"kind": "text", "start": 0, "end": 4, '
    '"text": "one "}, {"kind": "image", "start": 4, "end": 4, "member": "x.png"}, {"kind": "image", "start": 4, '
    '"end": 4, "missing": "no_such_media"}, {"kind": "text", "start": 4, "end": 7, "text": "two"}]}'
)


def _interleaved(store: Any, scratch: Path) -> list[Row]:
    key = record_id("interleaved").hex()
    samples = [(key, {"json": (SAMPLE % key).encode(), "0000.png": b"no picture"})]
    tar, index = write_tar_shard(store, "interleave/data/part-00000", "interleaved", iter(samples), scratch / "tar")
    return [tar.as_json(), index.as_json()]


def _model(store: Any, options: dict[str, Any]) -> Row:
    data = model(**options)
    sha256 = hashlib.sha256(data).hexdigest()
    store.put_new("tokenizer/model/m.model", data)
    return Shard("tokenizer/model/m.model", "model", len(data), sha256, 1, None, None).as_json()


def newest(root: Path, job: str) -> dict[str, Any]:
    store = open_store(root)
    return load_manifest(store, job, newest_version(store, job))


class Megatron:
    """The files behind a prefix, read the way Megatron-LM's IndexedDataset reads them (its code was read, not run)."""

    TYPES: ClassVar = {1: np.uint8, 4: np.int32, 8: np.uint16}

    def __init__(self, prefix: Path | str) -> None:
        with Path(f"{prefix}.idx").open("rb") as file:
            assert file.read(9) == b"MMIDIDX\x00\x00"
            assert struct.unpack("<Q", file.read(8)) == (1,)
            self.dtype = self.TYPES[struct.unpack("<B", file.read(1))[0]]
            sequences, documents = struct.unpack("<QQ", file.read(16))
            self.lengths = np.frombuffer(file.read(4 * sequences), np.int32)
            self.pointers = np.frombuffer(file.read(8 * sequences), np.int64)
            self.documents = np.frombuffer(file.read(8 * documents), np.int64)
            assert not file.read(1)
        with Path(f"{prefix}.bin").open("rb") as file:
            self.bin = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, number: int) -> Any:
        return np.frombuffer(self.bin, self.dtype, self.lengths[number], self.pointers[number])

    def document(self, number: int) -> list[int]:
        """Return the tokens of all sequences of a document."""
        first, last = self.documents[number : number + 2]
        return [token for sequence in range(first, last) for token in self[sequence].tolist()]
