"""Links of pages: every way of giving one, real manuals against the standard library."""

import re
from html.parser import HTMLParser
from urllib.parse import quote, urldefrag, urljoin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.link_reader import MAX_LINKS, MAX_TEXT_CHARS, Link
from filters.links import find_links
from manifests.reasons import LinkSkipped, Quarantine

AT = "http://a.example/d/page.html"
JAPANESE = "日本語の文章です。これは文字コードの試験です。ひらがなとカタカナ。"


def links(page: str, at: str = AT, **options) -> list[Link]:
    return find_links(page.encode(), at, **options).links


def link(url, kind="page", origin="link", text=None, nofollow=False) -> Link:
    return Link(url, kind, origin, text, nofollow)


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        pytest.param(
            "<a href=b.html>B <b>x</b>\n y</a>", [link("http://a.example/d/b.html", text="B x y")], id="an anchor"
        ),
        pytest.param(
            "<A HREF='/b?x=1&amp;y=2'></A>", [link("http://a.example/b?x=1&y=2")], id="capitals and references"
        ),
        pytest.param("<a href='//b.example'>", [link("http://b.example/")], id="the scheme of the page"),
        pytest.param(
            "<a href='\n /b\t/c '>", [link("http://a.example/b/c")], id="white space around and line breaks inside"
        ),
        pytest.param("<a href=#x>x</a><a href=page.html#y>y</a><a name=z>", [], id="places in the page itself"),
        pytest.param(
            "<a href=b#1>one</a><a href=b#2>two</a>", [link("http://a.example/d/b", text="one")], id="once a page"
        ),
        pytest.param(
            "<a href=b><img src=i alt=' A\nB '></a>",
            [link("http://a.example/d/b", text="A B"), link("http://a.example/d/i", "image", text="A B")],
            id="an image's words are the anchor's",
        ),
        pytest.param("<map><area href=b alt=B></map>", [link("http://a.example/d/b", text="B")], id="area"),
        pytest.param("<iframe src=f title=F></iframe>", [link("http://a.example/d/f", text="F")], id="iframe"),
        pytest.param("<frameset><frame src=f></frameset>", [link("http://a.example/d/f")], id="frame"),
        pytest.param("<noscript><a href=b>B</a></noscript>", [link("http://a.example/d/b", text="B")], id="noscript"),
        pytest.param(
            "<template><a href=b>B</a></template><!-- <a href=c> --><script>'<a href=d>'</script>",
            [],
            id="template, comment and script are no page",
        ),
        pytest.param(
            "<head><base href=/e/><base href=/f/></head><a href=b>",
            [link("http://a.example/e/b")],
            id="the first base counts",
        ),
        pytest.param(
            "<a href=b><base href='http://b.example/'>", [link("http://b.example/b")], id="a base at the end counts"
        ),
        pytest.param(
            "<base href='javascript:x'><a href=b>", [link("http://a.example/d/b")], id="a base that is no web address"
        ),
        pytest.param("<base target=_top><a href=b>", [link("http://a.example/d/b")], id="a base without an address"),
        pytest.param(
            "<link rel=canonical href=/c><a href=/c>C</a>",
            [link("http://a.example/c", "page", "canonical", "C")],
            id="canonical, and linked",
        ),
        pytest.param(f"<link rel=canonical href={AT}>", [], id="canonical to itself"),
        pytest.param(
            "<link rel='NEXT' href=2><link rel=prev href=0 title=Zero>",
            [link("http://a.example/d/2"), link("http://a.example/d/0", text="Zero")],
            id="next and prev",
        ),
        pytest.param(
            "<link rel=alternate hreflang=ja href=ja><link rel=alternate type=application/rss+xml href=rss>"
            "<link rel='alternate stylesheet' href=css><link rel=stylesheet href=c><link rel=icon href=i>",
            [link("http://a.example/d/ja")],
            id="alternate pages, not feeds and styles",
        ),
        pytest.param("<link rel=sitemap href=/s.xml>", [link("http://a.example/s.xml", "sitemap")], id="sitemap"),
        pytest.param("<meta http-equiv=Refresh content='0; URL=b'>", [link("http://a.example/d/b")], id="refresh"),
        pytest.param(
            "<a href=b rel='noopener NoFollow'>", [link("http://a.example/d/b", nofollow=True)], id="nofollow"
        ),
        pytest.param(
            "<a href=b rel=nofollow>x</a><a href=b>y</a>",
            [link("http://a.example/d/b", text="x")],
            id="nofollow in one of two places",
        ),
        pytest.param(
            "<meta name=robots content='noindex, nofollow'><a href=b><img src=i>",
            [link("http://a.example/d/b", nofollow=True), link("http://a.example/d/i", "image", nofollow=True)],
            id="nofollow for the whole page",
        ),
        pytest.param(
            "<meta name=robots content=none><a href=b>", [link("http://a.example/d/b", nofollow=True)], id="none"
        ),
        pytest.param(
            "<meta name=otherbot content=nofollow><a href=b>", [link("http://a.example/d/b")], id="not meant for us"
        ),
        pytest.param(
            "<a href=p.JPG?x=1>P</a><a href=s.mp3><a href=v.webm><a href=/wiki/File:x.jpg><a href=t.pdf>",
            [
                link("http://a.example/d/p.JPG?x=1", "image", text="P"),
                link("http://a.example/d/s.mp3", "audio"),
                link("http://a.example/d/v.webm", "video"),
                link("http://a.example/wiki/File:x.jpg"),
                link("http://a.example/d/t.pdf"),
            ],
            id="kinds by extension, but for a wiki's pages",
        ),
        pytest.param(
            "<img src=i.png alt='An  i'>", [link("http://a.example/d/i.png", "image", text="An i")], id="image"
        ),
        pytest.param(
            "<img src='data:image/gif;base64,R0' data-src=lazy><img src='DATA:x'>",
            [link("http://a.example/d/lazy", "image")],
            id="lazy image, image inside the page",
        ),
        pytest.param(
            "<img src=s srcset='m 400w, l 1600w, n 2w'>",
            [link("http://a.example/d/s", "image"), link("http://a.example/d/l", "image")],
            id="the largest of a set",
        ),
        pytest.param("<img src=s srcset='s'>", [link("http://a.example/d/s", "image")], id="a set of one"),
        pytest.param(
            "<picture><source srcset='a.webp 1x, b.webp 2x'><source srcset=c.avif><img src=d alt=D></picture>"
            "<img src=e>",
            [
                link("http://a.example/d/d", "image", text="D"),
                link("http://a.example/d/b.webp", "image", text="D"),
                link("http://a.example/d/e", "image"),
            ],
            id="picture",
        ),
        pytest.param(
            "<figure><img src=i><figcaption>The <i>caption</i></figcaption></figure><img src=j>",
            [link("http://a.example/d/i", "image", text="The caption"), link("http://a.example/d/j", "image")],
            id="a figure's caption",
        ),
        pytest.param(
            "<video src=v poster=p aria-label=V></video><audio><source src=s></audio><video><source src=w></video>",
            [
                link("http://a.example/d/v", "video", text="V"),
                link("http://a.example/d/p", "image", text="V"),
                link("http://a.example/d/s", "audio"),
                link("http://a.example/d/w", "video"),
            ],
            id="video, poster, audio",
        ),
        pytest.param("<p>no <a>links</a> <a href>here</a>", [], id="none"),
    ],
)
def test_a_page_leads_to(page, expected):
    assert links(page) == expected


def test_references_that_lead_nowhere_are_counted_by_kind():
    page = "<a href='javascript:x'><a href=mailto:a@b.example><a href='http://['><a href='/{}'>".format("x" * 5000)
    found = find_links((page + "<a href='file:///etc/passwd'><a href='data:{}'>".format("x" * 20_000)).encode(), AT)
    assert found.links == []
    assert found.skipped == {LinkSkipped.SCHEME: 4, LinkSkipped.MALFORMED: 1, LinkSkipped.TOO_LONG: 1}


def test_beyond_the_limit_links_are_counted_not_kept():
    found = find_links(b"".join(b"<a href=%d>x</a>" % n for n in range(MAX_LINKS + 7)), AT)
    assert (len(found.links), found.left_out) == (MAX_LINKS, 7)


def test_a_long_text_is_cut():
    assert len(links(f"<a href=b>{'long ' * 1000}")[0].text) == MAX_TEXT_CHARS


@pytest.mark.parametrize("encoding", ["utf-8", "euc-jp", "shift_jis", "iso-2022-jp"])
def test_a_query_is_sent_in_the_encoding_of_the_page(encoding):
    """As browsers do (WHATWG URL, 4.4); the path is in UTF-8 all the same."""
    page = f"<meta charset={encoding}><title>{JAPANESE}</title><a href='/検索?q=日本'>検索</a>".encode(encoding)
    query = quote("日本".encode(encoding), safe="$(@!&*;:?/,+=\\^`{}|~")
    assert find_links(page, AT).links == [link(f"http://a.example/{quote('検索')}?q={query}", text="検索")]
    assert find_links(page, AT, encoding).links[0].text == "検索"


def test_what_the_encoding_of_the_page_lacks_is_sent_as_a_reference():
    page = f"<meta charset=euc-jp>{JAPANESE}<a href='?q=日é&r=1'>".encode("euc-jp", "xmlcharrefreplace")
    assert find_links(page, AT).links[0].url == "http://a.example/d/page.html?q=%C6%FC%26%23233%3B&r=1"


@pytest.mark.parametrize("encoding", ["euc_jp", "shift_jis", "iso2022_jp", "utf-16"])
def test_real_japanese_pages_say_the_same_in_older_encodings(pages, encoding):
    read = 0
    for path, payload in pages("apache2-doc"):
        if not path.startswith("ja/") or read == 25:
            continue
        try:
            older = payload.decode().encode(encoding)
        except UnicodeEncodeError:
            continue
        read += 1
        assert find_links(older, AT, encoding.replace("2022_", "-2022-")).links == find_links(payload, AT).links, path
    assert read == 25


class Oracle(HTMLParser):
    """The standard library's reading of anchors, areas, images and a few links; it shares no code with ours."""

    def __init__(self, at):
        super().__init__()
        self.at, self.base, self.found = at, at, set()

    def handle_starttag(self, tag, attributes):
        said = dict(attributes)
        if tag == "base" and said.get("href") and self.base == self.at:
            self.base = urljoin(self.at, said["href"])
        reference = said.get({"a": "href", "area": "href", "img": "src", "iframe": "src"}.get(tag, ""))
        if tag == "link" and {"next", "prev", "up", "start", "first", "last", "contents", "index", "canonical"} & set(
            said.get("rel", "").lower().split()
        ):
            reference = said.get("href")
        if tag == "link" and said.get("rel") == "alternate" and said.get("type") in (None, "", "text/html"):
            reference = said.get("href")
        if reference and not reference.startswith("#"):
            url = urldefrag(urljoin(self.base, reference.strip())).url
            if url.startswith(("http://", "https://")) and url != self.at:
                self.found.add(url if url.count("/") > 2 else url + "/")


@pytest.mark.parametrize("package", ["debian-handbook", "installation-guide-amd64", "apache2-doc"])
def test_real_pages_lead_where_the_standard_library_says(pages, package):
    """Every 20th page of each manual: the same set of URLs, but for percent-encoding and empty segments."""
    count = 0
    for path, payload in pages(package)[::20]:
        at = f"http://{package}.example/{quote(path)}"
        found = find_links(payload, at)
        oracle = Oracle(at)
        oracle.feed(payload.decode("utf-8", "replace") if b"charset" not in payload.lower() else text_of(payload))
        assert {normal(one.url) for one in found.links} == {normal(url) for url in oracle.found}, path
        count += len(found.links)
    assert count > 200


def text_of(payload: bytes) -> str:
    """Decode as the page's own first declaration says, or as UTF-8 where it is that."""
    try:
        return payload.decode()
    except UnicodeDecodeError:
        return payload.decode(re.search(rb"(?:charset|encoding)=[\"']?([\w-]+)", payload)[1].decode(), "replace")


def normal(url: str) -> str:
    """Percent-encode what a browser would; urljoin drops some empty path segments and keeps an empty port."""
    return re.sub(":?/+", "/", quote(url, safe="%/:=&?~#+!$,;'@()*[]"))


def test_owner_says_no_in_the_page_itself():
    page = (
        b"<META NAME=Robots CONTENT='noai,\n noindex'><meta name=tdm-reservation content=1><meta content=x name=author>"
        b"<meta name=ourbot content=noindex><meta http-equiv=X-Robots-Tag content=noimageai>"
        b"<meta name=robots content=''>"
    )
    said = [
        "meta robots: noai, noindex",
        "meta tdm-reservation: 1",
        "meta ourbot: noindex",
        "meta x-robots-tag: noimageai",
    ]
    assert find_links(page, AT, agent="OurBot").policy == said
    assert find_links(page + b"<div>" * 1000, AT, agent="OurBot").policy == said
    assert find_links(page, AT, agent="other").policy == [said[0], said[1], said[3]]


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        pytest.param(b"<div>" * 20_000, Quarantine.NESTING_TOO_DEEP, id="100 KB of <div>"),
        pytest.param(b"<a " + b"x=1 " * 1001 + b">", Quarantine.TOO_MANY_ATTRIBUTES, id="1,001 attributes"),
    ],
)
def test_a_page_beyond_a_limit_leads_nowhere(page, reason):
    assert (find_links(b"<a href=b>" + page, AT).links, find_links(page, AT).failed) == ([], reason)


def test_an_xhtml_page_closes_its_elements_by_a_slash():
    elements = '<script src="x"/><a name="y"/><a href="b">B</a><iframe src="f"/><a href="c">C</a>'
    page = f'<?xml version="1.0"?><html>{elements}</html>'
    expected = [("http://a.example/d/b", "B"), ("http://a.example/d/f", None), ("http://a.example/d/c", "C")]
    assert [(one.url, one.text) for one in links(page, media_type="application/xhtml+xml")] == expected


HTML = st.lists(
    st.sampled_from(
        [
            "<a href=",
            "'b'",
            ">",
            "<base href=/x/",
            "<img srcset='",
            "<svg>",
            "</a>",
            "<a href='?é日' rel=nofollow>",
            "<picture><source srcset=a>",
            "<!--",
            "-->",
            "<table><a href=t><tr>",
            "<template>",
            "\0",
            "\ufffe",
            "<meta charset=euc-jp>",
            "<figure><figcaption><img src=i>",
            "http://[",
            "&#xD800;",
            "\U0010ffff",
            "//u:p@h:8/",
        ]
    ),
    max_size=30,
)


@given(HTML.map("".join) | st.text(max_size=100), st.sampled_from([None, "utf-8", "euc-jp", "utf-16"]))
def test_any_page_gives_distinct_web_addresses_in_utf_8(page, charset):
    found = find_links(page.encode("utf-8", "replace"), AT, charset)
    places = [(one.url, one.kind) for one in found.links]
    assert len(places) == len(set(places))
    for one in found.links:
        assert one.url.startswith(("http://", "https://"))
        assert one.url.isascii()
        assert "#" not in one.url
        (one.text or "").encode()


@given(st.binary(max_size=300))
def test_any_bytes_give_an_answer(payload):
    find_links(payload, AT)
