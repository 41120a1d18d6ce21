"""The demo's input: real pages of real packages, the same bytes every time, fetched once for all who wait."""

import hashlib
import json
import subprocess
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import demo_input
from pipelines.demo_input import InputUnavailable, build_warcs, fetch_package, locale_of, media_type_of, packed

KIB = 1 << 10


def test_every_manual_has_pages_in_many_locales(pages):
    locales = {name: Counter(locale_of(path) for path, _ in pages(name)) for name in demo_input.PAGE_FOLDERS}
    assert sum(sum(counts.values()) for counts in locales.values()) > 7000
    assert min(len(counts) for counts in locales.values()) >= 11
    assert {"ja-JP", "ar-MA", "zh-CN", "ru-RU", "el-GR"} <= locales["debian-handbook"].keys()


def test_a_package_is_recorded_with_version_and_digest_of_its_archive():
    package = fetch_package("unicode-data")
    stated = json.loads((package.root.parent / "package.json").read_text())
    assert (stated["name"], stated["version"], stated["sha256"]) == (package.name, package.version, package.sha256)
    assert len(package.sha256) == 64
    assert package.root.parent.name == f"{package.name}_{package.version}"


def test_the_unicode_data_has_the_word_break_test(unicode_data: Path):
    assert "÷" in (unicode_data / "auxiliary" / "WordBreakTest.txt").read_text()


def test_the_small_input_has_enough_files_and_pages_for_a_run_of_many_units(demo_warcs: list[Path]):
    assert len(demo_warcs) >= 8
    assert all(path.stat().st_size > 2 * KIB for path in demo_warcs)


def test_the_full_input_has_enough_files(full_demo_warcs: list[Path]):
    assert len(full_demo_warcs) >= 12


def test_the_same_packages_give_the_same_files(demo_warcs: list[Path], tmp_path: Path):
    build_warcs(tmp_path, [fetch_package(name) for name in demo_input.PAGE_FOLDERS], full=False)
    again = {path.name: hashlib.sha256(path.read_bytes()).digest() for path in tmp_path.iterdir()}
    assert again == {path.name: hashlib.sha256(path.read_bytes()).digest() for path in demo_warcs}


def test_a_page_name_is_in_the_small_input_in_every_locale_or_in_none():
    paths = demo_input.page_paths(fetch_package("installation-guide-amd64"))
    names: dict[str, set[bool]] = {}
    for path in paths:
        names.setdefault(path.partition("/")[2], set()).add(demo_input.in_small(path))
    assert all(len(verdicts) == 1 for verdicts in names.values())


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        pytest.param(b'<?xml version="1.0"?><html xmlns=', "application/xhtml+xml", id="an XML declaration says XHTML"),
        pytest.param(b"<!DOCTYPE html>", "text/html", id="a doctype alone does not"),
        pytest.param(b"", "text/html", id="an empty page is what its server says of .html"),
    ],
)
def test_media_type_of(payload: bytes, expected: str):
    assert media_type_of(payload) == expected


@given(
    st.lists(st.tuples(st.sampled_from(["de/a", "de/b", "en/a", "index", "fr/a"]), st.integers(0, 50))),
    st.integers(1, 100),
)
def test_packing_keeps_order_and_never_overfills_a_file_with_two_locales(sizes: list[tuple[str, int]], most: int):
    files = packed(sizes, most)
    assert [path for paths in files for path in paths] == [path for path, _ in sizes]
    at = 0
    for paths in files:
        part, at = sizes[at : at + len(paths)], at + len(paths)
        total, locales = sum(size for _, size in part), {locale_of(path) for path, _ in part}
        assert total <= most or len(locales) == 1


def test_without_apt_get_the_error_says_what_to_give(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CORPUSMILL_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputUnavailable, match=r"no apt-get.*INPUT=folder-or-warc"):
        fetch_package("debian-handbook")
    assert not list((tmp_path / "input").glob("debian-handbook*"))


def test_a_package_that_does_not_exist_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CORPUSMILL_CACHE", str(tmp_path))
    monkeypatch.setattr(
        demo_input, "_run", lambda command, _: subprocess.CompletedProcess(command, 100, "", "E: no such package")
    )
    with pytest.raises(InputUnavailable, match=r"(?s)E: no such package.*INPUT=folder-or-warc"):
        fetch_package("no-such-manual")
    assert [path.name for path in (tmp_path / "input").iterdir()] == [".no-such-manual.lock"]


def test_of_several_at_once_one_fetches_and_all_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    commands = []

    def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
        commands.append(command[0])
        time.sleep(0.05)
        (folder / "manual_1.0-1_all.deb").write_bytes(b"deb")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setenv("CORPUSMILL_CACHE", str(tmp_path))
    monkeypatch.setattr(demo_input, "_run", run)
    monkeypatch.setattr("shutil.which", lambda name: name)
    with ThreadPoolExecutor(4) as pool:
        fetched = list(pool.map(fetch_package, ["manual"] * 4))
    assert [package.version for package in fetched] == ["1.0-1"] * 4
    assert commands == ["apt-get", "dpkg"]
