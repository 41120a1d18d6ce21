"""The links of a crawl's bodies, as a guarded child finds them: pages and sitemaps of one batch, and hostile ones."""

import pyarrow as pa
import pytest

from filters.guard import GuardedPool
from filters.links import BODIES, LINKS, PAGES, factory
from manifests.limits import CrawlLimits, Limits

AT = "http://a.example/d/page.html"
JAPANESE = "日本語の文章です。これは文字コードの試験です。ひらがなとカタカナ。"


def body(payload, kind="page", media_type="text/html", charset=None, url=AT):
    return {"url": url, "kind": kind, "media_type": media_type, "charset": charset, "payload": payload}


def test_a_guarded_child_reads_pages_and_sitemaps_of_a_batch():
    rows = [
        body(b"<meta name=robots content=noai><a href=b rel=nofollow>B</a><a href=mailto:x>"),
        body(b"<urlset><url><loc>http://a.example/s</loc></url></urlset>", "sitemap", "application/xml"),
        body(b"\x89PNG", "image", "image/png"),
        body(b"<a href=b>", "page", "application/pdf"),
        body(f"<a href=j>{JAPANESE}</a>".encode("euc-jp"), charset="euc-jp"),
        body(b"<div>" * 1000),
        body(b"", "sitemap"),
        body(b""),
    ]
    with GuardedPool("filters.links:factory", {"agent": "corpusmill"}, Limits()) as pool:
        found = pool.run(pa.RecordBatch.from_pylist(rows, schema=BODIES))
        empty = pool.run(pa.RecordBatch.from_pylist([], schema=BODIES))
    assert found.failures == []
    assert (found.outputs["links"].schema, found.outputs["pages"].schema) == (LINKS, PAGES)
    assert [tuple(one.values()) for one in found.outputs["links"].to_pylist()] == [
        (0, "http://a.example/d/b", "page", "link", "B", True),
        (1, "http://a.example/s", "page", "sitemap", None, False),
        (4, "http://a.example/d/j", "page", "link", JAPANESE, False),
    ]
    said = found.outputs["pages"].to_pylist()
    assert [one["row"] for one in said] == list(range(8))
    assert (said[0]["policy"], said[0]["scheme"], said[5]["failed"]) == ("meta robots: noai", 1, "nesting_too_deep")
    assert (empty.outputs["links"].num_rows, empty.outputs["pages"].num_rows) == (0, 0)


def test_limits_reach_the_child():
    config = {"limits": {"max_nesting_depth": 3}, "crawl_limits": {"max_url_chars": 30, "max_sitemap_urls": 1}}
    rows = [
        body(b"<a href=" + b"x" * 40 + b">"),
        body(b"<div>" * 4),
        body(b"http://a.example/1\nhttp://a.example/2", "sitemap"),
    ]
    with GuardedPool("filters.links:factory", config) as pool:
        outputs = pool.run(pa.RecordBatch.from_pylist(rows, schema=BODIES)).outputs
    said = outputs["pages"].to_pylist()
    assert (said[0]["too_long"], said[1]["failed"], said[2]["left_out"]) == (1, "nesting_too_deep", 1)
    assert outputs["links"].num_rows == 1


PAGE_OF_ALL = b"""<link rel=next href=n><a href=b>B</a><a href=i.jpg>an image</a><img src=c.png alt=C>
<picture><source srcset="d.webp 2x"><img src=d.png></picture><video src=e.mp4 poster=f.png></video>
<audio src=g.mp3></audio><iframe src=h></iframe><meta http-equiv=refresh content="0; j">"""


@pytest.mark.parametrize(
    ("kinds", "told"),
    [
        pytest.param(["page"], [], id="a crawl of pages"),
        pytest.param(["page", "sitemap"], [], id="a crawl of pages and sitemaps"),
        pytest.param(["image", "page"], ["image"], id="a crawl of images"),
        pytest.param(["audio", "page", "video"], ["audio", "video"], id="a crawl of sound and films"),
    ],
)
def test_what_is_not_looked_for_changes_nothing_about_the_rest(kinds, told):
    def links(**more):
        work = factory(more)
        found = work(pa.RecordBatch.from_pylist([body(PAGE_OF_ALL)], schema=BODIES), lambda _: None)
        return found["links"].to_pylist()

    everything = links()
    assert {one["kind"] for one in everything} == {"page", "image", "audio", "video"}
    left = [one | {"text": one["text"] if one["kind"] in told else None} for one in everything if one["kind"] in kinds]
    assert links(kinds=kinds, told=told) == left


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(b"<svg>" + b"<a href=x>" * 500 + b"x" * 4_000_000, id="500 anchors around 4 MB of text"),
        pytest.param(
            b"<figure><figcaption>" + b"x" * 2_000_000 + b"</figcaption>" + b"<img src=x>" * 100_000, id="one caption"
        ),
        pytest.param(b"<img srcset='" + b"a 1w," * 900_000 + b"'>", id="900,000 candidates"),
        pytest.param(b"".join(b"<a href=%d>x" % n for n in range(300_000)), id="300,000 anchors"),
        pytest.param(b"<p><a href=x>" * 250_000, id="anchors that are never closed"),
        pytest.param(
            b"<div>" * 600 + (b"<meta " + b"a" * 4000 + b">") * 1200, id="too deep, and long names in meta tags"
        ),
        pytest.param(b"<div>" * 600 + (b"<meta a" + b" " * 4000 + b">") * 1200, id="too deep, and meta tags of spaces"),
        pytest.param(b"<meta name=robots content=noai " * 150_000, id="meta tags that are never closed"),
    ],
)
def test_the_largest_that_may_be_is_read_within_the_limit_of_a_child(page):
    rows = [body(page), body(b"<a href=b>")]
    assert len(page) <= CrawlLimits().max_page_bytes
    with GuardedPool("filters.links:factory", {}) as pool:
        found = pool.run(pa.RecordBatch.from_pylist(rows, schema=BODIES))
    assert found.failures == []
    assert found.outputs["pages"].num_rows == 2
