"""Words: every language can say everything, in either register, in many ways, and says it by lot."""

import re
from itertools import product

import pytest

from filters.instruct.hedge.media import attributes
from filters.instruct.hedge.names import invented
from filters.instruct.hedge.swaps import contraries, opposites
from filters.instruct.phrases import REGISTERS, Voice, fill, languages, phrases
from filters.instruct.relations import with_subject, wordings

FULL = ("de", "en", "es", "fr", "it", "ja", "ko", "pt", "ru", "zh")
SLOTS = dict.fromkeys("abdknpqstvwxy", "Norvana")
# What may follow what in a hedge: (what is missing, what is there).
HEDGES = (
    ("h.absent", "h.have"), ("h.absent.many", "h.have.many"), ("h.year", "h.other_year"), ("h.no", "h.instead"),
    ("h.future", "h.other_year"), ("h.now", "h.picture.have"), ("h.which", "h.which.have"),
    ("h.unrecorded", "h.unrecorded.have"), ("h.private", "h.picture.have"), ("h.nopicture", "h.picture.have"),
    ("h.nosight", "h.nosight.have"), ("h.silent", "h.silent.have"), ("h.cell", "h.cell.have"),
)  # fmt: skip


def surfaces(language, register):
    """Return every wording of a hedge, without what is put in."""
    of = phrases(language).by_kind
    return {f"{a} {b}" for first, then in HEDGES for a, b in product(of[first, register], of[then, register])}


def test_sixteen_languages_have_words():
    assert set(FULL) < set(languages())
    assert len(languages()) >= 16


@pytest.mark.parametrize("language", languages())
def test_a_language_can_say_all_that_english_can(language):
    assert set(phrases(language).by_kind) == set(phrases("en").by_kind)


@pytest.mark.parametrize("register", REGISTERS)
@pytest.mark.parametrize("language", languages())
def test_a_hedge_has_at_least_forty_surfaces_in_a_language_and_register(language, register):
    assert len(surfaces(language, register)) >= 40


@pytest.mark.parametrize("language", languages())
def test_phrases_have_no_other_slots_and_take_all_of_them(language):
    for (kind, _), texts in phrases(language).by_kind.items():
        for text in texts:
            said = fill(text, language, SLOTS)
            assert not re.search(r"[{}]", said.text), (kind, text)
            assert all(said.text[slice(*span)] == "Norvana" for span in said.at.values())


@pytest.mark.parametrize("language", FULL)
def test_no_phrase_stands_twice_under_one_kind(language):
    for key, texts in phrases(language).by_kind.items():
        assert len(texts) == len(set(texts)), key


def test_a_frame_shows_passage_and_question_in_every_language():
    for language in languages():
        for (kind, _), texts in phrases(language).by_kind.items():
            if kind.startswith("frame."):
                assert all("{p}" in text and "{q}" in text for text in texts), (language, kind)


def test_quotation_marks_change_where_the_text_has_them_itself():
    assert fill("{S}", "ja", {"s": "これは「例」です。"}).text == "『これは「例」です。』"
    assert fill("{S}", "en", {"s": "plain"}).text == "“plain”"
    assert fill("{S}", "fr", {"s": "il dit «\xa0oui\xa0»"}).text == "“il dit «\xa0oui\xa0»”"


@pytest.mark.parametrize(
    ("language", "term", "shown"),
    [
        pytest.param("en", "apticron", "“apticron”", id="small letters are quoted"),
        pytest.param("en", "Debian Policy", "Debian Policy", id="a name stands out by itself"),
        pytest.param("de", "Heimnetzwerk", "„Heimnetzwerk“", id="a German noun is no name"),
        pytest.param("ru", "Дебиан", "Дебиан", id="Cyrillic capitals are capitals"),
        pytest.param("ja", "LVM", "「LVM」", id="Japanese quotes every term"),
        pytest.param("zh", "分区", "“分区”", id="so does Chinese"),
    ],
)
def test_a_term_is_quoted_where_it_would_not_stand_out(language, term, shown):
    assert fill("{x}", language, {"x": term}).text == shown


def test_a_twin_chooses_the_same_words_and_another_lot_others():
    voices = [Voice("en", 0, f"lot {n}") for n in range(60)]
    said = [voice.say("q.about", x="LVM").text for voice in voices]
    assert [voice.twin().say("q.about", x="LVM").text for voice in voices] == said
    assert len(set(said)) >= 6
    assert {voice.register for voice in voices} == set(REGISTERS)


def test_a_casual_voice_never_uses_a_formal_phrase():
    formal = phrases("de").by_kind["q.quote", "f"]
    for n in range(40):
        voice = Voice("de", 0, str(n), "c")
        assert voice.say("q.quote", x="X").text.replace("X", "{x}") not in set(formal) - set(
            phrases("de").by_kind["q.quote", "c"]
        )


@pytest.mark.parametrize("language", languages())
def test_opposites_go_both_ways_and_none_is_its_own(language):
    found = {(one.word, one.contrary) for one in opposites(language)}
    assert found and all((b, a) in found and a != b for a, b in found)


@pytest.mark.parametrize(
    ("language", "said", "expected"),
    [
        pytest.param("en", "This is enabled by default.", {"enabled": "disabled", "is": "is not"}, id="English"),
        pytest.param("en", "It is enabled, not disabled.", {"is": "is not"}, id="not where both stand already"),
        pytest.param("en", "The reenabled core.", {}, id="whole words only"),
        pytest.param("ja", "この設定は有効です。", {"有効": "無効"}, id="Japanese without spaces"),
        pytest.param(
            "ja", "起動することができません。", {"できません。": "できます。"}, id="the end of a Japanese verb"
        ),
        pytest.param("de", "Dazu ist keine Karte nötig.", {"keine": "eine"}, id="German inflects"),
        pytest.param("ko", "설치할 수 있습니다.", {"수 있습니다": "수 없습니다"}, id="Korean"),
    ],
)
def test_what_a_sentence_can_be_turned_into(language, said, expected):
    assert {one.word: one.contrary for _, one in contraries(said, language)} == expected


def test_attributes_of_one_line_exclude_one_another():
    for language in FULL:
        words = [word for group in attributes(language) for word in group]
        assert len(words) == len(set(words)) >= 8, language


def test_invented_names_are_in_the_writing_of_the_language():
    assert re.fullmatch(r"[一-龯]+", invented("ja", 7))
    assert re.fullmatch(r"[А-Яа-яё]+ [А-Яа-яё]+", invented("ru", 7))
    assert len({invented("en", n) for n in range(64)}) == 64
    assert invented("xx", 1) == ""


# What stands beside the gap is just another sentence: not the nearest, and not all there is.
MEASURED = re.compile(
    "nearest|closest|all (it|that)|nächst|Am ehesten|nur|lediglich|proche|seulement|juste|cercano|próximo|parecido|solo"
    "|único|vicin|soltanto|simile|Tutto|Só |Ближе|близк|лишь|только|近い|だけ(?!ど)|くらい|가까운|뿐|이것만|정도"
    "|接近|沾[边邊]|只|proper|Només|Tættest|eneste|Nærmest|Närmast|enda|dichtst|alleen|paling|hanya"
)


@pytest.mark.parametrize("language", languages())
def test_no_reply_calls_a_sentence_the_nearest_or_the_only_one(language):
    for (kind, _), texts in phrases(language).by_kind.items():
        if kind in ("h.have", "h.have.many", "h.other_year", "h.unrecorded.have"):
            assert not [text for text in texts if MEASURED.search(text)], kind


ASKS_FOR_A_PLACE = re.compile(
    r"\b(where|quote|wo|zitieren|où|citer|dónde|cite|dove|citi|onde|где(?!-)|процитируйте|citeu|hvor|citér|siter|var"
    r"|citera|waar|citeer|di mana|kutip)\b|どこ|引用|어디|인용|哪[里裡]|何[处處]|[请請]引",
    re.IGNORECASE,
)


@pytest.mark.parametrize("language", languages())
def test_whether_a_statement_is_so_is_asked_in_questions_that_yes_and_no_answer(language):
    texts = {text for register in REGISTERS for text in phrases(language).by_kind["q.claim", register]}
    assert not [text for text in texts if ASKS_FOR_A_PLACE.search(text)]


def test_french_and_korean_phrases_fit_whatever_letter_a_term_begins_or_ends_with():
    french = [text for texts in phrases("fr").by_kind.values() for text in texts]
    korean = [text for texts in phrases("ko").by_kind.values() for text in texts]
    assert not [text for text in french if re.search(r"\b(de|que) \{[xy]\}", text)]
    assert not [text for text in korean if re.search(r"\{[xyXYST]\}(라|로|야|이야|는|은|가|이 |를|을)", text)]


@pytest.mark.parametrize(
    ("form", "subject", "language", "said"),
    [
        pytest.param("La capitale de {s} est {v}.", "Oslo", "fr", "La capitale d’Oslo est {v}.", id="a vowel"),
        pytest.param("De {s} à {v}.", "Évry", "fr", "D’Évry à {v}.", id="a capital"),
        pytest.param("La capitale de {s} est {v}.", "Malte", "fr", "La capitale de Malte est {v}.", id="a consonant"),
        pytest.param("La capital de {s} es {v}.", "Oslo", "es", "La capital de Oslo es {v}.", id="another language"),
    ],
)
def test_a_relation_is_said_with_its_subject(form, subject, language, said):
    assert with_subject(form, subject, language) == said


def test_japanese_statements_are_as_polite_as_their_questions():
    for name, wording in wordings("ja").items():
        assert all(re.search("(です|ます|ました)。$", told) for told in wording.statements), name
