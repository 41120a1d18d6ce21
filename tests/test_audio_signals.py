"""Signals against what was put in: levels, bandwidth, noise; features; FLAC and its oracle."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sounds import ffmpeg, noise, prompts, read_flac, tone, wav

from filters.audio import FRAME, RATE_HZ
from filters.audio.decode import decode
from filters.audio.flac import encode_flac, pcm16
from filters.audio.mel import LogMel, filterbank, log_mel
from filters.audio.signals import (
    FLOOR_DB,
    bandwidth_hz,
    frame_powers,
    noise_of,
    peak_dbfs,
    rms_dbfs,
    silent_frames,
    snr_db,
)
from filters.audio.vad import SpeechDetector
from filters.models import fetch_model


@pytest.mark.parametrize(
    ("samples", "rms", "peak"),
    [
        pytest.param(np.ones(1000, np.float32), 0.0, 0.0, id="a square at full scale"),
        pytest.param(tone(1000, 1, 1.0), -3.01, 0.0, id="a sine at full scale"),
        pytest.param(tone(1000, 1, 0.1), -23.01, -20.0, id="a sine 20 dB below"),
        pytest.param(np.zeros(1000, np.float32), FLOOR_DB, FLOOR_DB, id="silence"),
        pytest.param(np.zeros(0, np.float32), FLOOR_DB, FLOOR_DB, id="no sample"),
    ],
)
def test_levels_of(samples, rms, peak):
    assert rms_dbfs(samples) == pytest.approx(rms, abs=0.01)
    assert peak_dbfs(samples) == pytest.approx(peak, abs=0.01)


@given(length=st.integers(0, 3 * FRAME + 7))
def test_powers_of_frames_add_up_to_that_of_the_whole(length):
    samples = noise(1)[:length]
    powers = frame_powers(samples)
    assert len(powers) == -(-length // FRAME)
    sizes = np.minimum(np.full(len(powers), FRAME), length - FRAME * np.arange(len(powers)))
    assert (powers * sizes).sum() == pytest.approx(float((samples.astype(np.float64) ** 2).sum()), rel=1e-5)


def test_silence_begins_60_db_below_full_scale():
    below, above = (np.full(FRAME, 10 ** (db / 20), np.float32) for db in (-60.1, -59.9))
    assert silent_frames(frame_powers(np.concatenate([below, above]))).tolist() == [True, False]


@pytest.mark.parametrize("cutoff_hz", [1000, 2000, 3400, 5000, 7000])
def test_bandwidth_is_where_the_spectrum_ends(cutoff_hz):
    spectrum = np.fft.rfft(noise(4))
    spectrum[np.arange(len(spectrum)) / 4 > cutoff_hz] = 0
    assert bandwidth_hz(np.fft.irfft(spectrum).astype(np.float32)) == pytest.approx(cutoff_hz, abs=100)


def test_bandwidth_of_telephone_speech_is_that_of_a_telephone():
    found = [bandwidth_hz(decode(data, name).samples) for name, data in prompts("en", "wav") if "/silence/" not in name]
    assert all(2500 < one < 4500 for one in found), found
    assert bandwidth_hz(noise(1)) > 7900
    assert bandwidth_hz(np.zeros(100, np.float32)) == 0


@pytest.fixture(scope="module")
def speech():
    fetch_model("silero_vad_16k_sequence.onnx")
    name, payload = next(one for one in prompts("en", "wav") if "demo-congrats" in one[0])
    samples = decode(payload, name).samples
    return samples, SpeechDetector().probabilities(samples)


@pytest.mark.parametrize("wanted_db", [5.0, 15.0, 25.0])
def test_the_noise_put_in_is_the_noise_found(speech, wanted_db):
    samples, p = speech
    voiced = np.repeat(p >= 0.5, FRAME)[: len(samples)]
    power = float((samples[voiced] ** 2).mean())
    noisy = samples + noise(len(samples) / RATE_HZ + 1, np.sqrt(power / 10 ** (wanted_db / 10)))[: len(samples)]
    powers = frame_powers(noisy)
    assert snr_db(powers, p, noise_of(powers, p)) == pytest.approx(wanted_db, abs=1.0)


def test_a_segment_without_pauses_takes_the_noise_of_its_file():
    powers, p = np.full(30, 1e-2), np.ones(30, np.float32)
    assert noise_of(powers, p) is None
    assert snr_db(powers, p, 1e-4) == pytest.approx(10 * np.log10(99), abs=1e-6)
    assert snr_db(powers, p, None) == -100
    assert np.isnan(snr_db(powers, np.zeros(30, np.float32), 1e-4))
    assert snr_db(powers, p, 0.0) == 100


@pytest.mark.parametrize("name", ["speech", "noise", "silence", "one sample", "clipped"])
def test_flac_holds_the_rounded_samples(name, speech):
    samples = {
        "speech": speech[0][: 5 * RATE_HZ],
        "noise": noise(1),
        "silence": np.zeros(1000, np.float32),
        "one sample": np.array([0.5], np.float32),
        "clipped": tone(300, 1, 1.5),
    }[name]
    payload = encode_flac(samples)
    expected = np.clip(np.rint(samples.astype(np.float64) * 32768), -32768, 32767).astype(np.int16)
    assert np.array_equal(read_flac(payload), expected)
    assert payload[:4] == b"fLaC"
    assert payload[26:42] == hashlib.md5(expected.tobytes()).digest()
    assert int.from_bytes(payload[18:26], "big") >> 44 == RATE_HZ
    assert int.from_bytes(payload[21:26], "big") & (1 << 36) - 1 == len(samples)


def test_flac_says_nothing_of_who_wrote_it_when(speech):
    first, second = encode_flac(speech[0]), encode_flac(speech[0].copy())
    assert first == second
    assert b"Lavf" not in first
    assert b"Lavc" not in first
    assert len(encode_flac(np.zeros(16, np.float32))) < 200


def test_flac_comes_back_as_it_was(speech):
    again = decode(encode_flac(speech[0]), "a.flac")
    assert np.array_equal(pcm16(again.samples), pcm16(speech[0]))
    assert encode_flac(again.samples) == encode_flac(speech[0])


def plain_log_mel(samples, settings):
    """Frame by frame and band by band, in float64."""
    edges = 2595 * np.log10(1 + np.array([settings.low_hz, settings.high_hz]) / 700)
    points = 700 * (10 ** (np.linspace(edges[0], edges[1], settings.mels + 2) / 2595) - 1)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    rows = []
    for start in range(0, len(samples) - 399, 160):
        power = np.abs(np.fft.rfft(samples[start : start + 400].astype(np.float64) * hann, 512)) ** 2
        row = []
        for low, middle, high in zip(points, points[1:], points[2:], strict=False):
            hz = np.arange(257) * 31.25
            weights = np.interp(hz, [low, middle, high], [0, 1, 0], left=0, right=0)
            row.append(np.log(max((power * weights).sum(), 1e-10)))
        rows.append(row)
    return np.array(rows)


@pytest.mark.parametrize("settings", [LogMel(), LogMel(128), LogMel(40, 300, 4000)], ids=str)
def test_features_are_those_of_a_plain_reading(settings, speech):
    samples = speech[0][:RATE_HZ]
    found = log_mel(samples, settings)
    assert found.shape == (98, settings.mels)
    assert found.dtype == np.float32
    assert np.abs(found - plain_log_mel(samples, settings)).max() < 0.05  # float32, at 160 dB below


def test_features_of_little_sound():
    assert log_mel(noise(1)[:399], LogMel()).shape == (0, 80)
    assert log_mel(noise(1)[:400], LogMel()).shape == (1, 80)
    assert log_mel(np.zeros(400, np.float32), LogMel()).max() == pytest.approx(np.log(1e-10))
    assert filterbank(LogMel()).max() <= 1


@pytest.mark.parametrize("wrong", [{"mels": 0}, {"mels": 129}, {"high_hz": 9000}, {"low_hz": 8000}], ids=str)
def test_bands_that_can_not_be_are_refused(wrong):
    with pytest.raises(ValueError, match="log_mel"):
        LogMel(**wrong)


def test_the_writer_of_the_tests_is_a_wav_that_ffmpeg_reads():
    samples = tone(440, 0.1)
    assert np.abs(np.frombuffer(ffmpeg(wav(samples), "-f", "f32le"), "<f4") - samples).max() < 1 / 32768
