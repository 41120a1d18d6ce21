"""What owners say: directives of robots lines, reservations, usage preferences, files of a site; what they refuse."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.policy import ai_txt_lines, directives, judge, refusal, tdmrep_lines
from manifests.reasons import Refused


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        pytest.param("noai", {"noai"}, id="one directive"),
        pytest.param("noai, max-image-preview:large", {"noai", "max-image-preview"}, id="a value is no agent's name"),
        pytest.param("NoAI,NOIMAGEAI", {"noai", "noimageai"}, id="any case, no space"),
        pytest.param("googlebot: noindex, nofollow", set(), id="for somebody else"),
        pytest.param("googlebot: noindex, corpusmill: noai", {"noai"}, id="for somebody else, then for us"),
        pytest.param("*: noai", {"noai"}, id="for everyone"),
        pytest.param("x-robots-tag: noai", {"noai"}, id="header with its name"),
        pytest.param("X-Robots-Tag: otherbot: noai", set(), id="header with its name, for somebody else"),
        pytest.param("meta robots: noindex", {"noindex"}, id="meta tag"),
        pytest.param("meta corpusmill: noai", {"noai"}, id="meta tag for us"),
        pytest.param("none", {"noindex", "nofollow"}, id="none is both"),
        pytest.param("unavailable_after: 25 Jun 2010 15:00:00 PST, noai", {"unavailable_after", "noai"}, id="a date"),
        pytest.param("tdm-reservation: 1", {"tdm-reservation"}, id="rights reserved"),
        pytest.param("meta tdm-reservation: 1", {"tdm-reservation"}, id="rights reserved in the page"),
        pytest.param("tdm-reservation: 0", set(), id="rights not reserved"),
        pytest.param("all", {"all"}, id="all"),
        pytest.param(" , ,", set(), id="nothing"),
        pytest.param("noaiplease", {"noaiplease"}, id="not quite a directive"),
        pytest.param("ｎｏａｉ、noindex", {"noai", "noindex"}, id="full-width letters, ideographic comma"),
        pytest.param("meta robots: noai, 日本語", {"noai", "日本語"}, id="Japanese beside it"),
        pytest.param("tdm-policy: https://a.example/noai", set(), id="an address is no directive"),
        pytest.param("tdm-reservation: 2", set(), id="neither 0 nor 1"),
        pytest.param("tdm-reservation: 1, 1", {"tdm-reservation"}, id="a header that was joined"),
        pytest.param("content-usage: train-ai=n", {"content-usage"}, id="AIPREF says no"),
        pytest.param("Content-Usage: search=y, train-ai=n;x=1", {"content-usage"}, id="parameters are left out"),
        pytest.param("content-usage: train-ai=y", set(), id="AIPREF says yes"),
        pytest.param("content-usage: train-ai=n, train-ai=y", set(), id="the last of a key counts"),
        pytest.param('content-usage: train-ai="n"', set(), id="a string is no token"),
        pytest.param("content-usage: search=n", set(), id="a no to something else"),
        pytest.param("content-usage: bots=n", {"content-usage"}, id="an older draft's wider category"),
        pytest.param("content-usage: bots=n, train-ai=y", set(), id="the narrower category decides"),
        pytest.param("robots.txt Content-Usage: /a/ train-ai=n", {"content-usage"}, id="robots.txt, behind a path"),
        pytest.param("robots.txt Content-Signal: search=yes,ai-train=no", {"content-signal"}, id="a signal says no"),
        pytest.param("content-signal: ai-train=yes, ai-input=no", set(), id="a signal says no to something else"),
        pytest.param("meta content-usage: train-ai=n", {"content-usage"}, id="AIPREF in a meta tag"),
        pytest.param("ai.txt Disallow: *.html", {"ai-txt"}, id="ai.txt says no"),
        pytest.param("ai.txt Allow: /", set(), id="ai.txt says yes"),
        pytest.param('tdmrep.json {"location": "/", "tdm-reservation": 1}', {"tdm-reservation"}, id="tdmrep.json"),
        pytest.param('tdmrep.json {"location": "/", "tdm-reservation": true}', set(), id="true is not 1"),
    ],
)
def test_directives(line, meant):
    assert directives([line]) == meant


@pytest.mark.parametrize(
    ("said", "refuse", "reason"),
    [
        pytest.param({"noai"}, {Refused.NOAI}, Refused.NOAI, id="noai"),
        pytest.param({"noindex"}, {Refused.NOAI}, None, id="not what the recipe refuses"),
        pytest.param({"noindex", "noai"}, set(Refused), Refused.NOAI, id="noai is named first"),
        pytest.param({"noimageai"}, set(Refused), None, id="images only"),
        pytest.param({"noml"}, set(Refused), Refused.NOAI, id="noml is noai"),
        pytest.param({"content-usage"}, set(Refused), Refused.CONTENT_USAGE, id="AIPREF"),
        pytest.param({"content-signal"}, set(Refused), Refused.CONTENT_SIGNAL, id="signal"),
        pytest.param({"ai-txt"}, set(Refused), Refused.AI_TXT, id="ai.txt"),
        pytest.param({"content-usage"}, {Refused.NOAI}, None, id="AIPREF, where the recipe hears noai alone"),
        pytest.param({"tdm-reservation"}, set(Refused), Refused.TDM_RESERVATION, id="reservation"),
        pytest.param(set(), set(Refused), None, id="nothing said"),
    ],
)
def test_refusal(said, refuse, reason):
    assert refusal(said, refuse) is reason


@given(st.lists(st.text(max_size=40)))
def test_any_lines_give_directives(lines):
    assert all(name == name.strip() and name for name in directives(lines))


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("noai", Refused.NOAI), ("noimageai", Refused.NOAI), ("noindex", Refused.NOINDEX),
        ("noimageindex", Refused.NOINDEX), ("noml", Refused.NOAI), ("nofollow", None),
        ("noai, max-image-preview:large", Refused.NOAI), ("max-image-preview:large, noai", Refused.NOAI),
        ("corpusmill: noai", Refused.NOAI), ("otherbot: noai", None), ("none", Refused.NOINDEX),
    ],
)  # fmt: skip
def test_what_keeps_an_image_out(said, reason):
    assert refusal(directives([f"x-robots-tag: {said}"]), kind="image") is reason


def test_an_agent_is_called_by_its_own_name():
    assert directives(["mybot: noai", "corpusmill: noindex"], "MyBot") == {"noai"}


FILE, HEADER, PAGE = (
    'tdmrep.json {"location": "/", "tdm-reservation": %d}',
    "tdm-reservation: %d",
    "meta tdm-reservation: %d",
)


@pytest.mark.parametrize(
    ("lines", "reserved"),
    [
        pytest.param([FILE % 1, HEADER % 0], False, id="a header overrides the file"),
        pytest.param([FILE % 0, HEADER % 1], True, id="a header overrides the file, the other way"),
        pytest.param([PAGE % 0, HEADER % 1, FILE % 1], False, id="the page overrides all, in any order"),
        pytest.param([HEADER % 1, PAGE % 7], True, id="a protocol error overrides nothing"),
        pytest.param([HEADER % 1, HEADER % 0], True, id="of two headers the strict one"),
    ],
)
def test_the_nearer_reservation_counts(lines, reserved):
    assert ("tdm-reservation" in directives(lines)) is reserved


RULES = rb"""[{"location": "/a/", "tdm-reservation": 1, "tdm-policy": "https://a.example/p.json"},
 {"location": "/b/*.jpg", "tdm-reservation": 0}, {"location": "/\u65e5\u672c", "tdm-reservation": 1},
 {"location": "https://other.example/", "tdm-reservation": 1}, {"location": "b/exact$", "tdm-reservation": 1}]"""


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/a/x", {"tdm-reservation"}), ("/b/x.jpg", set()), ("/c", set()),
        ("/%E6%97%A5%E6%9C%AC/x", {"tdm-reservation"}),
        ("/b/exact", {"tdm-reservation"}), ("/b/exactly", set()),
    ],
)  # fmt: skip
def test_tdmrep_json_holds_by_path(path, said):
    assert directives(tdmrep_lines(RULES, f"https://a.example{path}")) == said


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[1, null, [], {}]", b"[" * 100_000, b'{"location": 1}', b"\xff\xfe"]
)
def test_what_is_no_tdmrep_json_says_nothing(body):
    assert tdmrep_lines(body, "https://a.example/") == []


GENERATED = b"# Spawning AI\n/\n\nUser-agent: *\n/\nAllow: *.html\nDisallow: *.jpg\nDisallow: *.c\nAllow: /\n"


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("/x.jpg", "ai.txt Disallow: *.jpg"), ("/x.jpg?w=1", "ai.txt Disallow: *.jpg"), ("/x.css", "ai.txt Allow: /"),
        ("/x.html", "ai.txt Allow: *.html"), ("/", "ai.txt Allow: /"),
    ],
)  # fmt: skip
def test_ai_txt_speaks_of_types_of_files(path, line):
    assert ai_txt_lines(GENERATED, f"https://a.example{path}") == [line]


def test_ai_txt_that_says_no_to_all_or_nothing_at_all():
    assert directives(ai_txt_lines(b"User-Agent: *\nDisallow: *\nDisallow: /\n", "https://a.example/p")) == {"ai-txt"}
    assert ai_txt_lines(b"User-Agent: GPTBot\nDisallow: /\n", "https://a.example/p") == []
    assert ai_txt_lines(b"<!doctype html><p>Not found", "https://a.example/p") == []


@given(st.lists(st.text(max_size=40)))
def test_raw_lines_and_their_meaning_go_through_json(lines):
    verdict = judge(lines)
    stored = json.loads(json.dumps(verdict.as_json()))
    assert [each["raw"] for each in stored["signals"]] == lines
    assert set(stored["said"]) == verdict.said


@given(st.binary(max_size=100))
def test_any_bytes_are_files_of_a_site(body):
    for read in (tdmrep_lines, ai_txt_lines):
        judge(read(body, "https://a.example/x"))
