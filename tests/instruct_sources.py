"""Sources for tests of instruction sets: pages of a manual in five languages, out of a package, and small texts."""

import functools

from filters.html import read_page, scan_page
from filters.instruct.generators import made
from filters.instruct.passages import passages_of
from filters.instruct.record import Passage, Settings, Source, sha256_of
from filters.instruct.source import blocks_of, pairs_of, sections_of, tables_of
from filters.parts import KIND_NAMES
from manifests.limits import Limits
from pipelines.demo_input import fetch_package

LOCALES = {"en": "en-US", "ja": "ja-JP", "de": "de-DE", "fr": "fr-FR", "zh": "zh-CN"}
SETTINGS = Settings(crawl_date="2026-01-01")
PAGES = 14


def source(text, language="en", name="a", **more):
    """Return a source of a text."""
    doc_id = sha256_of(name)[:32]
    fixed = (doc_id, text, sha256_of(text), f"https://{name}.example/", f"{name}.example", name, None, language, name)
    return Source(*fixed, **{"title": name, "fetched_at": "2026-01-01", **more})


@functools.cache
def manual(language):
    """Return some pages of the Debian handbook."""
    folder = fetch_package("debian-handbook").page_folder / LOCALES[language]
    paths = sorted(folder.glob("sect.*.html"))
    return tuple(_page(path, language) for path in paths[:: len(paths) // PAGES][:PAGES])


def _page(path, language):
    page = read_page(*scan_page(path.read_bytes(), Limits(), xml=True), f"in:{path.name}")
    text = page.text.decode()
    before = [len(page.text[:at].decode()) for at in page.parts.rows[:, 1]]
    behind = [len(page.text[:at].decode()) for at in page.parts.rows[:, 2]]
    kinds = [KIND_NAMES[kind] for kind in page.parts.rows[:, 0]]
    parts = [{"kind": k, "start": s, "end": e} for k, s, e in zip(kinds, before, behind, strict=True)]
    sections = sections_of(text, blocks_of(parts, "table", "code"))
    found = {"sections": sections, "tables": tables_of(text, blocks_of(parts, "table"))}
    return source(text, language, f"{language}/{path.stem}", faq=pairs_of(text, sections, []), **found)


@functools.cache
def near(language) -> dict[str, list[Passage]]:
    """Return for each page some passages of the others."""
    pages = manual(language)
    offered = [passages_of(page, SETTINGS) for page in pages]
    return {
        page.doc_id: [one for i in range(1, 9) for one in offered[(at + i) % len(pages)][:1]]
        for at, page in enumerate(pages)
    }


@functools.cache
def made_of(language):
    """Return all that is made of the pages of a language."""
    return tuple(one for page in manual(language) for one in made(page, near(language)[page.doc_id], None, SETTINGS))
