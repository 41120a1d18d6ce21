"""A planted corpus: what is true is known, a tenth of what is said is false, an article stands on twenty sites, and one
site lies about a fifth. What is accepted is held against the truth."""

import hashlib
import json

import pytest

from filters.instruct.facts import Accepting, decide, new_tally
from filters.instruct.publishers import publisher_of
from filters.instruct.record import Source, sha256_of
from filters.instruct.statements import Page, statements_of
from pipelines.instruct.facts import told_of
from pipelines.instruct.read import statement_rows

SUBJECTS = 400
FALSE_SHARE = 0.10
COPIES = 20
WORDS = {
    "en": ("The capital of {s} is {v}.", "{v} is the capital of {s}.", "{s}'s capital is {v}."),
    "ja": ("{s}の首都は{v}である。", "{v}は{s}の首都です。", "{s}の首都は{v}です。"),
    "de": ("Die Hauptstadt von {s} ist {v}.", "{v} ist die Hauptstadt von {s}.", "Die Hauptstadt von {s} ist {v}."),
}
FILLER = {
    "en": ("People there like to walk.", "Its rivers are long and slow.", "Much of it is forest.", "Winters are mild."),
    "ja": ("人々は散歩を好む。", "川は長くゆるやかである。", "大部分は森林である。", "冬は穏やかである。"),
    "de": ("Dort wandert man gern.", "Die Flüsse sind lang.", "Vieles davon ist Wald.", "Die Winter sind mild."),
}


def lot(*parts, most):
    return int.from_bytes(hashlib.sha256("/".join(map(str, parts)).encode()).digest()[:6], "big") % most


def name(number, language):
    if language == "ja":
        return "".join("カキクケコサシスセソ"[int(digit)] for digit in f"{number:04d}") + "国"
    return "".join("abcdefghij"[int(digit)] for digit in f"{number:04d}").capitalize() + "land"


def city(number, language, way):
    letters = f"{lot(number, way, most=9000) + 1000}"
    if language == "ja":
        return "".join("アイウエオナニヌネノ"[int(digit)] for digit in letters) + "市"
    return "".join("klmnoprstu"[int(digit)] for digit in letters).capitalize() + "burg"


def page(domain, language, number, sentences):
    text = "\n".join(sentences)
    title = f"{domain} {number}"
    url = f"http://www.{domain}/{language}/{number}.html"
    facts = statements_of(Page(text, language, title, (), (), ()))
    publisher = publisher_of(url, {})
    doc_id = hashlib.sha256(url.encode()).hexdigest()[:32]
    return Source(doc_id, text, sha256_of(text), url, *publisher, None, language, doc_id, title=title, facts=facts)


def said(language, number, value, *way):
    """Return some sentences of a publisher's own around what it says."""
    own = sorted(FILLER[language], key=lambda filler: lot(filler, *way, most=1 << 40))
    words = WORDS[language][lot("words", *way, most=3)].format(s=name(number, language), v=value)
    notes = [f"{each} {lot(each, *way, most=10**9)}" for each in own[:3]]
    return [notes[0], words, *notes[1:]]


def planted():
    """Yield the sources: independent pages, a false article on twenty sites, a site that lies."""
    for number in range(SUBJECTS):
        language = list(WORDS)[number % 3]
        for which in range(lot("tellers", number, most=8)):
            domain = f"site-{lot('domain', number, which, most=997)}.org"
            is_false = lot("false", number, which, most=1000) < FALSE_SHARE * 1000
            value = city(number, language, f"wrong {which}" if is_false else "true")
            yield page(domain, language, number, said(language, number, value, domain, which))
        if number % 5 == 1:
            yield page("liar.com", language, number, said(language, number, city(number, language, "lie"), "liar"))
            yield page("forum.liar.com", language, number, said(language, number, city(number, language, "lie"), "fan"))
        if number % 10 == 0:
            article = said(language, number, city(number, language, "myth"), "agency")
            for copy in range(COPIES):
                around = [f"{FILLER[language][0]} {copy}", *article, f"{FILLER[language][1]} {copy}"]
                yield page(f"copy-{copy}.net", language, number, around)


@pytest.fixture(scope="module")
def facts():
    tallies = {}
    for source in planted():
        for row in statement_rows(source):
            key = (row["subject_key"], row["relation"], row["as_of"])
            tallies.setdefault(key, new_tally(*key)).add(told_of(json.loads(row["told"])))
    return [decide(tally, Accepting()) for tally in tallies.values()]


def truth():
    keys = {}
    for number in range(SUBJECTS):
        language = list(WORDS)[number % 3]
        keys[name(number, language).casefold()] = city(number, language, "true").casefold()
    return keys


def test_hardly_anything_false_is_accepted(facts):
    accepted = [fact for fact in facts if fact.status == "accepted"]
    right = truth()
    false = [fact for fact in accepted if fact.values[0].value_key != right[fact.subject_key]]
    assert len(accepted) >= SUBJECTS // 5, "a gate that lets nothing through proves nothing"
    assert len(false) <= 0.005 * len(accepted)


def test_an_article_on_twenty_sites_counts_once(facts):
    copied = [fact for fact in facts if any(value.n_domains >= COPIES for value in fact.values)]
    assert len(copied) == SUBJECTS // 10
    for fact in copied:
        myth = max(fact.values, key=lambda value: value.n_domains)
        assert myth.n_clusters == 1
        assert fact.values[0] is not myth or fact.status != "accepted"


def test_what_one_site_says_alone_is_never_accepted(facts):
    alone = [fact for fact in facts if fact.corroboration.n_domains == 1]
    assert alone
    assert {fact.status for fact in alone} <= {"low", "conflict"}


def test_truth_with_a_liar_beside_it_needs_enough_who_agree(facts):
    """One liar against n: nine tenths agree from nine tellers on, so with fewer the fact is disputed."""
    disputed = [fact for fact in facts if fact.status == "conflict"]
    assert disputed
    assert all(fact.corroboration.agree < 0.9 or fact.corroboration.conflicts for fact in disputed)
