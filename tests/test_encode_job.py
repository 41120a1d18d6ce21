"""The real commands over snapshots of every job: what stands in Megatron's files is what SentencePiece gives."""

import io
import json
import math
import shutil
from collections import Counter, defaultdict

import encode_world as world
import jobs
import numpy as np
import pyarrow.parquet as pq
import pytest

from manifests.manifest import commit
from manifests.store import open_store
from manifests.verify import verify
from tokenizer.groups import Group
from tokenizer.mixture_reader import MixtureReader

MIXED = ("--set", "mixture.by=unimax", "--set", "mixture.sequence_tokens=64")
STAGES = "mixture.stages=[{name: main, fraction: 0.8}, {name: late, fraction: 0.2, weights: {code: 4.0}}]"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A store in which every job is encoded and mixed."""
    from pipelines.cli import main

    out = tmp_path_factory.mktemp("encode")
    world.snapshots(out, tmp_path_factory.mktemp("scratch"))
    chosen = "encode.corpora=[text, captions, transcripts, interleaved, conversations]"
    quiet = ["--out", str(out), "--quiet", "--workers", "1"]
    asked = ["--set", chosen, "--set", "encode.media_signs={image: <image>}", "--set", "encode.shards=2"]
    assert main(["encode", *quiet, *asked]) == 0
    assert main(["mix", *quiet, *MIXED, "--set", STAGES]) == 0
    return out


def rows(out, kind="tokens"):
    names = [shard["name"] for shard in world.newest(out, "tokens")["shards"] if shard["kind"] == kind]
    return [row for name in names for row in pq.read_table(out / name).to_pylist()]


def plain(text: str) -> list[int]:
    return list(world.processor().encode(text))


EOS = 1


def test_the_text_of_every_document_stands_in_the_files_token_for_token(made):
    expected = {row["id"]: [*plain(row["text"]), EOS] for row in world.documents() if row["text"]}
    found = [row for row in rows(made) if row["corpus"] == "text"]
    assert {row["id"]: row["ids"] for row in found} == expected
    assert len(found) == len(expected)
    for row in found:
        files = world.Megatron(made / row["prefix"])
        assert files[row["sequence"]].tolist() == row["ids"]
        assert row["lengths"] == [len(row["ids"])] == [row["token_count"]]
        assert row["mask"] is None


def test_documents_of_all_jobs_are_there(made):
    found = {row["id"]: row for row in rows(made)}
    image = plain("A cat.\n猫")
    assert found[world.record_id("image", 0)]["ids"] == [*image, EOS]
    assert found[world.record_id("audio", 0)]["ids"] == [*plain("こんにちは、世界。"), EOS]
    sign = world.processor().piece_to_id("<image>")
    assert found[world.record_id("interleaved")]["ids"] == [*plain("one "), sign, *plain("two"), EOS]
    kinds = Counter(row["kind"] for row in rows(made))
    assert set(kinds) == {"text", "code", "caption", "transcript", "interleaved", "conversation"}


def test_masks_lie_beside_their_tokens(made):
    talks = [row for row in rows(made) if row["corpus"] == "conversations"]
    assert {row["id"] for row in talks} == {world.record_id("talk", n) for n in range(len(world.TALK))}
    for row in talks:
        files, masks = world.Megatron(made / row["prefix"]), world.Megatron(made / f"{row['prefix']}.mask")
        assert masks[row["sequence"]].tolist() == row["mask"]
        assert len(masks[row["sequence"]]) == len(files[row["sequence"]])
        assert sum(row["mask"]) == row["learnt_token_count"]
        learnt = [t for t, is_learnt in zip(row["ids"], row["mask"], strict=True) if is_learnt]
        said = [content for role, content in world.TALK[_number(row)] if role == "assistant"]
        end = world.processor().piece_to_id("<end_of_turn>")
        assert learnt == [token for content in said for token in [*plain(content), end]]


def _number(row) -> int:
    return next(n for n in range(9) if world.record_id("talk", n) == row["id"])


def test_every_record_is_accounted_for(made):
    manifest = world.newest(made, "tokens")
    ledger = manifest["ledger"]
    assert ledger["in"] == len(world.documents()) + 3 + 2 + 1 + len(world.TALK) + len(world.BAD_TALK)
    assert ledger["out"] == {
        "kept": len(rows(made)),
        "skipped/no_text": 1 + 1 + 1,  # a document, a picture without a caption, a sound without a transcript
        "quarantined/malformed_record": len(world.BAD_TALK),
    }
    details = {row["detail"] for row in rows(made, "quarantine")}
    assert "no message" in details and len(details) == len(world.BAD_TALK)
    assert verify(open_store(made), "tokens").is_sound
    assert verify(open_store(made), "mixture").is_sound


def test_counts_by_source_and_language_are_those_of_the_files(made):
    manifest = world.newest(made, "tokens")
    counted = defaultdict(int)
    for row in rows(made):
        counted[row["kind"], row["source"], row["language"]] += len(row["ids"])
    told = {
        (kind, source, language): numbers["tokens"]
        for kind, sources in manifest["statistics"]["tokens"].items()
        for source, languages in sources.items()
        for language, numbers in languages.items()
    }
    assert told == dict(counted)
    files = [s for s in manifest["shards"] if s["name"].endswith(".bin") and ".mask" not in s["name"]]
    assert sum(told.values()) * 2 == sum(shard["bytes"] for shard in files)  # uint16
    assert {"ja", "zh", "ko", "ar", "hi", "th", "en", "ru"} <= {language for _, _, language in told}


def test_the_mixture_reads_what_was_encoded(made):
    store, mixture = open_store(made), world.newest(made, "mixture")
    reader = MixtureReader(store, mixture, world.newest(made, "tokens"))
    streams = {
        Group(*each["group"]): [t for p in each["prefixes"] for t in _tokens(made / p)]
        for each in mixture["mixture"]["groups"]
    }
    for n in range(0, reader.samples, 7):
        sample = reader.sample(n, seed=1)
        assert len(sample.tokens) == 64
        stream = streams[sample.group]
        laid = np.array((math.ceil(64 / len(stream)) + 1) * stream, np.uint16).tobytes()
        assert sample.tokens.tobytes() in laid
    reader.close()
    main, late = mixture["mixture"]["stages"]
    assert main["tokens"] + late["tokens"] == mixture["mixture"]["tokens"]
    share = [_share(mixture["mixture"], stage, "code") for stage in (main, late)]
    assert share[1] > 1.5 * share[0] > 0
    blend = next(made.glob("mixture/blends/01-late-*.txt")).read_text().split()
    assert sum(map(float, blend[::2])) == pytest.approx(late["tokens"])
    assert all((made / f"{prefix}.idx").exists() for prefix in blend[1::2])


def _tokens(prefix) -> list[int]:
    files = world.Megatron(prefix)
    return [token for n in range(len(files)) for token in files[n].tolist()]


def _share(mixture, stage, kind) -> float:
    own = [n for each, n in zip(mixture["groups"], stage["samples"], strict=True) if each["group"][2] == kind]
    return sum(own) / sum(stage["samples"])


def test_the_report_shows_tokens_and_mixture(made):
    from pipelines.report.encode import tokens_section
    from pipelines.report.encode_data import mixture_data, tokens_data
    from pipelines.report.mixture import mixture_section

    tokens, mixture = world.newest(made, "tokens"), world.newest(made, "mixture")
    shown = str(tokens_section(tokens_data(tokens)))
    for part in ("Japanese", "Hindi", "Thai", "captions of", "malformed record"):
        assert part in shown
    whole = sum(n["tokens"] for k in tokens["statistics"]["tokens"].values() for s in k.values() for n in s.values())
    assert f"{whole:,}" in shown
    assert tokens_data(tokens).total.tokens == whole
    shown = str(mixture_section(mixture_data(mixture)))
    assert "late" in shown and f"{mixture['mixture']['tokens']:,}" in shown


def test_plans_run_nothing_and_refusals_say_what_to_do(made, tmp_path, capsys):
    from pipelines.cli import main

    assert main(["encode", "--out", str(made), "--plan"]) == 0
    assert json.loads(capsys.readouterr().out)["tokenizer"]["vocabulary"] == 3000
    assert main(["mix", "--out", str(made), "--plan", "--set", "mixture.sequence_tokens=32"]) == 0
    assert json.loads(capsys.readouterr().out)["sequence_tokens"] == 32
    for asked, said in (
        (["encode", "--out", str(tmp_path)], "no snapshot to encode"),
        (["mix", "--out", str(tmp_path)], "no snapshot has been committed"),
        (["encode", "--out", str(made), "--set", "encode.corpora=[code]"], "no snapshot that holds it"),
        (["encode", "--out", str(made), "--set", "encode.over_long=cut"], "needs max_tokens"),
        (["encode", "--out", str(made), "--set", "encode.media_signs={video: <film>}"], "no piece '<film>'"),
        (["encode", "--out", str(made), "--set", f"encode.sha256='{'0' * 64}'"], "the newest tokenizer"),
        (["mix", "--out", str(made), "--set", "mixture.total_tokens=900000000"], "max_epochs=4"),
    ):
        assert main(asked) != 0
        assert said in capsys.readouterr().err


def test_conversations_without_signs_are_left_out_and_said_so(tmp_path, capsys):
    from pipelines.cli import main

    world.snapshots(tmp_path, tmp_path, {"signs": ()})
    assert main(["encode", "--out", str(tmp_path), "--plan"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["left_out"] == {"conversations": "the vocabulary has no piece <end_of_turn>"}
    assert "conversations" not in plan["corpora"] and "text" in plan["corpora"]
    assert main(["encode", "--out", str(tmp_path), "--plan", "--set", "encode.corpora=[conversations]"]) == 1
    assert "no piece '<end_of_turn>'" in capsys.readouterr().err


# --- the same bytes, whatever happens


def encoded(out, *options) -> str:
    jobs.run("encode", "--out", out, "--quiet", *options)
    return world.newest(out, "tokens")["digest"]


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """Give copies of a store with snapshots that nobody has encoded."""
    root = tmp_path_factory.mktemp("fresh")
    world.snapshots(root / "first", tmp_path_factory.mktemp("scratch"))

    def copy(name: str):
        shutil.copytree(root / "first", root / name)
        return root / name

    return copy


@pytest.mark.long
def test_workers_replays_and_kills_change_no_byte(fresh):
    digest = encoded(fresh("one"), "--workers", "1")
    assert encoded(fresh("four"), "--workers", "4") == digest
    assert encoded(fresh("replayed"), "--", "--direct_runner_bundle_repeat=1") == digest
    out = fresh("killed")
    for count in range(1, 8):
        process = jobs.start("encode", "--out", out, "--quiet", "--workers", "2")
        before = len(jobs.markers(out))
        jobs.wait_for(lambda before=before: len(jobs.markers(out)) > before, process)
        jobs.kill(process)
        assert count
    assert encoded(out) == digest
    assert encoded(out) == digest  # and once more: all done before
    assert not verify(open_store(out), "tokens").problems


@pytest.mark.long
@pytest.mark.parametrize(
    "options",
    [
        pytest.param(["--set", "encode.max_tokens=64", "--set", "encode.over_long=split"], id="split"),
        pytest.param(["--set", "encode.max_tokens=64", "--set", "encode.over_long=cut"], id="cut"),
        pytest.param(["--set", "encode.max_tokens=64", "--set", "encode.over_long=drop"], id="dropped"),
        pytest.param(["--set", "encode.formats=[parquet]", "--set", "encode.bos=true"], id="Parquet alone"),
        pytest.param(["--set", "encode.formats=[megatron]", "--set", "encode.shards=5"], id="Megatron alone"),
    ],
)
def test_policies_and_formats_balance(fresh, options, request):
    out = fresh(request.node.callspec.id)
    encoded(out, *options)
    manifest = world.newest(out, "tokens")
    found, dropped = rows(out), rows(out, "dropped")
    assert verify(open_store(out), "tokens").is_sound
    assert manifest["ledger"]["out"]["kept"] == len(found)
    tokens = sum(n["tokens"] for k in manifest["statistics"]["tokens"].values() for s in k.values() for n in s.values())
    assert tokens == sum(row["token_count"] for row in found) == sum(sum(row["lengths"]) for row in found)
    if "max_tokens" in options[1]:
        assert max(length for row in found for length in row["lengths"]) <= 64
        for row in found:
            files = world.Megatron(out / row["prefix"])
            pieces = [files[row["sequence"] + k].tolist() for k in range(len(row["lengths"]))]
            assert [token for piece in pieces for token in piece] == row["ids"]
    whole = {row["id"]: [*plain(row["text"]), EOS] for row in world.documents() if row["text"]}
    lost = sum(row["cut_tokens"] for row in found)
    assert tokens + lost + sum(row["token_count"] for row in dropped) >= sum(map(len, whole.values()))


@pytest.mark.long
def test_a_changed_shard_is_encoded_and_the_others_are_not(fresh):
    out = fresh("changed")
    encoded(out)
    before = set(jobs.markers(out))
    text = world.newest(out, "text")
    kept = [shard for shard in text["shards"] if shard["records"]][:-1]
    commit(open_store(out), "text", {"job": "text", "shards": kept})
    encoded(out)
    added = [path for path in set(jobs.markers(out)) - before if path.parent.name == "encode"]
    assert added == []
    assert len(rows(out)) < sum(shard["records"] for shard in text["shards"])


def test_a_shard_that_is_damaged_is_named(fresh):
    from pipelines.cli import main

    out = fresh("damaged")
    path = out / world.newest(out, "text")["shards"][0]["name"]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    error = io.StringIO()
    from contextlib import redirect_stderr

    with redirect_stderr(error):
        assert main(["encode", "--out", str(out), "--quiet", "--workers", "1"]) == 1
    assert path.name in error.getvalue() and "sha256" in error.getvalue()
