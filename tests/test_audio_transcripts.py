"""Texts that stand beside sounds: which sound they are of, and what of them a segment says."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.audio.transcripts import clean, spoken, texts_of
from pipelines.demo_input import fetch_package
from pipelines.stages.sidecars import key_of, media_keys

SRT = "1\n00:00:01,000 --> 00:00:02,500\nBonjour.\n\n2\n00:00:04,000 --> 00:00:06,000\n<i>Ça va ?</i>\n"


def of(uri, media_type, text):
    payload = text if isinstance(text, bytes) else text.encode()
    return list(texts_of(uri, media_type, payload))


@pytest.mark.parametrize(
    ("uri", "media_type", "text", "sound", "expected"),
    [
        pytest.param("in:a/b.txt", "text/plain", "声が　聞こえる\n", "in:a/b.flac", "声が　聞こえる", id="a text file"),
        pytest.param("in:x.tar#k1.txt", "text/plain", "नमस्ते", "in:x.tar#k1.wav", "नमस्ते", id="a text in an archive"),
        pytest.param("in:b.json", "application/json", '{"text": "สวัสดี"}', "in:b.mp3", "สวัสดี", id="a field of JSON"),
        pytest.param(
            "in:b.json", "application/json", '{"sentence": "안녕"}', "in:b.mp3", "안녕", id="Common Voice's field"
        ),
        pytest.param("in:b.srt", "application/x-subrip", SRT, "in:b.ogg", "Bonjour.\nÇa va ?", id="subtitles"),
        pytest.param("in:b.fr.srt", "application/x-subrip", SRT, "in:b.ogg", "Bonjour.\nÇa va ?", id="of a language"),
        pytest.param(
            "in:en/core-sounds-en.txt",
            "text/plain",
            "; a note\nletters/a: A\n",
            "in:en/letters/a.gsm",
            "A",
            id="a table",
        ),
        pytest.param(
            "in:d/84-1.trans.txt",
            "text/plain",
            "84-1-0 GO ON\n84-1-1 STOP\n",
            "in:d/84-1-1.flac",
            "STOP",
            id="LibriSpeech",
        ),
        pytest.param(
            "https://a.example/v.mp3",
            "application/warc-fields",
            "caption: مرحبا\r\n",
            "https://a.example/v.mp3",
            "مرحبا",
            id="what the crawl knew",
        ),
    ],
)
def test_a_text_meets_its_sound(uri, media_type, text, sound, expected):
    met = {found.key: found for found in of(uri, media_type, text)}
    (key,) = set(met) & set(media_keys(sound))
    assert clean(met[key].text).split() == expected.split()


@pytest.mark.parametrize(
    ("media_type", "text"),
    [
        pytest.param("application/json", b"{", id="JSON that does not end"),
        pytest.param("application/json", b"[" * 100_000, id="JSON that is too deep"),
        pytest.param("application/json", b'{"text": 3}', id="a number"),
        pytest.param(
            "application/json", b'[{"text": "x", "start": 2, "end": 1}]', id="a piece that ends before it starts"
        ),
        pytest.param("application/json", b'[{"text": "x", "start": NaN, "end": 1}]', id="a time that is no number"),
        pytest.param("application/x-subrip", b"no times here", id="subtitles without times"),
        pytest.param("text/plain", b" \n ", id="white space"),
    ],
)
def test_what_is_no_transcript_is_none(media_type, text):
    assert not [found for found in of("in:a.x", media_type, text) if clean(found.text)]


def test_captions_of_stamps_are_what_the_spoken_captions_say():
    root = fetch_package("tuxpaint-stamps-default").root / "usr/share/tuxpaint/stamps/animals/birds"
    found = {
        one.key: one for path in root.glob("*.txt") for one in of(f"in:{path.name}", "text/plain", path.read_bytes())
    }
    names = sorted(path.name for path in root.glob("*_desc*.ogg"))
    met = {name: found[key_of(f"in:{name[:-4]}")] for name in names if key_of(f"in:{name[:-4]}") in found}
    assert len(met) > 0.95 * len(names) > 300
    assert met["hen_desc_fr.ogg"][3:5] == ("Une poule marron.", "fr")
    assert {one.language for one in met.values()} >= {"en", "fr", "ru", "el", "ca", "be"}
    sounds = [path.name for path in root.glob("*.ogg") if "_desc" not in path.name]
    assert sounds
    assert not [name for name in sounds if key_of(f"in:{name[:-4]}") in found]  # a bird's song is not its caption


WHISPER = {
    "language": "en",
    "segments": [{"start": 0.0, "end": 2.0, "text": " Hi"}, {"start": 5, "end": 7.0, "text": "you"}],
}


def row(start_s, end_s, *, holds_all=False):
    return {"start_s": start_s, "end_s": end_s, "holds_all_speech": holds_all}


def test_timed_pieces_go_to_the_segment_in_which_their_middle_lies():
    (found,) = of("in:a.json", "application/json", json.dumps(WHISPER))
    text = found.row()
    assert [each["text"] for each in spoken(row(0, 4), text)] == ["Hi"]
    assert spoken(row(4.5, 6.5), text) == [{"start_s": 0.5, "end_s": 2.0, "text": "you", "language": "en"}]
    assert spoken(row(2.5, 4), text) == []


def test_a_text_of_the_whole_file_is_only_that_of_the_segment_that_holds_all_of_its_speech():
    (found,) = of("in:a.txt", "text/plain", "All of it.")
    assert spoken(row(0.2, 3.1), found.row()) == []
    assert [each["text"] for each in spoken(row(0.2, 3.1, holds_all=True), found.row())] == ["All of it."]


CUES = st.lists(st.tuples(st.integers(0, 1000), st.integers(1, 100)), max_size=20)


@given(CUES, st.lists(st.integers(0, 1200), min_size=2, max_size=8, unique=True))
def test_every_piece_is_in_at_most_one_segment_and_inside_of_it(cues, borders):
    said = [{"start_s": a / 10, "end_s": (a + n) / 10, "text": f"{a}+{n}", "language": None} for a, n in cues]
    text = {"cues": said, "text": "", "language": "ja"}
    edges = [border / 10 for border in sorted(borders)]
    segments = [row(a, b) for a, b in pairwise(edges)]
    given_out = [each for segment in segments for each in spoken(segment, text)]
    inside = [each for each in said if edges[0] <= (each["start_s"] + each["end_s"]) / 2 < edges[-1]]
    assert sorted(each["text"] for each in given_out) == sorted(each["text"] for each in inside)
    for segment in segments:
        for each in spoken(segment, text):
            assert 0 <= each["start_s"] <= each["end_s"] <= segment["end_s"] - segment["start_s"] + 1e-9
