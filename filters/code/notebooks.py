"""Jupyter notebooks as documents: their cells in order, prose as comments would break it, so it stays Markdown.

nbformat 4 (cells) and 3 (worksheets). Outputs, attachments and metadata are left out: they are data, often pictures.
"""

import json
from typing import Any

NOTEBOOK = "Jupyter Notebook"
NOTEBOOKS_VERSION = 2
KINDS = {"markdown": "text", "code": "code", "raw": "text", "heading": "text"}


class NotANotebook(ValueError):
    """JSON that is no notebook, or no JSON."""


def notebook_text(source: str) -> tuple[str, list[tuple[str, int, int]]]:
    """Return (text, parts): cells in their order, parted by an empty line; a part is (kind, start, end) in characters.

    A code cell stands between ``` fences with the notebook's language. Raises NotANotebook.
    """
    try:
        body = json.loads(source)
    except (ValueError, RecursionError) as error:
        raise NotANotebook(f"not JSON: {type(error).__name__}") from error
    cells = list(_cells(body))
    language = _language(body)
    pieces: list[str] = []
    parts: list[tuple[str, int, int]] = []
    at = 0
    for kind, content in cells:
        if not content.strip():
            continue
        piece = f"```{language}\n{content.rstrip()}\n```" if kind == "code" else content.strip()
        parts.append((kind, at, at + len(piece)))
        pieces.append(piece)
        at += len(piece) + 2
    return "\n\n".join(pieces), parts


def _cells(body: Any) -> list[tuple[str, str]]:
    if not isinstance(body, dict) or not isinstance(body.get("nbformat"), int):
        raise NotANotebook("no nbformat")
    sheets = body.get("worksheets")
    given = body.get("cells")
    if given is None and isinstance(sheets, list):
        lists = [sheet.get("cells") for sheet in sheets if isinstance(sheet, dict)]
        given = [cell for each in lists if isinstance(each, list) for cell in each]
    if not isinstance(given, list):
        raise NotANotebook("no cells")
    return [
        (KINDS[cell["cell_type"]], _joined(cell.get("source", cell.get("input", ""))))
        for cell in given
        if isinstance(cell, dict) and isinstance(cell.get("cell_type"), str) and cell["cell_type"] in KINDS
    ]


def _joined(source: Any) -> str:
    lines = source if isinstance(source, list) else [source]
    text = "".join(line for line in lines if isinstance(line, str))
    return text.encode(errors="replace").decode()  # JSON may hold half a surrogate pair


def _language(body: dict[str, Any]) -> str:
    metadata = body.get("metadata")
    info = metadata.get("language_info") if isinstance(metadata, dict) else None
    kernel = metadata.get("kernelspec") if isinstance(metadata, dict) else None
    for holder, name in ((info, "name"), (kernel, "language")):
        said = holder.get(name) if isinstance(holder, dict) else None
        if isinstance(said, str) and said.isalnum():
            return said.lower()
    return "python"
