"""Verdict by verdict as datatrove 0.10 itself, in an environment of its own, on a thousand real pages and more."""

import hashlib
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from functools import cache
from pathlib import Path

import corpora
import pyarrow as pa
import pytest
import real_texts

from benchmarks import peers
from filters import c4_variants, gopher, gopher_variants, language, minhash, peer_characters
from filters.peer_contractions import special_cases
from filters.peer_words import peer_words, tokens_of
from filters.rule_sets import RULE_SETS
from filters.rules import judge, reasons
from filters.segmentation import segment
from pipelines.demo_input import exclusive, input_root

pytestmark = pytest.mark.long

REPETITION = 14  # rules of gopher@datatrove that are the repetition filter's
PAGES = 1000
SCRIPT = Path(peers.__file__).with_name("datatrove_rules.py")


def datatrove(what, texts, folder):
    source, target = folder / "texts.json", folder / "answer.json"
    source.write_text(json.dumps(texts))
    subprocess.run([peers.datatrove_python(), SCRIPT, what, source, target], check=True, capture_output=True)
    return json.loads(target.read_text())


def own_verdicts(texts):
    """Return the same four verdicts and the text that C4 leaves, as datatrove_rules.verdicts has them."""
    text, words, lines = real_texts.measured(texts)
    rows = c4_variants.clean_rows(text)
    row_words = peer_words(rows.text)
    left, c4 = c4_variants.read_c4(rows, c4_variants.DATATROVE, row_words)
    parts = [
        gopher.quality_signals(text, words, lines),
        gopher.repetition_signals(text, words, lines),
        gopher_variants.datatrove_signals(text, peer_words(text)),
        c4,
        c4_variants.fineweb_signals(left, rows, row_words),
    ]
    signals = pa.RecordBatch.from_pydict({name: part.column(name) for part in parts for name in part.schema.names})
    language = pa.array(["en"] * len(texts))
    both = RULE_SETS["gopher@datatrove"]
    chain = (both[:REPETITION], both[REPETITION:], RULE_SETS["c4@datatrove"], RULE_SETS["fineweb@datatrove"])
    said = [reasons(rules, judge(rules, signals, language), signals, language).to_pylist() for rules in chain]
    return list(zip(*said, left.to_pylist(), strict=True))


@pytest.fixture(scope="module")
def texts():
    """Give 1,000 and more real pages of manuals in 40 locales, about a third of them English."""
    pages = [(path, page) for path, page in corpora.all_pages() if "/en" in path]
    others = [(path, page) for path, page in corpora.all_pages() if "/en" not in path]
    chosen = pages[:: max(1, len(pages) // 360)] + others[:: max(1, len(others) // 700)]
    found = [text for text in (real_texts.extracted(page) for _, page in chosen) if text]
    assert len(found) >= PAGES
    assert len({"/".join(path.split("/")[:2]) for path, _ in chosen}) >= 40
    return found


def test_every_verdict_and_every_text_is_datatroves(texts, tmp_path):
    theirs = datatrove("verdicts", texts, tmp_path)
    differences, dropped = [], Counter()
    for number, (own, peer) in enumerate(zip(own_verdicts(texts), theirs, strict=True)):
        for step in range(4):
            if peer[step] is not None and bool(own[step]) != bool(peer[step]):
                differences.append((number, own[step], peer[step]))
            dropped[step] += bool(peer[step])
        if peer[4] is not None and own[4] != peer[4]:
            differences.append((number, "text"))
    assert differences == []
    assert min(dropped[step] for step in range(4)) >= 20


def test_the_tables_are_those_of_the_installed_packages(tmp_path):
    stretches = [
        "(can't)",
        "U.S.",
        "nn):)",
        "10km",
        "http://a.bcd/e(f)",
        "日本語です。",
        "x:-)",
        "''",
        "Zoë’s",
        ".....",
    ]
    peer = datatrove("tables", stretches, tmp_path)
    flags = peer_characters.flags()
    for name in ("PUNCTUATION", "TERMINAL", "SENTENCE_END"):
        own = [point for point, flag in enumerate(flags.tolist()) if flag & getattr(peer_characters, name)]
        assert own == peer["classes"][name]
    for name in ("ALPHA", "LOWER", "UPPER", "ICON"):
        held = getattr(peer_characters, name)
        ranges = [held[i : i + 21] for i in range(0, len(held), 21)]
        own = [point for each in ranges for point in range(int(each[2:10], 16), int(each[13:], 16) + 1)]
        assert own == peer["classes"][name]
    assert {whole: list(pieces) for whole, pieces in special_cases().items()} == peer["cases"]
    assert [list(tokens_of(stretch)) for stretch in stretches] == peer["tokens"]


# ---- the road of 35 pages: Dolma's samples (Apache-2.0), in its source distribution

DOLMA = "dolma-1.2.1"
SAMPLES = {
    "sample-0000.warc.gz": "53bca229270eb5f5f02f64af20807178b710bc2fa13de5c96f58c70114ab839a",
    "sample-0001.warc.gz": "fe202be30b77ee0fd4819f1c58b6db6d7dc67ce1b3a3c0335729ca1a12fa77f8",
}
METADATA = "Metadata-Version: 2.1\\nName: dolma\\nVersion: 1.2.1\\n"
BACKEND = f"""
def prepare_metadata_for_build_wheel(folder, settings=None):
    import os
    os.mkdir(os.path.join(folder, "{DOLMA}.dist-info"))
    with open(os.path.join(folder, "{DOLMA}.dist-info", "METADATA"), "w") as file:
        file.write("{METADATA}")
    return "{DOLMA}.dist-info"
"""


def download_dolma(work):
    """Return the source distribution; pip asks its backend for metadata, and this one has them without a compiler."""
    (work / "backend").mkdir()
    (work / "backend" / "maturin.py").write_text(BACKEND)
    ask = ("--no-deps", "--no-binary", ":all:", "--no-build-isolation", "--disable-pip-version-check", "--quiet")
    command = [sys.executable, "-m", "pip", "download", *ask, "==".join(DOLMA.rsplit("-", 1))]
    env = os.environ | {"PYTHONPATH": str(work / "backend")}
    subprocess.run(command, cwd=work, env=env, check=True, capture_output=True, timeout=300)
    return work / f"{DOLMA}.tar.gz"


@cache
def samples():
    """Return the folder of the two WARC files, from the cache or out of the package, checked by their digests."""
    final = input_root() / f"{DOLMA}-samples"
    with exclusive(DOLMA):
        if not final.exists():
            with tempfile.TemporaryDirectory(dir=input_root(), prefix=f".{DOLMA}-") as work:
                (out := Path(work) / "out").mkdir()
                with tarfile.open(download_dolma(Path(work))) as archive:
                    for name, digest in SAMPLES.items():
                        held = archive.extractfile(f"{DOLMA}/tests/data/warc/{name}").read()
                        assert hashlib.sha256(held).hexdigest() == digest
                        (out / name).write_bytes(held)
                out.rename(final)
    return final


def test_the_road_of_35_pages_is_datatroves_step_by_step(tmp_path):
    script = SCRIPT.with_name("datatrove_trace.py")
    command = [peers.datatrove_python(), script, samples(), tmp_path / "trace.json"]
    subprocess.run(command, check=True, capture_output=True, timeout=600)
    trace = json.loads((tmp_path / "trace.json").read_text())
    texts, theirs = trace["texts"], trace["left"]
    assert [len(left) for left in theirs.values()] == [35, 35, 35, 32, 23, 22, 21, 19]
    assert (sum(map(len, texts)), trace["pairs"], trace["characters"]) == (106_700, 28, 68_844)

    code, score = language.identify(pa.array(texts))
    left = [i for i in range(len(texts)) if code[i].as_py() and score[i] > 0.65]
    assert left == theirs["language"]
    verdicts = own_verdicts(texts)
    dropped = Counter()
    for step, name in enumerate(("gopher repetition", "gopher quality", "c4", "fineweb")):
        dropped.update(verdicts[i][step] for i in left if verdicts[i][step])
        left = [i for i in left if not verdicts[i][step]]
        assert left == theirs[name]
    assert dropped == {
        "gopher@datatrove/duplicate_line_fraction>0.3": 1,
        "gopher@datatrove/duplicate_line_char_fraction>0.2": 1,
        "gopher@datatrove/duplicate_5_gram_char_fraction>0.15": 1,
        "gopher@datatrove/alphabetic_word_fraction<0.8": 9,
        "c4@datatrove/sentence_count<5": 1,
        "fineweb@datatrove/duplicate_line_char_fraction>0.01": 1,
    }
    edited = [verdicts[i][4] for i in left]
    left = [left[k] for k in first_of_each_cluster(edited)]
    assert left == theirs["minhash"]
    assert sum(len(verdicts[i][4]) for i in left) == trace["characters"]


def first_of_each_cluster(texts):
    """Return the places of texts that share no band with an earlier one."""
    hashing = minhash.MinHash(bands=14, rows=8, ngram=5)
    words = segment(pa.array(texts))
    seen, kept = set(), []
    for place, keys in enumerate(minhash.band_keys(minhash.signatures(words, None, hashing), hashing).tolist()):
        if not seen.intersection(keys):
            kept.append(place)
        seen.update(keys)
    return kept
