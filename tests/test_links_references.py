"""References as pages write them: sets of images, refreshes, and joining against the whole of WHATWG's rules."""

import ada_url
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.references import Resolver, refresh_target, srcset_candidates
from manifests.reasons import LinkSkipped


@pytest.mark.parametrize(
    ("srcset", "candidates"),
    [
        pytest.param("a", [("a", 1.0)], id="one"),
        pytest.param(" a 1.5x ,b 2x", [("a", 1.5), ("b", 2.0)], id="densities"),
        pytest.param("a,b 2x,", [("a,b", 2.0)], id="a comma inside belongs to the URL"),
        pytest.param("data:image/png;base64,xx 1x, b 2x", [("data:image/png;base64,xx", 1.0), ("b", 2.0)], id="data"),
        pytest.param("a, b, ", [("a", 1.0), ("b", 1.0)], id="without descriptors"),
        pytest.param("a 100w 50h, b 2q", [("a", 100.0), ("b", 1.0)], id="other descriptors"),
        pytest.param(" , ,", [], id="commas only"),
        pytest.param("," * 500_000 + "a" + ", " * 500_000, [("a", 1.0)], id="a million commas"),
    ],
)
def test_candidates_of_a_set(srcset, candidates):
    assert srcset_candidates(srcset) == candidates


@pytest.mark.parametrize(
    ("content", "target"),
    [
        ("5", None),
        ("5;", None),
        ("0;url=b", "b"),
        ("0 ; URL = 'b c' x", "b c"),
        ('.5,"b"', "b"),
        ("3 b", "b"),
        ("0; ?url=x", "?url=x"),
        ("", None),
        (" " * 100_000 + "x", "x"),
    ],
)
def test_where_a_refresh_leads(content, target):
    assert refresh_target(content) == target


PIECES = [
    "",
    " ",
    "\t",
    "?",
    "?a=1",
    "..",
    ".",
    "/",
    "//",
    "b",
    "b.html",
    ":",
    "https:",
    "http:/",
    "é",
    "%41",
    "\\\\",
    "@",
    "\x01",
    ";p",
]
BASES = ["http://a.example/", "https://a.example/d/e.html", "http://a.example/d/e/?q=/x", "http://a.example:8080/d;p/"]


REFERENCES = st.lists(st.sampled_from(PIECES), max_size=6).map("".join)


@given(st.sampled_from(BASES), REFERENCES)
def test_a_reference_is_joined_to_its_folder_as_to_the_page(base, reference):
    """The join by folder, which pages share, gives what the join to the whole address gives."""
    try:
        expected = ada_url.join_url(base, reference)
    except ValueError:
        expected = None
    if expected is not None and not expected.startswith(("http://", "https://")):
        expected = None
    assert Resolver(base).resolve(reference) == expected


def test_a_reference_counts_once_however_often_it_stands():
    resolver = Resolver("http://a.example/")
    for reference in ("javascript:x", " javascript:x", "javascript:x#y", "http://[", "http://["):
        assert resolver.resolve(reference) is None
    assert resolver.skipped == {LinkSkipped.SCHEME: 1, LinkSkipped.MALFORMED: 1}


def test_after_a_base_all_references_are_joined_to_that():
    resolver = Resolver("http://a.example/d/")
    assert resolver.resolve("b") == "http://a.example/d/b"
    resolver.rebase("http://b.example/x/y?z")
    assert (resolver.resolve("b"), resolver.resolve("?b")) == ("http://b.example/x/b", "http://b.example/x/y?b")
