"""Captions and transcripts: what they say, when, and what they do not."""

import re

import pytest
from instruct_sources import SETTINGS, source

from filters.instruct.generators import made
from filters.instruct.media import clock
from filters.instruct.record import Cue

LINES = ("Welcome to the talk.", "Today I present the new scheduler.", "It has three queues and one lock.", "Goodbye.")


def film(**more):
    text, at, cues = "\n".join(LINES), 0, []
    for number, line in enumerate(LINES):
        cues.append(Cue(at, at + len(line), (number * 4000, number * 4000 + 3500)))
        at += len(line) + 1
    return source(text, modality="video", cues=tuple(cues), **more)


def found_in(source_):
    return list(made(source_, (), None, SETTINGS))


@pytest.mark.parametrize(
    ("language", "caption", "word"),
    [
        pytest.param("en", "A yellow pepper on a plate.", "yellow", id="English"),
        pytest.param("de", "Ein kleines Haus am Fluss.", "kleines", id="German inflects"),
        pytest.param("fr", "Une voiture verte devant la maison.", "verte", id="French agrees"),
        pytest.param("ja", "赤い風船が空に浮かんでいる。", "赤い", id="Japanese"),
        pytest.param("zh", "桌子上有一个红色的苹果。", "红色", id="Chinese"),
        pytest.param("ru", "Зелёный"[:0] + "На столе лежит зелёный перец.", "зелёный", id="Russian"),
    ],
)
def test_a_caption_is_questioned_with_one_attribute_changed_and_with_none(language, caption, word):
    ((hedge, twin),) = [one for one in found_in(source(caption, language, modality="image")) if isinstance(one, tuple)]
    assert hedge.hedge.reason == "premise.false_attribute" and hedge.hedge.edit.before == word
    false = caption.replace(word, hedge.hedge.edit.after)
    assert false in hedge.messages[0].content and caption in hedge.messages[1].content
    assert caption in twin.messages[0].content and false not in twin.messages[0].content


def test_what_another_caption_says_of_the_picture_is_not_called_wrong():
    every = ("red", "green", "blue", "white", "black", "pink", "purple", "brown", "grey", "gold", "silver")
    others = tuple(f"A {colour} pepper" for colour in every)
    assert not [
        one for one in found_in(source("A yellow pepper.", modality="image", mentions=others)) if isinstance(one, tuple)
    ]


def test_silence_of_a_caption_is_not_called_absence():
    reasons = [
        one[0].hedge.reason
        for one in found_in(source("A pepper on a plate.", modality="image"))
        if isinstance(one, tuple)
    ]
    assert reasons == []


def test_a_transcript_becomes_a_list_with_times_each_line_cited_with_its_own():
    page = film()
    listed = next(one for one in found_in(page) if not isinstance(one, tuple) and one.task == "transform")
    assert listed.messages[1].content.split("\n") == [f"- {clock(n * 4000)} {line}" for n, line in enumerate(LINES)]
    times = [listed.evidence[citation.evidence[0]].t_ms for citation in listed.citations]
    assert times == [(n * 4000, n * 4000 + 3500) for n in range(len(LINES))]


def test_a_time_after_the_end_has_nothing_said_and_its_twin_has():
    ((hedge, twin),) = [one for one in found_in(film()) if isinstance(one, tuple)]
    asked = re.findall(r"\d+:\d\d", hedge.hedge.edit.after)
    assert asked[0] in hedge.messages[0].content and asked[0] > "0:15"
    assert any(line in twin.messages[1].content for line in LINES)


def test_a_recording_of_sound_shows_nothing():
    text = "Please leave a message after the tone, and somebody will call you back before the end of the working day."
    found = [one for one in found_in(source(text, modality="audio")) if isinstance(one, tuple)]
    assert [hedge.hedge.reason for hedge, _ in found] == ["modality.wrong_modality"]
    assert text in found[0][0].messages[1].content


@pytest.mark.parametrize(("ms", "shown"), [(0, "0:00"), (75_300, "1:15"), (3_601_000, "1:00:01")])
def test_clock(ms, shown):
    assert clock(ms) == shown
