"""What owners say: directives of robots lines, and what they refuse."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.policy import directives, refusal
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
        pytest.param({"tdm-reservation"}, set(Refused), Refused.TDM_RESERVATION, id="reservation"),
        pytest.param(set(), set(Refused), None, id="nothing said"),
    ],
)
def test_refusal(said, refuse, reason):
    assert refusal(said, refuse) is reason


@given(st.lists(st.text(max_size=40)))
def test_any_lines_give_directives(lines):
    assert all(name == name.strip() and name for name in directives(lines))
