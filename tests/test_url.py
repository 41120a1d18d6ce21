"""Canonical URLs: what is one URL and what is two, what is no URL, and where it leads."""

import hashlib
import re
from urllib.parse import unquote_to_bytes, urlsplit

import ada_url
import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from filters.url import UrlError, canonical_url, domain_key, location, registrable_domain, url_id
from manifests.limits import CrawlLimits
from manifests.reasons import LinkSkipped
from pipelines.crawl.block import TRACKING_PARAMETERS

CHARACTERS = "abZ019~-._!$'()*,;:@/?#&=+%[]\\|^ \t\n\x00あéß。\ud83d\ude00\U0001f600"
WORDS = [
    "%41",
    "%2e",
    "%2F",
    "%zz",
    "%%341",
    "%e3%81%82",
    "%00",
    "utm_x=1",
    "&_ga=2",
    "../",
    "./",
    "//",
    ";a=1",
    "xn--",
]
PIECES = st.sampled_from([*CHARACTERS, *WORDS])
TAILS = st.lists(PIECES, max_size=20).map("".join)
HOSTS = st.sampled_from(
    [
        "a.example",
        "A.EXAMPLE.",
        "user:pw@例え.テスト",
        "[2001:DB8::1]",
        "0x7f.1",
        "faß.de",
        "a_b.example",
        "x.co.jp:8080",
    ]
)
URLS = st.builds(
    lambda scheme, host, tail: f"{scheme}://{host}/{tail}", st.sampled_from(["http", "HTTPS"]), HOSTS, TAILS
)
OPTIONS = st.fixed_dictionaries(
    {"strip": st.sampled_from([(), TRACKING_PARAMETERS, ("a*",), ("*",)]), "sort_query": st.booleans()}
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("HTTP://Example.COM", "http://example.com/", id="scheme and host are lower case, a path is there"),
        pytest.param("http://example.com/A/b", "http://example.com/A/b", id="a path keeps its case"),
        pytest.param("http://example.com:80/", "http://example.com/", id="the default port goes"),
        pytest.param("https://example.com:443/", "https://example.com/", id="the other default port goes"),
        pytest.param("https://example.com:80/", "https://example.com:80/", id="another scheme's default port stays"),
        pytest.param("http://example.com/#top", "http://example.com/", id="the fragment goes"),
        pytest.param("http://example.com/?a=1#top?b", "http://example.com/?a=1", id="all of the fragment goes"),
        pytest.param("http://example.com/?a #b", "http://example.com/?a%20", id="a space in front of it is no end"),
        pytest.param("http://user:secret@example.com/", "http://example.com/", id="credentials go"),
        pytest.param("http://a@b@example.com/", "http://example.com/", id="credentials with an @ go"),
        pytest.param("http://example.com/@user", "http://example.com/@user", id="an @ in the path is no credential"),
        pytest.param("http://example.com./a", "http://example.com/a", id="the dot that ends a host goes"),
        pytest.param("http://example.com.:8080/a", "http://example.com:8080/a", id="... in front of a port, too"),
        pytest.param("http://example.com/a?", "http://example.com/a", id="a query without anything goes"),
        pytest.param("http://example.com/a/../b/./c", "http://example.com/b/c", id="dot segments are walked"),
        pytest.param("http://example.com/a/%2E%2e/b", "http://example.com/b", id="... in escapes, too"),
        pytest.param("http://example.com/a//b/", "http://example.com/a//b/", id="double and last slashes stay"),
        pytest.param("http:\\\\example.com\\a", "http://example.com/a", id="backslashes are slashes, as in browsers"),
        pytest.param(
            " \n http://exa\tmple.com/\n", "http://example.com/", id="line breaks in an attribute are nothing"
        ),
        pytest.param("http://www.example.com/index.html", "http://www.example.com/index.html", id="www, index stay"),
        pytest.param("http://example.com/%7Euser/%61", "http://example.com/~user/a", id="unreserved: unescaped"),
        pytest.param("http://example.com/a%2fb%3f", "http://example.com/a%2Fb%3F", id="reserved: upper-case digits"),
        pytest.param("http://example.com/100%", "http://example.com/100%", id="a stray percent sign stays"),
        pytest.param("http://example.com/%%341", "http://example.com/%%341", id="an escape is never made of leftovers"),
        pytest.param(
            "http://example.com/%41/%?%&b=%41", "http://example.com/A/%?%&b=A", id="... and holds no other back"
        ),
        pytest.param("http://0x7F.0.0.1/", "http://127.0.0.1/", id="a disguised address is what it is"),
        pytest.param("http://2130706433/", "http://127.0.0.1/", id="an address in one number"),
        pytest.param("http://①②⑦.0.0.1/", "http://127.0.0.1/", id="an address in circled digits"),
        pytest.param("http://[::FFFF:127.0.0.1]/", "http://[::ffff:7f00:1]/", id="IPv6, the short way"),
        pytest.param("http://x/\ud83d\ude00", "http://x/%F0%9F%98%80", id="a pair of surrogates is its character"),
        pytest.param("http://x/\ud800", "http://x/%EF%BF%BD", id="a lone surrogate is U+FFFD"),
    ],
)
def test_one_spelling(text, expected):
    assert canonical_url(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "https://日本語.jp/記事/東京?検索=寿司",
            "https://xn--wgv71a119e.jp/%E8%A8%98%E4%BA%8B/%E6%9D%B1%E4%BA%AC?%E6%A4%9C%E7%B4%A2=%E5%AF%BF%E5%8F%B8",
            id="host, path and query",
        ),
        pytest.param("https://XN--WGV71A119E.jp/", "https://xn--wgv71a119e.jp/", id="already Punycode"),
        pytest.param("https://日本語。jp/", "https://xn--wgv71a119e.jp/", id="the ideographic full stop"),
        pytest.param("https://ｅｘａｍｐｌｅ．ＪＰ/", "https://example.jp/", id="full-width letters"),
        pytest.param("https://ﾆﾎﾝ.jp/", "https://xn--idk6a7d.jp/", id="half-width kana"),
        pytest.param("https://a.jp/%e3%81%82%e3%82%a2", "https://a.jp/%E3%81%82%E3%82%A2", id="lower-case escapes"),
        pytest.param("https://a.jp/?q=%93%FA%96%7B", "https://a.jp/?q=%93%FA%96%7B", id="a query in Shift_JIS stays"),
        pytest.param("https://a.jp/?q=%C6%FC%CB%DC", "https://a.jp/?q=%C6%FC%CB%DC", id="a query in EUC-JP stays"),
        pytest.param("https://a.jp/が", "https://a.jp/%E3%81%8C", id="composed"),
        pytest.param("https://a.jp/か\u3099", "https://a.jp/%E3%81%8B%E3%82%99", id="decomposed is another path"),
    ],
)
def test_japanese(text, expected):
    assert canonical_url(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("c", "http://a.example/x/c", id="a name"),
        pytest.param("/c", "http://a.example/c", id="a path"),
        pytest.param("//b.example/c", "http://b.example/c", id="a host"),
        pytest.param("?c", "http://a.example/x/y?c", id="a query"),
        pytest.param("#c", "http://a.example/x/y?z", id="a fragment is the page itself"),
        pytest.param("", "http://a.example/x/y?z", id="nothing is the page itself"),
        pytest.param("../../../c", "http://a.example/c", id="too far up"),
        pytest.param("http:c", "http://a.example/x/c", id="the scheme alone is relative, as in browsers"),
        pytest.param("https:c", "https://c/", id="another scheme alone is not"),
        pytest.param("日本", "http://a.example/x/%E6%97%A5%E6%9C%AC", id="a Japanese name"),
    ],
)
def test_joined_to_a_base(text, expected):
    assert canonical_url(text, "http://user:secret@a.example/x/y?z#f") == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param("utm_source=a&b=1&utm_medium=c", "b=1", id="listed names go, the rest stays"),
        pytest.param("gclid=1", "", id="nothing is left, nor the question mark"),
        pytest.param("gclid2=1&xgclid=1", "gclid2=1&xgclid=1", id="a name is a whole name"),
        pytest.param("UTM_source=a", "UTM_source=a", id="names have a case"),
        pytest.param("b=gclid", "b=gclid", id="a value is no name"),
        pytest.param("gclid&b", "b", id="a name without a value"),
        pytest.param("%67clid=1&b", "b", id="a name in escapes"),
        pytest.param("b=2&a=1&&a=0", "b=2&a=1&&a=0", id="order and empty pieces stay"),
        pytest.param("a=1;gclid=2", "a=1;gclid=2", id="a semicolon parts nothing"),
    ],
)
def test_parameters_are_stripped_by_list(query, expected):
    wanted = "http://x/" + (f"?{expected}" if expected else "")
    assert canonical_url(f"http://x/?{query}", strip=TRACKING_PARAMETERS) == wanted
    assert canonical_url(f"http://x/?{query}", strip=()).count("&") == query.count("&")


def test_a_sorted_query_keeps_the_order_within_a_name():
    assert canonical_url("http://x/?b=2&a=9&b=1&a", sort_query=True) == "http://x/?a=9&a&b=2&b=1"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("", LinkSkipped.MALFORMED, id="nothing"),
        pytest.param("example.com/a", LinkSkipped.MALFORMED, id="no scheme and no base"),
        pytest.param("http://", LinkSkipped.MALFORMED, id="no host"),
        pytest.param("http://a b/", LinkSkipped.MALFORMED, id="a space in a host"),
        pytest.param("http://a:99999/", LinkSkipped.MALFORMED, id="no port has five nines"),
        pytest.param("http://[::1/", LinkSkipped.MALFORMED, id="an open bracket"),
        pytest.param("http://1.2.3.256/", LinkSkipped.MALFORMED, id="no address"),
        pytest.param("http://a..example/", LinkSkipped.MALFORMED, id="an empty label"),
        pytest.param("http://a.example../", LinkSkipped.MALFORMED, id="two dots at the end"),
        pytest.param("http://./", LinkSkipped.MALFORMED, id="the root of all names"),
        pytest.param(f"http://{'a' * 64}.example/", LinkSkipped.MALFORMED, id="a label of 64 characters"),
        pytest.param(f"http://{'a.' * 127}aa/", LinkSkipped.MALFORMED, id="a host of 256 characters"),
        pytest.param("ftp://a.example/", LinkSkipped.SCHEME, id="ftp"),
        pytest.param("file:///etc/passwd", LinkSkipped.SCHEME, id="a file"),
        pytest.param("javascript:alert(1)", LinkSkipped.SCHEME, id="a script"),
        pytest.param("mailto:user@a.example", LinkSkipped.SCHEME, id="mail"),
        pytest.param("http+unix://a.example/", LinkSkipped.SCHEME, id="looks like http"),
        pytest.param("view-source:http://a.example/", LinkSkipped.SCHEME, id="a scheme around http"),
        pytest.param("\n data:," + "x" * 9999, LinkSkipped.SCHEME, id="long data are data first of all"),
        pytest.param("http://x/" + "a" * 4088, LinkSkipped.TOO_LONG, id="one character more than the limit"),
        pytest.param("http://x/" + "あ" * 500, LinkSkipped.TOO_LONG, id="... once it is escaped"),
        pytest.param("a" * 9999, LinkSkipped.TOO_LONG, id="a long relative reference"),
    ],
)
def test_no_url_that_a_crawl_asks_for(text, reason):
    with pytest.raises(UrlError) as caught:
        canonical_url(text)
    assert caught.value.reason == reason


@pytest.mark.parametrize("text", ["http://x/" + "a" * 4087, " " * 9999 + "http://x/", "http://x/#" + "a" * 9999])
def test_the_limit_is_for_what_counts(text):
    assert len(canonical_url(text)) <= CrawlLimits().max_url_chars


@pytest.mark.parametrize("host", [f"{'a' * 63}.example", ("a" * 49 + ".") * 5 + "abc", "a_b.example", "-a.example"])
def test_a_host_that_a_resolver_may_know(host):
    assert location(canonical_url(f"http://{host}/")).host == host


@pytest.mark.parametrize(
    "text",
    [
        "http://user:hunter2@a b/",
        "user:hunter2@a.example",
        "hunter2:x",
        "ftp://user:hunter2@a/",
        "http://hunter2@a../",
        "http://user:hunter2@a.example/" + "x" * 9999,
    ],
)
def test_an_error_never_tells_a_password(text):
    with pytest.raises(UrlError) as caught:
        canonical_url(text)
    assert "hunter2" not in "".join([str(caught.value), repr(caught.value), repr(caught.value.__context__)])


@given(URLS, OPTIONS)
@example("http://a.example/?x=%41&utm_a=%", {"strip": TRACKING_PARAMETERS, "sort_query": False})
@example("http://a.example/?%75tm_a=1", {"strip": TRACKING_PARAMETERS, "sort_query": False})
@example("http://a.example/?a%26=1&a=2", {"strip": (), "sort_query": True})
def test_done_again_it_stays_the_same(text, options):
    try:
        url = canonical_url(text, **options)
    except UrlError:
        assume(False)
    assert canonical_url(url, **options) == url


@given(st.one_of(URLS, TAILS, st.text()), st.one_of(st.none(), URLS), OPTIONS)
def test_any_text_is_a_plain_url_or_a_named_error(text, base, options):
    try:
        url = canonical_url(text, base, **options, max_chars=200)
    except UrlError as error:
        assert error.reason in (LinkSkipped.MALFORMED, LinkSkipped.SCHEME, LinkSkipped.TOO_LONG)
        return
    assert len(url) <= 200
    assert re.fullmatch(r"https?://[^/?#@\s]+/[!-~]*", url)
    assert "#" not in url


@given(URLS, st.one_of(URLS, TAILS))
@example("http://a.example/%41/", "%")
def test_a_link_joins_to_the_canonical_base_alike(base, text):
    try:
        plain = canonical_url(base)
        joined = canonical_url(text, base)
    except UrlError:
        assume(False)
    assert canonical_url(text, plain) == joined


@given(URLS)
def test_path_and_query_mean_the_same_bytes(text):
    """No octet that the server would see is changed; only their spelling is."""
    try:
        url = canonical_url(text)
    except UrlError:
        assume(False)
    given_url, got = ada_url.URL(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")), ada_url.URL(url)
    assert unquote_to_bytes(got.pathname) == unquote_to_bytes(given_url.pathname)
    assert unquote_to_bytes(got.search) == unquote_to_bytes(given_url.search)


PARAMETERS = st.lists(st.from_regex(r"[a-c]{1,3}=[0-9]{0,2}", fullmatch=True), min_size=1, unique_by=lambda p: p[:-3])


@given(PARAMETERS, st.data())
def test_tracking_parameters_anywhere_make_no_other_url(pieces, data):
    at = data.draw(st.integers(0, len(pieces)))
    tracked = [*pieces[:at], "utm_campaign=x%", *pieces[at:]]
    plain = canonical_url("http://x/?" + "&".join(pieces))
    assert canonical_url("http://x/?" + "&".join(tracked), strip=TRACKING_PARAMETERS) == plain


@given(st.permutations(["a=1", "b", "c=%41", "d=", "e=あ"]))
def test_sorted_any_order_is_one_url(pieces):
    expected = "http://x/?a=1&b&c=A&d=&e=%E3%81%82"
    assert canonical_url("http://x/?" + "&".join(pieces), sort_query=True) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://a.b.example.co.jp/x", ("http", "a.b.example.co.jp", 80, "http://a.b.example.co.jp", "example.co.jp")),
        ("https://example.com:8443/", ("https", "example.com", 8443, "https://example.com:8443", "example.com")),
        ("https://[2001:db8::1]/", ("https", "2001:db8::1", 443, "https://[2001:db8::1]", "2001:db8::1")),
        ("http://[2001:db8::1]:81/", ("http", "2001:db8::1", 81, "http://[2001:db8::1]:81", "2001:db8::1")),
        ("http://192.0.2.7:8080/", ("http", "192.0.2.7", 8080, "http://192.0.2.7:8080", "192.0.2.7")),
        ("http://localhost/", ("http", "localhost", 80, "http://localhost", "localhost")),
    ],
)
def test_location(url, expected):
    assert location(url) == expected


@given(URLS)
def test_location_agrees_with_the_standard_library(text):
    try:
        url = canonical_url(text)
    except UrlError:
        assume(False)
    split, found = urlsplit(url), location(url)
    assert (found.scheme, found.host) == (split.scheme, split.hostname)
    assert found.port == (split.port or {"http": 80, "https": 443}[split.scheme])
    assert found.authority == f"{split.scheme}://{split.netloc}"


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        pytest.param("www.example.com", "example.com", id="a plain suffix"),
        pytest.param("a.b.example.co.uk", "example.co.uk", id="a suffix of two labels"),
        pytest.param("alice.github.io", "alice.github.io", id="the private section: one user, one owner"),
        pytest.param("x.alice.github.io", "alice.github.io", id="... and what lies below"),
        pytest.param("github.io", "github.io", id="a suffix is its own domain"),
        pytest.param("jp", "jp", id="a top-level name, too"),
        pytest.param("city.kawasaki.jp", "city.kawasaki.jp", id="an exception of the list"),
        pytest.param("a.b.kawasaki.jp", "a.b.kawasaki.jp", id="a wildcard of the list"),
        pytest.param("x.y.nonesuch", "y.nonesuch", id="a suffix that nobody listed"),
        pytest.param("intranet", "intranet", id="a name without dots"),
        pytest.param("a.xn--wgv71a119e.jp", "xn--wgv71a119e.jp", id="Japanese in Punycode"),
        pytest.param("WWW.Example.COM.", "example.com", id="case and last dot don't matter"),
        pytest.param("10.0.0.1", "10.0.0.1", id="an address is its own domain"),
        pytest.param("2001:db8::1", "2001:db8::1", id="IPv6, too"),
    ],
)
def test_registrable_domain(host, domain):
    assert registrable_domain(host) == domain


def test_ids_and_keys_are_sha256():
    assert domain_key("example.com") == 0xA379A6F6EEAFB9A5
    assert url_id("http://example.com/") == hashlib.sha256(b"http://example.com/").digest()[:16]
    assert np.uint64(domain_key("example.com")) == domain_key("example.com")


def test_keys_fill_their_range_evenly():
    eighths = np.bincount([domain_key(f"d{number}.example") >> 61 for number in range(8000)], minlength=8)
    assert eighths.min() > 850
    assert eighths.max() < 1150
