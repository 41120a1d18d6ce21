"""datatrove's filters on texts, one by one; run by the Python of datatrove's own environment.

    python datatrove_rules.py verdicts|time|tables INPUT OUTPUT

INPUT is a JSON list of texts. verdicts: for each text what the Gopher repetition and quality filters say of it, what
C4's says, what FineWeb's says of what C4's leaves, and that text; "" is kept, null was not asked. time: CPU seconds of
all filters, and of splitting words. tables: what our frozen tables must equal; INPUT are stretches to cut into tokens.
"""

import json
import re
import sys
import time
from pathlib import Path

import spacy
from datatrove.data import Document
from datatrove.pipeline.filters import (
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
)
from datatrove.utils.text import PUNCTUATION_SET, TERMINAL_PUNCTUATION, split_into_words
from spacy.lang import char_classes
from spacy.pipeline.sentencizer import Sentencizer
from spacy.symbols import ORTH

FIRST = (GopherRepetitionFilter(), GopherQualityFilter())
C4, FINEWEB = C4QualityFilter(filter_no_terminal_punct=False), FineWebQualityFilter()


def said(answer: bool | tuple) -> str:
    """Return the reason, "" for kept."""
    return "" if answer is True else answer[1]


def verdicts(text: str) -> list:
    """Return what each filter says, and the text that C4's leaves."""
    document = Document(text=text, id="")
    found = [said(each.filter(document)) for each in FIRST]
    found.append(said(C4.filter(document)))
    return [*found, said(FINEWEB.filter(document)), document.text] if not found[-1] else [*found, None, None]


def cpu_s(work: object, texts: list[str]) -> float:
    """Return the CPU seconds of a call for each text."""
    start = time.process_time()
    for text in texts:
        work(text)
    return time.process_time() - start


def tables() -> dict:
    """Return class -> code points, and the listed strings with their pieces."""
    every = [chr(point) for point in range(sys.maxunicode + 1) if not 0xD800 <= point < 0xE000]
    classes = {"ALPHA": "ALPHA", "LOWER": "ALPHA_LOWER", "UPPER": "ALPHA_UPPER", "ICON": "CONCAT_ICONS"}
    found = {
        own: [ord(c) for c in every if re.match(f"[{getattr(char_classes, name)}]", c)] for own, name in classes.items()
    }
    for name, members in (
        ("PUNCTUATION", PUNCTUATION_SET),
        ("TERMINAL", TERMINAL_PUNCTUATION),
        ("SENTENCE_END", Sentencizer.default_punct_chars),
    ):
        found[name] = sorted(map(ord, members))
    rules = spacy.blank("en").tokenizer.rules
    cut = {whole: [piece[ORTH] for piece in pieces] for whole, pieces in rules.items() if whole.strip()}
    return {"classes": found, "cases": cut}


def main() -> None:
    """Answer what is asked."""
    what, source, target = sys.argv[1:]
    texts = json.loads(Path(source).read_text())
    if what == "verdicts":
        answer = [verdicts(text) for text in texts]
    elif what == "time":
        split_into_words("warm up")
        answer = {"words": cpu_s(split_into_words, texts), "all": cpu_s(verdicts, texts)}
    else:
        tokenizer = spacy.blank("en").tokenizer
        answer = {**tables(), "tokens": [[token.text for token in tokenizer(text)] for text in texts]}
    Path(target).write_text(json.dumps(answer))


if __name__ == "__main__":
    main()
