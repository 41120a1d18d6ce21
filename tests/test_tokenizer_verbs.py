"""`corpusmill tokenizer count | train | evaluate | compare` over real pages, captions and transcripts."""

import hashlib
import io
import json
from contextlib import redirect_stdout
from pathlib import Path
from types import SimpleNamespace

import corpora
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import sentencepiece
from resiliparse.extract.html2text import extract_plain_text

from manifests.manifest import commit
from manifests.shards import write_shard
from manifests.store import open_store
from manifests.verify import verify
from pipelines.cli import main
from pipelines.report.article import ARTICLE
from pipelines.report.tokens import tokenizer_section
from pipelines.report.trained import tokenizer_data
from pipelines.tokenizer_job import newest_counts
from tokenizer.groups import Group

LOCALES = {"en": "en-US", "ja": "ja-JP", "zh": "zh-CN", "ko": "ko-KR", "ar": "ar-MA", "ru": "ru-RU"}
CAPTIONS = ["Ein roter Apfel auf dem Tisch", "机の上の赤い林檎", "ภาพแอปเปิลสีแดง", "मेज़ पर एक लाल सेब", None]


def texts_of(every: int, first: int) -> list[tuple[str, str]]:
    """Return (language, text) of some pages of a manual."""
    pages = corpora.pages("debian-handbook")[first::every]
    codes = {locale: code for code, locale in LOCALES.items()}
    named = [(codes.get(path.split("/")[0]), page) for path, page in pages]
    return [(code, extract_plain_text(page.decode())) for code, page in named if code]


def snapshot(out: Path, job: str, kind: str, columns: dict[str, list]) -> str:
    """Commit a snapshot as the job of that name leaves it, in two shards; return its digest."""
    store = open_store(str(out))
    count = len(next(iter(columns.values())))
    ids = [hashlib.sha256(f"{job}{i}{columns}".encode()).digest()[:16] for i in range(count)]
    table = pa.table({"id": pa.array(ids, pa.binary(16)), **columns}).sort_by("id")
    half = count // 2
    parts = [table.slice(0, half), table.slice(half)]
    shards = [write_shard(store, f"{job}/data/part-{i}", kind, part).as_json() for i, part in enumerate(parts)]
    _, manifest = commit(store, job, {"job": job, "shards": shards, "parents": []})
    return manifest["digest"]


def documents(out: Path, texts: list[tuple[str, str]], source: str = "manual") -> str:
    columns = {
        "text": [text for _, text in texts],
        "language": [code for code, _ in texts],
        "source": [source] * len(texts),
        "media_type": ["text/html"] * len(texts),
    }
    return snapshot(out, "text", "documents", columns)


def run(*arguments: object, status: int = 0) -> str:
    """Run a verb in this process; return what it prints."""
    said = io.StringIO()
    with redirect_stdout(said):
        assert main(["tokenizer", *map(str, arguments)]) == status
    return said.getvalue()


def manifest(out: Path, job: str, version: int = 1) -> dict:
    return json.loads((out / job / f"manifests/v{version:06d}.json").read_text())


@pytest.fixture(scope="module")
def out(tmp_path_factory) -> Path:
    """Give an output of pages, captions and transcripts with a model of 5,000 pieces."""
    folder = tmp_path_factory.mktemp("verbs") / "out"
    documents(folder, texts_of(12, 0))
    captions = {"caption": CAPTIONS, "caption_language": ["de", "ja", "th", "hi", None], "source": ["pictures"] * 5}
    snapshot(folder, "images", "records", captions)
    heard = {"transcript": ["good morning", None], "transcript_language": ["en", None], "source": ["radio", "radio"]}
    snapshot(folder, "audio", "records", heard)
    run("train", "--out", folder, "--set", "tokenizer.vocabulary=5000", "--quiet")
    return folder


@pytest.fixture(scope="module")
def parallel(tmp_path_factory) -> Path:
    """Give one page of the manual in each language."""
    folder = tmp_path_factory.mktemp("parallel")
    pages = dict(corpora.pages("debian-handbook"))
    for code, locale in LOCALES.items():
        (folder / f"{code}.txt").write_text(extract_plain_text(pages[f"{locale}/basic-configuration.html"].decode()))
    return folder


def test_every_text_of_every_medium_is_counted(out):
    counted = manifest(out, "counts")
    texts = [text for _, text in texts_of(12, 0)] + [c for c in CAPTIONS if c] + ["good morning"]
    assert counted["characters"]["characters"] == sum(map(len, texts))
    assert counted["characters"]["documents"] == len(texts)
    groups = {Group(*named) for named in counted["statistics"]["groups"]}
    assert {
        Group("manual", "ja", "text"),
        Group("pictures", "th", "caption"),
        Group("radio", "en", "transcript"),
    } < groups
    rows = pa.concat_tables([pq.read_table(out / s["name"]) for s in counted["shards"]])
    assert "▁สวัสดี" not in rows["word"].to_pylist()
    assert "ภาพแอปเปิลสีแดง" in rows["word"].to_pylist()


def test_counting_again_is_nothing_to_do(out):
    assert "all done before" in run("count", "--out", out, "--quiet")


def test_another_vocabulary_is_trained_from_the_table_where_no_text_is(out, tmp_path):
    run("train", "--out", tmp_path / "new", "--counts", out, "--set", "tokenizer.vocabulary=5000", "--quiet")
    models = [
        (place / s["name"]).read_bytes()
        for place in (out, tmp_path / "new")
        for s in manifest(place, "tokenizer")["shards"]
        if s["kind"] == "model"
    ]
    assert models[0] == models[1]
    assert not (tmp_path / "new" / "counts").exists()
    run("train", "--out", tmp_path / "new", "--counts", out, "--set", "tokenizer.vocabulary=4500", "--quiet")
    assert manifest(tmp_path / "new", "tokenizer", 2)["statistics"]["mixture"]["pieces"]["learnt"] > 0


def test_tables_add_up_to_the_table_of_all_texts(tmp_path):
    first, second = texts_of(24, 0), texts_of(24, 12)
    documents(tmp_path / "one", first)
    documents(tmp_path / "two", second)
    documents(tmp_path / "both", first + second)
    run("count", "--out", tmp_path / "one", "--quiet")
    run("count", "--out", tmp_path / "two", "--add", tmp_path / "one", "--quiet")
    run("count", "--out", tmp_path / "both", "--quiet")
    tables = [pa.Table.from_batches(newest_counts(str(tmp_path / name)).batches()) for name in ("two", "both")]
    assert tables[0].combine_chunks().equals(tables[1].combine_chunks())
    assert manifest(tmp_path / "two", "counts")["characters"] == manifest(tmp_path / "both", "counts")["characters"]
    assert len(manifest(tmp_path / "two", "counts")["parents"]) == 2


def test_a_corpus_is_not_counted_twice(out, tmp_path, capsys):
    documents(tmp_path / "copy", texts_of(12, 0))
    run("count", "--out", tmp_path / "copy", "--add", out, "--quiet", status=1)
    assert "counted in two of the tables" in capsys.readouterr().err


def test_the_table_is_verified_like_any_snapshot(out):
    report = verify(open_store(str(out)), "counts")
    assert report.is_sound
    assert "counts/manifests/v000001.json" in str(report)


def test_nothing_to_count_is_said(tmp_path, capsys):
    run("count", "--out", tmp_path / "empty", "--quiet", status=1)
    assert "there is nothing to count" in capsys.readouterr().err


def test_what_is_evaluated_is_what_sentencepiece_does(out, parallel, tmp_path):
    said = run("evaluate", "--out", out, "--parallel", parallel, "--json", tmp_path / "figures.json")
    (figures,) = json.loads((tmp_path / "figures.json").read_text()).values()
    name = next(s["name"] for s in manifest(out, "tokenizer")["shards"] if s["kind"] == "model")
    loaded = sentencepiece.SentencePieceProcessor(model_file=str(out / name))
    for code in LOCALES:
        texts = [text for own, text in texts_of(12, 0) if own == code] + (["good morning"] if code == "en" else [])
        texts += [caption for caption in CAPTIONS[1:2] if code == "ja"]
        assert figures["languages"][code]["tokens"] == sum(map(len, loaded.encode(texts)))
        assert figures["languages"][code]["lossless_fraction"] == 1.0
    tokens = {code: len(loaded.encode((parallel / f"{code}.txt").read_text())) for code in LOCALES}
    assert figures["parallel_tokens"] == tokens
    assert figures["premium_over_english"]["ja"] == tokens["ja"] / tokens["en"]
    assert figures["unreachable_pieces"] == 0
    assert {"ja", "th", "hi", "ar", "zh"} <= {line.split()[0] for line in said.splitlines() if line}


def test_vocabularies_of_all_kinds_stand_side_by_side(out, tmp_path):
    files = {s["kind"]: out / s["name"] for s in manifest(out, "tokenizer")["shards"]}
    said = run(
        "compare", "--out", out, f"hf={files['tokenizer_json']}", f"sp={files['model']}", "--json", tmp_path / "f"
    )
    found = json.loads((tmp_path / "f").read_text())
    assert list(found) == sorted(["model", "hf", "sp"])
    for name in ("hf", "sp"):
        assert found[name]["all"] == found["model"]["all"]
        assert found[name]["languages"] == found["model"]["languages"]
    assert {"model", "hf", "sp"} <= {line.split()[0] for line in said.splitlines() if line}


def test_ranks_of_tiktoken_are_measured_too(out, tmp_path):
    ranks = next(out / s["name"] for s in manifest(out, "tokenizer")["shards"] if s["kind"] == "tiktoken")
    run("compare", "--out", out, ranks, "--json", tmp_path / "f")
    figures = json.loads((tmp_path / "f").read_text())[ranks.stem]
    assert figures["all"]["lossless_fraction"] == 1.0
    assert figures["all"]["bytes"] == json.loads((tmp_path / "f").read_text())["model"]["all"]["bytes"]
    assert 1.0 < figures["all"]["bytes_per_token"] < 8.0


@pytest.mark.parametrize("data", [b"", b"nothing", b"{}", b'{"model": 1'], ids=["empty", "text", "JSON", "cut off"])
def test_a_file_that_is_no_vocabulary_is_refused(out, tmp_path, data, capsys):
    (tmp_path / "it").write_bytes(data)
    run("compare", "--out", out, tmp_path / "it", status=1)
    assert "it" in capsys.readouterr().err


def test_pieces_of_one_loud_text_are_named(tmp_path):
    loud = [
        ("en", "zyzzyxa " * 900),
        *(("en", f"some quiet text of number {i} about cats and dogs") for i in range(40)),
    ]
    documents(tmp_path / "o", loud)
    run("train", "--out", tmp_path / "o", "--set", "tokenizer.vocabulary=450", "--quiet")
    pieces = manifest(tmp_path / "o", "tokenizer")["statistics"]["mixture"]["pieces"]
    assert "▁zyzzyxa" in pieces["burstiest"]
    assert "▁cats" not in pieces["burstiest"]
    assert pieces["unreachable"] == 0
    assert pc.sum(pa.array([pieces["never_used"], pieces["rarely_used"]])).as_py() < pieces["learnt"]


def test_the_report_shows_six_languages_side_by_side(out):
    """Japanese, Chinese, Arabic, Hindi and Thai beside English, whatever the corpus speaks."""
    data = tokenizer_data(open_store(str(out)), manifest(out, "tokenizer"), [])
    loaded = sentencepiece.SentencePieceProcessor(
        model_file=str(out / next(s["name"] for s in manifest(out, "tokenizer")["shards"] if s["kind"] == "model"))
    )
    tokens = {each.language: len(loaded.encode(ARTICLE[each.language])) for each in data.same}
    page = str(tokenizer_section(SimpleNamespace(tokenizer=data)))
    for name, code in (("Japanese", "ja"), ("Chinese", "zh"), ("Arabic", "ar"), ("Hindi", "hi"), ("Thai", "th")):
        assert f"{name}: {tokens[code]} tokens" in page
        assert f"{tokens[code] / tokens['en']:.2f} x English" in page
    counted = {w for s in manifest(out, "counts")["shards"] for w in pq.read_table(out / s["name"])["word"].to_pylist()}
    assert data.distinct_words == len(counted)
    assert "words within one token" in page
