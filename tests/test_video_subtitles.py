"""Subtitles: what players show, in the order of time, without the mark-up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from video_samples import peer

from filters.video.subtitles import Cue, plain_text, read_cues, read_subtitles, transcript, without_repeats

VTT = """WEBVTT - a title

NOTE
00:00:00.000 --> 00:00:09.000
not a cue

STYLE
::cue { color: red }

intro
00:01.000 --> 00:02.500 align:start position:10%
<v Fred>Hi, <i>all</i> &amp; sundry

2
00:00:03.000 --> 00:00:04.000
<c.yellow>two</c>
lines<00:00:03.500> timed
"""
SRT = """1
00:00:01,000 --> 00:00:02,500
<font color="#fff">Hi,</font> {\\an8}all

2
00:00:03,000 --> 00:00:04,000
two
lines
"""


def said(text):
    return [(cue.start_us // 1000, cue.end_us // 1000, cue.text) for cue in read_cues(text).cues]


def test_webvtt():
    assert said(VTT) == [(1000, 2500, "Hi, all & sundry"), (3000, 4000, "two\nlines timed")]


def test_subrip():
    assert said(SRT) == [(1000, 2500, "Hi, all"), (3000, 4000, "two\nlines")]


@pytest.mark.parametrize("text", [pytest.param(VTT, id="vtt"), pytest.param(SRT, id="srt")])
def test_webvtt_py_finds_the_same_cues(text, tmp_path):
    peer("webvtt-py==0.6.0")
    import webvtt

    text = text.replace("NOTE\n00:00:00.000 --> 00:00:09.000\nnot a cue\n\n", "")  # which it takes for a cue
    path = tmp_path / "film.srt"
    path.write_text(text)
    theirs = webvtt.from_string(text) if "WEBVTT" in text else webvtt.from_srt(str(path))
    assert [(stamp(start, "."), stamp(end, ".")) for start, end, _ in said(text)] == [
        (one.start, one.end) for one in theirs
    ]
    assert [spoken for _, _, spoken in said(text)] == [plain_text(one.text) for one in theirs]


def stamp(ms, comma):
    return f"{ms // 3600000:02}:{ms // 60000 % 60:02}:{ms // 1000 % 60:02}{comma}{ms % 1000:03}"


WORDS = st.text(st.characters(categories=["Lu", "Ll", "Lo", "Nd"]), min_size=1, max_size=12)
CUES = st.lists(
    st.tuples(
        st.integers(0, 359_999_000),
        st.integers(1, 10_000),
        st.lists(WORDS.filter(lambda word: not word.isdecimal()), min_size=1, max_size=3),
    ),
    max_size=8,
)


@given(CUES, st.booleans(), st.sampled_from(["\n", "\r\n", "\r"]))
def test_what_is_written_is_read(cues, is_vtt, newline):
    blocks = ["WEBVTT\n"] if is_vtt else []
    for number, (start, length, lines) in enumerate(cues, 1):
        times = " --> ".join(stamp(one, "." if is_vtt else ",") for one in (start, start + length))
        blocks.append(f"{number}\n{times}\n" + "\n".join(lines) + "\n")
    expected = sorted(
        ((start, start + length, "\n".join(lines)) for start, length, lines in cues), key=lambda cue: cue[:2]
    )
    assert said("\n".join(blocks).replace("\n", newline)) == expected


@given(st.text())
def test_any_text_has_cues_in_order_or_none(text):
    found = read_cues(text)
    assert [cue.start_us for cue in found.cues] == sorted(cue.start_us for cue in found.cues)
    assert all(cue.start_us < cue.end_us and cue.text for cue in found.cues)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("1\n00:00:02,000 --> 00:00:01,000\nback\n", [], id="ends before it starts"),
        pytest.param("1\n00:00:01,000 --> 00:00:02,000\n<i></i>\n", [], id="only mark-up"),
        pytest.param("1\n0:0:1,5 -> 0:0:2,5\nlax\n", [(1500, 2500, "lax")], id="few digits, a short arrow"),
        pytest.param("00:00:01.000 --> 00:00:02.000\nno number\n", [(1000, 2000, "no number")], id="no number"),
        pytest.param(
            "1\n00:00:01,000 --> 00:00:02,000\na\n2\n00:00:03,000 --> 00:00:04,000\nb",
            [(1000, 2000, "a"), (3000, 4000, "b")],
            id="no empty line between",
        ),
        pytest.param(
            "2\n00:00:03,000 --> 00:00:04,000\nb\n\n1\n00:00:01,000 --> 00:00:02,000\na\n",
            [(1000, 2000, "a"), (3000, 4000, "b")],
            id="out of order",
        ),
        pytest.param("1\n00:00:01,000 --> 00:00:02,000\n3 < 4 > 2\n", [(1000, 2000, "3 < 4 > 2")], id="no tags"),
        pytest.param("<html><body>not found</body></html>", [], id="a web page"),
        pytest.param("", [], id="nothing"),
        pytest.param("WEBVTT\n\n00:01.000 --> 00:02.000\n漢<rt>かん</rt>字\n", [(1000, 2000, "漢字")], id="ruby"),
    ],
)
def test_what_players_forgive(text, expected):
    assert said(text) == expected


def test_what_is_skipped_is_counted():
    found = read_cues("1\n00:00:02,000 --> 00:00:01,000\nback\n\n2\n00:00:03,000 --> 00:00:04,000\n\n\n" + SRT, 1)
    assert (len(found.cues), found.skipped, found.left_out) == (1, 2, 1)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "windows-1251", "utf-8"])
def test_other_character_sets(encoding):
    text = "Привет, как дела? Это проверка субтитров на русском языке."
    payload = f"1\r\n00:00:01,000 --> 00:00:02,000\r\n{text}\r\n".encode(encoding)
    assert [cue.text for cue in read_subtitles(payload).cues] == [text]


def test_rolled_up_captions_say_each_line_once():
    lines = ["so today", "we look at", "the engine"]
    rolled = [Cue(n * 1_000_000, (n + 1) * 1_000_000, "\n".join(lines[max(n - 1, 0) : n + 1])) for n in range(3)]
    assert transcript(rolled) == "so today\nwe look at\nthe engine"
    assert [cue.start_us for cue in without_repeats(rolled)] == [0, 1_000_000, 2_000_000]


def test_a_line_said_again_later_stays():
    cues = [Cue(0, 1_000_000, "no"), Cue(5_000_000, 6_000_000, "no")]
    assert without_repeats(cues) == cues


def test_character_references_belong_to_webvtt():
    assert (plain_text("a &lt;b&gt;", is_vtt=True), plain_text("a &lt;b&gt;", is_vtt=False)) == ("a <b>", "a &lt;b&gt;")
