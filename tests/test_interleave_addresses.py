"""Addresses: spelled one way, whoever writes them; images inside a page are named by their bytes."""

import base64
import hashlib
import urllib.request

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.html import read_page, scan_page
from filters.interleave.addresses import (
    address_digest,
    data_image,
    data_name,
    named_by_bytes,
    part_address,
    record_address,
)
from manifests.limits import Limits


@pytest.mark.parametrize(
    ("part", "record"),
    [
        pytest.param("http://A.example:80/b/../c%7Ed.png#top", "http://a.example/c~d.png", id="a URL"),
        pytest.param("https://例え.jp/図.png", "https://xn--r8jz45g.jp/%E5%9B%B3.png", id="a URL in Japanese"),
        pytest.param("book:img/a%20b.png", "book:img/a b.png", id="a file whose name has a space"),
        pytest.param("book:img/%E5%9B%B3.png?v=2#x", "book:img/図.png", id="a file with a query"),
        pytest.param("book:img/100%2525.png", "book:img/100%25.png", id="escapes are read once"),
        pytest.param("book:img/./x/../y.png", "book:img/y.png", id="dots in a path"),
        pytest.param("book:../../etc/passwd", "book:etc/passwd", id="a path never leaves its input"),
    ],
)
def test_a_part_and_a_record_meet(part, record):
    assert part_address(part) == record_address(record) is not None


@pytest.mark.parametrize("uri", ["http://", "https://[x/", ":x.png", "no-colon", "http://a..b/x.png"])
def test_what_names_nothing_has_no_address(uri):
    assert part_address(uri) is None


def test_another_input_is_another_place():
    assert part_address("book:a.png") != part_address("look:a.png")


@pytest.mark.parametrize(
    ("reference", "media_type", "content"),
    [
        pytest.param("data:image/png;base64,iVBORw0KGgo=", "image/png", b"\x89PNG\r\n\x1a\n", id="base64"),
        pytest.param(
            " data:IMAGE/PNG ; x=y ;BASE64,iVBO Rw0K\nGgo ", "image/png", b"\x89PNG\r\n\x1a\n", id="white space"
        ),
        pytest.param("data:image/gif;base64,R0lGODlh%3D%3d", "image/gif", None, id="padding where none belongs"),
        pytest.param("data:image/png;base64,AAA%3D", "image/png", b"\0\0", id="escapes before base64"),
        pytest.param("data:image/svg+xml,%3Csvg/%3E", "image/svg+xml", b"<svg/>", id="written out"),
        pytest.param("data:,", "text/plain", b"", id="nothing"),
        pytest.param("data:image/png;base64,A", "image/png", None, id="one character over"),
        pytest.param("data:image/png", "image/png", None, id="no comma"),
        pytest.param("x.png,y", "", None, id="no data: URL"),
    ],
)
def test_data_urls(reference, media_type, content):
    found = data_image(reference)
    assert found == (None if content is None else (media_type, content))


@given(st.binary(min_size=1), st.booleans())
def test_data_urls_hold_what_the_standard_library_reads(content, padded):
    body = base64.b64encode(content).decode()
    url = f"data:image/png;base64,{body}"
    with urllib.request.urlopen(url) as oracle:
        assert data_image(url if padded else url.rstrip("=")).content == oracle.read() == content
    assert data_name(url) == named_by_bytes(hashlib.sha256(content).digest())


def test_the_name_of_bytes_is_that_of_the_rfc():
    """RFC 6920, section 8.1: the digest of "Hello World!"."""
    name = "ni:///sha-256;f4OxZX_x_FO5LcGBSKHWXfwtSx-j1ncoSt3SABJtkGk"
    assert named_by_bytes(hashlib.sha256(b"Hello World!").digest()) == name
    assert part_address(name) == name


def test_a_page_names_the_images_inside_it_by_their_bytes():
    page = b"<p>One <img src='data:image/png;base64,AAAA' alt='three zeros'> two."
    limits = Limits()
    found = read_page(*scan_page(page, limits), "http://a.example/")
    named = named_by_bytes(hashlib.sha256(bytes(3)).digest())
    assert found.parts.images == [(named, "three zeros")]


@given(st.text(min_size=1))
def test_any_uri_has_an_address_or_none(uri):
    address = part_address(uri)
    assert address is None or len(address_digest(address)) == 16
    assert address is None or part_address(uri) == address
