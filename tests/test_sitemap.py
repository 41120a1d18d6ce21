"""Sitemaps in every form that owners write them in, and those that were made to hurt."""

import gzip
import random
import subprocess
import sys
import time
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.sitemap import Medium, read_sitemap
from manifests.limits import MIB, CrawlLimits
from manifests.reasons import LinkSkipped, Quarantine

AT = "http://docs.example/sitemap.xml"
NAMESPACE = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'
JAPANESE = "日本語の説明、半角カナなし"


def urlset(*entries: str) -> bytes:
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<urlset {NAMESPACE}>{"".join(entries)}</urlset>'.encode()


def entry(address: str, more: str = "") -> str:
    return f"<url>\n<loc> {escape(address)}\n</loc><lastmod>2026-01-01</lastmod>{more}</url>"


@pytest.mark.parametrize(
    ("payload", "urls", "sitemaps"),
    [
        pytest.param(urlset(entry("http://a.example/1?x=1&y=2")), ["http://a.example/1?x=1&y=2"], [], id="a URL set"),
        pytest.param(
            f"<sitemapindex {NAMESPACE}><sitemap><loc>https://a.example/s.xml.gz</loc></sitemap></sitemapindex>".encode(),
            [],
            ["https://a.example/s.xml.gz"],
            id="an index, without an XML declaration",
        ),
        pytest.param(
            b"<s:urlset xmlns:s='x'><s:url><s:loc>http://a.example/</s:loc></s:url></s:urlset>",
            ["http://a.example/"],
            [],
            id="with a prefix",
        ),
        pytest.param(
            b"<urlset><url><loc>http://a.example/?a=1&b=2&copy=3</loc></url><url><loc>http://b.example/</loc></url></urlset>",
            ["http://a.example/?a=1&b=2&copy=3", "http://b.example/"],
            [],
            id="ampersands that nobody escaped",
        ),
        pytest.param(
            b"<urlset><url><loc><![CDATA[http://a.example/?a&b]]></loc></url>"
            b"<url><loc>http://a.example/?c&d&amp;e</loc></url></urlset>",
            ["http://a.example/?a&b", "http://a.example/?c&d&e"],
            [],
            id="CDATA beside an ampersand that nobody escaped",
        ),
        pytest.param(
            b"\n <?xml version='1.0'?><urlset><url><loc>http://a.example/\x01</loc></url></urlset>",
            ["http://a.example/"],
            [],
            id="blank line before the declaration, control character in a URL",
        ),
        pytest.param(
            b"http://a.example/1\r\n\r\n# note\n  https://a.example/2  \nftp://a.example/3\n",
            ["http://a.example/1", "https://a.example/2"],
            [],
            id="text, a URL a line",
        ),
        pytest.param(
            "\ufeffhttp://a.example/日本".encode(), ["http://a.example/%E6%97%A5%E6%9C%AC"], [], id="text with a mark"
        ),
        pytest.param(
            b"<rss version='2.0'><channel><link>http://a.example/</link><image><url>http://a.example/logo.png</url>"
            b"<link>http://a.example/home</link></image><item><link>http://a.example/1</link><guid>x</guid></item>"
            b"</channel></rss>",
            ["http://a.example/1"],
            [],
            id="RSS: the items, not the channel",
        ),
        pytest.param(
            b"<feed xmlns='http://www.w3.org/2005/Atom'><link rel='self' href='/feed'/><entry><link href='/1'/>"
            b"<link rel='alternate' href='/2'/><link rel='edit' href='/3'/></entry></feed>",
            ["http://docs.example/1", "http://docs.example/2"],
            [],
            id="Atom: alternate links of entries, joined",
        ),
        pytest.param(
            b"<!DOCTYPE rss PUBLIC '-//Netscape Communications//DTD RSS 0.91//EN' 'http://my.netscape.com/rss.dtd'>"
            b"<rss version='0.91'><channel><item><title>caf&eacute;</title><link>http://a.example/1</link></item>"
            b"</channel></rss>",
            ["http://a.example/1"],
            [],
            id="a document type that only names itself",
        ),
        pytest.param(
            b"<urlset xmlns:xhtml='x'><url><loc>http://a.example/en</loc><xhtml:link rel='alternate' hreflang='ja' "
            b"href='http://a.example/ja'/></url></urlset>",
            ["http://a.example/en", "http://a.example/ja"],
            [],
            id="the same page in other languages",
        ),
        pytest.param(
            urlset(entry("http://a.example/#top"), entry("HTTP://A.example/")),
            ["http://a.example/"],
            [],
            id="twice the same",
        ),
        pytest.param(b"", [], [], id="nothing at all"),
        pytest.param(b"<urlset></urlset>", [], [], id="an empty set"),
    ],
)
@pytest.mark.parametrize("coded", [False, True], ids=["plain", "gzip"])
def test_a_sitemap_lists(payload, urls, sitemaps, coded):
    found = read_sitemap(gzip.compress(payload) if coded else payload, AT)
    assert (found.urls, found.sitemaps, found.truncated, found.failed) == (urls, sitemaps, False, None)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "euc-jp", "shift_jis", "iso-2022-jp"])
def test_japanese_in_the_encoding_that_the_declaration_names(encoding):
    text = (
        f"<?xml version='1.0' encoding='{encoding}'?><urlset><url><loc>http://a.example/日本</loc><image:image>"
        f"<image:loc>http://a.example/絵.png</image:loc><image:caption>{JAPANESE}</image:caption></image:image>"
        "</url></urlset>"
    )
    found = read_sitemap(text.encode(encoding), AT)
    assert found.urls == ["http://a.example/%E6%97%A5%E6%9C%AC"]
    assert found.media == [Medium("http://a.example/%E7%B5%B5.png", "image", JAPANESE)]


@pytest.mark.parametrize(
    ("inside", "media"),
    [
        pytest.param(
            "<image:image><image:loc>http://a.example/i</image:loc><image:title>t</image:title>"
            "<image:caption>c  d</image:caption></image:image>",
            [Medium("http://a.example/i", "image", "c d")],
            id="an image's caption before its title",
        ),
        pytest.param(
            "<image:image><image:loc>/i</image:loc></image:image><image:image><image:loc>/j</image:loc></image:image>",
            [Medium("http://docs.example/i", "image", None), Medium("http://docs.example/j", "image", None)],
            id="two images without a word",
        ),
        pytest.param(
            "<video:video><video:thumbnail_loc>/t.jpg</video:thumbnail_loc><video:title>T</video:title>"
            "<video:description>D</video:description><video:content_loc>/v</video:content_loc>"
            "<video:player_loc>/p</video:player_loc></video:video>",
            [Medium("http://docs.example/v", "video", "T"), Medium("http://docs.example/t.jpg", "image", "T")],
            id="a video, its thumbnail, not its player",
        ),
    ],
)
def test_media_of_a_url(inside, media):
    found = read_sitemap(urlset(entry("http://a.example/", inside)), AT)
    assert (found.urls, found.media) == (["http://a.example/"], media)


def test_media_of_feeds():
    found = read_sitemap(
        b"<rss><channel><item><title>Title</title><enclosure url='http://a.example/x?f=1' type='audio/mpeg'/>"
        b"<media:group><media:content url='/v.bin' medium='video'/><media:thumbnail url='/t'/></media:group>"
        b"<enclosure url='/paper.pdf' type='application/pdf'/></item></channel></rss>",
        AT,
    )
    assert found.media == [
        Medium("http://a.example/x?f=1", "audio", "Title"),
        Medium("http://docs.example/v.bin", "video", "Title"),
        Medium("http://docs.example/t", "image", "Title"),
    ]


def test_what_is_no_web_address_is_counted_and_left_out():
    entries = [
        entry(bad) for bad in ("javascript:x", "file:///etc/passwd", "http://[", "http://a.example/" + "x" * 5000)
    ]
    found = read_sitemap(urlset(*entries, entry("http://a.example/")), AT)
    assert found.urls == ["http://a.example/"]
    assert found.skipped == {LinkSkipped.SCHEME: 2, LinkSkipped.MALFORMED: 1, LinkSkipped.TOO_LONG: 1}


@pytest.mark.parametrize(("count", "truncated"), [(49_999, False), (50_000, False), (50_001, True)])
def test_at_most_50_000_urls(count, truncated):
    found = read_sitemap(gzip.compress(urlset(*(entry(f"http://a.example/{n}") for n in range(count)))), AT)
    assert (len(found.urls), found.truncated) == (min(count, 50_000), truncated)
    assert found.urls[-1] == f"http://a.example/{min(count, 50_000) - 1}"


def test_at_most_50_000_lines_and_sitemaps_of_an_index():
    lines = "\n".join(f"http://a.example/{n}" for n in range(50_001)).encode()
    index = "".join(f"<sitemap><loc>http://a.example/{n}</loc></sitemap>" for n in range(50_001))
    assert (len((found := read_sitemap(lines, AT)).urls), found.truncated) == (50_000, True)
    found = read_sitemap(f"<sitemapindex>{index}</sitemapindex>".encode(), AT)
    assert (len(found.sitemaps), found.truncated) == (50_000, True)


@pytest.mark.parametrize("cut", [0.3, 0.6, 0.99])
@pytest.mark.parametrize("coded", [False, True], ids=["plain", "gzip"])
def test_one_that_breaks_off_gives_what_came_before(cut, coded):
    whole = urlset(*(entry(f"http://a.example/{n * 7919 % 10007:x}") for n in range(2000)))
    payload = gzip.compress(whole) if coded else whole
    found = read_sitemap(payload[: int(cut * len(payload))], AT)
    expected = read_sitemap(whole, AT).urls
    assert found.truncated
    assert found.urls == expected[: len(found.urls)]
    assert len(found.urls) > 0.8 * cut * 2000


def test_beyond_50_mib_the_rest_is_left_out():
    limits = CrawlLimits(max_sitemap_bytes=10_000)
    payload = urlset(*(entry(f"http://a.example/{n}") for n in range(1000)))
    for body in (payload, gzip.compress(payload)):
        found = read_sitemap(body, AT, limits)
        assert found.truncated
        assert 50 < len(found.urls) < 200
        assert found.failed is None


def test_gzip_members_follow_each_other_and_padding_is_no_member():
    payload = urlset(entry("http://a.example/"))
    members = gzip.compress(payload[:50]) + gzip.compress(payload[50:]) + b"\0" * 100
    found = read_sitemap(members, AT)
    assert (found.urls, found.truncated, found.failed) == (["http://a.example/"], False, None)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        pytest.param(
            b"<?xml version='1.0'?><!DOCTYPE lolz [<!ENTITY lol 'lol'>"
            + b"".join(b"<!ENTITY lol%d '%s'>" % (n, b"&lol%d;" % (n - 1) * 10) for n in range(1, 10)).replace(
                b"lol0", b"lol"
            )
            + b"]><urlset><url><loc>http://a.example/&lol9;</loc></url></urlset>",
            Quarantine.PARSE_ERROR,
            id="billion laughs",
        ),
        pytest.param(
            b"<!DOCTYPE x [<!ENTITY a '"
            + b"A" * 100_000
            + b"'>]><urlset>"
            + b"<url><loc>&a;</loc></url>" * 10_000
            + b"</urlset>",
            Quarantine.PARSE_ERROR,
            id="quadratic blow-up",
        ),
        pytest.param(
            b"<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><urlset><url><loc>http://a.example/&e;</loc></url></urlset>",
            Quarantine.PARSE_ERROR,
            id="a file as an entity",
        ),
        pytest.param(
            b"<!DOCTYPE x [<!ENTITY % p SYSTEM 'http://127.0.0.1:1/x.dtd'> %p;]><urlset/>",
            Quarantine.PARSE_ERROR,
            id="a parameter entity from the network",
        ),
        pytest.param(
            b"<!DOCTYPE urlset [<!ATTLIST url a CDATA 'x'>]><urlset><url><loc>http://a.example/</loc></url></urlset>",
            Quarantine.PARSE_ERROR,
            id="definitions of any kind",
        ),
        pytest.param(b"<a>" * 100_000, Quarantine.NESTING_TOO_DEEP, id="elements in elements"),
        pytest.param(b"<!doctype html><html><a href=/x>not found</a>", Quarantine.PARSE_ERROR, id="a page"),
        pytest.param(b"<urlset", Quarantine.PARSE_ERROR, id="nothing that could be read"),
        pytest.param(gzip.compress(bytes(300 * MIB), 9), Quarantine.DECODED_TOO_LARGE, id="300 MiB of NULs in gzip"),
        pytest.param(
            gzip.compress(gzip.compress(bytes(300 * MIB), 9), 9), Quarantine.DECODED_TOO_LARGE, id="gzip in gzip"
        ),
        pytest.param(
            gzip.compress(gzip.compress(gzip.compress(urlset(entry("http://a.example/"))))),
            Quarantine.PARSE_ERROR,
            id="one coding too many",
        ),
        pytest.param(b"\x1f\x8b" + b"x" * 100, Quarantine.DAMAGED_CODING, id="no gzip behind its first bytes"),
    ],
)
def test_one_that_was_made_to_hurt_is_refused_by_name(payload, reason):
    began = time.process_time()
    found = read_sitemap(payload, AT)
    assert (found.urls, found.sitemaps, found.media, found.failed) == ([], [], [], reason)
    assert time.process_time() - began < 5


def test_an_external_document_type_is_never_opened(tmp_path):
    """An entity that only a file beside could define stays unread, whatever the file says."""
    (tmp_path / "x.dtd").write_text("<!ENTITY secret 'http://a.example/secret'>")
    found = read_sitemap(
        f"<!DOCTYPE urlset SYSTEM 'file://{tmp_path}/x.dtd'><urlset><url><loc>&secret;</loc></url>"
        "<url><loc>http://a.example/</loc></url></urlset>".encode(),
        AT,
    )
    assert found.urls == ["http://a.example/"]


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(b"<urlset>" + b"<a/>" * 12_000_000, id="12 million elements"),
        pytest.param(b"<urlset><url><loc>http://a.example/" + b"x" * (48 * MIB), id="a URL of 48 MiB"),
        pytest.param(b"<urlset>" + b"&" * (48 * MIB), id="48 MiB of ampersands"),
        pytest.param(b"<urlset>&" + b"<![CDATA[" * (5 * MIB), id="sections that are never closed"),
        pytest.param(
            b"<urlset " + b"".join(b"a%d='' " % n for n in range(500_000)) + b"/>", id="half a million attributes"
        ),
        pytest.param(b"<" * (48 * MIB), id="48 MiB of brackets"),
        pytest.param(b" " * (48 * MIB), id="48 MiB of spaces"),
        pytest.param(b"http://a.example/\n" * 2_900_000, id="2.9 million lines"),
    ],
)
def test_the_largest_that_may_be_costs_seconds_at_most(payload):
    began = time.process_time()
    found = read_sitemap(payload, AT)
    assert time.process_time() - began < 8
    assert len(found.urls) <= 1


def test_a_bomb_costs_no_more_memory_than_the_limit_allows():
    bomb = gzip.compress(random.Random(1).randbytes(MIB) + bytes(190 * MIB), 9)  # within the ratio, beyond the size
    code = (
        "import resource, sys; from filters.sitemap import read_sitemap; data = sys.stdin.buffer.read();"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; found = read_sitemap(data, 'http://a.example/');"
        "print(found.truncated or found.failed, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    ran = subprocess.run([sys.executable, "-c", code], input=bomb, capture_output=True, check=True, timeout=120)
    verdict, grown_kib = ran.stdout.split()
    assert verdict == b"True"
    assert int(grown_kib) < (50 + 64) * 1024


@given(st.binary(max_size=400))
def test_any_bytes_give_an_answer(payload):
    for body in (payload, b"<urlset><url><loc>http://a.example/</loc></url>" + payload, b"\x1f\x8b\x08\0" + payload):
        found = read_sitemap(body, AT)
        assert all(url.startswith(("http://", "https://")) for url in (*found.urls, *found.sitemaps))


@given(st.lists(st.text(st.characters(exclude_categories=["C"], exclude_characters="#"), max_size=30), max_size=20))
def test_whatever_is_written_is_read_back(names):
    """The oracle is XML's own escaping and the order of first appearance."""
    from urllib.parse import quote

    names = [name for name in names if name not in (".", "..")]  # these are no names in a URL
    urls = [f"http://a.example/{quote(name)}" for name in names]
    assert read_sitemap(urlset(*map(entry, urls)), AT).urls == list(dict.fromkeys(urls))
