"""robots.txt as RFC 9309 has it: groups, rules, delays, usage lines, and what a fetch's status means."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters import policy
from filters.robots import ALLOW_ALL, DISALLOW_ALL, MAX_USAGE_LINES, Robots, pattern_matches, robots_state
from manifests.reasons import Refused

SITE = "https://a.example"


def read(text: str | bytes, agent: str = "corpusmill") -> Robots:
    return Robots.parse(text if isinstance(text, bytes) else text.encode(), agent)


@pytest.mark.parametrize(
    ("text", "path", "line"),
    [
        pytest.param("user-agent: *\ndisallow: /a", "/ab", "disallow: /a", id="a path is a prefix"),
        pytest.param("user-agent: *\ndisallow: /a$", "/ab", None, id="a dollar ends it"),
        pytest.param("user-agent: *\ndisallow: /*.pdf", "/x/y.pdf?z", "disallow: /*.pdf", id="a star is anything"),
        pytest.param("user-agent: *\ndisallow: /a\nallow: /a/b", "/a/b/c", "allow: /a/b", id="the longest decides"),
        pytest.param("user-agent: *\ndisallow: /a\nallow: /a", "/a", "allow: /a", id="of two as long, allow"),
        pytest.param("user-agent: *\ndisallow:", "/", None, id="an empty rule is none"),
        pytest.param("disallow: /\nuser-agent: b\ndisallow: /", "/", None, id="a rule outside of a group is none"),
        pytest.param("user-agent: corpus\ndisallow: /", "/", None, id="a part of our name is not our name"),
        pytest.param("user-agent: mycorpusmill\ndisallow: /", "/", None, id="another's name may end in ours"),
        pytest.param("User-Agent: CorpusMill/2.0\ndisallow: /", "/", "disallow: /", id="any case, and a version"),
        pytest.param("user-agent: corpusmill bot\ndisallow: /", "/", "disallow: /", id="the token ends at a space"),
        pytest.param("user-agent: *\ndisallow: /\nuser-agent: corpusmill\nallow: /x", "/", None, id="our group only"),
        pytest.param(
            "user-agent: corpusmill\ndisallow: /a\nuser-agent: *\ndisallow: /\nuser-agent: corpusmill\ndisallow: /b",
            "/b", "disallow: /b", id="groups of one name are one",
        ),
        pytest.param("user-agent: b\nuser-agent: *\ndisallow: /", "/", "disallow: /", id="names share their rules"),
        pytest.param(
            "user-agent: *\ncrawl-delay: 1\nuser-agent: b\ndisallow: /", "/", "disallow: /", id="a delay ends no group"
        ),
        pytest.param(
            "user-agent: *\nsitemap: https://a.example/s\nuser-agent: b\ndisallow: /", "/", "disallow: /",
            id="a sitemap ends no group",
        ),
        pytest.param("user-agent *\ndissallow /a", "/a", "dissallow /a", id="no colon, and a known misspelling"),
        pytest.param("\ufeffUser-agent: *\r\rDisallow: /a # b", "/a", "Disallow: /a", id="BOM, old line ends, comment"),
        pytest.param("user-agent:\u3000*\u3000\ndisallow: /a\u3000", "/a", "disallow: /a", id="ideographic spaces"),
        pytest.param("user-agent: *\ndisallow: /日本", "/%E6%97%A5%E6%9C%AC/x", "disallow: /日本", id="Japanese"),
        pytest.param("user-agent: *\ndisallow: /%e6%97%a5", "/日本", "disallow: /%e6%97%a5", id="Japanese, escaped"),
        pytest.param("user-agent: *\ndisallow: /", "/robots.txt", None, id="robots.txt itself is always allowed"),
        pytest.param("user-agent: *\ndisallow: /a b", "/a%20b", "disallow: /a b", id="a blank within a path"),
        pytest.param("user-agent: *\ndisallow: /\nallow: /index.html", "/", "allow: /index.html", id="an index"),
        pytest.param("<html>user-agent: *<p>disallow: /</html>", "/", None, id="an error page says nothing"),
    ],
)  # fmt: skip
def test_the_line_that_decides(text, path, line):
    robots = read(text)
    assert robots.rule(SITE + path) == line
    assert robots.allowed(SITE + path) == (line is None or not line.lower().startswith("dis"))


def test_paths_that_are_no_utf8_are_told_apart():
    robots = read("user-agent: *\ndisallow: /日本".encode("euc-jp"))
    assert not robots.allowed(f"{SITE}/%C6%FC%CB%DC/1")
    assert robots.allowed(f"{SITE}/%C6%FC%CB%DD/1")
    assert robots.allowed(f"{SITE}/%E6%97%A5%E6%9C%AC")


def test_a_file_in_utf16_is_read():
    assert not read("user-agent: *\ndisallow: /".encode("utf-16")).allowed(SITE)


@pytest.mark.parametrize(
    ("lines", "delay"),
    [
        pytest.param("", None, id="none"),
        pytest.param("crawl-delay: 2.5", 2.5, id="a fraction"),
        pytest.param("crawl-delay: 10 # s", 10, id="a comment"),
        pytest.param("crawl-delay: 1\ncrawl-delay: 7\ncrawl-delay: 3", 7, id="the longest of many"),
        pytest.param("request-rate: 1/2m", 120, id="a rate"),
        pytest.param("crawl-delay: -1", None, id="a negative one is none"),
        pytest.param("crawl-delay: soon", None, id="a word is none"),
        pytest.param(f"crawl-delay: {'9' * 400}", 1e9, id="beyond all numbers"),
    ],
)
def test_crawl_delay(lines, delay):
    assert read(f"user-agent: *\ndisallow: /x\n{lines}\nuser-agent: b\ncrawl-delay: 99").crawl_delay == delay


def test_sitemaps_stand_in_their_order_once_wherever_they_stand():
    text = "Sitemap: https://a.example/2.xml\nuser-agent: b\nsite-map: https://a.example/1.xml\nsitemap https://a.example/2.xml"
    assert read(text).sitemaps == ("https://a.example/2.xml", "https://a.example/1.xml")


USAGE = """user-agent: *
disallow: /never/
Content-Usage: train-ai=n # no
Content-Usage: /ai-ok/ train-ai=y
Content-Signal: search=yes,ai-train=no

user-agent: examplebot
content-usage: train-ai=y
"""


@pytest.mark.parametrize(
    ("path", "agent", "lines"),
    [
        pytest.param("/t", "a", ["Content-Usage: train-ai=n", "Content-Signal: search=yes,ai-train=no"], id="no path"),
        pytest.param(
            "/ai-ok/t", "a", ["Content-Usage: /ai-ok/ train-ai=y", "Content-Signal: search=yes,ai-train=no"],
            id="the longest path",
        ),
        pytest.param("/t", "examplebot", ["content-usage: train-ai=y"], id="the group that names us"),
    ],
)  # fmt: skip
def test_usage_is_that_of_the_drafts_example(path, agent, lines):
    assert read(USAGE, agent).usage(SITE + path) == tuple(f"robots.txt {line}" for line in lines)


def test_usage_lines_of_one_path_all_hold_and_those_outside_of_groups_too():
    text = "content-signal: ai-train=no\nuser-agent: *\ncontent-usage: /a train-ai=y\ncontent-usage: /a train-ai=n"
    assert len(read(text).usage(f"{SITE}/a")) == 3


@pytest.mark.parametrize(
    ("status", "allow", "disallow"),
    [
        (None, "disallow_all", "disallow_all"), (200, "parsed", "parsed"), (204, "parsed", "parsed"),
        (301, "allow_all", "allow_all"), (304, "disallow_all", "disallow_all"), (401, "allow_all", "disallow_all"),
        (403, "allow_all", "disallow_all"), (404, "allow_all", "allow_all"), (410, "allow_all", "allow_all"),
        (429, "disallow_all", "disallow_all"), (500, "disallow_all", "disallow_all"),
        (503, "disallow_all", "disallow_all"), (100, "disallow_all", "disallow_all"),
        (999, "disallow_all", "disallow_all"),
    ],
)  # fmt: skip
def test_what_a_status_for_robots_txt_means(status, allow, disallow):
    assert (robots_state(status), robots_state(status, "disallow")) == (allow, disallow)


def test_without_a_file_no_line_decides():
    for robots, allowed in ((ALLOW_ALL, True), (DISALLOW_ALL, False)):
        assert (robots.allowed(SITE), robots.rule(SITE), robots.usage(SITE)) == (allowed, None, ())


BOMBS = {
    "blanks before a path": b"disallow: " + b" " * 500_000 + b"x",
    "ideographic spaces": b"disallow: " + "\u3000".encode() * 160_000 + b"x",
    "islands in blanks": b"disallow: /" + (b" " * 20_000 + b"x") * 20,
    "a field and blanks": b"disallow" + b" " * 500_000 + b"x",
    "stars": b"disallow: /" + b"*a" * 250_000,
    "rules with stars": b"disallow: /*a*b\n" * 30_000,
    "escapes that are no UTF-8": b"disallow: /" + b"%a4" * 160_000,
    "usage lines": b"".join(b"content-usage: /a%d train-ai=n\n" % i for i in range(15_000)),
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_no_file_of_full_size_holds_a_crawler_up(bomb):
    start = time.process_time()
    robots = read(b"user-agent: *\n" + bomb)
    for url in (SITE, f"{SITE}/{'a' * 4000}"):
        robots.allowed(url), robots.rule(url), robots.usage(url)
    assert time.process_time() - start < 5


lines_of_files = st.lists(
    st.one_of(
        st.sampled_from(["user-agent: *", "user-agent: corpusmill", "user-agent: b", "crawl-delay: 1", ""]),
        st.builds("{}: /{}".format, st.sampled_from(["allow", "disallow"]), st.text("ab*$/日%", max_size=5)),
    ),
    max_size=12,
)


@given(lines_of_files, st.text("ab/日$", max_size=6))
def test_the_line_named_is_of_the_kind_that_the_answer_says(lines, path):
    robots, url = read("\n".join(lines)), f"{SITE}/{path}"
    rule = robots.rule(url)
    assert rule in {*(line.strip() for line in lines), None}
    assert robots.allowed(url) == (rule is None or rule.startswith("allow"))


@given(st.binary(max_size=200), st.text(max_size=30))
def test_any_bytes_are_a_robots_txt_and_any_text_gets_an_answer(body, url):
    robots = Robots.parse(b"user-agent: *\n" + body, "corpusmill")
    assert isinstance(robots.allowed(url), bool)
    robots.rule(url), robots.usage(url), pattern_matches(body.decode("latin-1"), url)


def test_of_endless_usage_lines_the_first_are_heard_and_the_rest_counts_as_a_no():
    lines = [f"content-usage: /*{n:03d}*a train-ai=y" for n in range(MAX_USAGE_LINES)]
    few, many = (read("\n".join(["user-agent: *", *lines, *more])) for more in ([], ["content-usage: /b train-ai=y"]))
    assert few.usage(f"{SITE}/b") == ()
    (told,) = many.usage(f"{SITE}/b")
    assert policy.refusal(policy.directives([told])) is Refused.CONTENT_USAGE
    path = "/" + "".join(f"{n:03d}" for n in range(MAX_USAGE_LINES)) + "a"
    assert len(few.usage(f"{SITE}{path}")) == MAX_USAGE_LINES
