"""Decoding: what the formats hold, against ffmpeg's own program, and what is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sounds import ffmpeg, ffmpeg_file, music, noise, prompts, sample_file, spectrum_peak_hz, tone, wav

from filters.audio import RATE_HZ
from filters.audio.decode import clipped_frames, decode, resample
from filters.audio.limits import AudioError, AudioFailed, AudioLimits
from filters.audio.sniff import format_of, id3_bytes

REAL = {
    "telephone WAV": lambda: ("a.wav", prompts("en", "wav")[0][1]),
    "GSM": lambda: ("a.gsm", prompts("en")[0][1]),
    "G.722": lambda: ("a.g722", prompts("en", "g722")[0][1]),
    "WAV at 44.1 kHz": lambda: ("a.wav", sample_file("audio1/debian.wav")),
    "MP3": lambda: ("a.mp3", sample_file("audio1/debian.mp3")),
    "Ogg Vorbis": lambda: ("a.ogg", sample_file("audio1/debian.ogg")),
}


def oracle(name, payload):
    """Return what ffmpeg's program resamples by itself; all of these are mono."""
    form = {"a.gsm": "gsm", "a.g722": "g722"}.get(name)
    return np.frombuffer(ffmpeg(payload, "-af", "aresample=16000", "-f", "f32le", form=form), "<f4")


@pytest.mark.parametrize("which", REAL)
def test_samples_are_those_of_ffmpegs_program(which):
    name, payload = REAL[which]()
    ours, theirs = decode(payload, name).samples, oracle(name, payload)
    assert abs(len(ours) - len(theirs)) <= (32 if which == "MP3" else 1)  # releases differ in where its padding ends
    shared = min(len(ours), len(theirs)) - (64 if which == "MP3" else 0)
    assert np.abs(ours[:shared] - theirs[:shared]).max() < 2 / 32768


@pytest.mark.parametrize("kind", ["u8", "s16", "s32", "f32", "f64"])
def test_every_sample_type_has_the_same_scale(kind):
    wanted = tone(440, 0.5)
    found = decode(wav(wanted, kind=kind)).samples
    assert found.dtype == np.float32
    assert np.abs(found - wanted).max() <= (1 / 128 if kind == "u8" else 1 / 32768)


def test_a_stereo_clip_is_as_loud_decoded_to_floats_as_to_integers(tmp_path):
    stereo = wav(np.stack([tone(440, 2, 0.5, 44100), tone(660, 2, 0.25, 44100)]), 44100)
    as_aac = decode(ffmpeg_file(stereo, ".m4a", tmp_path, "-b:a", "192k"), "a.m4a").samples
    as_wav = decode(stereo).samples
    assert np.sqrt((as_aac**2).mean()) == pytest.approx(np.sqrt((as_wav**2).mean()), rel=0.02)
    assert 0.35 < np.abs(as_wav).max() <= (0.5 + 0.25) / 2


@pytest.mark.parametrize("rate_hz", [8000, 11025, 22050, 44100, 48000, 96000])
def test_a_tone_keeps_its_pitch_level_and_length(rate_hz):
    found = resample(tone(1000, 2, 0.5, rate_hz), rate_hz)
    assert abs(len(found) - 2 * RATE_HZ) <= 1
    assert spectrum_peak_hz(found) == pytest.approx(1000, abs=1)
    middle = found[RATE_HZ // 2 : -RATE_HZ // 2]
    assert np.sqrt((middle**2).mean()) == pytest.approx(0.5 / np.sqrt(2), rel=0.001)


def test_what_lies_above_8_khz_does_not_come_back_below():
    found = resample(tone(9500, 1, 0.9, 48000), 48000)
    assert np.sqrt((found[1000:-1000] ** 2).mean()) < 0.001


def test_a_track_that_changes_its_rate_is_decoded_as_one(tmp_path):
    rates = [44100, 22050]
    parts = [ffmpeg_file(wav(tone(500, 2, 0.5, rate), rate), ".mp3", tmp_path, "-write_xing", "0") for rate in rates]
    found = decode(b"".join(parts), "a.mp3")
    assert found.duration_s == pytest.approx(4, abs=0.2)
    assert found.rate_hz == 44100
    late = found.samples[-RATE_HZ:-2000]
    assert spectrum_peak_hz(late) == pytest.approx(500, abs=3)


def test_the_sound_of_a_film_is_found():
    found = decode(sample_file("movie2/movie-hello.mp4"), "movie-hello.mp4")
    assert (found.format, found.codec, found.channels) == ("mov", "aac", 2)
    assert found.duration_s == pytest.approx(8.3, abs=0.1)


def test_the_bytes_decide_and_not_the_name():
    assert decode(sample_file("audio1/debian.mp3"), "speech.wav", "audio/wav").codec.startswith("mp3")


@pytest.mark.parametrize(
    ("payload", "uri", "expected"),
    [
        pytest.param(b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "a.mp4", None, id="an HLS playlist named mp4"),
        pytest.param(b"ffconcat version 1.0\nfile other.wav\n", "a.mp4", None, id="a concat list named mp4"),
        pytest.param(b"<?xml version='1.0'?><MPD></MPD>", "a.mp4", None, id="a DASH manifest named mp4"),
        pytest.param(b"[playlist]\nFile1=http://a.example/\n", "a.gsm", None, id="a playlist named gsm is no GSM"),
        pytest.param(b"v=0\r\no=- 0 0 IN IP4 127.0.0.1", "a.sdp", None, id="a session description"),
        pytest.param(b"\xd2" + bytes(32), "a.gsm", "gsm", id="GSM by its name"),
        pytest.param(b"\xd2" + bytes(32), "a", None, id="GSM without a name"),
        pytest.param(b"\xff\xf1\x50\x80", "", "aac", id="ADTS"),
        pytest.param(b"\xff\xfb\x90\x64", "", "mp3", id="MPEG layer 3"),
        pytest.param(b"\xff\xff\xff\xff", "", None, id="ones are no MPEG header"),
        pytest.param(b"ID3\x03\0\0\0\0\0\x02..fLaC", "", "flac", id="FLAC behind an ID3 tag"),
        pytest.param(b"", "a.mp3", None, id="nothing"),
    ],
)
def test_formats_are_told_by_their_bytes(payload, uri, expected):
    assert format_of(payload, uri) == expected


def test_an_id3_tag_is_as_long_as_it_says():
    assert id3_bytes(b"ID3\x04\0\0\0\0\x01\x00") == 10 + 128
    assert id3_bytes(b"ID3\x04\0\x10\0\0\x01\x00") == 20 + 128
    assert id3_bytes(b"ID3") == 0


def failure(payload, uri="", **limits):
    with pytest.raises(AudioError) as caught:
        decode(payload, uri, limits=AudioLimits(**limits))
    return caught.value


@pytest.mark.parametrize(
    ("payload", "limits", "reason", "limit"),
    [
        pytest.param(b"", {}, AudioFailed.EMPTY_PAYLOAD, "", id="no bytes"),
        pytest.param(b"just a text", {}, AudioFailed.UNKNOWN_FORMAT, "", id="a text"),
        pytest.param(wav(np.zeros(0)), {}, AudioFailed.NO_AUDIO, "", id="a sound of no samples"),
        pytest.param(wav(tone(440, 3)), {"max_audio_s": 2.0}, AudioFailed.TOO_LONG, "max_audio_s", id="long"),
        pytest.param(
            wav(np.zeros((3, 100))),
            {"max_audio_channels": 2},
            AudioFailed.TOO_MANY_CHANNELS,
            "max_audio_channels",
            id="channels",
        ),
        pytest.param(
            wav(np.zeros(4000), 1000), {}, AudioFailed.UNUSABLE_RATE, "min_audio_rate_hz", id="a rate of 1 kHz"
        ),
        pytest.param(
            wav(np.zeros(4000), 400_000), {}, AudioFailed.UNUSABLE_RATE, "max_audio_rate_hz", id="a rate of 400 kHz"
        ),
        pytest.param(
            wav(tone(440, 1), stated_bytes=2 * 3600 * RATE_HZ),
            {},
            AudioFailed.TRUNCATED,
            "max_audio_missing_fraction",
            id="a second that says it is an hour",
        ),
        pytest.param(b"RIFF\x04\0\0\0WAVE", {}, AudioFailed.PARSE_ERROR, "", id="a WAV header and nothing else"),
        pytest.param(b"OggS" + bytes(100), {}, AudioFailed.PARSE_ERROR, "", id="an Ogg page of zeros"),
    ],
)
def test_a_bad_file_is_refused_with_its_reason(payload, limits, reason, limit):
    error = failure(payload, **limits)
    assert (error.reason, error.limit) == (reason, limit)


def test_a_picture_in_a_film_s_container_has_no_sound(tmp_path):
    command = ["-f", "lavfi", "-i", "color=black:s=16x16:d=0.2", "-map", "1:v"]
    film = ffmpeg_file(wav(tone()), ".mp4", tmp_path, *command)
    assert failure(film, "a.mp4").reason == AudioFailed.NO_AUDIO


def test_streams_are_counted(tmp_path):
    tracks = ["-map", "0:a"] * 5
    many = ffmpeg_file(wav(tone()), ".mp4", tmp_path, *tracks)
    error = failure(many, "a.mp4", max_audio_streams=4)
    assert (error.reason, error.observed) == (AudioFailed.TOO_MANY_STREAMS, 5)


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".aiff", ".au", ".m4a"])
def test_half_a_file_is_no_file(suffix, tmp_path):
    whole = ffmpeg_file(wav(noise(4)), suffix, tmp_path, *(["-movflags", "faststart"] if suffix == ".m4a" else []))
    assert decode(whole, f"a{suffix}").duration_s == pytest.approx(4, abs=0.1)
    error = failure(whole[: len(whole) // 2], f"a{suffix}")
    assert error.reason in (AudioFailed.TRUNCATED, AudioFailed.PARSE_ERROR, AudioFailed.DAMAGED)


def test_what_is_not_finite_is_silence():
    samples = tone(440, 0.2)
    samples[100:200], samples[300] = np.nan, np.inf
    found = decode(wav(samples, kind="f32")).samples
    assert np.isfinite(found).all()
    assert (found[100:200] == 0).all()
    assert np.abs(found).max() <= 1


def test_damaged_packets_are_counted_and_cost_the_file_beyond_a_share():
    payload = bytearray(sample_file("audio1/debian.mp3"))
    payload[8000:20000] = bytes(12000)
    found = decode(bytes(payload), "a.mp3", limits=AudioLimits(max_audio_missing_fraction=1.0))
    assert (found.damaged_packets, found.is_cut) == (1, True)
    assert failure(bytes(payload), "a.mp3").reason == AudioFailed.TRUNCATED  # its Xing header counts the frames
    assert failure(bytes(payload), "a.mp3", max_audio_damaged_fraction=0.0).reason == AudioFailed.DAMAGED


SEEDS = {
    "mp3": lambda: sample_file("audio1/debian.mp3")[:20000],
    "ogg": lambda: sample_file("audio1/debian.ogg")[:20000],
    "wav": lambda: wav(tone(440, 0.3)),
    "mp4": lambda: sample_file("movie2/movie-hello.mp4"),
    "gsm": lambda: prompts("en")[0][1][:6600],
}


@pytest.mark.parametrize("form", SEEDS)
@settings(max_examples=25, deadline=None, derandomize=True)
@given(data=st.data())
def test_flipped_bytes_give_samples_or_a_reason(form, data):
    payload = bytearray(SEEDS[form]())
    for at in data.draw(st.lists(st.integers(0, min(len(payload), 3000) - 1), min_size=1, max_size=12)):
        payload[at] = data.draw(st.integers(0, 255))
    try:
        found = decode(bytes(payload), f"a.{form}").samples
    except AudioError as error:
        assert error.reason in AudioFailed
    else:
        assert len(found)
        assert np.isfinite(found).all()
        assert np.abs(found).max() <= 1


def test_flat_tops_are_counted_and_single_peaks_are_not():
    samples = tone(440, 1, 0.5)
    samples[1000], samples[5000:5004] = 1.0, 1.0
    assert np.flatnonzero(clipped_frames(samples[None], RATE_HZ)).tolist() == [5002 // 512]
    both = np.stack([tone(440, 1, 0.5), samples])
    assert clipped_frames(both, RATE_HZ).sum() == 1


def test_clipping_is_seen_at_the_rate_of_the_source():
    loud = np.clip(tone(300, 2, 1.5, 8000), -1, 1)
    found = decode(wav(loud, 8000))
    assert len(found.clipped_frames) == -(-len(found.samples) // 512)
    assert found.clipped_frames.mean() > 0.95
    assert not decode(wav(tone(300, 2, 0.9, 8000), 8000)).clipped_frames.any()


def test_a_long_piece_keeps_its_length():
    name, payload = music("wav")[0]
    assert decode(payload, name).duration_s == pytest.approx((len(payload) - 44) / 16000, abs=0.01)
