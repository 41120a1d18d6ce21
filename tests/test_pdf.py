"""PDF: real manuals beside poppler, columns and vertical text in reading order, scans and locked files by reason."""

import difflib
import io
import re
import shutil
import subprocess

import pytest
import real_books
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.books import NotOurs, Unusable
from filters.parts import CODE, END, IMAGE, INDEX, KIND, START
from filters.pdf import read_pdf
from filters.pdf_lines import HYPHEN, Line, joined, mend_hyphens, paragraphs, without_running_heads
from manifests.limits import Limits
from pipelines.demo_input import fetch_package


def read(payload: bytes, limits: Limits | None = None):
    return read_pdf(payload, "in:b.pdf", limits or Limits(), lambda: None)


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text)


def by_pdfminer(payload: bytes) -> str:
    """Return the text as pdfminer.six reads it: an oracle in Python that shares nothing with PDFium."""
    from pdfminer.high_level import extract_text

    return str(extract_text(io.BytesIO(payload), page_numbers=range(20, 24)))


# ---- real documents


@pytest.mark.parametrize("name", sorted(real_books.PDFS))
def test_a_real_document_has_the_characters_that_another_library_finds(name):
    """Letters of four pages in order; white space, hyphens and running heads are where the two may differ."""
    found = read(real_books.pdf(name))
    theirs = re.sub(r"[\W_]+", "", by_pdfminer(real_books.pdf(name)))
    pages = {f"in:b.pdf#page={number}" for number in range(21, 25)}
    rows = [row for row in found.parts.rows.tolist() if found.parts.images[row[INDEX]].uri in pages]
    ours = re.sub(r"[\W_]+", "", found.text[rows[0][START] : rows[-1][END]].decode()) if rows else ""
    matcher = difflib.SequenceMatcher(
        None,
        [ours[i : i + 8] for i in range(0, len(ours))],
        [theirs[i : i + 8] for i in range(0, len(theirs))],
        autojunk=False,
    )
    # these pages of the Japanese reference are tables, whose cells the two libraries read in another order
    assert matcher.quick_ratio() > (0.75 if name == "debian-reference.ja.pdf" else 0.9), name
    assert 0.85 * len(theirs) < len(ours) < 1.05 * len(theirs)


@pytest.mark.parametrize("name", sorted(real_books.PDFS))
def test_parts_cover_a_real_document_and_name_its_pages(name):
    found = read(real_books.pdf(name))
    rows = found.parts.rows
    covering = rows[rows[:, KIND] != IMAGE]
    assert (covering[0, START], covering[-1, END]) == (0, len(found.text))
    assert (covering[1:, START] == covering[:-1, END]).all()
    numbers = [int(found.parts.images[index].uri.partition("=")[2]) for index in covering[:, INDEX]]
    assert numbers == sorted(numbers) and numbers[-1] <= found.metadata["pages"]
    assert HYPHEN not in found.text.decode()


def test_paragraphs_of_a_real_english_manual_are_whole_and_its_running_heads_are_gone():
    text = read(real_books.pdf("developers-reference.pdf")).text.decode()
    assert "Developer’s Reference, Release 12.18" not in text
    assert (
        "The Debian Developers may find themselves" not in text
        or "\n" not in text[text.index("The Debian Developers may find") :][:200]
    )
    wanted = (
        "Some of the machines are available for individual developers to use, as long as the developers follow the "
        "rules set forth in the Debian Machine Usage Policies."
    )
    assert wanted in text


def test_japanese_lines_are_joined_without_spaces():
    text = read(real_books.pdf("developers-reference-ja.pdf")).text.decode()
    assert "投稿するか（あるいはしないのか）、どこで過去の投稿を見つけるのか" in text  # over two line ends


def test_listings_keep_their_lines_as_code():
    found = read(real_books.pdf("debmake-doc.en.pdf"))
    code = [found.text[row[START] : row[END]].decode() for row in found.parts.rows.tolist() if row[KIND] == CODE]
    assert any('DEBSIGN_KEYID="Your_GPG_keyID"' in each.split("\n") for each in (block.rstrip() for block in code))


# ---- reading order


@pytest.mark.parametrize("row_by_row", [False, True], ids=["drawn by column", "drawn row by row"])
def test_two_columns_are_read_one_after_the_other(row_by_row):
    payload, text = real_books.two_columns(row_by_row=row_by_row)
    assert read(payload).text.decode() == text


@pytest.mark.parametrize("tiers", [1, 2])
def test_vertical_japanese_is_read_from_right_to_left_and_from_tier_to_tier(tiers):
    payload, text = real_books.vertical_pdf(tiers)
    assert "".join(read(payload).text.decode().split()) == text


def line(text: str, left: float = 50, bottom: float = 700, width: float = 5, **more) -> Line:
    return Line(text, left, left + width * len(text), bottom, bottom + 10, bottom, **more)


def test_running_heads_are_left_out_where_they_repeat_and_first_lines_stay():
    pages = [
        [
            line(f"Chapter {n // 3}", bottom=780),
            line(f"Words that begin page {'abcdefghi'[n]}.", bottom=740),
            line(f"end {'abcdefghi'[n]}", bottom=400),
            line(str(n), bottom=30),
        ]
        for n in range(9)
    ]
    kept, left_out = without_running_heads(pages)
    assert left_out == 18
    assert [[each.text for each in page] for page in kept] == [
        [f"Words that begin page {c}.", f"end {c}"] for c in "abcdefghi"
    ]


@pytest.mark.parametrize(
    ("before", "after", "whole"),
    [
        pytest.param("one", "two", "one two", id="a space"),
        pytest.param("日本", "語", "日本語", id="none in Japanese"),
        pytest.param("ภาษา", "ไทย", "ภาษาไทย", id="none in Thai"),
        pytest.param("한국어", "글", "한국어 글", id="Korean has spaces"),
        pytest.param("हिन्दी", "में", "हिन्दी में", id="Hindi has spaces"),
        pytest.param("Debian", "日本", "Debian 日本", id="between scripts"),
        pytest.param("exam-", "ple", f"exam{HYPHEN}ple", id="a hyphen is put to the vote"),
        pytest.param("UTF-", "8", "UTF- 8", id="a number after a hyphen"),
        pytest.param("soft\u00ad", "ware", "software", id="a soft hyphen"),
    ],
)
def test_lines_are_joined(before, after, whole):
    assert joined(before, after) == whole


@pytest.mark.parametrize(
    ("texts", "mended"),
    [
        pytest.param([f"an exam{HYPHEN}ple", "the example"], "an example", id="the word stands elsewhere"),
        pytest.param([f"a well{HYPHEN}known", "so well-known"], "a well-known", id="its hyphen stands elsewhere"),
        pytest.param([f"un{HYPHEN}heard"], "unheard", id="nothing is known"),
        pytest.param([f"Ver{HYPHEN}öffent{HYPHEN}lichung"], "Veröffentlichung", id="twice"),
    ],
)
def test_the_document_votes_on_hyphens(texts, mended):
    assert mend_hyphens(texts)[0] == mended


def test_a_wide_step_an_indent_a_short_line_and_a_bullet_begin_paragraphs():
    full = "x" * 80
    lines = [line(full, bottom=700), line(full, bottom=688), line("short.", bottom=676), line(full, bottom=664)]
    lines += [line(full, bottom=640), line("• item", bottom=628), line(full, left=62, bottom=616)]
    assert [len(each.text) for each in paragraphs(lines)] == [80 + 1 + 80 + 1 + 6, 80, 80, 6, 80]


# ---- what is not read


def test_a_scan_is_skipped_by_reason():
    with pytest.raises(NotOurs) as error:
        read(real_books.scanned_pdf(3))
    assert error.value.reason == "scanned"


def merged(*payloads: bytes) -> bytes:
    from pypdf import PdfWriter

    writer = PdfWriter()
    for payload in payloads:
        writer.append(io.BytesIO(payload))
    with io.BytesIO() as file:
        writer.write(file)
        return file.getvalue()


def test_a_scanned_page_among_pages_of_text_is_counted_and_a_picture_by_reference():
    text, _ = real_books.two_columns(row_by_row=False)
    found = read(merged(text, real_books.scanned_pdf(1), text))
    assert (found.metadata["pages"], found.metadata["scanned_pages"]) == (3, 1)
    pictures = [found.parts.images[row[INDEX]].uri for row in found.parts.rows.tolist() if row[KIND] == IMAGE]
    assert pictures == ["in:b.pdf#page=2"]


def locked(payload: bytes, user: str, permissions: int | None = None) -> bytes:
    from pypdf import PdfReader, PdfWriter
    from pypdf.constants import UserAccessPermissions

    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(payload)))
    allowed = UserAccessPermissions(permissions) if permissions is not None else UserAccessPermissions.all()
    writer.encrypt(user, "owner", permissions_flag=allowed, algorithm="RC4-128")
    with io.BytesIO() as file:
        writer.write(file)
        return file.getvalue()


def test_real_files_with_a_password_are_encrypted():
    folder = fetch_package("forensics-samples-files").root / "usr/share/forensics-samples/original-files/text1"
    for path in sorted(folder.glob("*pass*.pdf")):
        with pytest.raises(Unusable) as error:
            read(path.read_bytes())
        assert error.value.reason == "encrypted"
    assert read((folder / "a-text.pdf").read_bytes()).text


def test_an_owner_who_forbids_copying_is_heard():
    payload, text = real_books.two_columns(row_by_row=False)
    assert read(locked(payload, "")).text.decode() == text
    with pytest.raises(Unusable) as error:
        read(locked(payload, "", permissions=0))
    assert (error.value.reason, error.value.detail) == ("encrypted", "its owner does not permit that text is copied")


def test_javascript_has_no_engine_to_run_it():
    import pypdfium2.version as version

    assert "V8" not in version.PDFIUM_INFO.flags and "XFA" not in version.PDFIUM_INFO.flags


def test_a_document_without_text_is_no_document():
    with pytest.raises(NotOurs) as error:
        read(real_books.drawn_pdf(lambda canvas: canvas.rect(10, 10, 50, 50)))
    assert error.value.reason == "no_text"


@pytest.mark.parametrize(
    ("limit", "value", "reason"), [("max_book_pages", 1, "too_many_parts"), ("max_text_bytes", 100, "text_too_large")]
)
def test_limits_are_named(limit, value, reason):
    text, _ = real_books.two_columns(row_by_row=False)
    with pytest.raises(Unusable) as error:
        read(merged(text, text), Limits(**{limit: value}))
    assert (error.value.reason, error.value.limit) == (reason, limit)


def test_reservations_and_licences_of_the_xmp_packet_are_heard():
    payload, _ = real_books.two_columns(row_by_row=False)
    packet = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description tdm:reservation="1" '
        b'xmpRights:WebStatement="https://creativecommons.org/licenses/by/4.0/"/></rdf:RDF></x:xmpmeta>'
    )
    found = read(payload + b"\n" + packet)
    assert found.policy == ["meta tdm-reservation: 1"]
    assert found.license == "https://creativecommons.org/licenses/by/4.0/"


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_mutated_document_is_read_or_named(data):
    payload = bytearray(SMALL)
    for _ in range(data.draw(st.integers(1, 20))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(100, len(payload)))
    try:
        assert read(bytes(payload[:cut])).text
    except (Unusable, NotOurs) as error:
        assert error.reason


SMALL = real_books.two_columns(row_by_row=False)[0]


@pytest.fixture(scope="module")
def poppler(tmp_path_factory) -> list[str]:
    """Return the command of poppler's pdftotext, out of Debian's packages where it is not installed."""
    if found := shutil.which("pdftotext"):
        return [found]
    root = fetch_package("poppler-utils").root
    libraries = [str(fetch_package(name).root / "usr/lib/x86_64-linux-gnu") for name in POPPLER]
    loader = ["/lib64/ld-linux-x86-64.so.2", "--library-path", ":".join(libraries)]
    return [*loader, str(root / "usr/bin/pdftotext")]


POPPLER = ("libpoppler126", "liblcms2-2", "libopenjp2-7", "libnss3", "libnspr4", "libjpeg62-turbo", "libtiff6")


@pytest.mark.parametrize("name", ["developers-reference.pdf", "asymptote.pdf"])
def test_words_come_in_the_order_in_which_poppler_reads_them(poppler, name, tmp_path):
    (tmp_path / "a.pdf").write_bytes(real_books.pdf(name))
    ran = subprocess.run([*poppler, "a.pdf", "-"], cwd=tmp_path, capture_output=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr.decode()[-500:]
    theirs, ours = words(ran.stdout.decode()), words(read(real_books.pdf(name)).text.decode())
    matcher = difflib.SequenceMatcher(None, ours[2000:6000], theirs[1800:6600], autojunk=False)
    assert sum(block.size for block in matcher.get_matching_blocks()) > 0.9 * len(ours[2000:6000])
