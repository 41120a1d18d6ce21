"""Speech: the same frames and spans as silero's own code, speech in five languages, and none in music."""

import ast
import types

import numpy as np
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sounds import music, noise, prompts, tone

from filters import models
from filters.audio import FRAME, RATE_HZ
from filters.audio.decode import decode
from filters.audio.segments import Segments, segment
from filters.audio.vad import MODEL, SpeechDetector, Vad, speech_spans
from filters.models import Model, fetch_model

SILERO = "silero-vad==6.2.3"
STOCK = Model(
    "1a153a22f4509e292a94e67d6f9b85e8deb25b4988682b7e174c65279d8788e3", SILERO, "silero_vad/data/silero_vad.onnx", "MIT"
)
SOURCE = Model(
    "15d0f6b3ef9590e22ca2f146e1436f6901da356cb552d3183df4100862b333cb", SILERO, "silero_vad/utils_vad.py", "MIT"
)


@pytest.fixture(scope="module")
def detector():
    fetch_model(MODEL)
    return SpeechDetector()


@pytest.fixture(scope="module")
def silero_spans():
    """Silero's own function from its wheel, without the rest of its module, which needs torch."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(models.MODELS, "silero_utils_vad.py", SOURCE)
        source = fetch_model("silero_utils_vad.py").read_text()
    tree = ast.parse(source)
    wanted = "get_speech_timestamps_from_probs"
    tree.body = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == wanted]
    module = types.ModuleType("silero")
    module.List = list
    exec(compile(tree, "silero", "exec"), module.__dict__)
    return getattr(module, wanted)


def heard(detector, files):
    return [(sound, detector.probabilities(sound.samples)) for sound in (decode(data, name) for name, data in files)]


def test_frames_have_the_bits_of_the_model_that_takes_one_at_a_time(detector, monkeypatch):
    monkeypatch.setitem(models.MODELS, "silero_vad.onnx", STOCK)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    stock = onnxruntime.InferenceSession(str(fetch_model("silero_vad.onnx")), options)
    samples = np.concatenate([decode(data, name).samples for name, data in prompts("en")[:2]])[: 12 * RATE_HZ + 77]
    state, context, found = np.zeros((2, 1, 128), np.float32), np.zeros(64, np.float32), []
    for start in range(0, len(samples), FRAME):
        frame = np.zeros(FRAME, np.float32)
        frame[: len(samples[start : start + FRAME])] = samples[start : start + FRAME]
        given_ = {"input": np.concatenate([context, frame])[None], "state": state, "sr": np.array(RATE_HZ)}
        out, state = stock.run(None, given_)
        found.append(out[0, 0])
        context = frame[-64:]
    assert len(found) > 256  # more than one call of ours
    assert np.array_equal(detector.probabilities(samples), np.array(found, np.float32))


@given(data=st.data())
def test_spans_are_those_of_silero(silero_spans, data):
    probabilities = data.draw(
        st.lists(st.sampled_from([0.0, 0.1, 0.34, 0.35, 0.36, 0.49, 0.5, 0.51, 0.9, 1.0]), min_size=1, max_size=80)
    )
    p = np.repeat(np.array(probabilities, np.float32), data.draw(st.integers(1, 6)))
    length = len(p) * FRAME - data.draw(st.integers(0, FRAME - 1))
    settings = Vad(
        min_silence_s=data.draw(st.sampled_from([0.0, 0.1, 0.5])), pad_s=data.draw(st.sampled_from([0.0, 0.03, 0.2]))
    )
    theirs = silero_spans(
        p.tolist(),
        audio_length_samples=length,
        neg_threshold=np.float32(0.35),
        min_silence_duration_ms=round(settings.min_silence_s * 1000),
        speech_pad_ms=round(settings.pad_s * 1000),
    )
    ours = speech_spans(p, length, settings)
    assert ours.tolist() == [[one["start"], one["end"]] for one in theirs]


@pytest.mark.parametrize("form", ["wav", "gsm"])
def test_music_on_hold_has_no_segment_of_speech(detector, form):
    for sound, p in heard(detector, music(form)):
        spans = speech_spans(p, len(sound.samples), Vad())
        assert len(segment(spans, p, len(sound.samples), Segments())) == 0
        assert (p >= 0.5).mean() < 0.01


def is_wordless(name):
    """Say whether a prompt holds silence, or monkeys."""
    return "/silence/" in name or "tt-monkeys" in name


def test_silence_and_screaming_monkeys_are_no_speech(detector):
    files = [one for one in prompts("en") if is_wordless(one[0])]
    assert len(files) > 3
    for sound, p in heard(detector, files):
        assert len(speech_spans(p, len(sound.samples), Vad())) == 0


@pytest.mark.parametrize("language", ["en", "es", "fr", "it", "ru"])
def test_prompts_are_speech_in_every_language(detector, language):
    found = heard(detector, [one for one in prompts(language) if not is_wordless(one[0])][:25])
    spoken = [speech_spans(p, len(sound.samples), Vad()) for sound, p in found]
    assert all(len(spans) for spans in spoken)
    share = sum((p >= 0.5).sum() for _, p in found) / sum(len(p) for _, p in found)
    assert share > 0.7


@pytest.mark.parametrize(
    "samples",
    [
        pytest.param(np.zeros(5 * RATE_HZ, np.float32), id="silence"),
        pytest.param(tone(440, 5), id="a tone"),
        pytest.param(noise(5), id="white noise"),
        pytest.param(np.tile(tone(880, 0.25), 12) * np.repeat([1, 0], 24_000).astype(np.float32), id="beeps"),
    ],
)
def test_what_is_no_speech_has_no_span(detector, samples):
    p = detector.probabilities(samples)
    assert len(speech_spans(p, len(samples), Vad())) == 0


def test_speech_over_music_is_still_speech_and_the_music_around_it_is_not(detector):
    song = decode(*reversed(music("wav")[0])).samples[: 30 * RATE_HZ]
    voice = decode(*reversed(prompts("en")[0])).samples[: 8 * RATE_HZ]
    mixed = song * np.float32(0.05 / np.sqrt((song**2).mean()))
    voice = voice * np.float32(0.15 / np.sqrt((voice**2).mean()))
    mixed[10 * RATE_HZ : 10 * RATE_HZ + len(voice)] += voice
    p = detector.probabilities(mixed)
    spans = speech_spans(p, len(mixed), Vad())
    assert len(spans)
    assert spans[0, 0] > 9 * RATE_HZ
    assert spans[-1, 1] < 10 * RATE_HZ + len(voice) + RATE_HZ


@pytest.mark.parametrize("length", [0, 1, 511, 512, 513, 300 * FRAME])
def test_every_started_frame_is_judged(detector, length):
    assert len(detector.probabilities(noise(10)[:length])) == -(-length // FRAME)


@pytest.mark.parametrize(
    "wrong", [{"threshold": 0.2}, {"threshold": 1.0}, {"exit_threshold": 0.0}, {"pad_s": -1.0}], ids=str
)
def test_settings_that_can_not_work_are_refused(wrong):
    with pytest.raises(ValueError, match="vad:"):
        Vad(**wrong)
