"""The bare cost of the work that nobody can leave out: FastWARC, Resiliparse and fastText over WARC files.

    python -m benchmarks.bare FOLDER

No limits, no guard, no parts, no rules, no output: reads each response, detects its encoding, parses it, extracts the
main content and asks for the language of the first 2,000 characters, in one process. corpusmill's total is held
against this.
"""

import sys
from pathlib import Path

import fasttext
from fastwarc.warc import ArchiveIterator, WarcRecordType
from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.encoding import detect_encoding
from resiliparse.parse.html import HTMLTree

from benchmarks.measure import Series, slope_ms
from benchmarks.table import Row
from filters.models import model_path

NAME = "bare libraries"


def rows(series: Series, ours: str, low: int, high: int) -> list[Row]:
    """Return how many times the bare cost corpusmill takes in all."""
    total, bare = slope_ms(series[ours], low, high), slope_ms(series[NAME], low, high)
    measured = f"{total:.2f} against {bare:.2f} ms a page"
    return [Row("total cost over FastWARC + Resiliparse + fastText alone", measured, total / bare, "x", ("<=", 2))]


def main() -> None:
    """Read, parse, extract, identify."""
    model = fasttext.load_model(str(model_path("lid.176.ftz")))
    pages = characters = 0
    for path in sorted(Path(sys.argv[1]).glob("*.warc.gz")):
        with path.open("rb") as file:
            for record in ArchiveIterator(file, record_types=WarcRecordType.response):
                payload = record.reader.read()
                tree = HTMLTree.parse_from_bytes(payload, detect_encoding(payload))
                text = extract_plain_text(tree, main_content=True)
                model.predict([text[:2000].replace("\n", " ")])
                pages, characters = pages + 1, characters + len(text)
    print(pages, characters)


if __name__ == "__main__":
    main()
