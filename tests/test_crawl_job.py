"""The real `corpusmill crawl` against a real site on loopback: what each URL comes to, and what stays after kills.

The site knows of each of its URLs what a good crawler makes of it; its log, in which every request has its start and
end, is the witness of politeness and of what was fetched twice.
"""

import json
import random
import time
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path
from urllib.parse import quote

import jobs
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fastwarc.warc import ArchiveIterator as FastIterator
from fastwarc.warc import WarcRecordType
from warcio.archiveiterator import ArchiveIterator

from manifests.runs import Run, read_run
from manifests.store import open_store
from pipelines.demo_input import fetch_package
from pipelines.demo_site.process import running_site
from pipelines.demo_site.site import demo_site

CONTACT = "tests@example.org"
APACHE = "http://apache.example/"
GENTLE = {"delay_s": 0, "delay_factor": 0, "max_delay_s": 0.2, "rounds": 12}
PART_PAGES = 16  # limits.checkpoint_pages


def settings(port, **fields):
    return [f"--set=crawl.{name}={value}" for name, value in {"test_only_loopback": port, **GENTLE, **fields}.items()]


def crawl(out, port, *seeds, more=(), **fields):
    return jobs.run("crawl", *seeds, "--contact", CONTACT, "--out", out, "--quiet", *settings(port, **fields), *more)


def requests(out):
    """Return the rows of the request log of the newest snapshot."""
    shards = [shard["name"] for shard in jobs.manifest(out, "crawl")["shards"] if shard["kind"] == "requests"]
    return pa.concat_tables([pq.read_table(out / name) for name in shards]).to_pylist()


def frontier(out):
    """Return URL -> its row in the newest frontier."""
    store, rows = open_store(out), {}
    for run in jobs.manifest(out, "crawl")["frontier"]:
        for batch in read_run(store, Run(**run)):
            rows |= {row["url"]: row for row in batch.to_pylist()}
    return rows


def fates(out):
    return {
        url: "/".join(filter(None, (row["state"], row["reason"] if row["state"] in ("refused", "failed") else None)))
        for url, row in frontier(out).items()
    }


def warcs(out, kind="warc"):
    return [out / shard["name"] for shard in jobs.manifest(out, "crawl")["shards"] if shard["kind"] == kind]


def asked(log):
    """Return (start, end, status, host, path) of each request that the site has answered."""
    lines = [line.split("\t") for line in log.read_text().splitlines()]
    return [(float(start), float(end), int(status), host, path) for start, end, status, host, path in lines]


@pytest.fixture(scope="module")
def site():
    return demo_site(full=False)


@pytest.fixture(scope="module")
def whole(site, tmp_path_factory):
    """A crawl of every host, to its end: (output, the site's log)."""
    folder = tmp_path_factory.mktemp("crawl")
    with running_site(log=folder / "log") as port:
        crawl(folder / "out", port, *site.seeds, max_depth=30)
    return folder / "out", asked(folder / "log")


def test_every_url_of_the_site_has_the_fate_that_it_should(whole, site):
    found = fates(whole[0])
    wrong = {url: (found.get(url), fate) for url, fate in site.fates.items() if found.get(url) != fate}
    assert not wrong
    assert len(site.fates) > 300


def test_the_crawl_comes_to_its_end_by_itself(whole):
    manifest = jobs.manifest(whole[0], "crawl")
    assert manifest["progress"]["finished"]
    assert not [url for url, row in frontier(whole[0]).items() if row["state"] == "pending"]


def test_nothing_that_robots_txt_disallows_was_asked_for(whole):
    out, log = whole
    disallowed = {url.partition("://")[2] for url, fate in fates(out).items() if fate == "refused/robots"}
    assert disallowed
    assert not disallowed & {host + path for _, _, _, host, path in log}


def test_every_host_was_asked_for_robots_txt_before_anything_else(whole):
    first = {}
    for _, _, _, host, path in sorted(whole[1]):
        first.setdefault(host, path)
    assert set(first.values()) == {"/robots.txt"}


def test_what_its_owner_refuses_is_in_no_file(whole):
    """Its words are, in a metadata record; its body is not."""
    refused = {url for url, fate in fates(whole[0]).items() if fate.startswith("refused/") and fate != "refused/robots"}
    assert len(refused) > 10
    seen = defaultdict(set)
    for path in [*warcs(whole[0]), *warcs(whole[0], "diagnostics")]:
        with path.open("rb") as file:
            for record in ArchiveIterator(file):
                seen[record.rec_headers.get_header("WARC-Target-URI")].add(record.rec_type)
    assert {frozenset(seen[url]) for url in refused} == {frozenset({"metadata"})}


def test_the_log_of_requests_quotes_the_owner(whole):
    row = next(row for row in requests(whole[0]) if row["uri"] == "http://corners.example/choice/noai.html")
    assert row["policy"] == "x-robots-tag: noai, max-image-preview:large"
    assert json.loads(row["signals"])["said"] == ["max-image-preview", "noai"]
    assert row["robots_digest"] is not None


def test_both_readers_find_the_same_responses_as_the_ledger(whole):
    out = whole[0]
    kept = Counter(row["uri"] for row in requests(out) if row["verdict"] == "kept" and row["kind"] == "page")
    by_warcio, by_fastwarc = Counter(), Counter()
    for path in warcs(out):
        with path.open("rb") as file:
            by_warcio.update(
                record.rec_headers.get_header("WARC-Target-URI")
                for record in ArchiveIterator(file)
                if record.rec_type == "response"
            )
        with path.open("rb") as file:
            by_fastwarc.update(
                record.headers["WARC-Target-URI"] for record in FastIterator(file, record_types=WarcRecordType.response)
            )
    assert kept == by_warcio == by_fastwarc
    assert sum(kept.values()) == jobs.manifest(out, "crawl")["ledger"]["out"]["kept"]


def test_verify_finds_it_sound_and_finds_a_flipped_bit(whole, tmp_path):
    out = whole[0]
    assert "sound" in jobs.run("verify", "--out", out, "--job", "crawl")
    path = warcs(out)[0]
    body = path.read_bytes()
    path.chmod(0o644)
    try:
        path.write_bytes(body[:1000] + bytes([body[1000] ^ 1]) + body[1001:])
        assert path.name in jobs.run("verify", "--out", out, "--job", "crawl", status=1)
    finally:
        path.write_bytes(body)


def test_inspect_tells_why_a_page_is_not_there(whole):
    said = jobs.run(
        "inspect", "--out", whole[0], "--job", "crawl", "--uri", "http://corners.example/private/notes.html"
    )
    assert json.loads(said)["reason"] == "robots"
    assert json.loads(said)["detail"] == "Disallow: /private/"


def test_traps_end(whole):
    out = whole[0]
    assert len([url for url in frontier(out) if "/calendar/" in url]) < 10
    skipped = jobs.manifest(out, "crawl")["statistics"]["links_skipped"]
    assert {"trap_calendar", "trap_session", "trap_path"} <= set(skipped)


def test_a_password_in_a_link_is_nowhere(whole):
    assert not [path for path in whole[0].rglob("*") if path.is_file() and b"secret" in path.read_bytes()]


def test_a_finished_crawl_says_so_and_asks_nobody(whole, site):
    out, _ = whole
    before = jobs.digest(out, "crawl")
    said = crawl(out, 9, *site.seeds, max_depth=30)  # nobody listens there
    assert "all done before" in said
    assert jobs.digest(out, "crawl") == before


@pytest.mark.parametrize("delay_s", [0.25])
def test_no_host_is_asked_twice_at_once_or_before_its_delay(tmp_path, delay_s):
    with running_site(log=tmp_path / "log") as port:
        crawl(tmp_path / "out", port, APACHE, delay_s=delay_s, max_delay_s=5, rounds=2, pages_per_host_and_round=20)
    by_host = defaultdict(list)
    for start, end, _, host, _ in sorted(asked(tmp_path / "log")):
        by_host[host].append((start, end))
    (log,) = by_host.values()
    assert len(log) > 20
    gaps = [after[0] - before[1] for before, after in pairwise(log)]
    assert min(gaps) >= delay_s - 0.1  # a starved site reads its clock long after the last byte is sent


def killed(out, port, rng, *seeds, **fields):
    """Start a crawl, kill it after a moment; return whether it was still running."""
    command = ["crawl", *seeds, "--contact", CONTACT, "--out", out, "--quiet", *settings(port, **fields)]
    process = jobs.start(*command, *limits())
    time.sleep(rng.uniform(1.5, 6.0))
    running = process.poll() is None
    jobs.kill(process)
    return running


def limits():
    return [f"--set=limits.checkpoint_pages={PART_PAGES}", "--set=limits.checkpoint_s=0.2"]


def survive(folder, kills, seed):
    """Crawl with kills; return (output, log, kills that met it alive)."""
    rng, out, alive = random.Random(seed), folder / "out", 0
    fields = {"delay_s": 0.01, "pages_per_host_and_round": 1000}
    with running_site(log=folder / "log", max_s=1500) as port:
        for _ in range(kills):
            alive += killed(out, port, rng, APACHE, **fields)
        crawl(out, port, APACHE, more=limits(), **fields)
    return out, asked(folder / "log"), alive


def holds_after_kills(folder, reference, kills, seed=7):
    out, log, alive = survive(folder, kills, seed)
    assert alive >= kills // 2
    assert fates(out) == {url: fate for url, fate in fates(reference).items() if url.startswith(APACHE)}
    fetched = Counter(
        path for _, _, _, host, path in log if path not in ("/robots.txt", "/ai.txt", "/.well-known/tdmrep.json")
    )
    again = sum(count - 1 for count in fetched.values())
    assert again <= alive * (2 * PART_PAGES + 1), "more was fetched again than what was open and under way"
    kept = Counter(row["uri"] for row in requests(out) if row["verdict"] == "kept")
    assert set(kept.values()) == {1}
    assert "sound" in jobs.run("verify", "--out", out, "--job", "crawl")


def test_a_crawl_that_is_killed_loses_nothing_and_fetches_little_again(whole, tmp_path):
    holds_after_kills(tmp_path, whole[0], kills=4)


@pytest.mark.long
def test_a_crawl_that_is_killed_fifty_times_loses_nothing(whole, tmp_path):
    for seed in range(10):
        (tmp_path / str(seed)).mkdir()
        holds_after_kills(tmp_path / str(seed), whole[0], kills=5, seed=seed)


def test_a_second_visit_asks_whether_pages_changed_and_stores_revisits(tmp_path):
    fields = {"rounds": 2, "pages_per_host_and_round": 30}
    with running_site(log=tmp_path / "log") as port:
        crawl(tmp_path / "out", port, APACHE, **fields)
        crawl(tmp_path / "out", port, APACHE, visits=2, **fields)
    states = Counter(row["verdict"] for row in requests(tmp_path / "out"))
    assert states["unchanged"] > 10
    revisits = []
    for path in warcs(tmp_path / "out", "diagnostics"):
        with path.open("rb") as file:
            revisits += [record.rec_headers for record in ArchiveIterator(file) if record.rec_type == "revisit"]
    assert len(revisits) == states["unchanged"]
    profile = "http://netpreserve.org/warc/1.1/revisit/server-not-modified"
    assert {headers.get_header("WARC-Profile") for headers in revisits} == {profile}
    dates = dates_of_responses(tmp_path / "out")
    for headers in revisits:
        assert dates[headers.get_header("WARC-Refers-To-Target-URI")] == headers.get_header("WARC-Refers-To-Date")


def dates_of_responses(out):
    dates = {}
    for path in [*warcs(out), *warcs(out, "diagnostics")]:
        with path.open("rb") as file:
            for record in ArchiveIterator(file):
                if record.rec_type == "response":
                    dates[record.rec_headers.get_header("WARC-Target-URI")] = record.rec_headers.get_header("WARC-Date")
    return dates


def test_more_rounds_go_on_where_the_last_ones_ended(tmp_path):
    with running_site(log=tmp_path / "log") as port:
        crawl(tmp_path / "out", port, APACHE, rounds=1)
        few = len(requests(tmp_path / "out"))
        crawl(tmp_path / "out", port, APACHE, rounds=2)
    assert len(requests(tmp_path / "out")) > few
    pages = [path for _, _, _, _, path in asked(tmp_path / "log") if path not in ("/robots.txt", "/ai.txt")]
    assert len(pages) == len(set(pages))


def test_limits_of_pages_hold(tmp_path):
    with running_site() as port:
        crawl(tmp_path / "out", port, APACHE, "http://debian-handbook.example/", max_pages=20)
    manifest = jobs.manifest(tmp_path / "out", "crawl")
    assert manifest["ledger"]["out"]["kept"] <= 20
    assert manifest["progress"]["finished"]


@pytest.mark.parametrize(
    ("seed", "said"),
    [
        ("http://127.0.0.1/", "blocked_address"),
        ("http://[::ffff:169.254.169.254]/latest/meta-data/", "blocked_address"),
        ("http://localhost:8080/", "blocked_address"),
        ("http://192.168.0.1/", "blocked_address"),
    ],
)
def test_without_the_switch_for_tests_nothing_on_this_machine_is_asked(tmp_path, seed, said):
    """Literal addresses and localhost need no name server; a server that listens would notice a request."""
    fields = ["--set=crawl.delay_s=0.5", "--set=crawl.max_delay_s=1", "--set=crawl.rounds=1"]
    jobs.run("crawl", seed, "--contact", CONTACT, "--out", tmp_path / "out", "--quiet", *fields)
    assert [row["reason"] for row in requests(tmp_path / "out")] == [said]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(("--contact", "nobody"), "neither a page nor a mail address", id="no contact"),
        pytest.param(("--contact", CONTACT, "--set=crawl.delay_s=0"), "no polite delay", id="no delay"),
        pytest.param(("--contact", CONTACT, "--set=crawl.agent=Mozilla/5.0"), "no product token", id="disguise"),
    ],
)
def test_rude_settings_are_refused(tmp_path, arguments, said):
    assert said in jobs.run("crawl", APACHE, "--out", tmp_path / "out", *arguments, status=2)


def test_a_text_job_reads_exactly_what_the_crawl_kept(whole, tmp_path, site):
    """The recipe's crawl block is an input of its text block: each kept page is one record there."""
    out = whole[0]
    recipe = tmp_path / "recipe.yaml"
    block = {"seeds": site.seeds, "contact": CONTACT, "test_only_loopback": 9, **GENTLE, "max_depth": 30}
    recipe.write_text(json.dumps({"corpusmill": 1, "crawl": block, "text": {"shards": 2}}))
    jobs.run("run", recipe, "--out", out, "--quiet")
    kept = jobs.manifest(out, "crawl")["ledger"]["out"]["kept"]
    funnel = jobs.manifest(out)["ledger"]
    assert funnel["in"] - funnel["out"]["skipped/warc_record_type"] == kept
    assert Path(out / "report").exists()


@pytest.mark.parametrize("body", ["{}", "[1]", "{"])
def test_a_damaged_marker_is_named(tmp_path, body):
    with running_site() as port:
        crawl(tmp_path, port, APACHE, rounds=1)
    marker = next(tmp_path.glob("crawl/rounds/*/generate/*.json"))
    next(tmp_path.glob("crawl/manifests/*.json")).unlink()
    marker.write_text(body)
    said = jobs.run("crawl", APACHE, "--contact", CONTACT, "--out", tmp_path, *settings(9, rounds=1), status=1)
    assert f"{marker.relative_to(tmp_path)}: a damaged marker" in said


def test_a_list_of_image_urls_is_fetched_with_its_captions(tmp_path):
    """As img2dataset takes them: a Parquet file of URLs and captions; the bytes are those of the package's files."""
    package = fetch_package("debian-handbook")
    images = sorted(package.page_folder.glob("ja-JP/images/*.png"))[:12]
    urls = [f"http://debian-handbook.example/{quote(str(path.relative_to(package.page_folder)))}" for path in images]
    captions = [f"図 {number}" for number in range(len(urls))]
    table = pa.table({"URL": [*urls, "file:///etc/hostname"], "TEXT": [*captions, "no"]})
    pq.write_table(table, tmp_path / "list.parquet")
    with running_site() as port:
        columns = {"url_column": "URL", "caption_column": "TEXT", "kinds": "[image]", "rounds": 1}
        crawl(tmp_path / "out", port, tmp_path / "list.parquet", **columns)
    bodies, told = {}, {}
    for path in warcs(tmp_path / "out"):
        with path.open("rb") as file:
            for record in ArchiveIterator(file):
                url = record.rec_headers.get_header("WARC-Target-URI")
                if record.rec_type == "response":
                    bodies[url] = record.content_stream().read()
                elif record.rec_type == "metadata":
                    told[url] = record.content_stream().read().decode()
    assert bodies == {url: path.read_bytes() for url, path in zip(urls, images, strict=True)}
    assert all(f"caption: {caption}\r\n" in told[url] for url, caption in zip(urls, captions, strict=True))
    assert jobs.manifest(tmp_path / "out", "crawl")["statistics"]["links_skipped"]["scheme"] == 1


def test_a_prefix_that_is_excluded_later_is_left_alone_from_then_on(tmp_path):
    """An owner asks to be left out between two rounds: what is known already is not asked for either."""
    with running_site(log=tmp_path / "log") as port:
        crawl(tmp_path / "out", port, APACHE, rounds=1)
        before = len(asked(tmp_path / "log"))
        crawl(tmp_path / "out", port, APACHE, rounds=2, exclude="[http://apache.example/]")
    assert len(asked(tmp_path / "log")) == before
