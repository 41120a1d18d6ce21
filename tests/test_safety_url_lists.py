"""Lists of URLs: what an entry holds for, in any spelling; the same answers as sets of strings; damage is found."""

import gzip
import random
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.models import ModelDamagedError, ModelMissingError
from filters.rules import judge, reasons
from filters.safety import url_keys, url_lists, url_table
from filters.safety.assets import fineweb_lists
from filters.safety.url_lists import UrlList, compiled, identity, opted_out, url_rules, url_signals
from filters.safety.url_table import UrlTable, UrlTableError


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Give `own(name, lines, scope)`: a list in a file of its own, compiled into a cache of its own."""
    monkeypatch.setenv("CORPUSMILL_CACHE", str(tmp_path / "cache"))

    def make(name, lines, scope="auto"):
        path = tmp_path / f"{name}.txt"
        path.write_text("\n".join(lines))
        return UrlList(name, str(path), scope)

    return make


def table_of(entries: list[tuple[str, str]]) -> UrlTable:
    """Return a table of (entry, scope), entry k in list k."""
    arrays, counts = url_lists.arrays_of([([pa.array([entry])], scope) for entry, scope in entries])
    return UrlTable(("",) * len(entries), tuple(counts), "", arrays)


def is_listed(entry: str, scope: str, url: str | None) -> bool:
    return bool(table_of([(entry, scope)]).search(pa.array([url], pa.string()))[0])


@pytest.mark.parametrize(
    ("entry", "scope", "url", "listed"),
    [
        pytest.param("example.org", "domain", "http://example.org/", True, id="the domain itself"),
        pytest.param("example.org", "domain", "https://a.b.example.org/c?d#e", True, id="a host two levels below"),
        pytest.param("example.org", "domain", "https://badexample.org/", False, id="a name that only ends alike"),
        pytest.param("example.org", "domain", "https://example.org.evil.net/", False, id="a name that begins alike"),
        pytest.param("example.org", "domain", "https://other.net/example.org/", False, id="the name in a path"),
        pytest.param("example.org", "domain", "https://u:p@EXAMPLE.org:8443", True, id="credentials, case, port"),
        pytest.param("example.org", "domain", "http://example.org./x", True, id="the dot that ends a host"),
        pytest.param("example.org", "domain", "https://good.net/@example.org", False, id="an @ in the path"),
        pytest.param("example.org", "domain", "https://good.net?u=http://example.org/", False, id="a URL in a query"),
        pytest.param("Example.ORG", "domain", "http://example.org/", True, id="a list's capitals"),
        pytest.param("https://example.org/", "domain", "http://sub.example.org/", True, id="a list's scheme and slash"),
        pytest.param(
            "bücher.example", "domain", "http://xn--bcher-kva.example/", True, id="IDN listed, punycode asked"
        ),
        pytest.param(
            "xn--bcher-kva.example", "domain", "http://BÜCHER.example/", True, id="punycode listed, IDN asked"
        ),
        pytest.param("例え.テスト", "domain", "https://www.例え.テスト/道", True, id="Japanese host"),
        pytest.param("192.0.2.7", "domain", "http://192.0.2.7:8080/x", True, id="an address"),
        pytest.param("192.0.2.7", "domain", "http://0xC0000207/x", True, id="an address in another spelling"),
        pytest.param("under_score.example.org", "domain", "http://under_score.example.org", True, id="underscore"),
        pytest.param("example.org", "host", "http://example.org/x", True, id="the host"),
        pytest.param("example.org", "host", "http://www.example.org/x", False, id="a host below is another host"),
        pytest.param("example.org/a", "url", "http://example.org/a", True, id="the URL"),
        pytest.param("example.org/a", "url", "https://www.example.org/a/", True, id="with www and a slash"),
        pytest.param("www.example.org/a/", "url", "https://example.org/a", True, id="listed with www and a slash"),
        pytest.param("example.org/a", "url", "http://example.org/a/b/c.html", True, id="below the URL"),
        pytest.param("example.org/a", "url", "http://example.org/a?b=c", True, id="with a query"),
        pytest.param("example.org/a?b=1", "url", "http://example.org/a?b=1&c=2", True, id="with more of a query"),
        pytest.param("example.org/a?b=1", "url", "http://example.org/a?b=12", False, id="another value"),
        pytest.param("example.org/a", "url", "http://example.org/ab", False, id="a path that begins alike"),
        pytest.param("example.org/a", "url", "http://example.org/", False, id="above the URL"),
        pytest.param("example.org/a", "url", "http://sub.example.org/a", False, id="the path on another host"),
        pytest.param("example.org/A", "url", "http://example.org/a", False, id="paths have letter case"),
        pytest.param("example.org/%7Euser", "url", "http://example.org/~user/x", True, id="an escape that needn't be"),
        pytest.param("example.org/~user", "url", "http://example.org/%7euser", True, id="and the other way round"),
        pytest.param("example.org/a", "url", "http://example.org/b/../a", True, id="dot segments"),
        pytest.param("example.org/a", "url", "http://example.org:80/a#x", True, id="default port and fragment"),
        pytest.param("example.org:8080/a", "url", "http://example.org:8080/a", True, id="a port of its own"),
        pytest.param("example.org/a", "url", "http://example.org:8080/a", False, id="another port"),
        pytest.param("example.org/道", "url", "http://example.org/%E9%81%93", True, id="Chinese path"),
        pytest.param("example.org", "domain", "manual:example.org/a.html", False, id="a local record"),
        pytest.param("example.org", "domain", "ftp://example.org/", False, id="another scheme"),
        pytest.param("example.org", "domain", "http://", False, id="no host"),
        pytest.param(
            "example.org", "domain", "http:///example.org", True, id="too many slashes, as browsers read them"
        ),
        pytest.param("example.org", "domain", "", False, id="empty"),
        pytest.param("example.org", "domain", None, False, id="null"),
        pytest.param("example.org", "domain", "http://exa mple.org/", False, id="no URL at all"),
    ],
)
def test_what_an_entry_holds_for(entry, scope, url, listed):
    assert is_listed(entry, scope, url) is listed


LABELS = st.sampled_from(["a", "b", "www", "ab", "co", "xn--p1ai", "a-b"])
HOSTS = st.lists(LABELS, min_size=1, max_size=4).map(".".join)
PATHS = st.lists(st.sampled_from(["", "a", "b", "ab", "a?b", "a&b", "?a"]), max_size=4).map("/".join)
URLS = st.builds("http{}://{}/{}".format, st.sampled_from(["", "s"]), HOSTS, PATHS)


def oracle(entry: tuple[str, str], url: str) -> bool:
    """Say the same with strings alone."""
    listed, scope = entry
    parts = urlsplit(url)
    if scope == "host":
        return parts.hostname == listed
    if scope == "domain":
        return f".{parts.hostname}".endswith(f".{listed}")

    def plain(host, rest):
        bare = host.removeprefix("www.") if host.count(".") or host != "www" else host
        return bare + rest.rstrip("/?")

    host, slash, path = listed.partition("/")
    wanted = plain(host, slash + path)
    asked = plain(parts.hostname, url.split("://", 1)[1][len(parts.netloc) :])
    return asked == wanted or any(asked.startswith(wanted + mark) for mark in "/?&")


@given(st.lists(st.tuples(HOSTS, st.sampled_from(["host", "domain"])), min_size=1, max_size=5), st.lists(URLS))
def test_hosts_and_domains_as_strings_would_say(entries, urls):
    assert_as_oracle(entries, urls)


@given(
    st.lists(st.builds(lambda host, path: (f"{host}/{path}", "url"), HOSTS, PATHS), min_size=1, max_size=5),
    st.lists(URLS),
)
def test_url_prefixes_as_strings_would_say(entries, urls):
    assert_as_oracle(entries, urls)


def assert_as_oracle(entries, urls):
    found = table_of(entries).search(pa.array(urls, pa.string()))
    said = [sum(1 << k for k, entry in enumerate(entries) if oracle(entry, url)) for url in urls]
    assert found.tolist() == said


@given(st.lists(st.one_of(st.none(), st.text(max_size=30), st.text(max_size=30).map("http://{}".format)), max_size=9))
def test_any_text_gets_an_answer_and_order_changes_none(urls):
    table = table_of([("example.org", "domain"), ("a", "domain")])
    found = table.search(pa.array(urls, pa.string()))
    assert found.tolist() == table.search(pa.array(urls[::-1], pa.string()))[::-1].tolist()
    sliced = pa.array(["http://a/", *urls], pa.string()).slice(1)
    assert table.search(sliced).tolist() == found.tolist()


@pytest.mark.parametrize(
    ("line", "holds"),
    [
        pytest.param("0.0.0.0 bad.example", True, id="hosts file"),
        pytest.param("127.0.0.1\tbad.example # why", True, id="hosts file with a comment"),
        pytest.param("||bad.example^", True, id="ad blocker"),
        pytest.param("*.bad.example", True, id="wildcard"),
        pytest.param(".bad.example", True, id="leading dot"),
        pytest.param("  bad.example\r", True, id="white space around it"),
        pytest.param("# bad.example", False, id="comment"),
        pytest.param("! bad.example", False, id="ad blocker's comment"),
        pytest.param("-", False, id="no name"),
    ],
)
def test_forms_of_lists(own, line, holds):
    table = compiled([own("one", ["other.example", "", line])])
    assert table.counts == (1 + holds,)
    assert table.search(pa.array(["http://x.bad.example/"])).tolist() == [int(holds)]


def test_reasons_name_the_list_and_an_opt_out_only_refuses(own):
    lists = [own("adult", ["bad.example", "both.example"]), own("malware", ["worse.example/x", "both.example"])]
    table = compiled(lists)
    uris = ["http://a.bad.example/", "http://worse.example/x/y", "http://worse.example/", "http://both.example", "m:a"]
    signals = url_signals(pa.array(uris), table)
    assert signals.to_pydict() == {"blocked_url_adult": [1, 0, 0, 1, 0], "blocked_url_malware": [0, 1, 0, 1, 0]}
    rules, language = url_rules(table.names), pa.nulls(5, pa.string())
    said = reasons(rules, judge(rules, signals, language), signals, language)
    assert said.to_pylist() == ["blocked_url/adult>0", "blocked_url/malware>0", None, "blocked_url/adult>0", None]
    assert opted_out(pa.array(uris), compiled(lists[1:])).tolist() == [False, True, False, True, False]


def test_a_table_is_made_once_and_its_bytes_follow_from_the_lists(own, tmp_path, monkeypatch):
    first = own("one", [f"h{n}.example" for n in range(1000)])
    made = []
    for cache in ("a", "b"):
        monkeypatch.setenv("CORPUSMILL_CACHE", str(tmp_path / cache))
        compiled([first])
        (path,) = (tmp_path / cache).rglob("*.table")
        made.append((path.name, path.read_bytes()))
        stamp = path.stat().st_mtime_ns
        compiled([first])
        assert path.stat().st_mtime_ns == stamp
    assert made[0] == made[1]
    shuffled = own("shuffled", [f"h{n}.example" for n in reversed(range(1000))])
    assert build_of(shuffled) == build_of(first)


def build_of(each):
    arrays, _ = url_lists.arrays_of([(url_lists._entries(each), each.scope)])
    return [array.tobytes() for array in arrays]


def test_where_a_list_lies_is_in_no_key_and_what_it_says_is(own, tmp_path):
    one = own("one", ["a.example"])
    moved = tmp_path / "elsewhere"
    moved.write_text("a.example")
    assert identity([one]) == identity([UrlList("one", str(moved))])
    moved.write_text("b.example")
    assert identity([one]) != identity([UrlList("one", str(moved))])


def test_a_compressed_list_is_read(own, tmp_path):
    path = tmp_path / "list.gz"
    path.write_bytes(gzip.compress(b"bad.example\n" * 3))
    table = compiled([UrlList("one", str(path))])
    assert (table.counts, len(table.arrays.keys)) == ((3,), 1)


def test_wrong_lists_are_named(own, tmp_path):
    with pytest.raises(ModelMissingError, match=r"list gone: there is no file at .*gone"):
        compiled([UrlList("gone", str(tmp_path / "gone"))])
    listed = own("one", ["a.example"])
    with pytest.raises(ModelDamagedError, match=r"list one .* not 00"):
        compiled([UrlList("one", listed.path, sha256="00")])
    with pytest.raises(ValueError, match=r"list empty in .* has no entry"):
        compiled([own("empty", ["# nothing"])])
    with pytest.raises(ValueError, match="each name once, got one, one"):
        compiled([listed, listed])
    with pytest.raises(ValueError, match="a list's name is"):
        UrlList("a/b", "x")
    with pytest.raises(ValueError, match="scope is auto, domain, host or url, not 'all'"):
        UrlList("a", "x", "all")


@pytest.mark.parametrize("part", [pytest.param(p, id=i) for p, i in ((0.0, "magic"), (0.03, "header"), (0.6, "keys"))])
def test_a_damaged_table_is_never_searched(own, tmp_path, part):
    compiled([own("one", [f"h{n}.example" for n in range(50)])])
    (path,) = (tmp_path / "cache").rglob("*.table")
    body = bytearray(path.read_bytes())
    body[int(part * len(body))] ^= 4
    path.write_bytes(body)
    with pytest.raises(UrlTableError):
        url_table.open_table(path)


def test_a_table_that_ends_early_is_never_searched(own, tmp_path):
    compiled([own("one", [f"h{n}.example" for n in range(50)])])
    (path,) = (tmp_path / "cache").rglob("*.table")
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(UrlTableError, match="damaged"):
        url_table.open_table(path)


@pytest.fixture(scope="module")
def fineweb():
    """Give the real lists: their table, and their lines."""
    lists = fineweb_lists(fetch=True)
    lines = [Path(each.path).read_text(encoding="utf-8").split() for each in lists]
    return compiled(lists), lines


def test_the_real_lists_hold_what_they_list(fineweb):
    table, (domains, urls) = fineweb
    assert table.names == ("fineweb_domains", "fineweb_urls")
    assert (len(domains), len(urls)) == table.counts
    assert table.counts > (4_500_000, 19_000)
    some = random.Random(8).sample(domains, 20_000)
    assert (table.search(pa.array([f"http://{name}/" for name in some])) & np.uint64(1)).all()
    names = [name for name in some if not name.rpartition(".")[2].isdecimal()]  # nothing is below an address
    assert (table.search(pa.array([f"https://WWW.{name}/a?b" for name in names])) & np.uint64(1)).all()
    assert (table.search(pa.array([f"https://{url}" for url in urls])) & np.uint64(2)).all()


def test_the_real_lists_hold_nothing_else(fineweb):
    table, (domains, _) = fineweb
    known = set(domains)
    asked = [f"not-{name}" for name in random.Random(9).sample(domains, 20_000)]
    asked = [
        name for name in asked if not any(".".join(name.split(".")[k:]) in known for k in range(name.count(".") + 1))
    ]
    assert len(asked) > 15_000
    found = table.search(pa.array([f"http://{name}/" for name in asked]))
    assert not (found & np.uint64(1)).any()
    assert (np.diff(table.arrays.keys[:, 0]) > 0).all()  # in order, and not even half of a key is shared


def test_pages_of_manuals_stand_in_no_real_list(fineweb):
    hosts = ("www.debian.org", "ja.wikipedia.org", "www.gutenberg.org", "docs.python.org", "www.aozora.gr.jp")
    urls = pa.array([f"https://{host}/a/b.html" for host in hosts])
    assert not fineweb[0].search(urls).any()


def test_scopes_never_share_a_key():
    keys = [url_lists._keys_of(pa.array(["example.org"]), scope)[0][0].tolist() for scope in ("domain", "host", "url")]
    assert len(set(map(tuple, keys))) == 3
    assert url_keys.VERSION == 1
