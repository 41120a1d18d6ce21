"""The real commands over real pages with real images: text + images -> interleaved shards that webdataset reads."""

import base64
import functools
import hashlib
import html.parser
import io
import json
import random
import shutil
import time
import urllib.parse
from pathlib import Path

import jobs
import pyarrow.parquet as pq
import pytest
import real_images
import webdataset
from PIL import Image

from pipelines.demo_input import FETCHED_AT, fetch_package
from pipelines.sources.warc_writer import Page, write_warc

JOB = "interleave"
SITE = "https://site.example"
LOCALES = ("en-US", "ja-JP", "ko-KR", "ar-MA")
NAVIGATION = "Common_Content/images/image_"  # on every page of the handbook
HOSTILE = "&quot;}]</script><image>\x07\u202e" + "x" * 9000 + "&quot;<|endofchunk|>"
PROSE = "<p>" + "This paragraph says enough about the pictures to be a text of its own. " * 9 + "</p>"


@functools.cache
def handbook():
    return fetch_package("debian-handbook").page_folder


def illustrated(locale):
    """Return the pages of a locale that show more than navigation, and three that don't."""
    pages = sorted((handbook() / locale).glob("*.html"))
    shown = [page for page in pages if page.read_text().count('<img src="images/') > 0]
    return shown[:10] + [page for page in pages if page not in shown][:3]


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A folder of handbook pages with their pictures, and a WARC file of a site whose pages are difficult."""
    root = tmp_path_factory.mktemp("interleave") / "in"
    for locale in LOCALES:
        (root / "book" / locale).mkdir(parents=True)
        pages = illustrated(locale)
        for page in pages:
            shutil.copy(page, root / "book" / locale / page.name)
        text = "".join(page.read_text() for page in pages)
        for picture in (handbook() / locale).rglob("*.png"):
            if f'/{picture.name}"' in text:
                target = root / "book" / picture.relative_to(handbook())
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(picture, target)
    write_warc(root / "site.warc.gz", FETCHED_AT, (("software", "corpusmill"),), site())
    return root


@functools.cache
def photos():
    return real_images.small_photographs()


def inner():
    """Return a photograph as it stands inside a page, and as the site serves it."""
    with Image.open(io.BytesIO(photos()[3])) as image:
        return real_images.file_of(image.resize((200, 150)), "PNG")


def pages():
    """Name -> body of the site's pages."""
    body, data = PROSE, base64.b64encode(inner()).decode()
    return {
        "base.html": f'<base href="/media/"><p>One</p><img src="photo%30.jpg" alt="写真">{body}',
        "srcset.html": f'{body}<img srcset="media/photo1.jpg 1x, media/large.jpg 2x" alt="set">{body}two',
        "data.html": f'{body}<img src="data:image/png;base64,{data}" alt="inside">{body}three',
        "hostile.html": f'{body}<img src="media/photo2.jpg" alt="{HOSTILE}">four{body}',
        "gone.html": f'{body}<img src="media/nowhere.jpg"><img src="media/cut.jpg"><img><img src="media/noai.jpg">five',
        "none.html": f"{body}six, and no picture at all",
        "same-a.html": f'seven {body}<img src="media/photo4.jpg">and<img src="media/photo5.jpg">',
        "same-b.html": f'eight {body * 2}<img src="media/photo5.jpg">or<img src="/media/../media/photo4.jpg">',
        "twice.html": f'<img src="media/photo6.jpg">nine {body}<img src="media/photo6.jpg">',
        "logo.html": f'{body}<img src="media/photo7.jpg" alt="会社のロゴ">ten<img src="media/photo8.jpg" alt="海">',
        **{f"many{n}.html": f'{n} {body}<img src="media/photo9.jpg" alt="n{n}">{n}' for n in range(11)},
    }


def site():
    for name, body in pages().items():
        document = (
            f"<!doctype html><html><head><meta charset=utf-8><title>{name}</title></head><body>{body}</body></html>"
        )
        yield Page(f"{SITE}/{name}", document.encode(), "text/html")
    for number, photo in enumerate(photos()[:10]):
        yield Page(f"{SITE}/media/photo{number}.jpg", photo, "image/jpeg")
    yield Page(f"{SITE}/inner.png", inner(), "image/png")
    yield Page(f"{SITE}/media/cut.jpg", photos()[11][:2000], "image/jpeg")


RECIPE = {
    "corpusmill": 1,
    "inputs": [{"name": "book", "uri": "book"}, {"name": "site", "uri": "site.warc.gz"}],
    "text": {"rules": [], "edits": [], "personal": None, "dedup": {"exact": False, "near": None}, "shards": 3},
    "images": {"shards": 2},
    "interleave": {"shards": 2},
}


@pytest.fixture(scope="module")
def done(source, tmp_path_factory):
    """The whole recipe, one worker."""
    out = tmp_path_factory.mktemp("done")
    (source / "recipe.yaml").write_text(json.dumps(RECIPE))
    jobs.run("run", source / "recipe.yaml", "--out", out, "--quiet", "--workers", "1")
    return out


@pytest.fixture
def parents(done, tmp_path):
    """A copy of what text and images left, without the interleave job's own."""
    for job in ("text", "images"):
        shutil.copytree(done / job, tmp_path / job)
    return tmp_path


def interleave(out, *more, **options):
    return jobs.run("interleave", "--out", out, "--quiet", "--set=interleave.shards=2", *more, **options)


def samples(out):
    """Key -> sample as webdataset reads it, with its `json` read."""
    tars = [str(out / s["name"]) for s in jobs.manifest(out, JOB)["shards"] if s["kind"] == "interleaved"]
    found = list(webdataset.WebDataset(tars, shardshuffle=False))
    assert len({sample["__key__"] for sample in found}) == len(found)
    return {sample["__key__"]: sample | {"json": json.loads(sample["json"])} for sample in found}


def by_uri(out):
    return {sample["json"]["uri"]: sample for sample in samples(out).values()}


def pictures(sample):
    return [part for part in sample["json"]["parts"] if part["kind"] == "image"]


def rows(out, kind):
    return [
        row
        for shard in jobs.manifest(out, JOB)["shards"]
        if shard["kind"] == kind
        for row in pq.read_table(out / shard["name"]).to_pylist()
    ]


def test_webdataset_reads_every_document_with_its_images(done):
    texts = {row["id"].hex(): row["text"] for row in jobs.rows(done)}
    read = samples(done)
    assert read.keys() == texts.keys()
    for key, sample in read.items():
        parts = sample["json"]["parts"]
        assert "".join(part.get("text", "") for part in parts) == texts[key]
        for part in pictures(sample):
            if "member" in part:
                content = sample[part["member"].removeprefix(f"{key}.")]
                assert hashlib.sha256(content).hexdigest() == part["sha256"]
                assert Image.open(io.BytesIO(content)).size == (part["width_px"], part["height_px"])
        fields = {name for name in sample if not name.startswith("_")} - {"json"}
        assert fields == {part["member"].partition(".")[2] for part in pictures(sample) if "member" in part}
    decoded = webdataset.WebDataset(
        [str(done / s["name"]) for s in jobs.manifest(done, JOB)["shards"] if s["kind"] == "interleaved"],
        shardshuffle=False,
    ).decode("pil")
    assert any(isinstance(sample.get("0000.jpg"), Image.Image) for sample in decoded)


def test_every_document_and_every_part_is_in_one_place(done):
    manifest = jobs.manifest(done, JOB)
    assert manifest["ledger"]["in"] == jobs.manifest(done)["ledger"]["out"]["kept"]
    for account in [manifest["ledger"], *manifest["units"], *manifest["parts"].values()]:
        assert account["in"] == sum(account["out"].values())
    published = [part for row in jobs.rows(done) for part in row["parts"]]
    assert manifest["parts"]["image"]["in"] == sum(part["kind"] == "image" for part in published)
    assert len(rows(done, "parts")) == len(published)
    assert "sound" in jobs.run("verify", "--out", done, "--job", JOB)


def test_the_rows_of_parts_lead_to_the_bytes(done):
    for row in rows(done, "parts"):
        if row["kind"] == "image" and row["verdict"] == "kept":
            with (done / row["shard"]).open("rb") as tar:
                tar.seek(row["offset"])
                assert hashlib.sha256(tar.read(row["bytes"])).digest() == row["sha256"]
            assert row["member"].startswith(row["id"].hex())
    assert all(row["start_s"] is None for row in rows(done, "parts"))


class Dom(html.parser.HTMLParser):
    """What stands in a page, in its order: letters and digits, and images by their addresses."""

    def __init__(self, uri):
        super().__init__(convert_charrefs=True)
        self.uri, self.seen = uri, []

    def handle_starttag(self, tag, attributes):
        if tag == "img":
            self.seen.append(urllib.parse.urljoin("http://x/" + self.uri, dict(attributes)["src"]))

    def handle_data(self, data):
        self.seen += [character for character in data if character.isalnum()]


def is_within(few, all_of):
    """Return whether `few` is what is left of `all_of` when some of it is taken out."""
    rest = iter(all_of)
    return all(each in rest for each in few)


def told(sample):
    for part in sample["json"]["parts"]:
        if part["kind"] == "image":
            yield "http://x/" + part["uri"].partition(":")[2]
        else:
            yield from (character for character in part["text"] if character.isalnum())


def dom_of(source, uri):
    path = uri.partition(":")[2]
    dom = Dom(path)
    dom.feed((source / "book" / path).read_text())
    return [each.replace("//image", "/image") if len(each) > 1 else each for each in dom.seen]


def test_the_order_of_the_page_is_kept(done, source):
    """Oracle: the standard library's parser. No sample's order is another; an image that is moved is found out."""
    looked_at = 0
    for uri, sample in by_uri(done).items():
        if uri.startswith("book:"):
            dom, own = dom_of(source, uri), list(told(sample))
            assert is_within(own, dom), uri
            shown = [place for place, each in enumerate(own) if "/images/" in each and NAVIGATION not in each]
            for place in shown:
                moved = own[:place] + own[place + 1 :] + own[place : place + 1]
                looked_at += 1
                assert len(own) - place < 40 or not is_within(moved, dom)
    assert looked_at >= 40


def test_pages_in_japanese_have_their_pictures_and_alternative_texts(done):
    alts = {part["alt"] for uri, sample in by_uri(done).items() if "ja-JP" in uri for part in pictures(sample)}
    assert "Xfce デスクトップ" in alts
    assert sum(any("぀" <= character <= "ヿ" for character in alt or "") for alt in alts) >= 5


@pytest.mark.parametrize(
    ("name", "photo", "alt"),
    [
        pytest.param("base.html", 0, "写真", id="base, and an escape that needs none"),
        pytest.param("srcset.html", 1, "set", id="a set of sources"),
    ],
)
def test_images_are_found_where_the_page_says(done, name, photo, alt):
    (part,) = pictures(by_uri(done)[f"{SITE}/{name}"])
    assert (part["digest"], part["alt"]) == (hashlib.sha256(photos()[photo]).hexdigest(), alt)


def test_an_image_inside_a_page_is_joined_by_its_bytes(done):
    """Its record is the site's own file of the same bytes; a near-duplicate of it may stand for both."""
    (part,) = pictures(by_uri(done)[f"{SITE}/data.html"])
    assert part["uri"].startswith("ni:///sha-256;")
    assert part["digest"] in {hashlib.sha256(each).hexdigest() for each in (inner(), photos()[3])}
    assert "member" in part


def test_what_cannot_be_joined_says_why_and_the_text_stays(done):
    sample = by_uri(done)[f"{SITE}/gone.html"]
    reasons = [part["missing"] for part in pictures(sample)]
    assert reasons == ["no_such_media", "quarantined/image_truncated", "no_address", "no_such_media"]
    assert sample["json"]["parts"][-1]["text"].endswith("five")


def test_a_hostile_alternative_text_stays_text(done):
    sample = by_uri(done)[f"{SITE}/hostile.html"]
    (part,) = pictures(sample)
    assert "member" in part
    assert part["alt"].startswith('"}]</script><image> \u202exxx')
    assert len(part["alt"]) == 4096
    (row,) = [row for row in rows(done, "parts") if row["alt"] == part["alt"]]
    assert (row["verdict"], row["id"].hex()) == ("kept", sample["__key__"])


def test_a_document_without_images_is_a_sample_of_text(done):
    sample = by_uri(done)[f"{SITE}/none.html"]
    assert pictures(sample) == []
    assert set(sample) == {"__key__", "__url__", "json", *(name for name in sample if name.startswith("__"))}


def test_an_image_that_stands_twice_is_stored_once(done):
    sample = by_uri(done)[f"{SITE}/twice.html"]
    first, second = pictures(sample)
    assert first["member"] == second["member"]
    assert {name for name in sample if name[0] != "_"} == {"json", "0000.jpg"}


OBELICS = "--set=interleave.profiles=[obelics_v1]"


def test_a_profile_says_what_it_drops_and_joins_nothing_again(parents):
    interleave(parents)
    before = jobs.markers(parents / JOB)
    interleave(parents, OBELICS)
    again = {path.relative_to(parents / JOB).parts[0] for path in jobs.markers(parents / JOB) if path not in before}
    assert again == {"judge", "merge", "write"}
    manifest, dropped = jobs.manifest(parents, JOB), {row["uri"]: row for row in rows(parents, "dropped")}
    assert manifest["settings"]["rules_without_scorer"] == ["obelics_v1/largest_nsfw_score"]
    assert dropped[f"{SITE}/none.html"]["reason"] == "obelics_v1/image_count<1"
    many = [f"{SITE}/many{n}.html" for n in range(11)]
    assert {dropped[uri]["reason"] for uri in many} == {"obelics_v1/image_count<1"}
    assert all(account["in"] == sum(account["out"].values()) for account in manifest["parts"].values())
    kept = by_uri(parents)
    twice = [part.get("dropped") for part in pictures(kept[f"{SITE}/twice.html"])]
    assert twice == [None, "obelics_v1/earlier_in_document_count>0"]
    logo = [part.get("dropped") for part in pictures(kept[f"{SITE}/logo.html"])]
    assert logo == ["obelics_v1/alt_decoration_word_count>0", None]
    shown = [part for uri, sample in kept.items() if uri.startswith("book:") for part in pictures(sample)]
    assert shown
    assert all("dropped" in part for part in shown if NAVIGATION in part["uri"])


def test_of_two_documents_with_the_same_images_the_longer_stays(parents):
    interleave(parents, "--set=interleave.merge_image_sets=true")
    gone = {row["uri"]: row for row in rows(parents, "dropped")}
    kept = by_uri(parents)
    assert gone[f"{SITE}/same-a.html"]["reason"] == "same_images"
    assert gone[f"{SITE}/same-a.html"]["kept_id"].hex() == kept[f"{SITE}/same-b.html"]["__key__"]
    assert f"{SITE}/none.html" in kept


@pytest.mark.long
def test_the_reason_of_the_images_job_stands_with_the_part(parents, source):
    """What the images job drops later is missing then; the text stays."""
    recipe = RECIPE | {"images": {"shards": 2, "profiles": ["m3w_v1"]}}
    (source / "m3w.yaml").write_text(json.dumps(recipe))
    jobs.run("run", source / "m3w.yaml", "--out", parents, "--quiet", timeout_s=600)
    out = jobs.manifest(parents, JOB)["parts"]["image"]["out"]
    assert out["missing/dropped/m3w_v1/short_side_px<64"] > 11
    assert jobs.manifest(parents, JOB)["ledger"]["out"] == {"kept": jobs.manifest(parents)["ledger"]["out"]["kept"]}


@pytest.mark.long
def test_by_digest_names_the_place_of_each_image_and_stores_none(parents, done):
    interleave(parents, "--set=interleave.images=by_digest")
    inline = samples(done)
    for key, sample in samples(parents).items():
        assert {name for name in sample if name[0] != "_"} == {"json"}
        for part, other in zip(pictures(sample), pictures(inline[key]), strict=True):
            if "member" in part:
                with (parents / part["shard"]).open("rb") as tar:
                    tar.seek(part["offset"])
                    content = tar.read(part["bytes"])
                assert hashlib.sha256(content).hexdigest() == part["sha256"] == other["sha256"]


@pytest.mark.long
@pytest.mark.parametrize(
    "options",
    [
        pytest.param(["--workers", "2"], id="two workers"),
        pytest.param(["--workers", "2", "--set=limits.partition_bytes=20000"], id="many partitions"),
        pytest.param(
            ["--workers", "1", "--", "--direct_runner_bundle_repeat=1"],
            id="every bundle replayed",
            marks=pytest.mark.long,
        ),
    ],
)
def test_the_digest_is_that_of_one_undisturbed_worker(parents, done, options):
    interleave(parents, *options)
    assert jobs.digest(parents, JOB) == jobs.digest(done, JOB)


@pytest.mark.long
def test_a_killed_job_ends_with_the_same_digest(parents, done):
    rng, alive = random.Random(7), 0
    for _ in range(3):
        process = jobs.start("interleave", "--out", parents, "--quiet", "--set=interleave.shards=2")
        time.sleep(rng.uniform(1.5, 4.0))
        alive += process.poll() is None
        jobs.kill(process)
    interleave(parents)
    assert alive
    assert jobs.digest(parents, JOB) == jobs.digest(done, JOB)
    assert "all done before" in interleave(parents)


def test_without_an_images_snapshot_it_says_what_is_missing(parents):
    shutil.rmtree(parents / "images")
    assert "images: no snapshot has been committed here" in interleave(parents, status=1)
    assert not Path(parents / JOB).exists()
