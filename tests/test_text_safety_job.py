"""Safety, quality and personal data in a whole text job: every slot filled, every record accounted for."""

import hashlib
import json
import re
from collections import Counter
from pathlib import Path

import jobs
import pytest
from real_texts import sample

MAIL = re.compile(r"[\w.+-]+@(?:[\w-]+\.)+[A-Za-z]{2,}")


@pytest.fixture(scope="module")
def out(demo_input_dir, tmp_path_factory) -> Path:
    """Give the output of a recipe over the small input with a list of URLs, words, a scorer and a classifier."""
    folder = tmp_path_factory.mktemp("safety")
    (folder / "listed.txt").write_text("# manuals of one machine\ninstallation-guide-arm64.example\n")
    (folder / "words").mkdir()
    (folder / "words" / "en.txt").write_text("partition\nroot password\n")
    (folder / "words" / "ja.txt").write_text("パーティション\n")
    model = _model(folder)
    recipe = folder / "recipe.yaml"
    recipe.write_text(
        f"corpusmill: 1\ninputs: [{{name: manuals, uri: {demo_input_dir}}}, {{name: own, uri: {_planted(folder)}}}, "
        f"{{name: pages, uri: {_licensed(folder)}}}]\n"
        "text:\n  shards: 2\n  edits: []\n  rules: [gopher_v1]\n  dropped_text_sample: 1.0\n"
        f"  block_lists: [{{name: mine, path: {folder / 'listed.txt'}}}]\n"
        f"  listed_words: {{rules: badwords_c4_v1, path: {folder / 'words'}}}\n"
        "  scorers: [{max_flagged_fraction: 0.9}]\n"
        "  licenses: {keep: [cc_by, cc_by_sa, unstated]}\n"
        f"  quality: {{model: {model}, sha256: {hashlib.sha256(model.read_bytes()).hexdigest()}, threshold: 0.01}}\n"
    )
    jobs.run("run", recipe, "--out", folder / "out", "--quiet")
    return folder / "out"


def _planted(folder: Path) -> Path:
    """Return a file of real texts, each with two addresses of nobody in its middle."""
    lines = []
    for place, text in enumerate(text for text in sample() if len(text) > 2000):
        middle = text.index(" ", len(text) // 2)
        told = f" mail: hanako{place}@nobody.co.jp, taro@host{place}.ne.jp "
        lines.append(json.dumps({"id": f"planted-{place}", "text": text[:middle] + told + text[middle:]}) + "\n")
    (folder / "planted.jsonl").write_text("".join(lines))
    return folder / "planted.jsonl"


def _licensed(folder: Path) -> Path:
    """Return pages of real texts; what names a licence is the page, its picture, two that differ, or a sentence."""
    (folder / "pages").mkdir()
    by, nc = (
        f'<a rel=license href="https://creativecommons.org/licenses/{name}/4.0/">x</a>' for name in ("by", "by-nc")
    )
    stated = {
        "by": by,
        "nc": nc,
        "both": by + nc,
        "figure": f"<figure>{nc}</figure>",
        "text": nc.replace("rel=license", ""),
    }
    texts = [text for text in sample() if 3000 < len(text) < 9000]
    for (name, link), text in zip(stated.items(), texts, strict=False):
        paragraphs = "".join(f"<p>{line}</p>\n" for line in text.splitlines())
        page = f"<!doctype html><html><meta charset=utf-8><body><main>{paragraphs}</main>{link}</body></html>"
        (folder / "pages" / f"{name}.html").write_text(page)
    return folder / "pages"


def _model(folder: Path) -> Path:
    """Return a classifier of real texts that tells nothing: every second one against the others."""
    for name, texts in (("good", sample()[::2]), ("poor", sample()[1::2])):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    model = folder / "quality.bin"
    jobs.run(
        "quality", "train", "--positive", folder / "good.jsonl", "--negative", folder / "poor.jsonl", "--out", model
    )
    return model


def test_each_slot_drops_what_it_is_for_and_says_so(out):
    gone = [row for row in jobs.rows(out, "dropped") if row["verdict"] == "dropped"]
    listed = [row for row in gone if row["reason"].startswith("blocked_url/mine")]
    assert listed
    assert all("installation-guide-arm64" in row["uri"] for row in listed)
    kept = jobs.rows(out)
    assert not any("installation-guide-arm64" in row["uri"] for row in kept)
    worded = [row for row in gone if row["reason"].startswith("badwords_c4_v1/")]
    assert {"en", "ja"} <= {row["language"] for row in worded}
    assert not any(re.search(r"\bpartition\b", row["text"].lower()) for row in kept if row["language"] == "en")
    assert all(row["signals"]["listed_word_count"] is None for row in kept if row["language"] == "de")


def test_a_licence_is_the_pages_own_and_those_that_are_not_listed_go(out):
    kept = {row["uri"]: row for row in jobs.rows(out) if row["source"] == "pages"}
    gone = {row["uri"]: row for row in jobs.rows(out, "dropped") if row["source"] == "pages"}
    reasons = {uri: [each for each in row["reasons"] if each.startswith("license/")] for uri, row in gone.items()}
    assert reasons["pages:nc.html"] == ["license/cc_by_nc"]
    assert reasons["pages:both.html"] == ["license/contradictory"]
    everything = {**kept, **gone}
    for name, stated in (("by", "https://creativecommons.org/licenses/by/4.0/"), ("figure", None), ("text", None)):
        assert everything[f"pages:{name}.html"]["license"] == stated
        assert not reasons.get(f"pages:{name}.html")
    counted = jobs.manifest(out)["statistics"]["licenses"]
    assert sum(counted["cc_by_nc"].values()) == sum(counted["contradictory"].values()) == 1
    judged = ("kept", "dropped", "merged")
    assert sum(sum(each.values()) for each in counted.values()) == sum(jobs.funnel(out)[name] for name in judged)


def test_scores_stand_in_the_signals_of_the_languages_that_they_are_for(out):
    kept = jobs.rows(out)
    assert {row["language"] for row in kept if row["signals"]["toxicity_max"] is not None} == {"en"}
    assert all(0 <= row["signals"]["quality_score"] <= 1 for row in kept)


def test_mail_addresses_are_masked_wherever_they_would_be_published(out):
    found, left = Counter[str](), list[str]()
    for kind in ("documents", "dropped"):
        for row in jobs.rows(out, kind):
            for text in (row["text"], row["title"], *(part["alt"] for part in row.get("parts") or ())):
                found["masked"] += (text or "").count("<EMAIL>")
                left += MAIL.findall(text or "")
    assert found["masked"] >= 20
    assert not left
    stated = jobs.manifest(out)["statistics"]["personal"]
    assert stated["documents"] > 0 < stated["spans"]["email"]


def test_parts_still_cover_the_masked_text(out):
    for row in jobs.rows(out):
        at = 0
        for part in row["parts"]:
            if part["start"] < part["end"]:
                assert part["start"] == at
                at = part["end"]
        assert at == len(row["text"])


def test_the_account_balances_and_places_are_in_no_key(out, tmp_path):
    counts = jobs.funnel(out)
    assert counts["in"] == sum(n for name, n in counts.items() if name != "in")
    recipe = (out.parent / "recipe.yaml").read_text().replace(str(out.parent), str(tmp_path))
    pages = [f"pages/{page.name}" for page in (out.parent / "pages").iterdir()]
    for name in ("planted.jsonl", "listed.txt", "quality.bin", "words/en.txt", "words/ja.txt", *pages):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((out.parent / name).read_bytes())
    (tmp_path / "recipe.yaml").write_text(recipe)
    assert "nothing to do" in jobs.run("run", tmp_path / "recipe.yaml", "--out", out, "--quiet")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        pytest.param("text.quality={model: nowhere.bin, sha256: %s}" % ("a" * 64), "no file at", id="no model"),
        pytest.param("text.block_lists=[{name: A, path: x}]", "String should match", id="a name in capitals"),
        pytest.param("text.scorers=[{path: mine.onnx}]", "pinned by its sha256", id="a model that is not pinned"),
    ],
)
def test_what_is_missing_is_named(out, demo_input_dir, tmp_path, setting, message):
    said = jobs.start("text", demo_input_dir, "--out", tmp_path / "out", "--set", setting).communicate(timeout=120)
    assert message in "".join(said)


def test_the_best_of_a_cluster_stays(out):
    """The last test: it makes another snapshot of the same output, and measures nothing again."""
    staged = sorted((out / "text" / "staged").rglob("*"))
    jobs.run("run", out.parent / "recipe.yaml", "--out", out, "--quiet", "--set", "text.dedup.survivor=best_quality")
    assert sorted((out / "text" / "staged").rglob("*")) == staged
    score = {row["id"]: row["signals"]["quality_score"] for row in jobs.rows(out)}
    merged = [row for row in jobs.rows(out, "dropped") if row["reason"] in ("exact_duplicate", "near_duplicate")]
    assert sum(row["signals"]["quality_score"] < score[row["kept_id"]] for row in merged) > 10
    assert all(row["signals"]["quality_score"] <= score[row["kept_id"]] for row in merged)
    unknown = "text.dedup.survivor={signal: hash_cout, per: word_count, wish: lowest}"
    said = jobs.run("run", out.parent / "recipe.yaml", "--out", out, "--quiet", "--set", unknown, status=1)
    assert "no signal is called hash_cout; did you mean hash_count?" in said
