"""The guarded entry: files in, records out, and a bad file costs itself."""

import hashlib

import numpy as np
import onnxruntime
import pyarrow as pa
import pytest
from sounds import batch, music, noise, prompts, read_flac, sample_file, tone, wav

from filters.audio import RATE_HZ, fingerprint
from filters.audio.child import FAILED, FILES, PAYLOADS, RECORDS, Settings, factory
from filters.audio.dnsmos import MODEL as DNSMOS
from filters.audio.dnsmos import QualityScorer
from filters.audio.limits import AudioFailed
from filters.audio.profiles import FILE_RULES, PROFILES, applicable
from filters.audio.transcript_signals import TRANSCRIPT_SIGNALS
from filters.audio.vad import MODEL
from filters.guard import GuardedPool
from filters.models import fetch_model, model_path
from filters.rules import judge, reasons

LONG = [one for one in prompts("en") if "demo-" in one[0]][:4]
FILES_IN = [
    *LONG,
    ("hold.wav", music("wav")[3][1]),
    ("playlist.mp4", b"#EXTM3U\nfile:///etc/hostname\n"),
    ("empty.wav", b""),
    ("half.wav", wav(noise(4))[:60_000]),
    ("debian.mp3", sample_file("audio1/debian.mp3")),
    ("movie-hello.ogg", sample_file("movie2/movie-hello.ogg")),
    ("beep.wav", wav(tone(440, 4))),
]


@pytest.fixture(scope="module", autouse=True)
def models():
    return [fetch_model(name) for name in (MODEL, DNSMOS)]


@pytest.fixture(scope="module")
def pool():
    with GuardedPool("filters.audio:factory", {}) as running:
        yield running


@pytest.fixture(scope="module")
def outputs(pool):
    return pool.run(batch(FILES_IN)).outputs


def run(files, **config):
    """Run the worker in this process."""
    return factory(config)(batch(files), lambda _: None)


def test_outputs_have_their_schemas(outputs):
    assert {name: found.schema for name, found in outputs.items()} == {
        "files": FILES,
        "records": RECORDS,
        "payloads": PAYLOADS,
        "failed": FAILED,
    }


def test_every_file_is_among_the_files_or_the_failed(outputs):
    rows = outputs["files"].column("row").to_pylist() + outputs["failed"].column("row").to_pylist()
    assert sorted(rows) == list(range(len(FILES_IN)))


def test_each_bad_file_costs_itself_and_says_why(outputs):
    found = {FILES_IN[one["row"]][0]: one["reason"] for one in outputs["failed"].to_pylist()}
    assert found == {
        "playlist.mp4": AudioFailed.UNKNOWN_FORMAT,
        "empty.wav": AudioFailed.EMPTY_PAYLOAD,
        "half.wav": AudioFailed.TRUNCATED,
        "movie-hello.ogg": AudioFailed.PARSE_ERROR,
    }


def test_music_and_tones_make_no_record_and_a_rule_says_so(outputs):
    files = outputs["files"]
    wordless = [row for row, (name, _) in enumerate(FILES_IN) if name in ("hold.wav", "beep.wav")]
    silent = [one["row"] for one in files.to_pylist() if one["segments"] == 0]
    assert silent == wordless
    languages = pa.nulls(files.num_rows, pa.string())
    said = reasons(FILE_RULES, judge(FILE_RULES, files, languages), files, languages).to_pylist()
    assert [one for one in said if one] == ["speech_v1/segments<1"] * 2


def test_records_and_payloads_lie_side_by_side(outputs):
    records, payloads = outputs["records"], outputs["payloads"]
    keys = list(zip(records.column("row").to_pylist(), records.column("part").to_pylist(), strict=True))
    assert keys == sorted(keys)
    assert len(set(keys)) == len(keys) > 5
    assert keys == list(zip(payloads.column("row").to_pylist(), payloads.column("part").to_pylist(), strict=True))


def test_payloads_are_the_segments_as_flac(outputs):
    for record, payload in zip(outputs["records"].to_pylist(), outputs["payloads"].to_pylist(), strict=True):
        assert hashlib.sha256(payload["bytes"]).digest() == record["sha256"]
        assert len(read_flac(payload["bytes"])) == record["samples"]
        assert record["duration_s"] == record["samples"] / RATE_HZ
        assert record["duration_s"] == pytest.approx(record["end_s"] - record["start_s"])
        assert 3 <= record["duration_s"] <= 30
        assert record["speech_frames"] > record["frames"] / 2
        assert payload["log_mel"] is None


def test_counts_of_a_file_taken_whole_are_those_of_its_record():
    found = run([LONG[0], ("tone.wav", wav(tone(440, 1.23)))], segments={"mode": "whole"})
    shared = ["frames", "speech_frames", "silent_frames", "clipped_frames", "rms_dbfs", "peak_dbfs", "duration_s"]
    assert found["records"].select(shared).to_pylist() == found["files"].select(shared).to_pylist()
    assert found["records"].column("is_whole").to_pylist() == [True, True]
    assert found["records"].column("snr_db").to_pylist()[1] is None


def test_neither_neighbours_nor_order_nor_the_process_change_a_record(outputs):
    names = [name for name, _ in FILES_IN]
    backwards = run(FILES_IN[::-1])
    ours = {(names[r["row"]], r["part"]): {**r, "row": 0} for r in outputs["records"].to_pylist()}
    theirs = {(names[::-1][r["row"]], r["part"]): {**r, "row": 0} for r in backwards["records"].to_pylist()}
    assert ours == theirs


def test_a_clip_in_two_formats_is_found_again(pool):
    files = [("a.mp3", sample_file("audio1/debian.mp3")), ("a.wav", sample_file("audio1/debian.wav"))]
    first, second = pool.run(batch(files)).outputs["records"].to_pylist()
    words = [np.frombuffer(one["fingerprint"], "<u4") for one in (first, second)]
    assert fingerprint.is_same_recording(fingerprint.match(*words), fingerprint.NearDuplicate())
    assert set(first["band_keys"]) & set(second["band_keys"])
    assert first["sha256"] != second["sha256"]


def test_levelled_records_say_by_how_much():
    plain = run(LONG[:1])["records"].to_pylist()[0]
    found = run(LONG[:1], level={"mode": "r128", "target_lufs": -30.0})
    record = found["records"].to_pylist()[0]
    assert record["integrated_lufs"] == plain["integrated_lufs"]
    assert record["gain_db"] == pytest.approx(-30 - plain["integrated_lufs"])
    samples = read_flac(found["payloads"].column("bytes")[0].as_py()).astype(np.float64)
    assert 10 * np.log10((samples**2).mean() / 2**30) == pytest.approx(plain["rms_dbfs"] + record["gain_db"], abs=0.01)


def test_features_come_along_on_request():
    found = run(LONG[:1], log_mel={"mels": 128})
    count = found["records"].column("samples")[0].as_py()
    features = np.frombuffer(found["payloads"].column("log_mel")[0].as_py(), "<f2").reshape(-1, 128)
    assert len(features) == 1 + (count - 400) // 160


def plain_overall(samples):
    """Return DNSMOS's OVRL as its package computes it, for 9.01 s: one window."""
    session = onnxruntime.InferenceSession(str(model_path(DNSMOS)))
    raw = session.run(None, {"input_1": samples[None, :144_160]})[0][0][2]
    return -0.06766283 * raw**2 + 1.11546468 * raw + 0.04602535


def test_listeners_would_like_studio_speech_and_not_noise():
    scorer = QualityScorer()
    clean = scorer.score(np.concatenate([noise(0), _speech()])[: 5 * RATE_HZ])
    poor = scorer.score(_speech()[: 5 * RATE_HZ] + noise(5, 0.1))
    assert clean.overall > 3 > poor.overall
    assert clean.background > poor.background


def test_the_score_of_one_window_is_the_models():
    samples = _speech()[:145_000]
    assert QualityScorer().score(samples).overall == pytest.approx(plain_overall(samples), abs=1e-4)


def _speech():
    from filters.audio.decode import decode

    return np.concatenate([decode(data, name).samples for name, data in LONG])


def test_the_scorer_is_off_unless_asked_for(outputs):
    assert outputs["records"].column("dnsmos_overall").null_count == outputs["records"].num_rows
    clip = ("debian.wav", sample_file("audio1/debian.wav"))
    scored = run([clip], scorers=["dnsmos"])["records"]
    assert scored.column("dnsmos_overall").null_count == 0
    samples = read_flac(run([clip])["payloads"].column("bytes")[0].as_py()).astype(np.float32) / 32768
    expected = QualityScorer().score(samples).overall
    languages = pa.nulls(scored.num_rows, pa.string())
    assert scored.column("dnsmos_overall")[0].as_py() == pytest.approx(expected, abs=0.01)  # FLAC has 16 bits
    rules, silent = applicable(PROFILES["emilia_v1"], ["dnsmos"])
    assert silent == ("emilia_v1/spoken_language_score",)
    dropped = judge(rules, scored, languages).failed != 0
    assert dropped.tolist() == [expected < 3]


@pytest.mark.parametrize("name", PROFILES)
def test_profiles_read_columns_that_there_are(name):
    for rule in PROFILES[name]:
        assert {rule.numerator, rule.per} - {None} <= {*RECORDS.names, *TRANSCRIPT_SIGNALS.names}
        assert rule.name.startswith(f"{name}/")


@pytest.mark.parametrize(
    "wrong",
    [{"scorers": ["taste"]}, {"level": {"mode": "loud"}}, {"level": {"target_lufs": 1.0}}, {"segments": {"mode": "x"}}],
    ids=str,
)
def test_settings_that_can_not_be_are_refused(wrong):
    with pytest.raises(ValueError):
        Settings.of(wrong)


def test_a_field_that_there_is_not_is_refused():
    with pytest.raises(TypeError, match="loudest"):
        Settings.of({"limits": {"loudest": 3}})


def test_no_file_is_no_record():
    found = run([])
    assert all(one.num_rows == 0 for one in found.values())
