"""Small readings on which facts and sentences turn: ordinals, years, abbreviations, wordings, dates made false."""

from dataclasses import replace

import pytest
from instruct_sources import SETTINGS, source
from test_instruct_facts import many, page, tally_of

from filters.instruct.abbreviations import abbreviations, best_first
from filters.instruct.closed import closed_book
from filters.instruct.desk import desk_of
from filters.instruct.facts import Accepting, decide
from filters.instruct.hedge.present import is_of_its_time
from filters.instruct.passages import stretches
from filters.instruct.phrases import languages as phrased
from filters.instruct.record import Settings
from filters.instruct.relations import languages, wordings
from filters.instruct.source import pairs_of, sections_of
from filters.instruct.span_qa import candidates
from filters.instruct.spans import goes_on
from filters.instruct.statements import statements_of
from filters.instruct.terms import YEAR, is_untranslated, numbers, terms
from filters.instruct.words import patterns
from filters.instruct_audit.checker import Premise, supported
from filters.instruct_audit.corruption import corrupted

GERMAN = (
    "Debian 3.0 wurde am 19. Juli 2002 veröffentlicht, und zwar für elf Architekturen auf einmal. "
    "Im 20. Jahrhundert hatte niemand damit gerechnet, dass es so viele werden würden. "
    "Die zweite Konferenz fand vom 3. bis zum 5. Juli 2001 in Bordeaux statt und war gut besucht. "
    "Es gab 7. Das war dem Projekt zu wenig, und so beschloss man im Herbst noch eine weitere Konferenz."
)


def test_a_german_ordinal_ends_no_sentence():
    (stretch,) = stretches(source(GERMAN, "de"), SETTINGS)
    said = [stretch.said(index) for index in range(len(stretch.sentences))]
    assert len(said) == 5
    assert said[0].endswith("auf einmal.") and said[2].endswith("gut besucht.") and said[3] == "Es gab 7."


@pytest.mark.parametrize(
    ("text", "language", "years"),
    [
        pytest.param("выпущен 19 июля 2002 для процессоров", "ru", ["2002"], id="behind a Russian month"),
        pytest.param("в 1999 году", "ru", ["1999"], id="before a Russian word for year"),
        pytest.param("порт 2002 занят", "ru", [], id="a number"),
        pytest.param("2002 年 7 月", "ja", ["2002"], id="Japanese"),
        pytest.param("publicada el 9 de marzo de 1999", "es", ["1999"], id="Spanish"),
    ],
)
def test_years(text, language, years):
    assert [term.text for term in terms(text, language) if term.kind == YEAR] == years


def test_every_dated_sentence_of_a_passage_is_asked_about_once_at_most():
    text = (
        "The first conference was held in July 2000 in the south of France, and forty people came to it. "
        "The second conference was held in August 2002, and it had more than eighty visitors in the end. "
        "In March 2003 the project counted its members, and there were nearly a thousand of them. "
    )
    desk = desk_of(source(text, "en"), (), None, SETTINGS)
    asked = [each.messages[0].content for each in candidates(desk)]
    ends = [f"{each.partition(chr(10))[0]} {each.rpartition(chr(10))[2]}" for each in asked]  # the text is between
    assert all(sum(f" {year}" in each for each in ends) >= 1 for year in ("2000", "2002", "2003"))
    assert len(set(asked)) == len(asked) >= 3


@pytest.mark.parametrize(
    ("text", "long"),
    [
        pytest.param("the Secure Sockets Layer (SSL) is old", "Secure Sockets Layer", id="a word for each letter"),
        pytest.param("a Transport Layer Security (TLS) library", "Transport Layer Security", id="no more than these"),
        pytest.param(
            "the HyperText Transfer Protocol (HTTP) of old", "HyperText Transfer Protocol", id="a letter inside"
        ),
        pytest.param("der Secure Sockets Layer（SSL）", "Secure Sockets Layer", id="wide parentheses"),
    ],
)
def test_the_long_form_is_what_all_letters_begin(text, long):
    assert [each.long for each in abbreviations(text)] == [long]


def test_what_says_more_than_its_relation_is_read_and_never_told():
    (fact,) = statements_of(page("Lima is a city in Peru."))
    assert (fact.subject, fact.relation, fact.value) == ("Lima", "country", "Peru")
    for code in languages():
        for wording in wordings(code).values():
            assert wording.statements and set(wording.statements) <= set(wording.heard)
            assert not any("~" in each for each in wording.heard)
    asked = closed_book(decide(tally_of(many(3, "Peru"), "country"), Accepting()), Settings())
    assert not any("city" in each.messages[1].content for each in asked)


def test_only_what_writes_the_answer_so_is_cited_for_it():
    other = [replace(each, value_key="domain keys") for each in many(1, "Domain-Keys", start=3)]
    said = [*many(3, "Domain Keys"), *other]
    made = list(closed_book(decide(tally_of(said, "full_form"), Accepting()), Settings()))
    assert made
    for each in made:
        (citation,) = each.citations
        assert {each.evidence[at].quote for at in citation.evidence} == {each.answer.text}
        assert len({evidence.domain for evidence in each.evidence}) == 4


@pytest.mark.parametrize(
    ("claim", "language"),
    [
        pytest.param("La fundación se hizo en noviembre de 1994 en Madrid.", "es", id="Spanish"),
        pytest.param("Im November 1995 kam die erste Version heraus.", "de", id="German"),
        pytest.param("В ноябре 1995 года вышел первый выпуск.", "ru", id="Russian"),
        pytest.param("Il progetto è nato nel luglio 2003 a Oslo.", "it", id="Italian"),
        pytest.param("1994 年 1 月に公開された。", "ja", id="Japanese"),
        pytest.param("It came out in May 2001 at last.", "en", id="English"),
    ],
)
def test_a_month_of_another_year_is_refused(claim, language):
    false = corrupted(claim, "date", language, claim)
    assert false is not None and false != claim
    assert supported(claim, language, Premise((claim,)))
    assert not supported(false, language, Premise((claim,)))


def test_what_stands_between_two_german_quotations_is_none():
    claim = "Die als »Debian 1.0« deklarierten Dateien auf dem »InfoMagic Resource Set« waren es nicht."
    false = corrupted(claim, "quote", "de", claim)
    assert false is not None and "deklarierten Dateien auf dem" in false
    assert not supported(false, "de", Premise((claim,)))


@pytest.mark.parametrize(
    ("said", "language", "expected"),
    [
        pytest.param(
            "Then it looks up the Master Boot Record of the first disk in the order.", "es", True, id="English"
        ),
        pytest.param("The sources of the kernel are in the package.", "en", False, id="in English it is right"),
        pytest.param("El proyecto GNOME publica «The Book of the Desktop» cada año.", "es", False, id="a title"),
        pytest.param("Finally, the examiner checks the candidate's skills.", "zh", True, id="English in Chinese"),
        pytest.param("用 apt-get dist-upgrade 升级整个系统。", "zh", False, id="Chinese with a command"),
        pytest.param("Команда nmap выполняет те же функции, что и netstat.", "ru", False, id="Russian with names"),
        pytest.param("Unless firmware lookup is disabled, it loads the file.", "ru", True, id="English in Russian"),
        pytest.param(
            "De bron is van het project of van de auteur zelf.", "nl", False, id="Dutch has words like English"
        ),
    ],
)
def test_what_nobody_translated_is_told(said, language, expected):
    assert is_untranslated(said, language) is expected


@pytest.mark.parametrize(
    ("said", "language", "expected"),
    [
        pytest.param("The build system currently has considerable limitations.", "en", True, id="en currently"),
        pytest.param("At the time of writing, this feature is untested.", "en", True, id="en at the time of writing"),
        pytest.param("In the 14th century, Chaucer began a trend that is currently read.", "en", False, id="a century"),
        pytest.param("By the 1740s, alchemy was currently restricted.", "en", False, id="a decade"),
        pytest.param("In 1999, the rate was 74 percent, the most recent one.", "en", False, id="a year"),
        pytest.param("It is composed of vertebrae which are lightweight yet strong.", "en", False, id="yet"),
        pytest.param("Let us now briefly describe what is currently popular.", "en", False, id="let us"),
        pytest.param("The shutdown can be scheduled for right now.", "en", False, id="right now"),
        pytest.param("Regular upgrades include the latest security updates.", "en", False, id="latest"),
        pytest.param("At this time, the installer should be ready.", "en", False, id="at this time"),
        pytest.param("Make sure to back up what is currently on the disk.", "en", False, id="an imperative"),
        pytest.param("It prints the currently running processes.", "en", False, id="an adjective"),
        pytest.param("If the disk is full, it is currently not written.", "en", False, id="a condition"),
        pytest.param("今のところ、suEXEC は実行を許可していません。", "ja", True, id="ja so far"),
        pytest.param("ps は現在実行中のプロセスをリストします。", "ja", False, id="ja running now"),
        pytest.param("最新情報については、ページにて確認できます。", "ja", False, id="ja latest"),
        pytest.param("主线内核目前缺少对 USB 的支持。", "zh", True, id="zh at present"),
        pytest.param("它们包含最新的安全更新。", "zh", False, id="zh latest"),
        pytest.param("重新启动后，我们目前可以启动 domU。", "zh", False, id="zh we"),
        pytest.param("Actuellement, suEXEC ne permet pas cela.", "fr", True, id="fr actuellement"),
        pytest.param("Affiche la liste des URLs actuellement stockées.", "fr", False, id="fr an option"),
        pytest.param("Faisons maintenant un tour d'horizon.", "fr", False, id="fr let us"),
        pytest.param("Heutzutage sind die Produktzyklen kurz.", "de", True, id="de heutzutage"),
        pytest.param("Alle derzeit laufenden Prozesse werden beendet.", "de", False, id="de an adjective"),
        pytest.param("Actualmente, el correo es importante.", "es", True, id="es actualmente"),
        pytest.param("Una herramienta más reciente es wireshark.", "es", False, id="es recent"),
        pytest.param("Vediamo ora di descrivere le distribuzioni.", "it", False, id="it let us"),
        pytest.param("현재는 지원하지 않습니다.", "ko", True, id="ko at present"),
        pytest.param("지금 시스템에 있는 파일을 백업해 두십시오.", "ko", False, id="ko an imperative"),
        pytest.param("В настоящее время формат выбирается сам.", "ru", True, id="ru at present"),
        pytest.param("Теперь пришло время разметки дисков.", "ru", False, id="ru the next step"),
    ],
)
def test_only_what_is_so_at_present_may_be_otherwise_later(said, language, expected):
    assert is_of_its_time(said, language) is expected


def test_every_language_has_the_words_of_its_time():
    for name in ("now", "urging", "conditional"):
        assert {code.partition("-")[0] for code in phrased()} <= set(patterns(name)), name


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("6. Put 3 members of the team in front.", ["3"], id="an item"),
        pytest.param("It has 4 disks.\n 10) Remove 2 of them.", ["4", "2"], id="an item with a parenthesis"),
        pytest.param("1、请输入 12 个字符。", ["12"], id="a Chinese item"),
        pytest.param("行を削除して[14]、もう一度 2 回行います。", ["2"], id="a footnote"),
        pytest.param("See interfaces(5) for the 3 options of (2).", ["3"], id="a section of the manual"),
        pytest.param("100 of them (about 7 percent) were sold for 2.5.", ["100", "7", "2.5"], id="amounts"),
    ],
)
def test_numbers_of_items_and_notes_are_no_amounts(text, expected):
    assert [term.text for term in numbers(text)] == expected


@pytest.mark.parametrize(
    ("spellings", "best"),
    [
        pytest.param(
            {"Certificate Revocation Lists": 2, "Certificate Revocation List": 1},
            "Certificate Revocation List",
            id="half write it in the singular",
        ),
        pytest.param(
            {"Comma separated value": 1, "comma-separated values": 1, "comma-separated-values": 1},
            "comma-separated values",
            id="a capital of the sentence",
        ),
        pytest.param({"Free Software Foundations": 1, "Free software Foundation": 1}, None, id="no singular is even"),
        pytest.param({"Pluggable Authentication Modules": 4}, "Pluggable Authentication Modules", id="plural alone"),
        pytest.param(
            {"comma-separated values": 9, "comma-separated value": 2}, "comma-separated values", id="few singulars"
        ),
    ],
)
def test_the_best_spelling_of_a_long_form(spellings, best):
    ordered = best_first(spellings)
    assert sorted(ordered) == sorted(spellings)
    assert ordered[0] == (best or "Free Software Foundations")


@pytest.mark.parametrize(
    ("heading", "answer", "expected"),
    [
        pytest.param("Is the user a valid user of this system?", "This is to ensure it.", False, id="en"),
        pytest.param("2. Can I disable anonymous logins?", "Yes, remove the sections.", True, id="en with a yes"),
        pytest.param("Why is the connection slow?", "The device blocks it.", True, id="en why"),
        pytest.param("Was bedeutet älter?", "Wirklich alt ist gemeint.", True, id="de what"),
        pytest.param("Kann man das ändern?", "Die Datei liegt in /etc.", False, id="de"),
        pytest.param("Le répertoire est-il dans l'espace web ?", "Si la requête y mène.", False, id="fr"),
        pytest.param("Pourquoi les variables ne sont-elles pas là ?", "Une option manque.", True, id="fr why"),
        pytest.param("Y a-t-il une différence ?", "Oui, elle est petite.", True, id="fr with a yes"),
        pytest.param("このユーザは正当なユーザか?", "これは保証するためです。", False, id="ja"),
        pytest.param("いつこのドキュメントは修正されたのか?", "最後に変更された日です。", True, id="ja when"),
        pytest.param("这个用户有效吗？", "这是为了确认用户。", False, id="zh"),
        pytest.param("지정한 사용자가 superuser가 아닌가?", "현재 실행할 수 없다.", False, id="ko"),
        pytest.param("이 문서가 언제 수정되었나?", "마지막으로 수정한 날이다.", True, id="ko when"),
        pytest.param("Поддерживает ли система потоки?", "Это зависит от ядра.", False, id="ru"),
        pytest.param("¿Hay una versión nueva?", "Sí, desde hace un mes.", True, id="es with a yes"),
    ],
)
def test_a_heading_that_asks_for_yes_or_no_has_such_an_answer(heading, answer, expected):
    text = f"{heading}\n{answer} {'x' * 80}.\n"
    found = pairs_of(text, sections_of(text, []), [])
    assert [pair.question for pair in found] == [heading] * expected


@pytest.mark.parametrize(
    ("text", "following", "expected"),
    [
        pytest.param("자세한 방법은 5.3절.", "“부팅 파라미터”를 참고하십시오.", True, id="ko a section"),
        pytest.param("방법은 이 절.", "“부팅”을 참고하십시오.", False, id="ko no number"),
        pytest.param("Die 19.", "DebConf fand in Asien statt.", True, id="de before a name"),
        pytest.param("Es war der 19.", "Das war spät.", False, id="de the end"),
        pytest.param("Den 19.", "DebConf blev holdt i år.", True, id="da before a name"),
        pytest.param("There were 19.", "Debian has more.", False, id="en a number"),
    ],
)
def test_a_number_before_what_it_counts_ends_no_sentence(text, following, expected):
    assert goes_on(text, following) is expected


def test_a_full_stop_behind_a_japanese_end_begins_the_name_that_follows():
    said = "このモジュールは変更無しで使い続けられるように書かれていますので、とても便利なものだと言えます。"
    text = f"{said}.DEF ファイルはモジュールの名前を決めるために、どの環境でも最初に読まれることになっています。{said}"
    (stretch,) = stretches(source(text, "ja"), SETTINGS)
    found = [stretch.said(index) for index in range(len(stretch.sentences))]
    assert found[0] == said and found[1].startswith(".DEF")


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        pytest.param("We saw the Gulf of Mexico there.", "en", ["Gulf of Mexico"], id="a name with of"),
        pytest.param("Mount of Olives is what we saw.", "en", [], id="a piece at the beginning"),
        pytest.param("He liked Brazilian football in Norvana.", "en", ["Norvana"], id="an adjective"),
        pytest.param("They speak Norvanese at home.", "en", ["Norvanese"], id="a language"),
        pytest.param("He ran Debian packages there.", "en", ["Debian"], id="no people"),
        pytest.param("Vimos el Golfo de México allí.", "es", [], id="Spanish pieces"),
        pytest.param("これは非同期書き込みである。", "ja", [], id="half of a verb"),
        pytest.param("仮想計算機に接続する。", "ja", ["仮想計算機"], id="before a particle"),
    ],
)
def test_pieces_of_names_and_adjectives_are_no_topics(text, language, expected):
    assert [term.text for term in terms(text, language)] == expected
