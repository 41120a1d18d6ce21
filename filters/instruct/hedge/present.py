"""Whether a sentence says how something is at present, which may be otherwise by now."""

from filters.instruct.words import EVERY, patterns


def is_of_its_time(said: str, language: str) -> bool:
    """Say whether a sentence states what is so at present: no year or century is in it, nobody is told to do anything,
    and no condition stands before the word that says so.
    """
    cue = patterns("now").get(language)
    found = cue.search(said) if cue else None
    if found is None or patterns("dated")[EVERY].search(said) or patterns("urging")[language].search(said):
        return False
    return patterns("conditional")[language].search(said, 0, found.start()) is None
