"""What every candidate must be before it is counted: whole, literal, located. The first fault names the reason."""

from collections.abc import Callable, Mapping

from filters.instruct.record import BEHAVIOURS, Candidate, Check, Evidence
from manifests.reasons import CandidateFault

CHECKS_VERSION = 1
TOOL = f"corpusmill.checks@{CHECKS_VERSION}"
Texts = Callable[[Evidence], str | None]  # evidence -> the text that its offsets count in, None where it is not at hand


def fault(candidate: Candidate, texts: Texts) -> CandidateFault | None:
    """Return what is wrong with a candidate, None where nothing is."""
    for name, is_wrong in CHECKS.items():
        if is_wrong(candidate, texts):
            return name
    return None


def _unformed(candidate: Candidate, _: Texts) -> bool:
    roles = [message.role for message in candidate.messages]
    if candidate.behaviour not in BEHAVIOURS or len(roles) < 2 or roles[-2:] != ["user", "assistant"]:
        return True
    is_hedge = candidate.behaviour == "hedge"
    return is_hedge != (candidate.hedge is not None) or not all(m.content.strip() for m in candidate.messages)


def _unsupported(candidate: Candidate, _: Texts) -> bool:
    """Attribution and closed-book answers need evidence that carries them."""
    return candidate.behaviour != "hedge" and not any(each.role == "support" for each in candidate.evidence)


def _not_located(candidate: Candidate, texts: Texts) -> bool:
    for each in candidate.evidence:
        text = texts(each)
        if text is None or not 0 <= each.start < each.end <= len(text) or text[each.start : each.end] != each.quote:
            return True
    return False


def _not_literal(candidate: Candidate, _: Texts) -> bool:
    """The answer proper stands in the reply; a hedge's may be empty."""
    return bool(candidate.answer.text) and candidate.answer.text not in candidate.messages[-1].content


def _citations_outside(candidate: Candidate, _: Texts) -> bool:
    length = len(candidate.messages[-1].content)
    for each in candidate.citations:
        start, end = each.answer_span
        if not 0 <= start < end <= length or not each.evidence:
            return True
        if not all(0 <= number < len(candidate.evidence) for number in each.evidence):
            return True
    return False


CHECKS: Mapping[CandidateFault, Callable[[Candidate, Texts], bool]] = {
    CandidateFault.UNFORMED: _unformed,
    CandidateFault.UNSUPPORTED: _unsupported,
    CandidateFault.NOT_LOCATED: _not_located,
    CandidateFault.NOT_LITERAL: _not_literal,
    CandidateFault.CITATION_OUTSIDE: _citations_outside,
}
PASSED = (Check("offset", TOOL, 1.0, "pass"), Check("literal", TOOL, 1.0, "pass"))
