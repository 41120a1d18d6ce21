"""Files whose end is missing: what states its length is refused, what does not says so in a signal."""

import pytest
from sounds import ffmpeg, ffmpeg_file, music, prompts, sample_file, tone, wav

from filters.audio.decode import decode
from filters.audio.endings import has_last_page, mpeg_frame_bytes, stated_mp3_s
from filters.audio.limits import AudioError, AudioFailed
from pipelines.demo_input import fetch_package

SPOKEN = wav(tone(440, 8))
MP3 = {"kbits": ("-b:a", "64k"), "rate": ("-ar", "22050"), "stereo": ("-ac", "2"), "vbr": ("-q:a", "4")}


def made(form, *options):
    return ffmpeg(SPOKEN, *options, "-f", form)


@pytest.fixture(scope="module")
def stamps():
    root = fetch_package("tuxpaint-stamps-default").root / "usr/share/tuxpaint/stamps/animals/birds"
    return [path.read_bytes() for path in sorted(root.glob("*_desc_*.ogg"))[:60]]


def test_whole_files_are_whole(stamps):
    """Real ones: none of the captions, prompts and pieces of music ends early."""
    files = [(f"{n}.ogg", data) for n, data in enumerate(stamps)] + prompts("fr")[:20] + music("gsm")[:1]
    files += [(f"debian.{form}", sample_file(f"audio1/debian.{form}")) for form in ("mp3", "ogg", "wav")]
    assert not [name for name, data in files if decode(data, name).is_cut]


@pytest.mark.parametrize("share", [0.3, 0.8, 0.97, 0.999])
def test_an_ogg_file_without_its_last_page_says_so(stamps, share):
    for data in stamps[:20]:
        assert decode(data, "a.ogg").is_cut is False
        try:
            assert decode(data[: int(len(data) * share)], "a.ogg").is_cut
        except AudioError as error:
            assert error.reason in (AudioFailed.NO_AUDIO, AudioFailed.PARSE_ERROR)  # nothing of it is left


@pytest.mark.parametrize("options", MP3.values(), ids=MP3)
def test_the_frames_that_an_mp3_header_counts_are_the_files(options, tmp_path):
    data = ffmpeg_file(SPOKEN, ".mp3", tmp_path, *options)
    assert stated_mp3_s(data) == pytest.approx(8.0, abs=0.1)
    assert decode(data, "a.mp3").is_cut is False
    with pytest.raises(AudioError) as caught:
        decode(data[: len(data) // 2], "a.mp3")
    assert (caught.value.reason, caught.value.limit) == (AudioFailed.TRUNCATED, "max_audio_missing_fraction")


@pytest.mark.parametrize("options", MP3.values(), ids=MP3)
def test_an_mp3_file_without_such_a_header_says_that_its_last_frame_is_cut(options, tmp_path):
    data = ffmpeg_file(SPOKEN, ".mp3", tmp_path, *options, "-write_xing", "0", "-id3v2_version", "0")
    assert stated_mp3_s(data) is None
    assert decode(data, "a.mp3").is_cut is False
    length = mpeg_frame_bytes(data)
    assert length is not None
    assert data[length] == 0xFF  # the next frame begins where this one ends
    assert decode(data[: len(data) // 2 - 7], "a.mp3").is_cut
    assert decode(data[:-5], "a.mp3").is_cut


def test_other_frames_that_are_cut():
    assert decode(made("adts", "-c:a", "aac")[:-9], "a.aac").is_cut
    assert decode(made("adts", "-c:a", "aac"), "a.aac").is_cut is False
    name, data = prompts("en")[0]
    with pytest.raises(AudioError, match="audio_truncated"):
        decode(data[:-10], name)


def test_less_than_the_limit_is_a_signal_and_more_a_reason():
    assert decode(SPOKEN[:-4160], "a.wav").is_cut is True  # 0.13 s of 8
    with pytest.raises(AudioError, match="audio_truncated"):
        decode(SPOKEN[: len(SPOKEN) // 2], "a.wav")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(b"", False, id="nothing"),
        pytest.param(b"OggS" + bytes(10), False, id="half a page header"),
        pytest.param(b"OggS\0\4" + bytes(20) + b"\1\5hello", True, id="one page, the last"),
        pytest.param(b"OggS\0\4" + bytes(20) + b"\1\5hell", False, id="one page without its last byte"),
        pytest.param(b"OggS\0\0" + bytes(20) + b"\1\5hello", False, id="one page that others follow"),
        pytest.param(b"OggS\0\4" + bytes(20) + b"\1\5hello" + b"TAG" * 40, True, id="something behind the last page"),
    ],
)
def test_pages_by_hand(data, expected):
    assert has_last_page(data) is expected
