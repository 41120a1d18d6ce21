"""Captions and transcripts become sources: their text is stored, and every piece of it has its time."""

import datetime

import pyarrow as pa
import pytest

from filters.instruct.record import sha256_of
from pipelines.instruct.documents import of_media
from pipelines.instruct.media import source_row
from pipelines.instruct.records import SOURCE

BASE = {"id": b"\x01" * 16, "uri": "stamps:animals/wombat.png", "fetched_at": datetime.datetime(2026, 1, 2)}


def stored(job, **row):
    """Return the source of a media record, after it has been through the table that is published."""
    made = source_row(job, {**BASE, **row})
    return made and of_media(pa.Table.from_pylist([made], SOURCE).to_pylist()[0], {})


def test_a_caption_is_a_source_with_the_other_captions_beside_it():
    source = stored("images", caption="A wombat.", captions=["A wombat.", "Un wombat."], caption_language="en")
    assert (source.text, source.modality, source.language) == ("A wombat.", "image", "en")
    assert source.text_sha256 == sha256_of("A wombat.")
    assert source.mentions == ("Un wombat.",)
    assert source.fetched_at == "2026-01-02"
    assert source.domain == "stamps"


@pytest.mark.parametrize(
    ("text", "parts", "times"),
    [
        pytest.param(
            "こんにちは。\nさようなら。",
            [("こんにちは。", 0.0, 1.5), ("さようなら。", 1.5, 3.25)],
            [(0, 1500), (1500, 3250)],
            id="Japanese, each piece with its time",
        ),
        pytest.param(
            "Yes.\nYes.", [("Yes.", 0.0, 1.0), ("Yes.", 2.0, 3.0)], [(0, 1000), (2000, 3000)], id="said twice"
        ),
        pytest.param("All of it.", [("All of it.", None, None)], [(0, 4000)], id="no times: the whole sound"),
        pytest.param("Only this.", [("Something else.", 0.0, 1.0)], [], id="a piece that is not in the text"),
    ],
)
def test_pieces_of_a_transcript_are_located_with_their_times(text, parts, times):
    said = [{"text": each, "start_s": start, "end_s": end} for each, start, end in parts]
    source = stored("audio", transcript=text, transcript_parts=said, stated_language="ja", duration_s=4.0)
    assert [cue.t_ms for cue in source.cues] == times
    for cue, (each, _, _) in zip(source.cues, parts, strict=False):
        assert source.text[cue.start : cue.end] == each
    starts = [cue.start for cue in source.cues]
    assert starts == sorted(set(starts))


def test_times_of_a_clip_count_from_its_own_start():
    parts = [
        {"kind": "frame", "text": None, "start_s": 10.0, "end_s": 10.0},
        {"kind": "text", "text": "Hello there.", "start_s": 11.0, "end_s": 12.5},
    ]
    source = stored("video", transcript="Hello there.", parts=parts, start_s=10.0, transcript_language="en")
    assert [cue.t_ms for cue in source.cues] == [(1000, 2500)]
    assert source.modality == "video"


def test_a_medium_that_nobody_says_anything_of_is_no_source():
    assert stored("images", caption=None, captions=[], caption_language="und") is None
    assert stored("audio", transcript="", transcript_parts=None) is None
