"""Films and sounds in a page's bytes: where they stand and what the page calls them."""

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.html import read_page, scan_page
from filters.interleave.tags import MAX_FILMS, film_places, kind_of, stated
from manifests.limits import Limits

BASE = "https://a.example/p/page.html"


def parts(body, head=""):
    """The parts of a page with names instead of places: (kind, text or address)."""
    page, scan = scan_page(f"<html><head>{head}</head><body>{body}</body></html>".encode(), Limits())
    read = read_page(page, scan, BASE, main_content=False)
    media = iter(read.parts.images)
    found = []
    for kind, start, end, index in read.parts.rows.tolist():
        film = next(media) if index >= 0 else None
        found.append((film.kind, film.uri) if film else (kind, read.text[start:end].decode().strip()))
    return found


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param('<video src="a.mp4"></video>', [("video", "https://a.example/p/a.mp4")], id="its own source"),
        pytest.param(
            "<VIDEO><source src=/a.webm type=video/webm><source src=/a.mp4></VIDEO>",
            [("video", "https://a.example/a.webm")],
            id="the first of several sources",
        ),
        pytest.param(
            '<audio controls><source src="blob:x"><source src="b.ogg"><a href="b.mp3">get it</a></audio>',
            [("audio", "https://a.example/p/b.ogg")],
            id="a link inside is no other sound",
        ),
        pytest.param(
            '<a href="/c.MP4?x=1#t=5" title="C">C</a>',
            [("video", "https://a.example/c.MP4?x=1#t=5"), (0, "C")],
            id="a link whose path ends like a film's name",
        ),
        pytest.param('<a href="/c.html?f=x.mp4">c</a>', [(0, "c")], id="a link to a page is none"),
        pytest.param("<video></video>text", [("video", None), (0, "text")], id="a film without a source"),
        pytest.param(
            "<p>one</p><video src=a.mp4></video><p>two</p><img src=i.png><p>three</p><audio src=b.mp3></audio>",
            [
                (0, "one"),
                ("video", "https://a.example/p/a.mp4"),
                (0, "two"),
                ("image", "https://a.example/p/i.png"),
                (0, "three"),
                ("audio", "https://a.example/p/b.mp3"),
            ],
            id="the order of the page",
        ),
        pytest.param("<p>text<!-- <video src=a.mp4></video> --></p>", [(0, "text")], id="in a comment"),
        pytest.param("<script>'<video src=a.mp4>'</script>text", [(0, "text")], id="in a script"),
        pytest.param('<p title="<video src=a.mp4>">text</p>', [(0, "text")], id="in an attribute"),
        pytest.param(
            "<p>映画</p><video src='映画.mp4'></video><p>終わり</p>",
            [(0, "映画"), ("video", "https://a.example/p/映画.mp4"), (0, "終わり")],
            id="Japanese",
        ),
    ],
)
def test_films_and_sounds_of_a_page(body, expected):
    assert parts(body) == expected


FILM = '<meta property="og:video" content="/og.mp4">'


@pytest.mark.parametrize(
    ("head", "body", "expected"),
    [
        pytest.param(FILM, "text", [("video", "https://a.example/og.mp4"), (0, "text")], id="named in the head alone"),
        pytest.param(
            FILM, "text<video src=a.mp4></video>", [(0, "text"), ("video", "https://a.example/p/a.mp4")], id="and shown"
        ),
        pytest.param(
            '<meta property="og:video" content="/player"><meta property="og:video:type" content="text/html">',
            "text",
            [(0, "text")],
            id="a player is a page",
        ),
    ],
)
def test_films_of_the_head(head, body, expected):
    assert parts(body, head) == expected


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        pytest.param([("og:audio", "a.mp3")], ("audio", "a.mp3"), id="a sound"),
        pytest.param([("og:video:secure_url", "v"), ("og:video:type", "video/mp4")], ("video", "v"), id="by its type"),
        pytest.param([("og:video:width", "640"), ("og:image", "a.mp4")], None, id="others"),
        pytest.param([("og:video", " "), ("og:video:url", "b.webm")], ("video", "b.webm"), id="an empty one"),
    ],
)
def test_stated(properties, expected):
    assert stated(properties) == expected


@pytest.mark.parametrize("reference", ["http://[", "a.html", "", "mp4", "/mp4/", "a.mp4/"])
def test_what_does_not_end_like_a_film(reference):
    assert kind_of(reference) is None


PIECES = [
    "<",
    ">",
    "<video ",
    "</video>",
    "<audio>",
    "<a href=",
    "x.mp4",
    "<source src=y.ogg>",
    "'",
    '"',
    " ",
    "\n",
    "é",
]


@given(st.lists(st.sampled_from(PIECES), max_size=60).map("".join))
def test_places_are_in_order_and_do_not_overlap(text):
    page = text.encode()
    places = film_places(page)
    assert all(0 <= begin < end <= len(page) for begin, end in places)
    assert all(first[1] <= second[0] for first, second in pairwise(places))


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(b"<video>" * 2_000_000, id="films"),
        pytest.param(b"<a x=.mp4>" * 1_600_000, id="links to nothing"),
        pytest.param(b"<video" + b" x" * 8_000_000, id="a tag without an end"),
        pytest.param((b"<video " + b"x" * 4000) * 4_000, id="tags without an end"),
    ],
)
def test_sixteen_megabytes_of_anything_take_less_than_two_seconds(page):
    start = time.process_time()
    assert len(film_places(page)) <= MAX_FILMS
    assert time.process_time() - start < 2
