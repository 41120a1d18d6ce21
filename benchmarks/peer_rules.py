"""Dolma's or NeMo Curator's Gopher rules on texts, one by one; run by the Python of the peer's own environment.

    python peer_rules.py dolma|nemo INPUT OUTPUT

INPUT is a JSON list of texts; OUTPUT {cpu_s, version, kept: list of bool}. Of Dolma the taggers gopher_v2 and c4_v2
measure; verdicts are by the bounds of the paper, as our set gopher@whitespace has them. Of NeMo Curator its filters of
the same rules with its own bounds, each document until one says no, as its pipelines do.
"""

import json
import sys
import time
from importlib.metadata import version
from pathlib import Path

DUPLICATES = dict(zip(range(5, 11), (0.15, 0.14, 0.13, 0.12, 0.11, 0.10), strict=True))
TOP = {2: 0.20, 3: 0.18, 4: 0.16}


def dolma(texts: list[str]) -> list[bool]:
    """Return which texts Dolma's Gopher attributes keep; C4's are measured and decide nothing."""
    import dolma.taggers.c4
    import dolma.taggers.gopher  # noqa: F401
    from dolma.core.data_types import Document
    from dolma.core.registry import TaggerRegistry

    gopher, c4 = (TaggerRegistry.get(name)() for name in ("gopher_v2", "c4_v2"))
    kept = []
    for text in texts:
        document = Document(source="", id="", text=text)
        c4.predict(document)
        kept.append(_dolma_keeps({span.type: span.score for span in gopher.predict(document).spans}))
    return kept


def _dolma_keeps(found: dict[str, float]) -> bool:
    shares = {f"fraction_of_characters_in_most_common_{n}grams": most for n, most in TOP.items()}
    shares |= {f"fraction_of_characters_in_duplicate_{n}grams": most for n, most in DUPLICATES.items()}
    shares |= {"fraction_of_duplicate_lines": 0.3, "fraction_of_characters_in_duplicate_lines": 0.2}
    shares |= {"symbol_to_word_ratio": 0.1, "fraction_of_lines_starting_with_bullet_point": 0.9}
    shares |= {"fraction_of_lines_ending_with_ellipsis": 0.3, "word_count": 100_000, "median_word_length": 10}
    least = {"word_count": 50, "median_word_length": 3, "fraction_of_words_with_alpha_character": 0.8}
    least |= {"required_word_count": 2}
    below = any(found.get(name, 0) < bound for name, bound in least.items())
    return not below and all(found.get(name, 0) <= most for name, most in shares.items())


def nemo(texts: list[str]) -> list[bool]:
    """Return which texts NeMo Curator's filters of Gopher's rules keep."""
    from nemo_curator.stages.text.filters.heuristic import repetition, string

    filters = [
        repetition.RepeatedLinesFilter(),
        repetition.RepeatedParagraphsFilter(),
        repetition.RepeatedLinesByCharFilter(),
        repetition.RepeatedParagraphsByCharFilter(),
        *(repetition.RepeatingTopNGramsFilter(n, most) for n, most in TOP.items()),
        *(repetition.RepeatingDuplicateNGramsFilter(n, most) for n, most in DUPLICATES.items()),
        string.WordCountFilter(),
        string.MeanWordLengthFilter(),
        string.SymbolsToWordsFilter(),
        string.BulletsFilter(),
        string.EllipsisFilter(),
        string.WordsWithoutAlphabetsFilter(),
        string.CommonEnglishWordsFilter(),
    ]
    return [all(each.keep_document(each.score_document(text)) for each in filters) for text in texts]


PEERS = {"dolma": (dolma, "dolma"), "nemo": (nemo, "nemo-curator")}


def main() -> None:
    """Answer what is asked; the first call loads, and is on nobody's clock."""
    name, source, target = sys.argv[1:]
    work, package = PEERS[name]
    texts = json.loads(Path(source).read_text())
    work(["One line of a text that says something. " * 30])
    start = time.process_time()
    kept = work(texts)
    answer = {"cpu_s": time.process_time() - start, "version": version(package), "kept": kept}
    Path(target).write_text(json.dumps(answer))


if __name__ == "__main__":
    main()
