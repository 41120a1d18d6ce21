"""The real `corpusmill images` over real pictures: captions meet them, copies are merged, one bad file costs itself."""

import hashlib
import io
import json
import random
import shutil
import tarfile
import time
import zlib

import jobs
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import webdataset
from PIL import Image

from pipelines.demo_input import fetch_package

JOB = "images"
KINDS = {"jpg", "json", "txt"}
LOOSE = {"shards": 1, "dedup": {"exact": False, "near": None}}


@pytest.fixture(scope="module")
def photos():
    """Photographs of a Debian package, largest first."""
    root = fetch_package("lomiri-wallpapers-16.04").root
    return sorted(root.rglob("*.jpg"), key=lambda path: (-path.stat().st_size, path.name))


@pytest.fixture(scope="module")
def stamps():
    root = fetch_package("tuxpaint-stamps-default").root / "usr/share/tuxpaint/stamps"
    return sorted(path for path in (root / "animals").rglob("*.png") if path.with_suffix(".txt").exists())[:40]


@pytest.fixture(scope="module")
def folder(photos, stamps, tmp_path_factory):
    """A folder as users have them: pictures, captions beside them, copies, and files that are not what they say."""
    root = tmp_path_factory.mktemp("pictures") / "in"
    root.mkdir()
    for photo in photos[:6]:
        shutil.copy(photo, root / photo.name)
    for number, stamp in enumerate(stamps):
        shutil.copy(stamp, root / f"stamp{number}.png")
        (root / f"stamp{number}.txt").write_text(first_line(stamp))
    copies(photos[0], root)
    with Image.open(photos[1]) as image:
        image.save(root / "turned.jpg", exif=turned_by_90(), quality=95)
    (root / "with-json.png").write_bytes(stamps[0].read_bytes() + b"\0")
    (root / "with-json.json").write_text(json.dumps({"caption": "鳥の絵"}))
    bad_files(photos[2], root)
    return root


def first_line(stamp):
    return stamp.with_suffix(".txt").read_text(encoding="utf-8").splitlines()[0]


def copies(photo, root):
    """Write the same photograph as it is, as PNG of half the size, and pressed harder."""
    (root / "copy.jpg").write_bytes(photo.read_bytes())
    with Image.open(photo) as image:
        image.convert("RGB").resize((image.width // 2, image.height // 2), Image.Resampling.LANCZOS).save(
            root / "half.png"
        )
        image.convert("RGB").save(root / "pressed.webp", quality=60)


def turned_by_90():
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def bad_files(photo, root):
    body = photo.read_bytes()
    (root / "cut.jpg").write_bytes(body[: len(body) // 2])
    (root / "page.jpg").write_text("<html>not found</html>")
    (root / "empty.png").write_bytes(b"")
    header = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (16_000).to_bytes(4) + (16_000).to_bytes(4) + b"\x08\x02\0\0\0"
    data = b"IDAT" + zlib.compress(bytes(1000))
    chunk = (len(data) - 4).to_bytes(4) + data + zlib.crc32(data).to_bytes(4)
    (root / "bomb.png").write_bytes(header + zlib.crc32(header[12:]).to_bytes(4) + chunk)


def images(folder, out, *more, status=0):
    return jobs.run("images", folder, "--out", out, "--quiet", "--set=images.shards=2", *more, status=status)


@pytest.fixture(scope="module")
def done(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("images")
    images(folder, out, "--workers", "1", "--set=text.max_quarantined_fraction=0.5")
    return out


def rows(out, kind):
    shards = [shard["name"] for shard in jobs.manifest(out, JOB)["shards"] if shard["kind"] == kind]
    return [row for name in shards for row in pq.read_table(out / name).to_pylist()]


def by_name(out, kind="records"):
    return {row["uri"].partition(":")[2]: row for row in rows(out, kind)}


def test_every_file_is_in_one_place(done, folder):
    ledger = jobs.manifest(done, JOB)["ledger"]
    assert ledger["in"] == len(list(folder.iterdir())) == sum(ledger["out"].values())
    assert "sound" in jobs.run("verify", "--out", done, "--job", JOB)


def test_bad_files_cost_themselves_and_say_why(done):
    found = {name: row["reason"] for name, row in by_name(done, "quarantine").items()}
    assert found == {
        "cut.jpg": "image_truncated",
        "page.jpg": "image_unknown_format",
        "empty.png": "empty_payload",
        "bomb.png": "image_too_many_pixels",
    }


def test_captions_meet_their_images(done, stamps):
    kept = by_name(done)
    told = {name: row["caption"] for name, row in kept.items() if name.startswith("stamp")}
    assert len(told) >= 30
    assert all(caption == " ".join(first_line(stamps[int(name[5:-4])]).split()) for name, caption in told.items())
    assert kept.get("with-json.png", by_name(done, "dropped").get("with-json.png"))["caption"] == "鳥の絵"


def test_copies_of_a_photograph_are_merged_into_the_largest(done, photos):
    gone = by_name(done, "dropped")
    copies_of = {photos[0].name, "copy.jpg", "half.png", "pressed.webp"}
    stays = copies_of - gone.keys()
    assert len(stays) == 1
    kept = by_name(done)[stays.pop()]
    assert {gone[name]["kept_id"] for name in copies_of & gone.keys()} == {kept["id"]}
    assert (kept["width_px"], kept["height_px"]) == Image.open(photos[0]).size
    assert {gone[name]["reason"] for name in copies_of & gone.keys()} == {"exact_duplicate", "near_duplicate"}


def test_pictures_stand_upright(done, photos):
    """A turned copy is no near-duplicate of the original, and is as wide as the original is high."""
    row = by_name(done)["turned.jpg"]
    assert (row["height_px"], row["width_px"], row["orientation"]) == (*Image.open(photos[1]).size, 6)


def test_webdataset_reads_what_the_records_say(done):
    tars = sorted(
        str(done / shard["name"]) for shard in jobs.manifest(done, JOB)["shards"] if shard["kind"] == "images"
    )
    records = {row["id"].hex(): row for row in rows(done, "records")}
    seen = set()
    for sample in webdataset.WebDataset(tars, shardshuffle=False):
        record = records[sample["__key__"]]
        assert hashlib.sha256(sample["jpg"]).digest() == record["stored_sha256"]
        assert Image.open(io.BytesIO(sample["jpg"])).size == (record["stored_width_px"], record["stored_height_px"])
        assert (sample["txt"].decode() if "txt" in sample else None) == record["caption"]
        assert json.loads(sample["json"])["uri"] == record["uri"]
        seen.add(sample["__key__"])
    assert seen == records.keys()


@pytest.mark.long
def test_what_an_archive_or_parquet_holds_comes_out_the_same(done, folder, tmp_path):
    """A tar of the folder gives the same pictures and captions, under its own names."""
    with tarfile.open(tmp_path / "in.tar", "w") as archive:
        for path in sorted(folder.iterdir()):
            archive.add(path, path.name)
    images(tmp_path / "in.tar", tmp_path / "out", "--set=text.max_quarantined_fraction=0.5")
    assert measured(tmp_path / "out") == measured(done)


def measured(out):
    """Of copies of one size the one with the smallest id stays, so compare what stays and what goes together."""
    return {(row["digest"], row["phash"], row["caption"]) for kind in ("records", "dropped") for row in rows(out, kind)}


@pytest.mark.long
@pytest.mark.parametrize(
    "options",
    [
        pytest.param(["--workers", "2"], id="two workers"),
        pytest.param(
            ["--workers", "2", "--set=limits.part_bytes=200000", "--set=limits.batch_rows=7"], id="many parts"
        ),
        pytest.param(["--workers", "2", "--set=limits.partition_bytes=4000"], id="many partitions"),
        pytest.param(["--workers", "1", "--", "--direct_runner_bundle_repeat=1"], id="every bundle replayed"),
    ],
)
def test_the_digest_is_that_of_one_undisturbed_worker(done, folder, tmp_path, options):
    images(folder, tmp_path, *options)
    assert jobs.digest(tmp_path, JOB) == jobs.digest(done, JOB)


@pytest.mark.long
def test_a_killed_job_ends_with_the_same_digest(done, folder, tmp_path):
    rng, alive = random.Random(5), 0
    for _ in range(3):
        process = jobs.start("images", folder, "--out", tmp_path, "--quiet", "--set=images.shards=2")
        time.sleep(rng.uniform(2.0, 7.0))
        alive += process.poll() is None
        jobs.kill(process)
    images(folder, tmp_path)
    assert alive
    assert jobs.digest(tmp_path, JOB) == jobs.digest(done, JOB)


def test_a_profile_says_what_it_drops_and_which_of_its_rules_have_no_scorer(folder, tmp_path):
    images(folder, tmp_path, "--set=images.profiles=[mmc4_v1]")
    manifest = jobs.manifest(tmp_path, JOB)
    assert "mmc4_v1/image_text_similarity" in manifest["settings"]["rules_without_scorer"]
    small = [row for row in rows(tmp_path, "dropped") if row["verdict"] == "dropped"]
    assert small
    assert all(row["short_side_px"] < 150 or row["long_side_px"] > 2 * row["short_side_px"] for row in small)
    kept = rows(tmp_path, "records")
    assert all(row["short_side_px"] >= 150 and row["long_side_px"] <= 2 * row["short_side_px"] for row in kept)


def test_the_second_run_has_nothing_to_do(done, folder):
    assert "all done before" in images(folder, done)


def as_csv(path, rows):
    path.write_text("url,caption\n" + "".join(f"{row['url']},{row['caption']}\n" for row in rows))


def as_jsonl(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def as_laion(path, rows):
    """Write the columns as LAION calls them."""
    pq.write_table(pa.table({"URL": [row["url"] for row in rows], "TEXT": [row["caption"] for row in rows]}), path)


@pytest.mark.parametrize(
    ("name", "write", "columns"),
    [
        pytest.param("list.csv", as_csv, {}, id="CSV", marks=pytest.mark.long),
        pytest.param("list.jsonl", as_jsonl, {}, id="JSONL", marks=pytest.mark.long),
        pytest.param("list.parquet", as_laion, {"url_column": "URL", "caption_column": "TEXT"}, id="Parquet of LAION"),
    ],
)
def test_images_of_a_crawl_come_with_what_the_list_said_of_them(tmp_path, name, write, columns):
    """A crawl of a list of URLs with captions is an input of the images block."""
    from test_crawl_job import CONTACT, GENTLE

    from pipelines.demo_site.process import running_site

    package = fetch_package("debian-handbook")
    pictures = sorted(package.page_folder.glob("ja-JP/images/*.png"))[:10]
    lines = [f"http://debian-handbook.example/ja-JP/images/{path.name}" for path in pictures]
    write(tmp_path / name, [{"url": url, "caption": f"図 {n}"} for n, url in enumerate(lines)])
    with running_site() as port:
        seeds = {"seeds": [str(tmp_path / name)], "contact": CONTACT, "kinds": ["image"], **columns}
        recipe = {"corpusmill": 1, "crawl": {**seeds, "test_only_loopback": port, **GENTLE}, "images": LOOSE}
        (tmp_path / "recipe.yaml").write_text(json.dumps(recipe))
        jobs.run("run", tmp_path / "recipe.yaml", "--out", tmp_path / "out", "--quiet")
    kept = {row["uri"]: row for row in rows(tmp_path / "out", "records")}
    assert {url: row["caption"] for url, row in kept.items()} == {url: f"図 {n}" for n, url in enumerate(lines)}
    assert [kept[url]["digest"] for url in lines] == [hashlib.sha256(path.read_bytes()).digest() for path in pictures]
