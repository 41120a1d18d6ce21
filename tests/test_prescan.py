"""The walk over a page's bytes: limits in linear time, and the places that a real parser sees as well."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from resiliparse.parse.html import HTMLTree

from filters import prescan
from filters.charset import decode
from filters.prescan import (
    AT,
    CLOSE_TAG_MISSING,
    CODE_BEGINS,
    CODE_ENDS,
    IMAGE_HERE,
    KIND,
    MORE,
    OK,
    TABLE_BEGINS,
    TABLE_ENDS,
    TOO_DEEP,
    TOO_MANY_ATTRIBUTES,
    mark,
    scan,
)

DEPTH, ATTRIBUTES = 512, 1000


def look(page, **options):
    return scan(page, DEPTH, ATTRIBUTES, **options)


@pytest.mark.parametrize(
    ("page", "verdict", "observed"),
    [
        pytest.param(b"<div>" * 512, OK, 512, id="as deep as may be"),
        pytest.param(b"<div>" * 513, TOO_DEEP, 513, id="one element too deep"),
        pytest.param(b"<DIV class='>'>" * 513, TOO_DEEP, 513, id="a quoted bracket ends no tag"),
        pytest.param(b"<div></span>" * 513, TOO_DEEP, 513, id="the end tag of another element closes nothing"),
        pytest.param(b"<div></div>" * 9999, OK, 1, id="closed elements don't add up"),
        pytest.param(b"<div><span></div>" * 9999, OK, 2, id="what is inside ends with the outer element"),
        pytest.param(b"<p><li><td>" * 9999, OK, 0, id="end tags that may be left out count nothing"),
        pytest.param(b"<br><img><input>" * 9999, OK, 0, id="void elements count nothing"),
        pytest.param(b"<!--" + b"<div>" * 999 + b"-->", OK, 0, id="comment"),
        pytest.param(b"<script>" + b"<div>" * 999 + b"</script >", OK, 0, id="script"),
        pytest.param(b"<script>" + b"<div>" * 999, OK, 0, id="script without end"),
        pytest.param(b"<svg>" + b"<path/>" * 999 + b"</svg>", OK, 1, id="empty elements in a drawing"),
        pytest.param(b"<div/>" * 513, TOO_DEEP, 513, id="in HTML a slash closes nothing"),
        pytest.param(b"<a" + b" b=c" * 1000 + b">", OK, 1, id="as many attributes as may be"),
        pytest.param(b"<a" + b" b=c" * 1001 + b">", TOO_MANY_ATTRIBUTES, 1001, id="one attribute too many"),
        pytest.param(b"<a" + b" b" * 1001, TOO_MANY_ATTRIBUTES, 1001, id="a tag without end"),
        pytest.param(b"</a" + b" b='c'" * 1001, TOO_MANY_ATTRIBUTES, 1001, id="attributes of an end tag"),
        pytest.param(b"<a b = '" + b" c" * 2000 + b"'>", OK, 1, id="one long value"),
        pytest.param(b"", OK, 0, id="empty page"),
        pytest.param(b"a < b <3 </ <", OK, 0, id="brackets that are no tags"),
    ],
)
def test_limits(page, verdict, observed):
    seen = look(page)
    assert (seen.verdict, seen.observed) == (verdict, observed)


def test_in_xml_a_slash_closes():
    assert look(b"<div/>" * 9999, xml=True).observed == 0


@pytest.mark.parametrize(
    ("page", "places"),
    [
        pytest.param(b"a<img src=x>b", [(IMAGE_HERE, 1)], id="image"),
        pytest.param(b"<table>a</table>b", [(TABLE_BEGINS, 0), (TABLE_ENDS, 16)], id="table"),
        pytest.param(b"<pre>a</PRE >b", [(CODE_BEGINS, 0), (CODE_ENDS, 13)], id="code"),
        pytest.param(b"<div><pre>a</div>b", [(CODE_BEGINS, 5), (CODE_ENDS, 11)], id="ended by its parent"),
        pytest.param(b"<pre>a", [(CODE_BEGINS, 0)], id="never ended"),
        pytest.param(b"</table><p>", [], id="never begun"),
        pytest.param(b"<!-- <img> --><title><img></title>", [], id="comment and title"),
        pytest.param(b"<a title='<img>'>", [], id="attribute"),
        pytest.param(b"<textarea><img></textarea><IMAGE>", [(IMAGE_HERE, 26)], id="text field"),
    ],
)
def test_places(page, places):
    seen = look(page).places
    assert list(zip(seen[:, KIND], seen[:, AT], strict=True)) == places


def test_an_image_says_where_its_tag_ends():
    page = b"<p><img alt='>' src=x>y"
    (place,) = look(page).places
    assert page[place[AT] : place[MORE]] == b"<img alt='>' src=x>"


def test_end_tags_that_xml_leaves_out_are_written():
    page = b"<a name='x'/><script src='y'/><br/>"
    seen = look(page, xml=True)
    assert seen.places[:, KIND].tolist() == [CLOSE_TAG_MISSING] * 2
    assert mark(page, seen.places) == b"<a name='x'/></a><script src='y'/></script><br/>"


@pytest.mark.parametrize(
    ("page", "bit"),
    [
        pytest.param(b"<META NAME=ROBOTS content=noai>", prescan.HAS_POLICY, id="meta robots"),
        pytest.param(b"<meta name='tdm-reservation' content=1>", prescan.HAS_POLICY, id="TDM reservation"),
        pytest.param(b"<script type='application/LD+json'>", prescan.HAS_JSON_LD, id="JSON-LD"),
        pytest.param(b"<base href='/x/'>", prescan.HAS_BASE, id="base address"),
        pytest.param(b"<details open>", prescan.HAS_DETAILS, id="details"),
    ],
)
def test_hints(page, bit):
    assert look(page).hints == bit
    assert look(b"<p>robots tdm-reservation ld+json &lt;base").hints == 0


@pytest.mark.parametrize(
    ("page", "bits"),
    [
        pytest.param("a &#x41; b", prescan.HAS_REFERENCES, id="reference"),
        pytest.param("a \U000f0001 b b", prescan.HAS_HIGH_PLANES, id="private use"),
        pytest.param("a \U0001f600 \u4e00 \ue000", 0, id="emoji, ideograph and private use of the first plane"),
        pytest.param("<p itemtype='https://schema.org/FAQPage'>", prescan.HAS_FAQ, id="FAQ"),
        pytest.param('<a rel="license" href=x>', prescan.HAS_LICENSE, id="license"),
        pytest.param("<VIDEO controls>", prescan.HAS_FILMS, id="film"),
        pytest.param("<audio src=a>  ", prescan.HAS_FILMS, id="sound"),
        pytest.param("<a href=x.WebM>", prescan.HAS_FILMS, id="link to a film"),
        pytest.param("<img src=x.webp> an .example of .wild things", 0, id="names that are like a film's"),
        pytest.param("", 0, id="empty"),
    ],
)
def test_survey(page, bits):
    assert prescan.survey(page.encode()) == bits


def test_no_real_page_is_beyond_a_limit(all_pages):
    verdicts = [look(page).verdict for _, page in all_pages]
    assert (len(verdicts) >= 9000, set(verdicts)) == (True, {OK})


def test_a_real_parser_sees_the_same_images_tables_and_code(all_pages):
    different = []
    for path, payload in all_pages[::7]:
        page = decode(payload, None, is_markup=True).text
        kinds = look(page).places[:, KIND].tolist()
        body = HTMLTree.parse(page.decode()).body
        for tag, kind in (("img", IMAGE_HERE), ("table", TABLE_BEGINS), ("pre", CODE_BEGINS)):
            if len(body.query_selector_all(tag)) != kinds.count(kind):
                different.append((path, tag))
    assert different == []


PIECES = ["<", ">", "</", "<!--", "-->", "table", "pre", "img ", "svg", "script", "a", " x='", '"', "=", "/", "\n", "é"]


@given(st.lists(st.sampled_from(PIECES), max_size=60).map("".join))
def test_any_bytes_give_places_in_order_and_marks_that_come_off_again(text):
    page = text.encode()
    places = look(page).places
    assert (places[:, AT][1:] >= places[:, AT][:-1]).all()
    assert "".join(c for c in mark(page, places).decode() if ord(c) < prescan.FIRST_SENTINEL) == text


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(b"<div>" * 3_000_000, id="nesting"),
        pytest.param(b"<a" + b" b" * 8_000_000, id="attributes"),
        pytest.param(b"<" * 16_000_000, id="brackets"),
        pytest.param(b"<!--" * 4_000_000, id="comments"),
        pytest.param(b"<script>" + b"</scrip" * 2_000_000, id="almost the end of a script"),
        pytest.param(b"<pre><b></i>" * 1_300_000, id="end tags of nothing"),
        pytest.param(b"<img>" * 3_000_000, id="images"),
    ],
)
def test_sixteen_megabytes_of_anything_take_less_than_two_seconds(page):
    start = time.process_time()
    look(page)
    assert time.process_time() - start < 2


def test_no_more_places_than_sentinels():
    seen = look(b"<img>" * 200_000)
    assert len(seen.places) <= prescan.MAX_PLACES
    assert mark(b"<img>" * 200_000, seen.places)
