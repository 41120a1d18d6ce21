"""What a hedge says of itself, held against what it shows: a closed list of reasons, and what each of some must have.

Read are the record's words and the texts that it cites, nothing of how it was made. A reason that no string can tell
(a matter of taste, a negation) is only looked up in the list.
"""

import re
from collections.abc import Callable, Iterator, Mapping

from filters.instruct_audit.citations import reply_of
from filters.instruct_audit.names import folded
from filters.instruct_audit.prompts import Prompt, Row

# The taxonomy that docs/instruct.md lists; what a reason needs is in NEEDS.
REASONS = frozenset(
    f"{family}.{kind}"
    for family, kinds in {
        "context": "near_miss entity_swap number_swap negation antonym mutual_exclusion no_info",
        "premise": "false_entity false_relation false_attribute",
        "unknown": "future unsolved unrecorded",
        "stale": "realtime after_cutoff",
        "intent": "missing_referent ambiguous",
        "private": "person credential",
        "modality": "absent_input unreadable wrong_modality absent_object",
        "evidence": "conflict low",
    }.items()
    for kind in kinds.split()
) | {"subjective"}
_DAY = re.compile(r"(?<!\d)\d{4}-\d\d-\d\d(?!\d)")
_PRIVATE = re.compile(
    r"[\w.+-]+@[\w-]+\.[a-z]{2,}|(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])|(?<!\d)\+?\d[\d ()-]{8,}\d(?!\d)"
)
_MARK = re.compile(r"[\[(（【<][^\[\](){}（）【】<>]{2,40}[\])）】>]")


def ill_founded(row: Row, prompt: Prompt, day: str) -> Iterator[str]:
    """Name what a hedge's reason lacks; day: the newest day on which anything was fetched (ISO 8601), or ""."""
    hedge = row["hedge"]
    if not hedge:
        return
    reason = hedge["reason"] or ""
    if reason not in REASONS:
        yield f"hedge: {reason!r} is no reason of the list"
    needs = NEEDS.get(reason)
    if needs and not needs(row, prompt, day):
        yield f"hedge: {reason} is not borne out by what it shows"


def _is_later(row: Row, prompt: Prompt, day: str) -> bool:
    """The question names a day after any that a text was fetched on, and after that of the fact."""
    asked = max(_DAY.findall(prompt.question), default="")
    return bool(asked) and asked > max(day, row["answer"]["as_of"] or "")


def _is_masked(row: Row, prompt: Prompt, day: str) -> bool:
    """What is asked about stands in the passage and nothing like what it hides is in the reply or the passage."""
    name = row["hedge"]["edit"]["to"]
    shown = [each["quote"] for each in row["evidence"]]
    said = reply_of(row)
    for quote in shown:
        said = said.replace(quote, " ")
    return name in prompt.question and any(name in quote for quote in shown) and not _PRIVATE.search(said)


def _has_two_meanings(row: Row, prompt: Prompt, day: str) -> bool:
    """Two citations of different texts say different things, and the reply asks back."""
    cited = {(row["evidence"][n]["doc_id"], folded(row["evidence"][n]["quote"])) for n in _cited(row)}
    return len({doc for doc, _ in cited}) >= 2 and len({quote for _, quote in cited}) >= 2


def _has_both_values(row: Row, prompt: Prompt, day: str) -> bool:
    """Two cited values that differ; the one that is asked about is one of them."""
    quotes = {row["evidence"][n]["quote"] for n in _cited(row)}
    return len(quotes) >= 2 and any(folded(quote) in folded(prompt.question) for quote in quotes)


def _is_unreadable(row: Row, prompt: Prompt, day: str) -> bool:
    """A cited piece of the recording is nothing but a mark in brackets."""
    return any(_MARK.fullmatch(row["evidence"][n]["quote"].strip()) for n in _cited(row))


def _quotes_itself(row: Row, prompt: Prompt, day: str) -> bool:
    """What is said to be unknown is a cited sentence that the question takes up."""
    quotes = [folded(row["evidence"][n]["quote"]) for n in _cited(row)]
    return any(quote in folded("\n".join((prompt.question, prompt.context))) for quote in quotes)


def _cited(row: Row) -> list[int]:
    return sorted({n for each in row["citations"] or [] for n in each["evidence"]})


Needs = Callable[[Row, Prompt, str], bool]
NEEDS: Mapping[str, Needs] = {
    "stale.after_cutoff": _is_later,
    "private.credential": _is_masked,
    "intent.ambiguous": _has_two_meanings,
    "premise.false_relation": _has_both_values,
    "modality.unreadable": _is_unreadable,
    "unknown.unsolved": _quotes_itself,
}
