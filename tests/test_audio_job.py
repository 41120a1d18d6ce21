"""The real `corpusmill audio` on real speech: segments, transcripts, copies merged, music out, bad files."""

import csv
import hashlib
import io
import json
import random
import shutil
import tarfile
import time
from itertools import pairwise

import av
import jobs
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import webdataset
from recording_server import ABSENT, recording, response
from sounds import ffmpeg, ffmpeg_file, music, noise, prompts, sample_file, wav

from filters.safety.word_lists import lists_digest
from pipelines.demo_input import fetch_package

JOB = "audio"
LANGUAGES = ("en", "es", "fr", "it", "ru")
BAD = {
    "cut.wav": "audio_truncated",
    "page.mp3": "audio_unknown_format",
    "list.mp3": "audio_unknown_format",
    "empty.ogg": "empty_payload",
    "nothing.wav": "audio_no_sound",
    "zeros.ogg": "parse_error",
}
TABLE = "; upstream's form\ndemo-instruct: If you'd like to try a demo, press one.\n"
SUBTITLES = "1\n00:00:00,500 --> 00:00:03,500\n電話会議へ\n\n2\n00:00:05,000 --> 00:00:08,000\nようこそ。\n"


def long_prompts(language):
    return [(name.rpartition("/")[2], data) for name, data in prompts(language)[:4]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder as users have them: prompts in five languages, music, texts, copies, and files that are no sound."""
    root = tmp_path_factory.mktemp("sounds") / "in"
    for language in LANGUAGES:
        (root / language).mkdir(parents=True)
        for name, data in long_prompts(language):
            (root / language / name).write_bytes(data)
    for name, data in music("gsm")[:2]:
        (root / name).write_bytes(data[: 33 * 50 * 60])
    (root / "en/core-sounds-en.txt").write_text(TABLE)
    name, data = long_prompts("it")[0]
    (root / "it" / name.replace(".gsm", ".srt")).write_text(SUBTITLES)
    copies(*long_prompts("en")[0], root)
    bad_files(root)
    return root


def copies(name, data, root):
    """Write the same recording as it is, and as MP3 at another rate and level."""
    (root / "same.gsm").write_bytes(data)
    louder = ffmpeg(data, "-af", "volume=-4dB", "-ar", "22050", "-b:a", "48k", "-f", "mp3", form="gsm")
    (root / "other.mp3").write_bytes(louder)


def bad_files(root):
    spoken = ffmpeg(long_prompts("fr")[0][1], "-f", "wav", form="gsm")
    (root / "cut.wav").write_bytes(wav(noise(4))[:60_000])
    (root / "page.mp3").write_text("<html>not found</html>")
    (root / "list.mp3").write_text("#EXTM3U\nfile:///etc/hostname\n")
    (root / "empty.ogg").write_bytes(b"")
    (root / "nothing.wav").write_bytes(wav(np.zeros(0)))
    (root / "zeros.ogg").write_bytes(b"OggS" + bytes(300))
    cut = ffmpeg_to(spoken, ".ogg", root)
    (root / "halved.ogg").write_bytes(cut[: len(cut) // 2])
    (root / "notes.pdf").write_bytes(b"%PDF")


def ffmpeg_to(data, suffix, root):
    work = root.parent / "work"
    work.mkdir(exist_ok=True)
    return ffmpeg_file(data, suffix, work)


def audio(folder, out, *more, status=0):
    return jobs.run("audio", folder, "--out", out, "--quiet", "--set=audio.shards=2", *more, status=status)


@pytest.fixture(scope="module")
def done(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("audio")
    audio(folder, out, "--workers", "1")
    return out


def rows(out, kind):
    shards = [shard["name"] for shard in jobs.manifest(out, JOB)["shards"] if shard["kind"] == kind]
    return [row for name in shards for row in pq.read_table(out / name).to_pylist()]


def file_of(row):
    return row["uri"].partition(":")[2].partition("#")[0]


def by_file(out, kind="records"):
    found = {}
    for row in sorted(rows(out, kind), key=lambda row: row.get("start_s", 0)):
        found.setdefault(file_of(row), []).append(row)
    return found


def test_every_file_and_every_segment_is_in_one_place(done, folder):
    ledger = jobs.manifest(done, JOB)["ledger"]
    assert ledger["in"] == sum(path.is_file() for path in folder.rglob("*"))
    expanded = ledger["expanded"]
    assert ledger["in"] - expanded["in"] + expanded["out"] == sum(ledger["out"].values())
    assert expanded["out"] > expanded["in"] > 15
    made = rows(done, "records") + rows(done, "dropped")
    assert sum(bool(row["parents"]) for row in made) == expanded["out"]
    assert ledger["out"]["skipped/sidecar"] == 2
    assert ledger["out"]["skipped/file_type"] == 1
    assert "sound" in jobs.run("verify", "--out", done, "--job", JOB)


def test_bad_files_cost_themselves_and_say_why(done):
    assert {name: found[0]["reason"] for name, found in by_file(done, "quarantine").items()} == BAD


def test_half_an_ogg_file_is_heard_and_dropped_for_its_missing_end(done):
    gone = by_file(done, "dropped")["halved.ogg"]
    assert all(row["cut_short"] == 1 for row in gone)
    assert {row["verdict"] for row in gone} <= {"dropped", "merged"}
    assert any("speech_v1/cut_short" in row["reasons"] for row in gone)
    assert "halved.ogg" not in by_file(done)


def test_music_does_not_pass_as_speech(done):
    gone = by_file(done, "dropped")
    for name, _ in music("gsm")[:2]:
        assert name not in by_file(done)
        assert gone[name][0]["reason"] == "speech_v1/segments<1"


def test_segments_last_3_to_30_seconds_and_lie_in_their_files_in_order(done):
    for found in by_file(done).values():
        for row in found:
            assert 3.0 <= row["duration_s"] <= 30.0
            assert row["end_s"] - row["start_s"] == pytest.approx(row["duration_s"])
            assert 0 <= row["start_s"] < row["end_s"] <= row["file_duration_s"]
            assert row["uri"].endswith(f"#t={row['start_s']:.3f},{row['end_s']:.3f}")
        assert all(a["end_s"] <= b["start_s"] for a, b in pairwise(found))


def test_copies_of_a_recording_are_merged_into_the_one_with_the_widest_band(done):
    name = long_prompts("en")[0][0]
    kept, gone = by_file(done), by_file(done, "dropped")
    names = {f"en/{name}", "same.gsm", "other.mp3"}
    staying = [row for each in names for row in kept.get(each, [])]
    merged = [row for each in names for row in gone.get(each, []) if row["verdict"] == "merged"]
    assert {row["reason"] for row in merged} == {"exact_duplicate", "near_duplicate"}
    assert {row["kept_id"] for row in merged} <= {row["id"] for row in staying}
    count = max(len(kept.get(each, [])) + len(gone.get(each, [])) for each in names)
    assert len(staying) <= count + 1


def test_transcripts_meet_their_sounds(done, folder):
    kept = by_file(done)
    name = long_prompts("it")[0][0]
    said = [row["transcript"] for row in kept[f"it/{name}"] if row["transcript"]]
    assert "".join(said).replace("\n", "") == "電話会議へようこそ。"
    (first, *_) = [row for row in kept[f"it/{name}"] if row["transcript"]]
    assert (first["transcript_kind"], first["transcript_language"]) == ("subtitles", "ja")
    assert all(0 <= part["start_s"] < part["end_s"] for part in first["transcript_parts"])
    table = [row for row in rows(done, "records") if row["transcript_kind"] == "table"]
    assert not [row for row in table if not row["holds_all_speech"]]


def test_webdataset_reads_what_the_records_say(done):
    tars = sorted(str(done / shard["name"]) for shard in jobs.manifest(done, JOB)["shards"] if shard["kind"] == JOB)
    records = {row["id"].hex(): row for row in rows(done, "records")}
    seen = set()
    for sample in webdataset.WebDataset(tars, shardshuffle=False):
        record = records[sample["__key__"]]
        assert hashlib.sha256(sample["flac"]).digest() == record["stored_sha256"]
        assert (sample["txt"].decode() if "txt" in sample else None) == record["transcript"]
        told = json.loads(sample["json"])
        assert (told["uri"], told["parents"]) == (record["uri"], [each.hex() for each in record["parents"]])
        with av.open(io.BytesIO(sample["flac"])) as flac:
            stream = flac.streams.audio[0]
            assert (stream.rate, stream.channels) == (16_000, 1)
            assert sum(frame.samples for frame in flac.decode(stream)) == record["samples"]
        seen.add(sample["__key__"])
    assert seen == records.keys()


def test_segments_are_cut_where_they_say(done, folder):
    """Against ffmpeg's own decoder and resampler, which share no code with ours."""
    name, data = long_prompts("fr")[0]
    whole = np.frombuffer(ffmpeg(data, "-ar", "16000", "-f", "s16le", form="gsm"), "<i2").astype(float)
    index = {row["id"].hex(): row for row in by_file(done)[f"fr/{name}"]}
    tars = sorted(str(done / shard["name"]) for shard in jobs.manifest(done, JOB)["shards"] if shard["kind"] == JOB)
    for sample in webdataset.WebDataset(tars, shardshuffle=False):
        if row := index.pop(sample["__key__"], None):
            own = np.frombuffer(ffmpeg(sample["flac"], "-f", "s16le"), "<i2").astype(float)
            start = round(row["start_s"] * 16_000)
            assert np.corrcoef(own, whole[start : start + len(own)])[0, 1] > 0.999
    assert not index


@pytest.mark.long
def test_what_an_archive_holds_comes_out_the_same(done, folder, tmp_path):
    with tarfile.open(tmp_path / "in.tar", "w") as archive:
        for path in sorted(each for each in folder.rglob("*") if each.is_file()):
            archive.add(path, path.relative_to(folder))
    audio(tmp_path / "in.tar", tmp_path / "out")
    assert measured(tmp_path / "out") == measured(done)


def measured(out):
    """Of equal copies the one with the smallest id stays, so compare what stays and what goes together."""
    both = [row for kind in ("records", "dropped") for row in rows(out, kind)]
    return {(row["digest"], row["start_s"], row["stored_sha256"], row["transcript"]) for row in both}


@pytest.mark.long
@pytest.mark.parametrize(
    "options",
    [
        pytest.param(["--workers", "2"], id="two workers"),
        pytest.param(
            ["--workers", "2", "--set=limits.part_bytes=200000", "--set=limits.batch_rows=3"],
            id="many parts",
            marks=pytest.mark.long,
        ),
        pytest.param(
            ["--workers", "2", "--set=limits.partition_bytes=6000"], id="many partitions", marks=pytest.mark.long
        ),
        pytest.param(
            ["--workers", "1", "--", "--direct_runner_bundle_repeat=1"],
            id="every bundle replayed",
            marks=pytest.mark.long,
        ),
    ],
)
def test_the_digest_is_that_of_one_undisturbed_worker(done, folder, tmp_path, options):
    audio(folder, tmp_path, *options)
    assert jobs.digest(tmp_path, JOB) == jobs.digest(done, JOB)


@pytest.mark.long
def test_a_killed_job_ends_with_the_same_digest(done, folder, tmp_path):
    rng, alive = random.Random(7), 0
    for _ in range(3):
        process = jobs.start(
            "audio", folder, "--out", tmp_path, "--quiet", "--set=audio.shards=2", "--set=limits.batch_rows=4"
        )
        time.sleep(rng.uniform(3.0, 8.0))
        alive += process.poll() is None
        jobs.kill(process)
    audio(folder, tmp_path)
    assert alive
    assert jobs.digest(tmp_path, JOB) == jobs.digest(done, JOB)


def test_a_changed_rule_reads_no_sound_again(done, folder, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(done, out)
    staged = sorted(path.name for path in (out / "audio/staged").rglob("*"))
    audio(folder, out, "--set=audio.profiles=[speech_v1,transcribed_v1,emilia_v1]", "--set=audio.text_scorers=[{}]")
    assert sorted(path.name for path in (out / "audio/staged").rglob("*")) == staged
    manifest = jobs.manifest(out, JOB)
    assert manifest["settings"]["rules_without_scorer"] == [
        "emilia_v1/spoken_language_score",
        "emilia_v1/dnsmos_overall",
    ]
    scored = {"quality": "none", "transcriber": "none", "listed_words": "none", "text": "toxicity"}
    assert manifest["settings"]["scored_by"] == scored
    assert "scorer_toxicity/flagged_char_fraction" in {rule["name"] for rule in manifest["settings"]["rules"]}
    assert all(row["transcript"] for row in rows(out, "records"))
    for row in [*rows(out, "records"), *rows(out, "dropped")]:  # English alone has a score
        assert (row["toxicity_max"] is not None) == (row["transcript_language"] == "en")
    assert "audio: all done before" not in audio(folder, out)  # the first settings again are a new snapshot
    assert jobs.digest(out, JOB) == jobs.digest(done, JOB)


def test_the_second_run_has_nothing_to_do(done, folder):
    assert "all done before" in audio(folder, done)


def test_spoken_captions_keep_their_texts_and_features(tmp_path):
    """Files taken whole: ten languages, the caption as transcript, log-mel features as NumPy reads them."""
    source = fetch_package("tuxpaint-stamps-default").root / "usr/share/tuxpaint/stamps/animals/birds"
    (tmp_path / "in").mkdir()
    for path in sorted(source.glob("[a-h]*")):
        if path.suffix in (".ogg", ".txt"):
            shutil.copy(path, tmp_path / "in")
    listed = tmp_path / "lists"
    listed.mkdir()
    (listed / "fr.txt").write_text("poule\n")
    (listed / "ru.txt").write_text("курица\n")
    digest = lists_digest({"fr": ["poule"], "ru": ["курица"]})
    block = {
        "segments": {"mode": "whole"},
        "log_mel": {"mels": 40},
        "word_lists": {"path": str(listed), "sha256": digest},
        "dedup": {"exact": False, "near": None},
        "profiles": [],
        "shards": 1,
    }
    jobs.run(
        "audio",
        tmp_path / "in",
        "--out",
        tmp_path / "out",
        "--quiet",
        *(f"--set=audio.{k}={json.dumps(v)}" for k, v in block.items()),
    )
    out = tmp_path / "out"
    kept = {file_of(row): row for row in rows(out, "records")}
    spoken = {name: row for name, row in kept.items() if "_desc" in name}
    assert len(spoken) > 100
    assert all(row["transcript"] for row in spoken.values())
    assert {row["stated_language"] for row in spoken.values()} >= {"fr", "ru", "ro", "ca", "bg", "es", "be", "el", "da"}
    assert spoken["hen_desc_fr.ogg"]["transcript"] == "Une poule marron."
    assert (spoken["hen_desc_fr.ogg"]["listed_word_count"], spoken["hen_desc_fr.ogg"]["parents"]) == (1, [])
    (tar,) = [str(out / shard["name"]) for shard in jobs.manifest(out, JOB)["shards"] if shard["kind"] == JOB]
    for sample in webdataset.WebDataset([tar], shardshuffle=False):
        features = np.load(io.BytesIO(sample["npy"]), allow_pickle=False)
        row = next(each for each in kept.values() if each["id"].hex() == sample["__key__"])
        assert features.shape == (max(0, 1 + (row["samples"] - 400) // 160), 40)
        assert features.dtype == np.float16


@pytest.mark.long
def test_a_long_recording_is_no_reason_to_fail(tmp_path):
    """Twenty minutes in one file, and a batch whose sounds together go far beyond a record's clock."""
    (tmp_path / "in").mkdir()
    data = b"".join(data for _, data in prompts("en"))
    (tmp_path / "in/long.gsm").write_bytes(data * 2)
    (tmp_path / "in/debian.mp3").write_bytes(sample_file("audio1/debian.mp3"))
    audio(tmp_path / "in", tmp_path / "out", "--set=limits.parse_cpu_s=2.0")
    manifest = jobs.manifest(tmp_path / "out", JOB)
    assert not [name for name in manifest["ledger"]["out"] if name.startswith("quarantined")]
    assert manifest["ledger"]["expanded"]["out"] > 50


def as_csv(path, rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["url", "caption"], *([row["url"], row["caption"]] for row in rows)])


def as_jsonl(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def as_parquet(path, rows):
    columns = {"audio_url": [row["url"] for row in rows], "sentence": [row["caption"] for row in rows]}
    pq.write_table(pa.table(columns), path)


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "write", "columns"),
    [
        pytest.param("list.csv", as_csv, {}, id="CSV"),
        pytest.param("list.jsonl", as_jsonl, {}, id="JSONL"),
        pytest.param(
            "list.parquet", as_parquet, {"url_column": "audio_url", "caption_column": "sentence"}, id="Parquet"
        ),
    ],
)
def test_sounds_of_a_crawl_come_with_what_the_list_said_of_them(tmp_path, name, write, columns):
    """A crawl of a list of URLs with transcripts is an input of the audio block; one answer is no sound."""
    from test_crawl_job import CONTACT, GENTLE

    said = {"en": "A demonstration, to be heard.", "ru": "Демонстрация, которую можно услышать."}
    files = {f"/{language}.wav": ffmpeg(prompts(language)[0][1], "-f", "wav", form="gsm") for language in said}
    urls = {language: f"http://sounds.example/{language}.wav" for language in said}
    write(
        tmp_path / name,
        [
            *({"url": urls[language], "caption": text} for language, text in said.items()),
            {"url": "http://sounds.example/page.wav", "caption": "nothing"},
        ],
    )

    def answer(host, path):
        if path == "/page.wav":
            return response(b"<html>no sound</html>")
        return response(files[path], media_type="audio/wav") if path in files else ABSENT

    with recording(answer) as site:
        block = {"seeds": [str(tmp_path / name)], "contact": CONTACT, "kinds": ["audio"], **columns}
        whole = {"segments": {"mode": "whole"}, "profiles": [], "shards": 1}
        recipe = {"corpusmill": 1, "crawl": {**block, "test_only_loopback": site.port, **GENTLE}, "audio": whole}
        (tmp_path / "recipe.yaml").write_text(json.dumps(recipe))
        jobs.run("run", tmp_path / "recipe.yaml", "--out", tmp_path / "out", "--quiet")
    kept = {row["uri"]: row for row in rows(tmp_path / "out", "records")}
    assert {uri: row["transcript"] for uri, row in kept.items()} == {urls[key]: text for key, text in said.items()}
    assert {row["transcript_kind"] for row in kept.values()} == {"crawl"}
    for language, uri in urls.items():
        assert kept[uri]["digest"] == hashlib.sha256(files[f"/{language}.wav"]).digest()
        assert kept[uri]["transcript_language"] == language
