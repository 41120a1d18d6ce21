"""Loudness against pyloudnorm, against ffmpeg's meter, and by the standard's own figures."""

import re
import subprocess
import warnings

import imageio_ffmpeg
import numpy as np
import pyloudnorm
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sounds import music, noise, prompts, tone, wav

from filters.audio import RATE_HZ
from filters.audio.decode import decode
from filters.audio.loudness import (
    PEAK_DBFS,
    SILENT_LUFS,
    amplify,
    block_powers,
    emilia_gain_db,
    integrated_lufs,
    r128_gain_db,
)
from filters.audio.signals import peak_dbfs, rms_dbfs

REAL = [*prompts("en")[:4], *prompts("it")[:2], *music("wav")[:2]]


def ffmpeg_lufs(payload):
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-i", "pipe:0", "-af", "ebur128=framelog=quiet"]
    said = subprocess.run([*command, "-f", "null", "-"], input=payload, capture_output=True, check=True).stderr.decode()
    return float(re.search(r"I:\s+(-?[\d.]+) LUFS", said.rpartition("Integrated loudness")[2])[1])


@pytest.mark.parametrize(("name", "payload"), REAL, ids=[name for name, _ in REAL])
def test_loudness_is_that_of_pyloudnorm(name, payload):
    samples = decode(payload, name).samples[: 60 * RATE_HZ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = pyloudnorm.Meter(RATE_HZ, filter_class="DeMan").integrated_loudness(samples.astype(np.float64))
    assert integrated_lufs(samples) == pytest.approx(theirs, abs=0.05)


@pytest.mark.parametrize(("name", "payload"), REAL[:5], ids=[name for name, _ in REAL[:5]])
def test_loudness_is_that_of_ffmpegs_meter(name, payload):
    samples = decode(payload, name).samples[: 60 * RATE_HZ]
    assert integrated_lufs(samples) == pytest.approx(ffmpeg_lufs(wav(samples)), abs=0.2)


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        pytest.param(tone(997, 3, 1.0), -3.01, id="BS.1770: a full-scale sine at 997 Hz in one channel"),
        pytest.param(tone(997, 3, 10 ** (-20 / 20)), -23.01, id="20 dB less"),
        pytest.param(
            np.concatenate([tone(997, 3, 0.1), np.zeros(90_000, np.float32)]),
            -23.2,
            id="silence is gated but for its border",
        ),
        pytest.param(
            np.concatenate([tone(997, 5, 0.1), tone(997, 5, 0.01)]), -23.0, id="what lies 20 LU below is gated"
        ),
        pytest.param(np.zeros(32_000, np.float32), SILENT_LUFS, id="digital silence"),
        pytest.param(np.zeros(0, np.float32), SILENT_LUFS, id="no sample"),
        pytest.param(tone(997, 0.3, 0.1), -23.01, id="less than a block"),
    ],
)
def test_loudness_of(samples, expected):
    assert integrated_lufs(samples) == pytest.approx(expected, abs=0.15)


@pytest.mark.parametrize("length", [1, 1599, 6399, 6400, 6401, 7999, 8000, 16_000])
def test_blocks_are_whole_and_every_100_ms(length):
    count = max((length // 1600) - 3, 1)
    assert len(block_powers(noise(1)[:length])) == count


@given(gain_db=st.floats(-30, 20))
def test_a_gain_moves_loudness_by_itself(gain_db):
    samples = noise(2, 0.02)
    moved = integrated_lufs(samples * np.float32(10 ** (gain_db / 20)))
    assert moved == pytest.approx(integrated_lufs(samples) + gain_db, abs=0.01)


@pytest.mark.parametrize(
    ("rms", "peak", "expected"),
    [
        pytest.param(-20.0, -6.0, 6.0, id="the peak comes to full scale"),
        pytest.param(-30.0, -1.0, 3.0, id="a file that clips on the way keeps its 3 dB"),
        pytest.param(-10.0, 0.0, 0.0, id="a loud one is lowered and raised again"),
        pytest.param(-120.0, -120.0, 0.0, id="silence stays"),
    ],
)
def test_emilias_two_steps_are_one_gain(rms, peak, expected):
    assert emilia_gain_db(rms, peak) == expected


@given(level=st.floats(0.02, 0.9), seed=st.integers(0, 5))
def test_emilias_gain_is_what_its_steps_do_to_samples(level, seed):
    samples = np.clip(noise(0.5, level / 3, seed), -1, 1)
    limited = min(max(-20 - rms_dbfs(samples), -3), 3)
    stepped = np.clip(samples * 10 ** (limited / 20), -1, 1)
    stepped = stepped / np.abs(stepped).max()
    ours = amplify(samples, emilia_gain_db(rms_dbfs(samples), peak_dbfs(samples)))
    assert np.abs(ours - stepped).max() < 1e-5


def test_levelled_speech_has_the_loudness_asked_for_and_its_peaks_do_not_clip():
    for name, payload in prompts("en")[:6]:
        samples = decode(payload, name).samples
        gain_db = r128_gain_db(integrated_lufs(samples), peak_dbfs(samples), -16.0)
        written = amplify(samples, gain_db)
        assert peak_dbfs(written) <= PEAK_DBFS + 0.001
        assert integrated_lufs(written) == pytest.approx(-16, abs=0.01) or peak_dbfs(written) > PEAK_DBFS - 0.001


def test_no_gain_changes_no_bit():
    samples = noise(0.1)
    assert amplify(samples, 0.0) is samples
    assert r128_gain_db(SILENT_LUFS, -120.0, -23.0) == 0.0
