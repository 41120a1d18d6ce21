"""Fixtures of real input. Where it can't be had, tests fail and say what to do; none is skipped."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import corpora
import pytest
from hypothesis import settings

from pipelines.demo_site.process import running_site
from pipelines.demo_site.site import Site, demo_site

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # img2dataset's import would look for one

# the first example may compile a kernel
settings.register_profile("corpusmill", deadline=None)
settings.load_profile("corpusmill")

Pages = list[tuple[str, bytes]]


@pytest.fixture(scope="session")
def pages() -> Callable[[str], Pages]:
    """Give `pages(package)`: (relative path, bytes) of every page of a Debian package."""
    return corpora.pages


@pytest.fixture(scope="session")
def all_pages() -> Pages:
    """Give every real page: 9,141 of 4 manuals; paths start with the package's name."""
    return corpora.all_pages()


@pytest.fixture(scope="session")
def unicode_data() -> Path:
    """Give the folder of the Unicode character database."""
    return corpora.unicode_data()


@pytest.fixture(scope="session")
def demo_warcs() -> list[Path]:
    """Give the small input's WARC files: about 300 pages of 40 locales in at least 8 files."""
    return corpora.demo_warcs(full=False)


@pytest.fixture(scope="session")
def demo_input_dir(demo_warcs: list[Path]) -> Path:
    """Give the folder of the small input."""
    return demo_warcs[0].parent


@pytest.fixture(scope="session")
def full_demo_warcs() -> list[Path]:
    """Give the demo's WARC files: every page of `all_pages`."""
    return corpora.demo_warcs(full=True)


@pytest.fixture(scope="session")
def full_demo_input_dir(full_demo_warcs: list[Path]) -> Path:
    """Give the folder of the demo's input."""
    return full_demo_warcs[0].parent


@pytest.fixture(scope="session")
def site() -> Site:
    """Give the demo's small site as it describes itself: hosts, seeds, fates."""
    return demo_site(full=False)


@pytest.fixture(scope="session")
def site_port() -> Iterator[int]:
    """Serve the demo's small site in a process of its own, give its port of loopback."""
    with running_site(full=False) as port:
        yield port
