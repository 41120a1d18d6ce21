"""EPUB: chapters in reading order with their roles, real books beside another library, bad books named."""

import difflib
import io
import posixpath
import re
import zipfile
from dataclasses import replace

import pytest
import real_books
from hypothesis import given
from hypothesis import strategies as st
from real_books import book, epub, package_document, page

from filters.books import NotOurs, Unusable
from filters.epub import read_epub
from filters.parts import END, IMAGE, INDEX, KIND, START, parts_array
from manifests.limits import KIB, MIB, Limits

PROSE = "<p>Enough prose for a chapter.</p>"


def read(payload: bytes, limits: Limits | None = None):
    return read_epub(payload, "in:b.epub", limits or Limits(), lambda: None)


def roles(found) -> list[str]:
    return [section["role"] for section in found.metadata["sections"]]


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text)


# ---- real books


def spine_by_lxml(payload: bytes) -> list[list[str]]:
    """Return the words of each document of the reading order: an oracle of lxml alone, which trusts its input."""
    from lxml import etree, html

    with zipfile.ZipFile(io.BytesIO(payload)) as archive:
        path = etree.fromstring(archive.read("META-INF/container.xml")).find(".//{*}rootfile").get("full-path")
        package = etree.fromstring(archive.read(path))
        items = {item.get("id"): item.get("href").partition("#")[0] for item in package.iterfind(".//{*}item")}
        order = dict.fromkeys(items[each.get("idref")] for each in package.iterfind(".//{*}itemref"))
        found = []
        for name in order:
            body = html.document_fromstring(archive.read(posixpath.join(posixpath.dirname(path), name))).find("body")
            etree.strip_elements(body, "script", "style", "label", with_tail=False)  # labels: hidden paragraph numbers
            found.append(words(" ".join(body.itertext())))
    return found


@pytest.mark.parametrize("name", sorted(real_books.epubs()))
def test_a_real_book_has_the_words_of_its_documents_in_order(name):
    found = read(real_books.epubs()[name])
    documents = spine_by_lxml(real_books.epubs()[name])
    assert len(found.metadata["sections"]) == len(documents)
    names = [section["uri"] for section in found.metadata["sections"]]
    texts = dict.fromkeys(names, b"")
    for row in found.parts.rows[found.parts.rows[:, KIND] != IMAGE].tolist():
        texts[found.parts.images[row[INDEX]].uri] += found.text[row[START] : row[END]]
    for ours, theirs in zip(texts.values(), documents, strict=True):
        matcher = difflib.SequenceMatcher(a=words(ours.decode())[:3000], b=theirs[:3000], autojunk=False)
        assert matcher.real_quick_ratio() > 0.98
        assert "".join(words(ours.decode()))[:500] == "".join(theirs)[:500]


@pytest.mark.parametrize("name", sorted(real_books.epubs()))
def test_parts_cover_a_real_book_and_name_its_sections(name):
    found = read(real_books.epubs()[name])
    rows = found.parts.rows
    covering = rows[rows[:, KIND] != IMAGE]
    assert (covering[0, START], covering[-1, END]) == (0, len(found.text))
    assert (covering[1:, START] == covering[:-1, END]).all() and (rows[1:, START] >= rows[:-1, START]).all()
    named = [found.parts.images[index].uri for index in covering[:, INDEX]]
    sections = [section["uri"] for section in found.metadata["sections"]]
    assert list(dict.fromkeys(named)) == [uri for uri in sections if uri in named]
    (stored,) = parts_array([found.parts]).to_pylist()
    pieces = [found.text.decode()[part["start"] : part["end"]] for part in stored if part["kind"] != "image"]
    assert "".join(pieces) == found.text.decode() and [part["uri"] for part in stored if part["kind"] == "text"]


def test_a_real_japanese_book_says_what_it_is():
    found = read(real_books.epubs()["developers-reference-ja/developers-reference.epub"])
    assert found.metadata["language"] == ["ja"] and found.metadata["version"] == "3.0"
    titles = [section["title"] for section in found.metadata["sections"]]
    assert titles[:2] == ["Debian デベロッパー レファレンス", "この文書が扱う範囲について"]
    assert roles(found)[:2] == ["frontmatter", "bodymatter"]  # the guide calls the first its table of contents
    assert found.license is None  # "2023, Developer's Reference Team" is no licence
    assert read(real_books.epubs()["ubuntu-packaging-guide-epub-ru/ubuntu-packaging-guide.epub"]).license == (
        "2010-2021, Ubuntu Developers, Creative Commons Attribution-ShareAlike 3.0"
    )


def test_a_document_that_the_spine_names_seven_times_is_read_once():
    found = read(real_books.epubs()["live-manual-epub/live-manual.en.epub"])
    paths = [section["uri"] for section in found.metadata["sections"]]
    assert len(paths) == len(set(paths)) > 10


# ---- order and roles


def test_the_spine_decides_the_order_not_the_archive():
    spine = '<itemref idref="i1"/><itemref idref="i0"/>'
    members = {f"OPS/{n}.xhtml": page(f"<p>{n} begins</p>") for n in ("a", "b")}
    found = read(epub({**members, "OPS/book.opf": package_document(["a.xhtml", "b.xhtml"], spine=spine)}))
    assert found.text == b"b begins\n\na begins"


@pytest.mark.parametrize(
    ("kind", "role"),
    [
        ("frontmatter", "frontmatter"),
        ("preface", "frontmatter"),
        ("titlepage", "frontmatter"),
        ("frontmatter toc", "frontmatter"),
        ("bodymatter chapter", "bodymatter"),
        ("chapter", "bodymatter"),
        ("backmatter", "backmatter"),
        ("index", "backmatter"),
        ("appendix", "backmatter"),
        ("something-of-mine", "bodymatter"),
    ],
)
def test_epub_type_gives_the_role(kind, role):
    found = read(epub({"OPS/book.opf": package_document(["a"]), "OPS/a": page(PROSE, kind=kind)}))
    assert roles(found) == [role] and found.metadata["sections"][0]["types"] == kind.split()


def test_what_stands_before_the_body_of_the_landmarks_is_front_matter():
    landmarks = (
        '<nav epub:type="landmarks"><ol><li><a epub:type="bodymatter" href="c.xhtml#x">Start</a></li></ol></nav>'
    )
    names = ["a.xhtml", "b.xhtml", "c.xhtml", "d.xhtml"]
    package = package_document(names).replace(
        "<manifest>", '<manifest><item id="n" href="nav.xhtml" properties="nav" media-type="application/xhtml+xml"/>'
    )
    members = {f"OPS/{name}": page(PROSE) for name in names}
    found = read(epub({**members, "OPS/nav.xhtml": page(landmarks), "OPS/book.opf": package}))
    assert roles(found) == ["frontmatter", "frontmatter", "bodymatter", "bodymatter"]


def test_the_guide_of_epub_2_gives_roles():
    said = {"cover": "a", "text": "c", "index": "d"}
    guide = "".join(f'<reference type="{kind}" href="{name}"/>' for kind, name in said.items()).join(
        ("<guide>", "</guide>")
    )
    members = {f"OPS/{name}": page(PROSE) for name in "abcd"}
    found = read(epub({**members, "OPS/book.opf": package_document(list("abcd"), guide=guide)}))
    assert roles(found) == ["frontmatter", "frontmatter", "bodymatter", "backmatter"]


def test_images_and_tables_and_code_are_parts_and_images_are_named_in_the_book():
    body = (
        '<p>Before.</p><img src="../img/cat%20one.png" alt="A cat"/><table><tr><td>x</td></tr></table><pre>y = 1</pre>'
    )
    found = read(epub({"OPS/book.opf": package_document(["t/a.xhtml"]), "OPS/t/a.xhtml": page(body)}))
    rows = [
        (row[KIND], found.text[row[START] : row[END]].strip(), found.parts.images[row[INDEX]])
        for row in found.parts.rows
    ]
    assert [kind for kind, _, _ in rows] == [0, 3, 1, 2]
    assert rows[1][2] == ("in:b.epub#OPS/img/cat%20one.png", "A cat")
    assert rows[3][1:] == (b"y = 1", ("in:b.epub#OPS/t/a.xhtml", None))


def test_a_chapter_of_one_picture_keeps_it_between_its_neighbours():
    found = read(book("<p>One.</p>", '<img src="map.png"/>', "<p>Two.</p>"))
    assert found.text == b"One.\n\nTwo."
    assert [(row[KIND], row[START], row[END]) for row in found.parts.rows.tolist()] == [
        (0, 0, 4),
        (3, 4, 4),
        (0, 4, 10),
    ]


def test_metadata_rights_and_reservations_are_heard():
    said = (
        "<dc:title>本の 題</dc:title><dc:creator>A</dc:creator><dc:creator>B</dc:creator><dc:language>ja</dc:language>"
        '<link rel="cc:license" href="https://creativecommons.org/licenses/by/4.0/"/>'
        '<meta property="tdm:reservation">1</meta>'
    )
    found = read(book(PROSE, metadata=said))
    assert (found.title, found.license) == ("本の 題", "https://creativecommons.org/licenses/by/4.0/")
    assert found.policy == ["meta tdm-reservation: 1"]
    assert (found.metadata["creator"], found.metadata["language"]) == (["A", "B"], ["ja"])


@given(
    st.lists(st.sampled_from(["", "word", "日本語の文", "ไทย", "한국어 글", "عربي", "हिन्दी"]), min_size=1, max_size=6)
)
def test_all_text_of_all_chapters_is_there_in_order(chapters):
    payload = book(*(f"<p>{text}</p>" for text in chapters))
    if not any(chapters):
        with pytest.raises(NotOurs):
            read(payload)
        return
    assert read(payload).text.decode() == "\n\n".join(text for text in chapters if text)


# ---- bad books

ENCRYPTION = (
    '<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container" xmlns:enc="http://www.w3.org/2001/04/xmlenc#">'
    '<enc:EncryptedData><enc:EncryptionMethod Algorithm="{}"/></enc:EncryptedData></encryption>'
)
AES = ENCRYPTION.format("http://www.w3.org/2001/04/xmlenc#aes256-cbc")
BOMB = '<!DOCTYPE html [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]><package>&b;</package>'


def with_password() -> bytes:
    """Return a book whose zip says that its chapter has a password (bit 0 of the flags)."""
    data = bytearray(book(PROSE))
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.find(signature, data.find(b"c0.xhtml") - 60 if flags == 6 else data.rfind(b"c0.xhtml") - 60)
        data[at + flags] |= 1
    return bytes(data)


def damaged() -> bytes:
    """Return a book with a flipped bit in its chapter."""
    data = bytearray(book(PROSE * 20))
    at = data.find(b"c0.xhtml") + 40
    data[at] ^= 0x10
    return bytes(data)


BAD = [
    pytest.param(book(PROSE, **{"META-INF/encryption.xml": AES}), "encrypted", None, id="DRM"),
    pytest.param(book(PROSE, **{"META-INF/rights.xml": "<rights/>"}), "encrypted", None, id="a rights file"),
    pytest.param(with_password(), "encrypted", None, id="a zip password"),
    pytest.param(damaged(), "damaged_container", None, id="a flipped bit"),
    pytest.param(book(PROSE)[:-40], "damaged_container", None, id="cut"),
    pytest.param(b"PK\x03\x04" + bytes(99), "damaged_container", None, id="no directory"),
    pytest.param(book("<p>" + "a" * 20 * MIB), "decoded_too_large", "max_record_bytes", id="a large chapter"),
    pytest.param(book("<p>" + "a" * 4 * MIB), "decoded_too_large", "max_coding_ratio", id="a bomb"),
    pytest.param(epub({"OPS/book.opf": BOMB}), "parse_error", None, id="an entity bomb"),
    pytest.param(epub({"OPS/book.opf": "<a>" * 10_000}), "nesting_too_deep", None, id="deep XML"),
    pytest.param(epub({}), "malformed_record", None, id="no package"),
    pytest.param(epub({"OPS/book.opf": package_document([])}), "malformed_record", None, id="no reading order"),
    pytest.param(
        epub({"OPS/book.opf": package_document(["gone"])}), "malformed_record", None, id="a chapter is missing"
    ),
    pytest.param(
        epub({"OPS/book.opf": package_document(["../../etc/passwd"])}), "unsafe_member_name", None, id="a way out"
    ),
    pytest.param(epub({"OPS/book.opf": package_document(["/etc/passwd"])}), "unsafe_member_name", None, id="a root"),
    pytest.param(
        epub({"OPS/book.opf": package_document(["file:///etc/passwd"])}), "unsafe_member_name", None, id="an address"
    ),
    pytest.param(book("<div>" * 5000), "nesting_too_deep", "max_nesting_depth", id="a deep chapter"),
    pytest.param(
        book(*["<p>" + "word " * 900_000] * 2), "text_too_large", "max_text_bytes", id="more text than a document has"
    ),
]


@pytest.mark.parametrize(("payload", "reason", "limit"), BAD)
def test_a_bad_book_is_named(payload, reason, limit):
    limits = (
        replace(Limits(), max_coding_ratio=100_000)
        if reason == "text_too_large" or limit == "max_record_bytes"
        else Limits()
    )
    with pytest.raises(Unusable) as error:
        read(payload, limits)
    assert (error.value.reason, error.value.limit) == (reason, limit)
    assert limit is None or error.value.numbers[1] > error.value.numbers[0]


def test_too_many_files_are_too_many_parts():
    with pytest.raises(Unusable) as error:
        read(book(*[PROSE] * 9), replace(Limits(), max_book_members=10))
    assert (error.value.reason, error.value.numbers) == ("too_many_parts", (10, 12))


def test_documents_together_have_a_limit():
    with pytest.raises(Unusable) as error:
        read(book(*["<p>" + "wörter " * 2000] * 9), replace(Limits(), max_book_markup_bytes=64 * KIB))
    assert error.value.limit == "max_book_markup_bytes"


def test_obfuscated_fonts_are_no_drm():
    fonts = ENCRYPTION.format("http://www.idpf.org/2008/embedding")
    assert read(book(PROSE, **{"META-INF/encryption.xml": fonts})).text == b"Enough prose for a chapter."


def test_overlapping_members_are_read_once_each_at_most():
    """A zip whose directory names one member 1,000 times costs what its spine reads."""
    names = [f"c{n}" for n in range(1000)]
    with io.BytesIO() as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("mimetype", "application/epub+zip")
            archive.writestr("META-INF/container.xml", real_books.CONTAINER)
            archive.writestr("OPS/book.opf", package_document(names))
            archive.writestr("OPS/c0", page("<p>" + "x y z " * 50_000))
            for name in names[1:]:
                again = zipfile.ZipInfo(f"OPS/{name}")
                first = archive.getinfo("OPS/c0")
                for field in ("header_offset", "CRC", "compress_size", "file_size", "compress_type"):
                    setattr(again, field, getattr(first, field))
                archive.filelist.append(again)
                archive.NameToInfo[again.filename] = again
        payload = file.getvalue()
    assert len(payload) < 200 * KIB
    with pytest.raises(Unusable) as error:
        read(payload)
    assert error.value.reason in ("damaged_container", "text_too_large", "decoded_too_large")


@given(st.data())
def test_a_mutated_book_is_read_or_named(data):
    payload = bytearray(SMALL)
    for _ in range(data.draw(st.integers(1, 8))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    try:
        assert read(bytes(payload)).text
    except (Unusable, NotOurs) as error:
        assert error.reason


SMALL = book(PROSE, "<p>Second.</p>", metadata="<dc:title>T</dc:title>")
