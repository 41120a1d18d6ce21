"""A crawl whose own files are damaged or gone names the file and says what to do; doing it mends the crawl."""

import json
import shutil
import time

import jobs
import pytest
from test_crawl_hostile import a_page, ok, requests, site
from test_crawl_hostile import arguments as crawl_arguments

SEEDS = [f"http://h{n}.example/" for n in range(6)]


def arguments(out, port, **fields):
    return [*crawl_arguments(out, port, *SEEDS, **fields), "--set=limits.checkpoint_pages=1"]


def refusal(out, port, **fields):
    """Run a crawl that must end with status 1; return the one line that it says."""
    process = jobs.start(*arguments(out, port, **fields))
    _, err = process.communicate(timeout=60)
    assert (process.returncode, len(err.splitlines())) == (1, 1), err
    assert err.startswith("corpusmill: ")
    assert "while running" not in err
    return err


def forget_the_end(out):
    """Leave a round as if its crawl had been killed after its last part."""
    next(out.glob("crawl/manifests/v*.json")).unlink()
    for marker in [*out.glob("crawl/rounds/*/fetch/*/done.json")]:
        marker.unlink()
    for folder in [*out.glob("crawl/rounds/*/update"), *out.glob("crawl/rounds/*/write")]:
        shutil.rmtree(folder)


@pytest.fixture
def crawled(tmp_path):
    with site(a_page) as (port, _):
        jobs.run(*arguments(tmp_path, port))
        yield tmp_path, port


@pytest.mark.parametrize("body", ["{", "{}", "[]"])
@pytest.mark.parametrize(
    "pattern",
    ["crawl/rounds/*/plan.json", "crawl/rounds/*/fetch/00000/part-00000.json", "crawl/manifests/v000001.json"],
)
def test_a_damaged_file_is_named_with_what_to_do(crawled, pattern, body):
    out, port = crawled
    if "manifests" not in pattern:
        forget_the_end(out)
    (path,) = out.glob(pattern)
    path.write_text(body)
    said = refusal(out, port)
    assert said.startswith(f"corpusmill: {path.relative_to(out)}: a damaged ")
    assert "delete" in said


@pytest.mark.parametrize("body", ["{", "{}", "[]"])
@pytest.mark.parametrize("folder", ["job", "00000-of-00001"])
def test_a_damaged_claim_is_named_and_may_be_deleted(crawled, folder, body):
    out, port = crawled
    forget_the_end(out)
    path = max(out.glob(f"crawl/claims/{folder}/claims/*.json"))
    path.write_text(body)
    assert refusal(out, port).startswith(f"corpusmill: {path.relative_to(out)}: a damaged claim")
    path.unlink()
    jobs.run(*arguments(out, port))


def test_a_part_that_is_missing_is_named_and_its_range_is_fetched_again(tmp_path):
    def one_after_another(host: str, path: str) -> bytes:  # so that they don't all stand in one part
        time.sleep(0.2 * int(host[1]))
        return a_page(host, path)

    with site(one_after_another) as (port, _):
        jobs.run(*arguments(tmp_path, port))
        forget_the_end(tmp_path)
        parts = sorted(tmp_path.glob("crawl/rounds/*/fetch/00000/part-*.json"))
        assert len(parts) > 1
        parts[0].unlink()
        said = refusal(tmp_path, port)
        assert said.startswith(f"corpusmill: {parts[0].relative_to(tmp_path)}: missing, though ")
        assert f"delete {parts[0].parent.relative_to(tmp_path)}/" in said
        shutil.rmtree(parts[0].parent)
        jobs.run(*arguments(tmp_path, port))
    assert sorted(row["uri"] for row in requests(tmp_path) if row["verdict"] == "kept") == SEEDS


@pytest.mark.parametrize("kind", ["frontier", "hosts"])
def test_a_damaged_run_of_a_snapshot_is_not_to_be_deleted_alone(tmp_path, kind):
    """What the message advises brings the same bytes back."""

    def linked(host: str, path: str) -> bytes:
        return ok(b"<a href=/next>") if path == "/" else a_page(host, path)

    with site(linked) as (port, _):
        jobs.run(*arguments(tmp_path, port))
        name = jobs.manifest(tmp_path, "crawl")[kind][0]["name"]
        path = tmp_path / name
        sound = path.read_bytes()
        path.write_bytes(sound[:100] + bytes([sound[100] ^ 1]) + sound[101:])
        said = refusal(tmp_path, port, rounds=2)
        folder = name.rpartition("/")[0]
        assert said.startswith(f"corpusmill: {name}: ")
        assert f"restore it, or delete the newest of crawl/manifests/ and {folder}/" in said
        (tmp_path / "crawl/manifests/v000001.json").unlink()
        shutil.rmtree(tmp_path / folder)
        jobs.run(*arguments(tmp_path, port, rounds=2))
    assert path.read_bytes() == sound
    assert sum(row["verdict"] == "kept" for row in requests(tmp_path)) == 2 * len(SEEDS)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_damaged_list_of_tasks_or_runs_is_named(crawled, workers):
    out, port = crawled
    forget_the_end(out)
    for path in out.glob("crawl/plans/runs-*.json"):
        if json.loads(path.read_bytes()):
            path.write_text("{}")
    process = jobs.start(*arguments(out, port), "--workers", str(workers))
    _, err = process.communicate(timeout=60)
    assert (process.returncode, len(err.splitlines())) == (1, 1), err
    assert err.startswith("corpusmill: crawl/plans/runs-")
    assert "elete it" in err
