"""Scopes: what links may lead to, what is never fetched, and how deep."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.scope import Scope
from filters.url import UrlError, canonical_url, location
from manifests.reasons import LinkSkipped

OUT = LinkSkipped.OUT_OF_SCOPE


@pytest.mark.parametrize(
    ("kind", "url", "objection"),
    [
        pytest.param("host", "http://docs.a.co.jp/x", None, id="host: another folder"),
        pytest.param("host", "https://docs.a.co.jp:8080/", None, id="host: another scheme and port"),
        pytest.param("host", "https://www.a.co.jp/", OUT, id="host: a neighbour"),
        pytest.param("host", "https://x.docs.a.co.jp/", OUT, id="host: a name below"),
        pytest.param("domain", "https://www.a.co.jp/", None, id="domain: a neighbour"),
        pytest.param("domain", "https://a.co.jp/", None, id="domain: the domain itself"),
        pytest.param("domain", "https://b.co.jp/", OUT, id="domain: a public suffix is no domain"),
        pytest.param("domain", "https://a.co.jp.evil.example/", OUT, id="domain: a name that starts alike"),
        pytest.param("domain", "https://xa.co.jp/", OUT, id="domain: a name that ends alike"),
        pytest.param("prefix", "https://docs.a.co.jp/ja/guide/", None, id="prefix: the folder"),
        pytest.param("prefix", "https://docs.a.co.jp/ja/guide/a/b?c", None, id="prefix: below the folder"),
        pytest.param("prefix", "http://docs.a.co.jp/ja/guide/start.html", None, id="prefix: another scheme"),
        pytest.param("prefix", "https://docs.a.co.jp/ja/guide", OUT, id="prefix: a page named as the folder"),
        pytest.param("prefix", "https://docs.a.co.jp/ja/guide2/", OUT, id="prefix: a folder that starts alike"),
        pytest.param("prefix", "https://docs.a.co.jp/ja/", OUT, id="prefix: the folder above"),
        pytest.param("prefix", "https://docs.a.co.jp/?/ja/guide/", OUT, id="prefix: a query is no folder"),
        pytest.param("prefix", "https://docs.a.co.jp:8080/ja/guide/", OUT, id="prefix: another port"),
        pytest.param("prefix", "https://b.example/x/y", None, id="prefix: a seed on top is its whole host"),
        pytest.param("any", "https://elsewhere.example/", None, id="any: everything"),
    ],
)
def test_scope(kind, url, objection):
    seeds = ["https://docs.a.co.jp/ja/guide/start.html?x=/y/", "https://b.example/"]
    assert Scope.of(kind, seeds, (), 8).objection(url, 1) == objection


@pytest.mark.parametrize(
    ("exclude", "url", "excluded"),
    [
        pytest.param("https://a.example/private/", "https://a.example/private/x", True, id="below"),
        pytest.param("https://a.example/private/", "http://a.example/private/x", True, id="the other scheme"),
        pytest.param("https://a.example/private", "https://a.example/private2", True, id="a prefix is no folder"),
        pytest.param("https://a.example/private/", "https://a.example/public", False, id="beside"),
        pytest.param("https://a.example", "https://a.example/x", True, id="a whole host"),
        pytest.param("https://a.example", "https://a.example.com/x", False, id="... but no longer name"),
        pytest.param("HTTPS://A.Example:443/%7ex", "https://a.example/~x/y", True, id="spelled otherwise"),
        pytest.param("https://例え.jp/日記/", "https://xn--r8jz45g.jp/%E6%97%A5%E8%A8%98/1", True, id="in Japanese"),
        pytest.param("https://a.example/search?", "https://a.example/search?q=1", True, id="with any query"),
        pytest.param("https://a.example/search?", "https://a.example/search", False, id="... but not without"),
        pytest.param("https://a.example/?lang=", "https://a.example/?lang=de", True, id="a query that starts so"),
    ],
)
def test_exclude(exclude, url, excluded):
    scope = Scope.of("any", [], [exclude], 8)
    assert scope.objection(url, 0) == (LinkSkipped.EXCLUDED if excluded else None)


def test_depth_is_inclusive_and_exclusion_comes_first():
    scope = Scope.of("host", ["https://a.example/"], ["https://a.example/no"], 2)
    assert scope.objection("https://a.example/x", 2) is None
    assert scope.objection("https://a.example/x", 3) == LinkSkipped.TOO_DEEP
    assert scope.objection("https://a.example/no", 3) == LinkSkipped.EXCLUDED
    assert scope.objection("https://b.example/", 3) == LinkSkipped.TOO_DEEP


def test_a_wrong_kind_or_prefix_is_named_before_the_crawl():
    with pytest.raises(ValueError, match="'hosts' is none of host, domain, prefix, any"):
        Scope.of("hosts", [], (), 1)
    with pytest.raises(UrlError, match="scheme"):
        Scope.of("any", [], ["ftp://a.example/"], 1)


def test_the_order_of_seeds_makes_no_other_scope():
    seeds = [f"https://{name}.example/{name}/" for name in "abc"]
    assert Scope.of("prefix", seeds, (), 1) == Scope.of("prefix", [*reversed(seeds), *seeds], (), 1)


NAMES = st.sampled_from(["a", "b", "ab"])
URLS = st.builds(
    lambda scheme, host, path, last: canonical_url(f"{scheme}://{host}.example/{'/'.join([*path, last])}"),
    st.sampled_from(["http", "https"]),
    NAMES,
    st.lists(NAMES, max_size=3),
    st.sampled_from(["", "x", "a", "x?a/b"]),
)


@given(st.lists(URLS, max_size=3), URLS, URLS)
def test_kinds_are_nested(seeds, seed, url):
    """A prefix is within its host, a host within its domain, a seed in all of them."""
    prefix, host, domain = (Scope.of(kind, [seed, *seeds], (), 1) for kind in ("prefix", "host", "domain"))
    for narrow, wide in ((prefix, host), (host, domain)):
        assert narrow.objection(url, 1) or wide.objection(url, 1) is None
    assert prefix.objection(seed, 1) is None


@given(st.lists(URLS, max_size=4), URLS)
def test_prefix_agrees_with_comparing_every_seed(seeds, url):
    folders = [seed.split("?")[0].rpartition("/")[0].split("//")[1] + "/" for seed in seeds]
    inside = any(url.split("?")[0].split("//")[1].startswith(folder) for folder in folders)
    assert (Scope.of("prefix", seeds, (), 1).objection(url, 1) is None) == inside


def test_http_and_https_of_a_host_are_one_host_in_scope_but_two_authorities():
    assert location("http://a.example/").authority != location("https://a.example/").authority
    assert Scope.of("host", ["http://a.example/"], (), 1).objection("https://a.example/", 1) is None
