"""Imports point down only, and only pipelines/ knows Beam."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAY_IMPORT = {
    "manifests": {"manifests"},
    "filters": {"filters", "manifests"},
    "tokenizer": {"tokenizer", "filters", "manifests"},
    "pipelines": {"pipelines", "filters", "tokenizer", "manifests"},
}
FILES = [path.relative_to(ROOT) for folder in MAY_IMPORT for path in sorted((ROOT / folder).rglob("*.py"))]


def imported(source: str) -> set[str]:
    """Return the top-level names that a module imports, wherever the import stands."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import on line {node.lineno}: write the whole name"
            names.add((node.module or "").split(".")[0])
    return names


@pytest.mark.parametrize("path", FILES, ids=str)
def test_imports_point_down(path):
    layer = path.parts[0]
    names = imported((ROOT / path).read_text())
    assert names & set(MAY_IMPORT) <= MAY_IMPORT[layer]
    assert layer == "pipelines" or "apache_beam" not in names


def test_every_file_is_walked():
    assert len(FILES) > 30


@pytest.mark.parametrize(
    ("source", "names"),
    [
        pytest.param("def f():\n    import apache_beam.io", {"apache_beam"}, id="an import inside a function counts"),
        pytest.param("from pipelines.run import say", {"pipelines"}, id="from-imports count"),
    ],
)
def test_the_walk_sees(source, names):
    assert imported(source) == names
