"""The text job on real pages: what a record goes through can be followed from WARC to token."""

import json
from pathlib import Path

import jobs
import pyarrow.parquet as pq
import pytest
import sentencepiece

SHARDS = 4


@pytest.fixture(scope="module")
def out(demo_input_dir, tmp_path_factory) -> Path:
    """Give the output of a whole recipe over the small input."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "recipe.yaml").write_text(
        "corpusmill: 1\n"
        f"inputs: [{{name: manuals, uri: {demo_input_dir}}}]\n"
        f"text: {{shards: {SHARDS}, dropped_text_sample: 1.0}}\n"
        "tokenizer: {vocabulary: 4000}\n"
    )
    jobs.run("run", folder / "recipe.yaml", "--out", folder / "out", "--quiet")
    return folder / "out"


def test_everything_that_went_in_is_somewhere(out):
    counts = jobs.funnel(out)
    assert counts["in"] == sum(n for name, n in counts.items() if name != "in")
    assert counts["kept"] > 0 < counts["merged"]
    rows = jobs.rows(out, "dropped")
    assert len(rows) == counts["dropped"] + counts["merged"]
    assert len(jobs.rows(out)) == counts["kept"]


def test_shards_are_sorted_by_id_and_hold_each_id_once(out):
    shards = [shard for shard in jobs.manifest(out)["shards"] if shard["kind"] == "documents"]
    ids = [row["id"] for row in jobs.rows(out)]
    assert ids == sorted(set(ids))
    assert 1 < len(shards) <= SHARDS
    assert [shard["name"][: len("text/data/part-00000")] for shard in shards] == [
        f"text/data/part-{i:05d}" for i in range(len(shards))
    ]


def test_what_is_merged_names_a_record_that_stays(out):
    kept = {row["id"] for row in jobs.rows(out)}
    merged = [row for row in jobs.rows(out, "dropped") if row["verdict"] == "merged"]
    assert {row["reason"] for row in merged} >= {"exact_duplicate", "near_duplicate"}
    for row in merged:
        assert row["kept_id"] in kept
        assert 0.8 <= row["similarity"] <= 1.0


def test_what_is_dropped_says_why(out):
    dropped = [row for row in jobs.rows(out, "dropped") if row["verdict"] == "dropped"]
    assert dropped
    for row in dropped:
        assert row["reason"].startswith(row["reasons"][0])
        assert row["kept_id"] is None
        assert row["text"]


def test_parts_cover_the_text_and_name_images(out):
    images = 0
    for row in jobs.rows(out):
        at = 0
        for part in row["parts"]:
            if part["kind"] in ("image", "audio", "video"):
                images += 1
                assert part["start"] == part["end"]
                assert part["uri"].startswith("https://")
            else:
                assert part["start"] == at
                at = part["end"]
        assert at == len(row["text"])
    assert images > 50


def test_a_japanese_page_from_warc_to_token(out, demo_warcs):
    page = next(
        row for row in jobs.rows(out) if row["language"] == "ja" and "/ja" in row["uri"] and len(row["text"]) > 2000
    )
    # in the WARC, read by another reader
    payload = payload_of(demo_warcs, page["uri"]).decode()
    sentence = max(page["text"].split("\n"), key=len)[:30].strip()
    assert sentence[:10] in payload.replace("\n", "")
    # measured in words that a Japanese reader would call words
    assert 1.0 <= page["signals"]["word_char_count"] / page["signals"]["word_count"] <= 4.0
    # found again by its URI
    told = json.loads(jobs.run("inspect", "--out", out, "--uri", page["uri"]))
    assert (told["verdict"], told["id"]) == ("kept", page["id"].hex())
    assert told["shard"].startswith("text/data/part-")
    # counted, and encoded without loss by pieces of its own script
    (model,) = [s["name"] for s in jobs.manifest(out, "tokenizer")["shards"] if s["kind"] == "model"]
    processor = sentencepiece.SentencePieceProcessor(model_file=str(out / model))
    tokens = processor.encode(page["text"])
    assert processor.decode(tokens) == page["text"]
    assert len(tokens) < len(page["text"].encode()) / 2
    pieces = processor.encode(sentence, out_type=str)
    assert sum(not piece.startswith("<0x") for piece in pieces) >= len(pieces) * 0.9


def payload_of(warcs: list[Path], uri: str) -> bytes:
    from warcio.archiveiterator import ArchiveIterator

    for path in warcs:
        with path.open("rb") as file:
            for record in ArchiveIterator(file):
                if record.rec_type == "response" and record.rec_headers.get_header("WARC-Target-URI") == uri:
                    return record.content_stream().read()
    raise AssertionError(f"{uri} is in no WARC")


def test_the_tokenizer_counts_every_character_of_the_corpus(out):
    counted = jobs.manifest(out, "tokenizer")["characters"]
    assert counted["characters"] == sum(len(row["text"]) for row in jobs.rows(out))
    assert counted["documents"] == len(jobs.rows(out))


def test_the_tokenizer_names_the_corpus_it_was_trained_on(out):
    assert jobs.manifest(out, "tokenizer")["parents"] == [jobs.digest(out)]


def test_the_report_stands_and_fetches_nothing(out):
    (page,) = (out / "report").glob("*.html")
    text = page.read_text()
    assert str(jobs.funnel(out)["in"]) in text.replace(",", "")
    assert 'src="http' not in text


def test_verify_finds_a_sound_corpus_and_a_flipped_bit(out, tmp_path):
    assert "tokenizer/manifests" in jobs.run("verify", "--out", out)
    shard = next(shard for shard in jobs.manifest(out)["shards"] if shard["kind"] == "documents")
    path = out / shard["name"]
    whole = path.read_bytes()
    try:
        path.write_bytes(whole[:1000] + bytes([whole[1000] ^ 1]) + whole[1001:])
        said = jobs.run("verify", "--out", out, status=1)
    finally:
        path.write_bytes(whole)
    assert shard["name"] in said
    assert shard["sha256"] in said


def test_a_changed_threshold_runs_decide_and_write_only(out, demo_input_dir):
    recipe = out.parent / "recipe.yaml"
    staged = {path: path.stat().st_mtime_ns for path in (out / "text" / "staged").rglob("*")}
    linked = {path: path.stat().st_mtime_ns for path in (out / "text" / "link").rglob("*")}
    before = {folder: len(list((out / "text" / folder).rglob("*.json"))) for folder in ("select", "write")}
    jobs.run("run", recipe, "--out", out, "--quiet", "--set", "text.thresholds={gopher_v1/word_count: {min: 300}}")
    assert {path: path.stat().st_mtime_ns for path in (out / "text" / "staged").rglob("*")} == staged
    assert {path: path.stat().st_mtime_ns for path in (out / "text" / "link").rglob("*")} == linked
    after = {folder: len(list((out / "text" / folder).rglob("*.json"))) for folder in ("select", "write")}
    assert after == {"select": before["select"] + 1, "write": before["write"] + SHARDS}
    assert min(row["signals"]["word_count"] for row in jobs.rows(out)) >= 300
    assert jobs.manifest(out, version=1)["digest"] != jobs.digest(out)


def test_another_shard_count_stages_and_decides_nothing(out):
    recipe = out.parent / "recipe.yaml"
    before = {path for folder in ("staged", "select", "link", "verify") for path in (out / "text" / folder).rglob("*")}
    ids = [row["id"] for row in jobs.rows(out)]
    jobs.run(
        "run",
        recipe,
        "--out",
        out,
        "--quiet",
        "--set",
        "text.shards=3",
        "--set",
        "text.thresholds={gopher_v1/word_count: {min: 300}}",
    )
    assert {
        path for folder in ("staged", "select", "link", "verify") for path in (out / "text" / folder).rglob("*")
    } == before
    assert [row["id"] for row in jobs.rows(out)] == ids


def test_a_shard_reads_in_pyarrow_alone(out):
    shard = next(shard for shard in jobs.manifest(out)["shards"] if shard["kind"] == "documents")
    table = pq.read_table(out / shard["name"])
    assert {"id", "uri", "source", "language", "text", "parts", "signals"} <= set(table.schema.names)
