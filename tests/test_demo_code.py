"""The demo's source code: real projects in many languages, the same sample on every machine."""

import jobs
import pytest

from filters.code.dep5 import paragraphs
from filters.code.language import identify
from pipelines import demo_code
from pipelines.demo_code import PROJECTS, source_folder


@pytest.mark.long
def test_the_demo_has_a_dozen_projects_in_ten_languages_with_their_licences(tmp_path):
    folder = source_folder("small")
    assert sorted(path.name for path in folder.iterdir()) == sorted(project.package for project in PROJECTS)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    found = identify([path.name for path in files], [path.read_bytes() for path in files])
    assert len({*found.names} - {"Unknown", "Text", "Markdown", "JSON"}) >= 10
    assert all(paragraphs((folder / project.package / "debian/copyright").read_text()) for project in PROJECTS)
    jobs.run("code", folder, "--out", tmp_path / "out", "--quiet", "--workers", "1")
    told = jobs.manifest(tmp_path / "out", "code")["statistics"]
    assert {"MIT", "Apache-2.0", "BSD-3-Clause", "GPL-3.0-or-later"} <= told["licenses"].keys()
    assert told["license_classes"]["copyleft"].keys() <= {"dropped", "dropped_bytes"}


@pytest.mark.long
def test_a_sample_is_made_once(monkeypatch):
    first = source_folder("small")
    monkeypatch.setattr(demo_code, "_copy", None)
    assert source_folder("small") == first
