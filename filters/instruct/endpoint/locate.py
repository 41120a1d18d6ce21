"""Where a quote of a model stands in the text that it read.

Models change spaces, widths and the shape of quotation marks while they copy. Text and quote are compared in NFKC, with
white space as one space and quotation marks alike, and what is found is mapped back to code points of the raw text. No
letter, digit or sign may differ.
"""

import unicodedata
from dataclasses import dataclass

_ALIKE = str.maketrans(
    {**dict.fromkeys("“”„‟«»", '"'), **dict.fromkeys("‘’‚‛", "'"), **dict.fromkeys("‐‑‒–", "-"), "\u00ad": ""}
)
EDGES = " \t\n\"'“”„«»「」『』…"


@dataclass(frozen=True)
class Folded:
    """A text in the form of comparison; `at[i]`: where in the raw text its i-th character begins, `at[-1]` the end."""

    text: str
    at: tuple[int, ...]


def fold(raw: str) -> Folded:
    """Return a text for comparison, and where each of its characters comes from.

    Letters are folded with the combining marks behind them, for NFKC composes them.
    """
    out: list[str] = []
    at: list[int] = []
    position = 0
    while position < len(raw):
        end = position + 1
        while end < len(raw) and unicodedata.combining(raw[end]):
            end += 1
        for character in unicodedata.normalize("NFKC", raw[position:end]).translate(_ALIKE):
            shown = " " if character.isspace() else character
            if shown != " " or out[-1:] != [" "]:
                out.append(shown)
                at.append(position)
        position = end
    return Folded("".join(out), (*at, len(raw)))


def locate(quote: str, text: str) -> tuple[int, int] | None:
    """Return [start, end) of a quote in a raw text, its first place, None where it does not stand there.

    Quotation marks and ellipses around the quote are the model's own.
    """
    wanted = fold(quote.strip(EDGES)).text.strip()
    if not wanted:
        return None
    whole = fold(text)
    place = whole.text.find(wanted)
    while place >= 0:
        last = place + len(wanted)
        is_whole = whole.at[last] > whole.at[last - 1] and (place == 0 or whole.at[place] > whole.at[place - 1])
        if is_whole:  # not a part of what one raw character folds to
            start, end = whole.at[place], whole.at[last]
            return start, start + len(text[start:end].rstrip())
        place = whole.text.find(wanted, place + 1)
    return None
