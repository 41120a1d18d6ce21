"""Machine-readable mark-up is kept as it stood."""

import json

from filters.html import read_page, scan_page
from manifests.limits import Limits

PROSE = "<p>Enough prose for the page to be a page, and then some more of it.</p>"


def found(body, **limits):
    page = scan_page(f"<html><body>{PROSE}{body}</body></html>".encode(), Limits())
    return read_page(*page, "http://a.b/", limits=Limits(**limits)).markup


def test_json_ld_is_kept_to_the_letter():
    content = json.dumps({"@type": "Recipe", "name": "<img> & </pre>", "image": ["<img src=x>"]}, indent=2)
    assert found(f'<script type="Application/LD+JSON; x=y">\n{content}\n</script>') == [("json_ld", content)]


def test_other_scripts_are_not():
    assert found('<script type="text/javascript">var a = "application/ld+json"</script>') == []


def test_faq_pages_and_details_are_kept_whole():
    questions = '<details><summary>Q</summary>A <img src="x"></details>'
    faq = f'<div itemscope="" itemtype="https://schema.org/FAQPage">{questions}</div>'
    details = "<details><summary>Q2</summary><pre>x</pre></details>"
    assert found(faq + details + "<details>no summary</details>") == [("faq", faq), ("faq", details)]


def test_blocks_beyond_the_limit_are_left_out_and_named():
    big, small = f'"{"字" * 14}"', '"y"'
    script = '<script type="application/ld+json">{}</script>'
    (kept, (kind, said)) = found(script.format(big) + script.format(small), max_markup_bytes=30)
    assert kept == ("json_ld", small)
    assert kind == "left_out"
    assert json.loads(said) == {"kind": "json_ld", "limit": "max_markup_bytes", "limit_value": 30, "observed": 44}


def test_real_pages_keep_their_details(pages):
    assert sum(len(found(payload.decode("utf-8", "replace"))) for _, payload in pages("debian-handbook")[:50]) == 0
