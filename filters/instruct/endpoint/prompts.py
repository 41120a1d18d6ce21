"""What a model is asked. Every prompt wants one JSON object; what is not one is no answer.

The prompts are in English, which instruct models know best, and name the language that the words must be in.
"""

from filters.instruct.endpoint.asking import Model, Request
from filters.instruct.record import Message

PROMPTS_VERSION = 1

_WRITE = """\
You write questions for a reading test. Use only the passage. Write {count} question(s) that a curious reader would \
ask and that the passage answers, each with a short answer of one or two sentences and the exact quotes from the \
passage that prove the answer. Copy quotes character by character. Questions and answers must be in the language with \
ISO 639 code "{language}". Do not mention "the passage". Answer with JSON only:
{{"items": [{{"question": "...", "answer": "...", "quotes": ["..."]}}]}}"""
_READ = """\
Answer the question from the text alone. If the text does not answer it, the answer is null. Answer in one or two \
short sentences in the language with ISO 639 code "{language}". Answer with JSON only: {{"answer": "..."}} or \
{{"answer": null}}"""
_CAN = """\
Does the text contain the information that is needed to answer the question fully? Judge strictly and use nothing \
that is not in the text. Answer with JSON only: {"answerable": true} or {"answerable": false}"""
_ENTAILS = """\
Compare a premise with a hypothesis. "entail": whoever believes the premise must believe all of the hypothesis. \
"contradict": both cannot be true. "neutral": anything else. Answer with JSON only: {"label": "entail"}, \
{"label": "neutral"} or {"label": "contradict"}"""
_HEDGE = """\
Change the question so that it looks just as answerable, but the passage no longer answers it: change one name, \
number or detail to another of the same kind that the passage never mentions. Then write a reply in one or two \
sentences that says what the passage does not tell and what it does tell instead. Both must be in the language with \
ISO 639 code "{language}". "changed" is the new name, number or detail, exactly as in your question. Answer with JSON \
only: {{"question": "...", "changed": "...", "reply": "..."}}"""


def write(model: Model, passage: str, language: str, count: int) -> Request:
    """Ask for questions with answers and quotes."""
    return _request(model, _WRITE.format(count=count, language=language), f"Passage:\n{passage}", "write")


def read(model: Model, passage: str, question: str, language: str) -> Request:
    """Ask for the answer, without showing the one that was written: the round trip."""
    return _request(model, _READ.format(language=language), f"Text:\n{passage}\n\nQuestion: {question}", "read")


def can_answer(model: Model, passage: str, question: str) -> Request:
    """Ask whether a text answers a question."""
    return _request(model, _CAN, f"Question: {question}\n\nText:\n{passage}", "answerable")


def entails(model: Model, premise: str, hypothesis: str) -> Request:
    """Ask whether a premise entails a hypothesis."""
    return _request(model, _ENTAILS, f"Premise:\n{premise}\n\nHypothesis:\n{hypothesis}", "entail")


def hedge(model: Model, passage: str, question: str, language: str) -> Request:
    """Ask for a question that the passage does not answer, close to one that it does."""
    return _request(model, _HEDGE.format(language=language), f"Passage:\n{passage}\n\nQuestion: {question}", "hedge")


def _request(model: Model, system: str, user: str, purpose: str) -> Request:
    """The instruction goes into the user's turn: some chat templates know no system role."""
    return Request(model, (Message("user", f"{system}\n\n{user}"),), purpose)
