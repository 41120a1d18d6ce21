"""Whose licence a link to Creative Commons is: the page's, a picture's, or nobody's."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters import html, licenses, policy
from filters.licenses import CLASSES, class_of, classes, license_signals
from manifests.limits import Limits
from pipelines.demo_input import fetch_package

BY, SA, NC = (f"https://creativecommons.org/licenses/{name}/4.0/" for name in ("by", "by-sa", "by-nc"))


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        (BY, "cc_by"),
        ("http://www.creativecommons.org/licenses/by-sa/3.0/deed.ja", "cc_by_sa"),
        ("//creativecommons.org/licenses/by-nd-nc/1.0", "cc_by_nc_nd"),
        ("https://creativecommons.org/licenses/by-nc-sa/2.1/jp/", "cc_by_nc_sa"),
        ("https://creativecommons.org/publicdomain/zero/1.0/legalcode", "public_domain"),
        ("http://creativecommons.org/licenses/publicdomain/", "public_domain"),
        ("CC BY-SA 4.0", "cc_by_sa"),
        ("CC-BY-NC-ND-3.0", "cc_by_nc_nd"),
        ("CC-BY-SA-3.0-DE", "cc_by_sa"),
        ("CC0-1.0", "public_domain"),
        ("2010-2021, Developers, Creative Commons Attribution-ShareAlike 3.0", "cc_by_sa"),
        ("Creative Commons Attribution-NonCommercial-NoDerivatives 4.0 International", "cc_by_nc_nd"),
        ("https://creativecommons.org/licenses/", "other"),
        ("https://creativecommons.org/licenses/sampling+/1.0/", "other"),
        ("https://example.org/?next=https://creativecommons.org/licenses/by/4.0/", "other"),
        ("https://creativecommons.org.example.net/licenses/by/4.0/", "other"),
        ("https://www.apache.org/licenses/LICENSE-2.0", "other"),
        ("(c) 2024 by nobody", "other"),
        ("", "unstated"),
        (None, "unstated"),
    ],
)
def test_the_class_of_a_licence(stated, expected):
    assert class_of(stated) == expected


def link(address, inside="{}", attributes=""):
    return inside.format(f'<a {attributes} href="{address}">licence</a>')


@pytest.mark.parametrize(
    ("head", "body", "expected"),
    [
        pytest.param("", link(BY, attributes="rel=license"), BY, id="rel is the page's"),
        pytest.param("", link(BY, attributes="rel='nofollow license'"), BY, id="single quotes, more relations"),
        pytest.param("", link(BY), None, id="a link in the text says nothing of the page"),
        pytest.param("", link(BY, "<footer>{}</footer>"), BY, id="a plain link in the footer"),
        pytest.param("", link(BY, "<div id=page-footer><p>{}</div>"), BY, id="a footer by its name"),
        pytest.param("", link(BY, "<figure><img src=a><figcaption>{}</figure>", "rel=license"), None, id="a picture's"),
        pytest.param("", link(BY, "<div class='wp-caption'><img src=a>{}</div>", "rel=license"), None, id="a caption"),
        pytest.param(
            "",
            link(BY, "<div itemscope itemtype='https://schema.org/ImageObject'><img src=a>{}</div>", "rel=license"),
            None,
            id="an item that is an image",
        ),
        pytest.param(
            "",
            link(NC, "<figure><img src=a>{}</figure>", "rel=license") + link(SA, "<footer>{}</footer>"),
            SA,
            id="the footer's beside a picture's",
        ),
        pytest.param(f"<link rel=license href={SA}>", link(BY, attributes="rel=license"), SA, id="the head before rel"),
        pytest.param(f"<meta name=DC.rights content={SA}>", "", SA, id="Dublin Core"),
        pytest.param("<meta name=copyright content='2024 Creative Ltd'>", link(BY), None, id="a notice is no licence"),
        pytest.param(
            "", link(BY, attributes="rel=license") + link(SA, attributes="rel=license"), None, id="two differ"
        ),
        pytest.param(
            "",
            link(BY, attributes="rel=license") + link(BY.replace("4.0/", "3.0/deed.de"), attributes="rel=license"),
            BY,
            id="two versions of one are no contradiction",
        ),
        pytest.param(
            '<script type="application/ld+json">{"@graph":[{"@type":"WebPage","license":"' + SA + '"}]}</script>',
            "",
            SA,
            id="JSON-LD of the page",
        ),
        pytest.param(
            '<script type="application/ld+json">{"@type":"ImageObject","license":"' + SA + '"}</script>',
            "",
            None,
            id="JSON-LD of an image",
        ),
        pytest.param(
            '<script type="application/ld+json">{"@type":"Article","image":{"@type":"ImageObject","license":"'
            + SA
            + '"}}</script>',
            "",
            None,
            id="JSON-LD of an image inside an article",
        ),
        pytest.param('<script type="application/ld+json">{"license":</script>', "", None, id="broken JSON"),
        pytest.param("", link("/terms", attributes='rel="license"'), "http://a.b/terms", id="another licence"),
    ],
)
@pytest.mark.parametrize("text", ["Some words of a page.", "日本語のページの本文です。", "نص هذه الصفحة"])
def test_whose_licence_it_is(head, body, expected, text):
    page = read(head, f"<p>{text}</p>{body}")
    assert page.license == expected
    assert text.encode() in page.text


def read(head: str, body: str) -> html.Page:
    written = f"<!doctype html><html><head>{head}</head><body>{body}</body></html>".encode()
    return html.read_within(written, "http://a.b/c", Limits(), xml=False)


def test_lines_say_where_and_are_no_directives():
    page = read("", link(BY, attributes="rel=license") + link(SA) + link(NC, "<footer>{}</footer>"))
    assert page.policy == [f"license rel: {BY}", f"license mentioned: {SA}", f"license footer: {NC}"]
    assert policy.directives(page.policy) == frozenset()
    assert policy.directives([*page.policy, "meta robots: noai"]) == {"noai"}


def test_a_page_of_many_links_keeps_few_lines_and_hears_all():
    links = "".join(link(f"{BY}?{number}", attributes="rel=license") for number in range(50))
    page = read("", links + link(NC, attributes="rel=license"))
    assert page.license is None
    assert len(page.policy) == licenses.MAX_LINES


def test_classes_of_records():
    stated = pa.array([BY, None, None, None, "https://example.org/terms"])
    said = pa.array(
        [None, None, f"meta robots: all\nlicense rel: {BY}\nlicense rel: {SA}", f"license mentioned: {BY}", None]
    )
    expected = ["cc_by", "unstated", "contradictory", "unstated", "other"]
    assert classes(stated, said).to_pylist() == expected
    signals = license_signals(stated, said)
    found = [[name for name in CLASSES if signals[f"license_{name}"][row].as_py()] for row in range(5)]
    assert found == [[name] for name in expected]


@pytest.mark.parametrize("locale", ["de-DE", "fr-FR", "ja-JP", "zh-CN", "ru-RU", "en-US", "id-ID"])
def test_the_title_page_of_a_real_book_states_its_licence_in_its_legal_notice(locale):
    package = fetch_package("debian-handbook")
    page = (package.page_folder / locale / "index.html").read_bytes()
    found = html.read_within(page, f"https://debian-handbook.example/{locale}/index.html", Limits(), xml=True)
    assert class_of(found.license) == "cc_by_sa"
    chapter = (package.page_folder / locale / "foreword.html").read_bytes()
    assert html.read_within(chapter, "https://debian-handbook.example/x", Limits(), xml=True).license is None


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_name_and_no_page_is_too_strange(name, content):
    assert class_of(name) in CLASSES
    quoted = content.replace("<", "").replace('"', "")
    read("", f'<a rel="license" href="{quoted}creativecommons.org/{quoted}">x</a>')
