"""HTML: one text with its parts, checked against the extractor itself and against a second walk over the tree."""

import re

import pytest
from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree

from filters.charset import decode
from filters.html import (
    MIN_MAIN_FRACTION,
    NEARLY_EMPTY_BYTES,
    neutralise,
    read_page,
    resolve,
    scan_page,
)
from filters.parts import CODE, KIND_NAMES
from filters.prescan import survey
from manifests.limits import Limits

PROSE = "Enough prose for this page to be a page, whatever stands around it. " * 3


def read(body, uri="http://a.b/c/d.html", *, xml=False, head=""):
    page = f"<html><head>{head}</head><body><p>{PROSE}</p>{body}</body></html>"
    return read_page(*scan_page(page.encode(), Limits(), xml=xml), uri)


def shown(page):
    """Return (kind, text) of the parts, without the prose that every test page begins with."""
    parts = [
        (KIND_NAMES[kind], " ".join(page.text[start:end].decode().split())) for kind, start, end, _ in page.parts.rows
    ]
    return [part for part in parts if part[1] != PROSE.strip()]


def squeezed(text):
    return "".join(text.split())


def test_parts_in_order():
    page = read(
        "<p>Before <img src='i.png' alt=' A  picture '> after.</p><table><tr><td>1<td>2</table>"
        "<pre>\n  def f():\n    return 1\n</pre><p>End."
    )
    assert shown(page) == [
        ("text", f"{PROSE}Before"),
        ("image", ""),
        ("text", "after."),
        ("table", "1 2"),
        ("code", "def f(): return 1"),
        ("text", "End."),
    ]
    assert page.parts.images == [("http://a.b/c/i.png", "A picture")]
    assert b"\n  def f():\n    return 1\n" in page.text


NAMED = "ni:///sha-256;cJ6AyISHokEeHuTfufIqhhSS0gxHZRUMDHlKvXD4FHw"  # of three bytes 0


@pytest.mark.parametrize(
    ("tag", "uri", "alt"),
    [
        pytest.param("<img src=x.png>", "http://a.b/c/x.png", None, id="bare value"),
        pytest.param("<IMG ALT='&lt;b&gt;' SRC='/x.png'/>", "http://a.b/x.png", "<b>", id="references in values"),
        pytest.param("<img src='a.png' src='b.png'>", "http://a.b/c/a.png", None, id="the first of two"),
        pytest.param("<img src='data:x' data-src='real.png'>", "http://a.b/c/real.png", None, id="loaded later"),
        pytest.param("<img srcset='s.png 1x, l.png 2x' alt=''>", "http://a.b/c/s.png", None, id="a set of sources"),
        pytest.param("<img src='data:image/png;base64,AAAA' alt=dot>", NAMED, "dot", id="inside the page"),
        pytest.param("<img alt='a > b' src = \n x.png >", "http://a.b/c/x.png", "a > b", id="spaces and brackets"),
        pytest.param("<img src='http://[x/y'>", None, None, id="no address at all"),
        pytest.param("<img src='//e.f/x.png'>", "http://e.f/x.png", None, id="another host"),
        pytest.param("<img>", None, None, id="empty"),
    ],
)
def test_images(tag, uri, alt):
    assert read(f"<p>One {tag} two.").parts.images == [(uri, alt)]


@pytest.mark.parametrize(
    ("base", "address", "uri"),
    [
        pytest.param("in:a/b.html", "c.png", "in:a/c.png", id="beside"),
        pytest.param("in:a/b.html#3", "../c.png", "in:c.png", id="above, from a row"),
        pytest.param("in:b.html", "../../c.png", "in:c.png", id="never out of the input"),
        pytest.param("in:a/b.html", "/c//d.png", "in:c/d.png", id="from the top"),
        pytest.param("in:a/b.html", "http://e/f.png", "http://e/f.png", id="elsewhere"),
        pytest.param("in:a/b.html", "//e/f.png", None, id="no scheme to complete it"),
        pytest.param("http://a/b?c#d", "e f.png", "http://a/e f.png", id="space"),
        pytest.param("http://a/b", "x\n\ty.png", "http://a/xy.png", id="line breaks go"),
        pytest.param("http://a/b", "x" * 5000, None, id="too long"),
    ],
)
def test_addresses(base, address, uri):
    assert resolve(base, address) == uri


def test_a_base_element_counts():
    page = read("<p>x <img src=i.png> y", head="<base href='../img/'>")
    assert page.parts.images == [("http://a.b/img/i.png", None)]


def test_title_and_license():
    page = read(
        "<a rel='x' href=y>z</a><a rel=\"license nofollow\" href='/cc'>z</a>", head="<title> A\n <img> title </title>"
    )
    assert (page.title, page.license) == ("A <img> title", "http://a.b/cc")
    assert (read("").title, read("").license) == (None, None)


def test_policy_of_the_page():
    page = read("", head="<META name='Robots' content='noai,  noindex'><meta name=description content='robots'>")
    assert page.policy == ["meta robots: noai, noindex"]


def test_what_xml_leaves_out_swallows_nothing():
    page = read("<script src='x'/><p>Still <a name='y'/>here.</p><div/><p>And here.</p>", xml=True)
    assert "Still here." in page.text.decode()
    assert "And here." in page.text.decode()


@pytest.mark.parametrize(
    "text",
    ["\U000f0000 and \U0010ffff", "&#xF0000; and &#983041;", "&#x10FFFF; and &#x000f0002;", "&#1114111; and &#0983040"],
)
def test_characters_like_our_marks_become_replacements(text):
    page = read(f"<p>Here {text} stand.</p><img src=x>")
    assert page.text.decode().endswith("Here \ufffd and \ufffd stand.")
    assert len(page.parts.images) == 1


@pytest.mark.parametrize("text", ["&#65; &#x1F600; \U0001f600 &#98304; &#x10FFF;", "&#9 &# &#x; &#xfffff00;"])
def test_other_references_stay(text):
    page = text.encode()
    assert neutralise(page, survey(page)) == page


def test_nuls_and_lone_surrogates_are_not_in_the_text():
    page = read("<p>a\0b &#0; &#xD800; c</p>")
    assert "\0" not in page.text.decode()


def test_nearly_empty_main_content_gives_way_to_all_of_the_page():
    links = "".join(f"<li><a href='{n}.html'>Chapter {n}: what follows from it</a></li>" for n in range(40))
    page = f"<html><body><h1>Contents</h1><ul>{links}</ul></body></html>"
    tree = HTMLTree.parse(page)
    main = extract_plain_text(tree, main_content=True)
    assert len(main) < min(NEARLY_EMPTY_BYTES, MIN_MAIN_FRACTION * len(extract_plain_text(tree)))
    assert "Chapter 39" in read_page(*scan_page(page.encode(), Limits()), "a:b").text.decode()


def by_a_second_walk(page):
    """Return the extractor's text and what stands in it, from marks put into the parsed tree: the oracle."""
    # a text node of one character beyond ASCII would be left out: it is written twice here, and once taken back
    tree = HTMLTree.parse(re.sub(r"(?<=>)(\s*)([^\x00-\x7f\xa0]|&[#\w]+;)(?=\s*<)", "\\1\\2\U000ffffd", page))
    bare = extract_plain_text(tree, main_content=True, alt_texts=False, links=False).replace("\U000ffffd", "")
    elements = tree.body.query_selector_all("img, table, pre").values()
    for index, element in enumerate(elements):
        begin, end = tree.create_text_node(f"\u0378{index}\u0378"), tree.create_text_node(f"\u0379{index}\u0379")
        element.parent.insert_before(begin, element)
        if element.next_sibling is None:
            element.parent.append_child(end)
        else:
            element.parent.insert_before(end, element.next_sibling)
    marked = extract_plain_text(tree, main_content=True, alt_texts=False, links=False).replace("\U000ffffd", "")
    images = [
        elements[int(i)].getattr("src")
        for i in re.findall("\u0378(\\d+)\u0378", marked)
        if elements[int(i)].tag == "img"
    ]
    inner = {"table": [], "pre": []}
    for found in re.finditer(
        "\u0378(\\d+)\u0378([^\u0378]*?)\u0379\\1\u0379", re.sub("\u0378(\\d+)\u0378\\s*\u0379\\1\u0379", "", marked)
    ):
        element = elements[int(found[1])]
        content = squeezed(re.sub("\u0379\\d+\u0379", "", found[2]))
        if element.tag != "img" and content:
            inner[element.tag].append(content)
    return bare, images, inner


def test_real_pages_equal_the_bare_extraction_and_the_second_walk(all_pages):
    fallbacks, scripts = 0, set()
    for path, payload in all_pages[::5]:
        page = decode(payload, None, is_markup=True).text
        found = read_page(*scan_page(page, Limits()), f"in:{path}")
        bare, images, inner = by_a_second_walk(page.decode())
        if len(bare.encode()) < NEARLY_EMPTY_BYTES and squeezed(found.text.decode()) != squeezed(bare):
            fallbacks += 1
            continue
        assert squeezed(found.text.decode()) == squeezed(bare), path
        parts = [(KIND_NAMES[kind], found.text[start:end]) for kind, start, end, _ in found.parts.rows]
        assert [resolve(f"in:{path}", image) for image in images] == [image.uri for image in found.parts.images], path
        assert [squeezed(text.decode()) for kind, text in parts if kind == "table"] == inner["table"], path
        assert [squeezed(text.decode()) for kind, text in parts if kind == "code"] == inner["pre"], path
        scripts.add(path.split("/")[1][:2])
    assert fallbacks < 10
    assert {"ar", "ja", "ko", "ru", "zh", "el", "en"} <= scripts


def verbatim(code):
    """All lines that aren't blank, as they stand; in a list the extractor adds its own spaces before the first."""
    return [line.rstrip() for line in code.strip().split("\n") if line.strip()]


def test_code_keeps_its_lines_and_indentation(pages):
    checked = 0
    for path, payload in pages("apache2-doc")[::20]:
        page = decode(payload, None, is_markup=True).text
        found = read_page(*scan_page(page, Limits()), "in:x")
        preformatted = HTMLTree.parse(page.decode()).body.query_selector_all("pre").values()
        known = [verbatim(element.text) for element in preformatted]
        for kind, start, end, _ in found.parts.rows:
            if kind == CODE:
                checked += 1
                assert verbatim(found.text[start:end].decode()) in known, path
    assert checked > 100


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(
            "<a>第二節「基盤、<em>easy</em>」</a>を見よ。", "第二節「基盤、easy」を見よ。", id="a closing bracket"
        ),
        pytest.param(
            "<b>犬</b>が<i>a</i>走る<b>犬猫</b>。", "犬がa走る犬猫。", id="particles and full stops of one character"
        ),
        pytest.param("<b>是</b>&#12290;<b>不</b>&mdash;", "是。不—", id="characters by reference"),
        pytest.param(
            "<ruby>字幕<rp>（</rp><rt>じまく</rt><rp>）</rp></ruby>なし", "字幕なし", id="furigana is not read twice"
        ),
    ],
)
def test_no_character_of_japanese_prose_is_lost_or_said_twice(body, expected):
    table = "<table><tr><td>土</td><td>晴れ</td></tr></table>"
    page = f"<html><body><p>これは長い文章です。{body}</p>{table}</body></html>".encode()
    marked, scan = scan_page(page, Limits())
    text = read_page(marked, scan, "https://a.example/").text.decode()
    assert expected in text
    assert "土" in text


def test_no_bracket_of_a_real_japanese_page_loses_its_partner(pages):
    whole = [body for path, body in pages("debian-handbook") if "ja-JP" in path]
    lost = []
    for body in whole:
        marked, scan = scan_page(body, Limits(), xml=True)
        text = read_page(marked, scan, "https://a.example/").text.decode()
        lost.append(text.count("「") - text.count("」"))
    assert len(whole) > 100
    assert not any(lost)
