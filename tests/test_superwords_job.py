"""Superwords through `corpusmill tokenizer train`: real pages, captions and code; kills, workers, refusals."""

import hashlib

import jobs
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sentencepiece
from test_superwords import expected
from test_tokenizer_verbs import CAPTIONS, documents, manifest, run, snapshot, texts_of

from manifests.manifest import newest_version
from manifests.store import open_store
from manifests.verify import verify
from pipelines.report.tokens import tokenizer_section
from pipelines.report.trained import tokenizer_data
from pipelines.tokenizer_jobs import phrases
from tokenizer.encode import TokenEncoder

ASKED = ("--set", "tokenizer.vocabulary=4000", "--set", "tokenizer.superwords=200", "--quiet")


def corpus(out) -> list[str]:
    """Write pages in six languages and captions; return their texts."""
    pages = texts_of(24, 0)
    documents(out, pages)
    captions = {"caption": CAPTIONS, "caption_language": ["de", "ja", "th", "hi", None], "source": ["pictures"] * 5}
    snapshot(out, "images", "records", captions)
    return [text for _, text in pages] + [caption for caption in CAPTIONS if caption]


def newest(out) -> dict:
    return manifest(out, "tokenizer", newest_version(open_store(str(out)), "tokenizer"))


def model_of(out) -> bytes:
    return (out / next(s["name"] for s in newest(out)["shards"] if s["kind"] == "model")).read_bytes()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("superwords") / "out"
    texts = corpus(out)
    run("train", "--out", out, *ASKED)
    return out, texts


def test_superwords_of_a_corpus_are_those_of_a_recount_of_its_texts(made):
    out, texts = made
    trained, model = newest(out), model_of(out)
    said = trained["statistics"]["mixture"]["superwords"]
    assert said["exact"]
    assert said["last_merge"] > said["heaviest_pair_left_out"] > 0
    listed = sentencepiece.SentencePieceProcessor(model_proto=model)
    found = [listed.id_to_piece(i) for i in range(3800, 4000)]
    words = next((out / "tokenizer/model").glob("*.words.model")).read_bytes()
    assert found[:20] == expected(texts, words, 20)
    assert said["tokens"]["tokens"] == sum(
        map(len, sentencepiece.SentencePieceProcessor(model_proto=words).encode(texts))
    )
    ids = TokenEncoder(model).encode(pa.array(texts))
    assert ids.ids.tolist() == [i for each in listed.encode(texts) for i in each]
    assert trained["statistics"]["mixture"]["pieces"]["unreachable"] == 0
    assert trained["statistics"]["evaluation"]["languages"]["en"]["tokens"] < said["tokens"]["tokens"]
    assert verify(open_store(str(out)), "tokenizer").is_sound


def test_the_same_again_is_nothing_to_do_and_another_number_is_another_model(made):
    out, _ = made
    assert "all done before" in run("train", "--out", out, *ASKED)


def test_the_report_says_how_many_pieces_reach_over_words(made):
    from types import SimpleNamespace

    out, _ = made
    page = str(tokenizer_section(SimpleNamespace(tokenizer=tokenizer_data(open_store(str(out)), newest(out), []))))
    assert "200 reach over several words" in page


def test_counts_of_texts_that_are_elsewhere_are_refused(made, tmp_path, capsys):
    out, _ = made
    documents(tmp_path / "more", texts_of(48, 6))
    run("count", "--out", tmp_path / "more", "--add", out, "--quiet")
    run("train", "--out", tmp_path / "more", "--counts", tmp_path / "more", *ASKED, status=1)
    assert "superwords are counted in the texts themselves, and 2 of the corpora" in capsys.readouterr().err


@pytest.mark.long
def test_counts_of_an_output_are_trained_on_with_the_texts_there(made, tmp_path):
    out, _ = made
    run("train", "--out", tmp_path / "new", "--counts", out, *ASKED)
    assert model_of(tmp_path / "new") == model_of(out)


@pytest.mark.long
def test_words_that_sentencepiece_trains_take_the_same_superwords(made, tmp_path):
    out, _ = made
    run("train", "--out", tmp_path / "theirs", "--counts", out, *ASKED, "--set", "tokenizer.engine=sentencepiece")
    assert model_of(tmp_path / "theirs") == model_of(out)


@pytest.mark.long
def test_more_superwords_than_phrases_make_are_refused_by_number(tmp_path, capsys):
    documents(tmp_path / "o", texts_of(60, 0)[:3])
    asked = ("--set", "tokenizer.vocabulary=4000", "--set", "tokenizer.superwords=2000", "--quiet")
    run("train", "--out", tmp_path / "o", *asked, status=1)
    assert "superwords=2000 is more than the phrases" in capsys.readouterr().err
    run("train", "--out", tmp_path / "o", *asked, "--set", "tokenizer.hard_limit=false")
    assert 0 < newest(tmp_path / "o")["statistics"]["mixture"]["superwords"]["superwords"] < 2000


def phrase_digests(out) -> list[str]:
    tables = sorted((out / "tokenizer/superwords").rglob("table-*/*.parquet"))
    assert all(pq.read_table(path).num_rows for path in tables)
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in tables]


@pytest.mark.long
def test_workers_replays_and_kills_change_no_byte(made, tmp_path):
    out, _ = made
    whole = (newest(out)["digest"], phrase_digests(out))

    def fresh(name):
        corpus(tmp_path / name)
        return tmp_path / name

    for name, options in {"four": ("--workers", "4"), "replayed": ("--", "--direct_runner_bundle_repeat=1")}.items():
        run("train", "--out", fresh(name), *ASKED, *options)
        assert (newest(tmp_path / name)["digest"], phrase_digests(tmp_path / name)) == whole
    killed, kills = fresh("killed"), 0
    while True:
        process = jobs.start("tokenizer", "train", "--out", killed, *ASKED, "--workers", "2")
        seen = len(jobs.markers(killed))
        if not jobs.wait_for(lambda seen=seen: len(jobs.markers(killed)) > seen, process):
            assert process.wait() == 0, process.communicate()
            break
        jobs.kill(process)
        kills += 1
    assert kills > 3
    assert (newest(killed)["digest"], phrase_digests(killed)) == whole


@pytest.mark.long
def test_too_few_pairs_at_first_and_many_small_runs_change_no_superword(made, tmp_path, monkeypatch):
    out, _ = made
    monkeypatch.setattr(phrases, "FIRST_PAIRS", 1)
    monkeypatch.setattr(phrases, "RUN_BYTES", 1 << 16)
    monkeypatch.setattr(phrases, "TEXT_BYTES", 1 << 14)
    corpus(tmp_path / "o")
    run("train", "--out", tmp_path / "o", *ASKED)
    said = newest(tmp_path / "o")["statistics"]["mixture"]["superwords"]
    assert said["tries"] > 1
    assert said["exact"]
    assert model_of(tmp_path / "o") == model_of(out)
    monkeypatch.setattr(phrases, "TRIES", 1)
    run("train", "--out", tmp_path / "o", *ASKED)
    assert not newest(tmp_path / "o")["statistics"]["mixture"]["superwords"]["exact"]


@pytest.mark.long
def test_mixtures_weigh_phrases_as_they_weigh_words(made, tmp_path):
    out, _ = made
    run("train", "--out", tmp_path / "no", "--counts", out, *ASKED, "--set", "tokenizer.mix.weights={en: 0}")
    words = next((tmp_path / "no/tokenizer/model").glob("*.words.model")).read_bytes()
    texts = [text for code, text in texts_of(24, 0) if code != "en"] + [caption for caption in CAPTIONS if caption]
    first = newest(tmp_path / "no")["statistics"]["mixture"]["superwords"]["first"]
    assert first == expected(texts, words, len(first))
    assert first != newest(out)["statistics"]["mixture"]["superwords"]["first"]
