"""A page that comes back with the same bytes: a revisit record that names the earlier one (WARC 1.1, section 6.7.2)."""

import hashlib
import json

import jobs
import pytest
from recording_server import ABSENT, recording, response
from simulated_web import EPOCH, Host, JumpingLoop, Ledger, Web, block, run_crawl, target, terms_for
from warcio.archiveiterator import ArchiveIterator

from pipelines.crawl.fetched import pending_rows
from pipelines.crawl.records import FRONTIER

PAGE = "<html><body><p>雪国 a page without a validator</p></body></html>".encode()


def records(out):
    found = []
    for shard in jobs.manifest(out, "crawl")["shards"]:
        if shard["kind"] in ("warc", "diagnostics"):
            with (out / shard["name"]).open("rb") as file:
                for record in ArchiveIterator(file, check_digests="raise"):
                    head = dict(record.rec_headers.headers)
                    found.append((shard["kind"], record.rec_type, head.get("WARC-Target-URI"), head))
                    record.content_stream().read()
    return found


def test_the_same_bytes_are_stored_once_and_a_changed_page_again(tmp_path):
    changed = []

    def answer(host, path):
        return ABSENT if path not in ("/same", "/other") else response(PAGE + b"2" * (path == "/other") * len(changed))

    with recording(answer) as site:
        for visits in (1, 2):
            given = {"test_only_loopback": site.port, "delay_s": 0, "max_delay_s": 0.2, "rounds": visits}
            given["visits"] = visits
            settings = [f"--set=crawl.{name}={json.dumps(value)}" for name, value in given.items()]
            seeds = ["http://a.example/same", "http://a.example/other"]
            jobs.run("crawl", *seeds, "--contact", "t@example.org", "--out", tmp_path, "--quiet", *settings)
            changed.append(True)
    found = records(tmp_path)
    kept = [(uri, head) for kind, name, uri, head in found if (kind, name) == ("warc", "response")]
    assert sorted(uri for uri, _ in kept) == ["http://a.example/other"] * 2 + ["http://a.example/same"]
    (revisit,) = [head for kind, name, _, head in found if (kind, name) == ("diagnostics", "revisit")]
    (first,) = [head for uri, head in kept if uri == "http://a.example/same"]
    assert revisit["WARC-Profile"].endswith("/identical-payload-digest")
    assert revisit["WARC-Payload-Digest"] == first["WARC-Payload-Digest"]
    assert revisit["WARC-Refers-To-Target-URI"] == first["WARC-Target-URI"]
    assert revisit["WARC-Refers-To-Date"] == first["WARC-Date"]
    assert jobs.manifest(tmp_path, "crawl")["ledger"]["out"]["skipped/not_modified"] == 1


@pytest.mark.parametrize(
    ("given", "fields", "state"),
    [
        pytest.param({}, {}, "unchanged", id="the same bytes"),
        pytest.param({}, {"content-encoding": "identity"}, "unchanged", id="not coded, and says so"),
        pytest.param({}, {"content-encoding": "gzip"}, "kept", id="coded: what was sent may differ"),
        pytest.param({"digest": b"d" * 32}, {}, "kept", id="other bytes"),
        pytest.param({"fetched_s": None}, {}, "kept", id="nobody knows which record held them"),
        pytest.param({}, {"x-robots-tag": "noai"}, "unchanged", id="its owner's word is heard later"),
    ],
)
def test_when_a_page_counts_as_unchanged(given, fields, state):
    url = "http://a.example/page"
    row = pending_rows([target(url)]).to_pylist()[0] | {"state": "kept", "visits": 1, "fetched_s": EPOCH - 100}
    row |= {"digest": hashlib.sha256(hashlib.sha256(b"/page").digest()).digest(), **given}
    table = FRONTIER.empty_table().from_pylist([row], FRONTIER)
    loop, sink = JumpingLoop(), Ledger()
    web = Web({"a.example": Host(answers={"/page": (200, fields)})}, lambda: EPOCH + loop.time())
    assert run_crawl(loop, web, table, terms_for(table, block()), sink)
    loop.close()
    (fetched,) = sink.fetched
    assert fetched.state == state
