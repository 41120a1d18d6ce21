"""Google's robots.txt cases (in robotspy's source distribution) and 4,231 real files (in protego's).

Both packages are oracles: robotspy shares no code with us, protego matches paths for us but reads groups by itself.
"""

import importlib
import re
import subprocess
import sys
import tarfile
import tempfile
import time
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from protego import Protego

from filters.robots import Robots
from manifests.limits import CrawlLimits
from pipelines.demo_input import exclusive, input_root

ROBOTSPY, PROTEGO = "robotspy-0.13.0", "protego-0.7.0"
SITE = "http://a.example"


@cache
def sdist(name: str) -> Path:
    """Return an unpacked source distribution, from the cache or from the package index; nothing is built."""
    final = input_root() / name
    with exclusive(name):
        if not final.exists():
            with tempfile.TemporaryDirectory(dir=input_root(), prefix=f".{name}-") as work:
                command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary=:all:"]
                wanted = ["--no-build-isolation", "--quiet", name.replace("-", "==")]
                subprocess.run([*command, *wanted], cwd=work, check=True, capture_output=True, timeout=300)
                with tarfile.open(Path(work) / f"{name}.tar.gz") as archive:
                    archive.extractall(work, filter="data")
                (Path(work) / name).rename(final)
    return final


@pytest.fixture(scope="module")
def google() -> list[tuple[str, str, str, str, bool]]:
    """Give (test, robots.txt, agent, URL, allowed) of every case; the `.core` that the tests import is not shipped."""
    package, core = ModuleType("google_cases"), ModuleType("google_cases.core")
    package.__path__ = [str(sdist(ROBOTSPY) / "tests")]
    vars(core).update(
        ALLOWED=True, DISALLOWED=False, FOOBOT_AGENT="FooBot", __all__=["ALLOWED", "DISALLOWED", "FOOBOT_AGENT"]
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(sdist(ROBOTSPY)))
        patch.setitem(sys.modules, "google_cases", package)
        patch.setitem(sys.modules, "google_cases.core", core)
        modules = [
            importlib.import_module(f"google_cases.test_google{part}") for part in ("", "_correctness", "_stress")
        ]
    return [case for module in modules for name, test in vars(module).items() for case in cases(name, test)]


def cases(name: str, test: Any) -> list[tuple[str, str, str, str, bool]]:
    marks = [mark for mark in getattr(test, "pytestmark", []) if mark.args[0] == "robots_txt,agent,path,allowed"]
    return [(name, *case) for mark in marks for case in mark.args[1]]


# RFC 9309, section 2.2.2: "The /robots.txt URL is implicitly allowed." Google's matcher has no such rule.
DEVIATIONS = {"http://example.com/robots.txt": 3, "http://m.example.com/robots.txt": 1}


def test_every_case_of_google_but_for_robots_txt_itself(google):
    assert len(google) == 524
    wrong = [
        (agent, url)
        for _, text, agent, url, allowed in google
        if Robots.parse(text.encode(), agent).allowed(url) != allowed
    ]
    assert {url: [each for _, each in wrong].count(url) for _, url in wrong} == DEVIATIONS


@cache
def real_files() -> dict[str, bytes]:
    """Return the real robots.txt of 4,231 sites, cut where we cut them."""
    folder = sdist(PROTEGO) / "tests" / "test_data"
    limit = CrawlLimits().max_robots_bytes
    return {path.name: path.read_bytes()[:limit] for path in sorted(folder.iterdir()) if path.is_file()}


def paths_of(text: str) -> list[str]:
    """Return paths to ask for: those that the rules name."""
    named = re.findall(r"(?im)^\s*(?:dis)?allow\s*:[ \t]*(/[\x21-\x7e]*)", text)
    return ["/", "/some/page.html?x=1", *(path for path in named[:60] if not set("#$*") & set(path))]


def test_real_files_take_less_than_50_ms_each():
    assert len(real_files()) == 4231
    slow = {name for name, body in real_files().items() if fastest_s(body) > 0.05}
    assert slow <= {"docs.oracle.com"}  # 19,000 rules in 500 KB, of which protego's own parser takes 40 ms


def fastest_s(body: bytes) -> float:
    """Return the least time of three: a collection of garbage in between is not the parser's."""
    best = 1.0
    for _ in range(3):
        start = time.process_time()
        robots = Robots.parse(body, "corpusmill")
        robots.allowed(f"{SITE}/a"), robots.rule(f"{SITE}/b")
        best = min(best, time.process_time() - start)
        if best < 0.05:
            break
    return best


# Where protego answers otherwise: a Crawl-delay ends a list of user agents there; here it must not (RFC 9309, 2.2.4).
DELAY_ENDS_GROUP = {"bitbucket.org", "www.congress.gov", "www.khaleejtimes.com", "www.monstersandcritics.com"}
# "User-Agent: *" with a lone Latin-1 no-break space behind it is meant for everyone here.
LATIN_1_BLANK = {"www.turktelekom.com.tr"}
# A rule that ends in U+200B, which no one sees: here it is no part of the path.
UNSEEN_BLANK = {"www.nationwide.com"}


def test_real_files_against_protego():
    differ = set()
    for name, body in real_files().items():
        text = body.decode("utf-8-sig", "replace")
        ours, theirs = Robots.parse(body, "corpusmill"), Protego.parse(text)
        urls = [SITE + path for path in paths_of(text)]
        differ |= {name for url in urls if ours.allowed(url) != theirs.can_fetch(url, "corpusmill")}
    assert differ == DELAY_ENDS_GROUP | LATIN_1_BLANK | UNSEEN_BLANK
