"""The auditor's checker on questions and answers that people wrote: long, for the package that ships them is large.

BIG-bench's source distribution (Apache-2.0) holds the development set of SQuAD 1.1 and the four sets of SQuADShifts
(CC BY 4.0; English), reading comprehension in Hindi and in Persian, and claims with evidence from VitaminC. No
package registry serves JSQuAD, JaQuAD or XQuAD, so there is no Japanese one here.
"""

import json
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from filters.instruct_audit.checker import Premise, supported
from filters.instruct_audit.corruption import KINDS, corrupted
from filters.instruct_audit.wilson import wilson
from pipelines.demo_input import exclusive, fetch_package, input_root

BIGBENCH = "bigbench-1.0.0"
TASKS = f"{BIGBENCH}/bigbench/benchmark_tasks"
WANTED = (
    *(f"{TASKS}/squad_shifts/{name}.json" for name in ("squaddev_v1.1", "new_wiki_v1.0", "nyt_v1.0")),
    f"{TASKS}/hindi_question_answering/task.json",
    f"{TASKS}/parsinlu_reading_comprehension/task.json",
    f"{TASKS}/vitaminc_fact_verification/task.json",
)
Asked = tuple[str, str, str]  # context, question, answer
pytestmark = pytest.mark.long


@cache
def human() -> Path:
    """Return the folder with the wanted tasks, unpacked into the cache; nothing is built."""
    final = input_root() / f"{BIGBENCH}-reading"
    with exclusive(f"{BIGBENCH}-reading"):
        if not final.exists():
            with tempfile.TemporaryDirectory(dir=input_root(), prefix=".bigbench-") as work:
                command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary=:all:", "--quiet"]
                subprocess.run([*command, BIGBENCH.replace("-", "==")], cwd=work, check=True, timeout=900)
                staged = Path(work) / "staged"
                with tarfile.open(Path(work) / f"{BIGBENCH}.tar.gz") as archive:
                    chosen = [member for member in archive if member.name in WANTED]
                    archive.extractall(staged, chosen, filter="data")
                (staged / TASKS).rename(final)
    return final


def squad(name: str) -> Iterator[Asked]:
    for article in json.loads((human() / "squad_shifts" / f"{name}.json").read_text())["data"]:
        for paragraph in article["paragraphs"]:
            for asked in paragraph["qas"]:
                yield paragraph["context"], asked["question"], asked["answers"][0]["text"]


def hindi() -> Iterator[Asked]:
    """Give those whose last sentence is the question and whose answer stands in the passage as people wrote it."""
    for each in json.loads((human() / "hindi_question_answering" / "task.json").read_text())["examples"]:
        context, mark, question = each["input"].rpartition("। ")
        if mark:
            yield context + mark, question, each["target"]


def persian() -> Iterator[Asked]:
    for each in json.loads((human() / "parsinlu_reading_comprehension" / "task.json").read_text())["examples"]:
        found = re.fullmatch(r"passage: '(.*)' question: '(.*)'", each["input"], re.DOTALL)
        targets = [each["target"]] if isinstance(each["target"], str) else each["target"]
        if found and targets:
            yield found[1], found[2], targets[0]


def rates(rows: list[Asked], language: str) -> tuple[float, float]:
    """Return (answers that their own passage is found to support, answers of others that it is found not to)."""
    kept = refused = foreign = 0
    for n, (context, question, answer) in enumerate(rows):
        asked, premise = Premise((question,)), Premise((context,))
        kept += supported(answer, language, premise, asked)
        other = rows[(7919 * n + 1009) % len(rows)][2]
        if other.casefold() not in context.casefold():
            foreign += 1
            refused += not supported(other, language, premise, asked)
    return kept / len(rows), refused / foreign


@pytest.mark.parametrize("name", ["squaddev_v1.1", "new_wiki_v1.0", "nyt_v1.0"])
def test_people_s_answers_are_supported_by_their_passages_and_by_no_other(name: str) -> None:
    kept, refused = rates(list(squad(name)), "en")
    assert kept >= 0.995 and refused >= 0.995


def test_hindi_and_persian_answers_are_told_too() -> None:
    literal = [each for each in hindi() if each[2] in each[0]]
    kept, refused = rates(literal, "hi")
    assert len(literal) > 4000 and kept >= 0.98 and refused >= 0.98
    literal = [each for each in persian() if each[2] in each[0]]
    kept, refused = rates(literal, "fa")
    assert len(literal) > 200 and kept >= 0.97 and refused >= 0.95


def test_what_the_checker_can_t_tell_of_paraphrases_is_known() -> None:
    """Claims with evidence that people wrote (VitaminC): a literal checker must not be the judge of paraphrases."""
    counts = {"True": [0, 0], "False": [0, 0]}
    for each in json.loads((human() / "vitaminc_fact_verification" / "task.json").read_text())["examples"][:20000]:
        evidence, _, claim = each["input"].partition("\nClaim: ")
        label = next(name for name, score in each["target_scores"].items() if score)
        if label in counts:
            counts[label][0] += supported(claim, "en", Premise((evidence,)))
            counts[label][1] += 1
    accepted = {label: wilson(*pair) for label, pair in counts.items()}
    assert accepted["True"].low > accepted["False"].high  # it tells something,
    assert accepted["False"].value > 0.05 and accepted["True"].value < 0.95  # and is no judge


LOCALES = {"en": "en-US", "de": "de-DE", "es": "es-ES", "ru": "ru-RU", "ja": "ja-JP"}
_END = re.compile(r"(?<=[.!?])\s+(?=[A-ZА-ЯÀ-Þ])|(?<=[。！？])")


def manual(locale: str) -> list[tuple[str, str]]:
    """Return (sentence, its paragraph) of the Debian handbook."""
    import html

    found = []
    for path in sorted((fetch_package("debian-handbook").page_folder / locale).rglob("*.html")):
        for body in re.findall(r'<div class="para">(.*?)</div>', path.read_text("utf-8", "replace"), re.DOTALL):
            text = " ".join(html.unescape(re.sub(r"<[^>]+>", "", body)).split())
            found += [(each.strip(), text) for each in _END.split(text) if len(text) > 80 and len(each.strip()) > 15]
    return found[:5000]


@pytest.mark.parametrize("language", LOCALES)
def test_corrupted_sentences_of_a_manual_are_refused_in_every_language(language: str) -> None:
    claims = manual(LOCALES[language])
    assert all(supported(claim, language, Premise((text,))) for claim, text in claims)
    others = [claim for claim, _ in claims]
    for kind in KINDS:
        made = [(corrupted(claim, kind, language, text, others), text) for claim, text in claims]
        false = [(claim, text) for claim, text in made if claim is not None]
        dead = sum(not supported(claim, language, Premise((text,))) for claim, text in false)
        assert dead >= 0.99 * len(false), (kind, len(false) - dead, len(false))
        assert len(false) > 200 or kind in ("date", "entity")


MONTHS = {
    "en": ("{d} {m} {y}", "January March June December"),
    "de": ("{d}. {m} {y}", "Januar März Juni Dezember"),
    "es": ("{d} de {m} de {y}", "enero marzo junio diciembre"),
    "ru": ("{d} {m} {y}", "января марта июня декабря"),
    "ja": ("{y}年{m}月{d}日", "1 3 6 12"),
}


@pytest.mark.parametrize("language", MONTHS)
def test_every_other_date_is_refused(language: str) -> None:
    shape, months = MONTHS[language]
    dates = [shape.format(d=d, m=m, y=y) for d in (1, 9, 28) for m in months.split() for y in (1776, 1867, 2019)]
    for stated in dates:
        premise = Premise((f"X {stated} Y",))
        assert [each for each in dates if supported(f"{each}", language, premise)] == [stated]
