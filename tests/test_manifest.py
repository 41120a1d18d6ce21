"""The ledger balances or nothing is committed; a commit is one object, and two at once are one winner."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from manifests.keys import canonical_json, digest_of, record_id
from manifests.ledger import Account, LedgerError, balance, funnel, total
from manifests.manifest import commit, load_manifest, manifest_name, newest_version, seal
from manifests.store import open_store


def account(read: int, **counts: int) -> Account:
    made = Account("unit", read=read)
    for verdict, count in counts.items():
        made.add(verdict, "", count)
    return made


def test_a_balanced_account_passes():
    (row,) = balance([account(6, kept=1, dropped=1, merged=1, refused=1, quarantined=1, skipped=1)])
    assert funnel(row)["in"] == 6


@pytest.mark.parametrize("read", [pytest.param(3, id="a record was lost"), pytest.param(1, id="a record was made up")])
def test_an_unbalanced_account_names_its_unit(read):
    with pytest.raises(LedgerError, match=f"unit unit: {read} records read, 2 accounted for"):
        balance([account(read, kept=1, dropped=1)])


def test_an_unknown_verdict_is_refused():
    with pytest.raises(ValueError, match="'lost' is not a verdict"):
        Account("unit").add("lost", "", 1)


def test_totals_add_up():
    whole = total([account(2, kept=2), account(3, kept=1, dropped=2)])
    assert (whole.read, whole.total("kept"), whole.total("dropped")) == (5, 3, 2)


def test_snapshots_are_numbered_and_found_without_the_hint(tmp_path):
    store = open_store(tmp_path)
    assert newest_version(store, "text") == 0
    assert commit(store, "text", {"a": 1})[0] == 1
    assert commit(store, "text", {"a": 2})[0] == 2
    store.delete("text/CURRENT")
    assert newest_version(store, "text") == 2
    store.put_new("text/CURRENT", b"9")
    assert newest_version(store, "text") == 2


def test_the_newest_snapshot_is_not_committed_again(tmp_path):
    store = open_store(tmp_path)
    first = commit(store, "text", {"a": 1})
    assert commit(store, "text", {"a": 1}) == first


def test_going_back_to_an_earlier_snapshot_makes_it_the_newest(tmp_path):
    store = open_store(tmp_path)
    _, first = commit(store, "text", {"a": 1})
    commit(store, "text", {"a": 2})
    assert commit(store, "text", {"a": 1}) == (3, first)
    assert load_manifest(store, "text", newest_version(store, "text"))["a"] == 1


def test_two_launchers_that_commit_at_once_both_stand(tmp_path):
    versions: list[int] = []
    bodies = [{"a": number} for number in range(8)]
    threads = [
        threading.Thread(target=lambda b=b: versions.append(commit(open_store(tmp_path), "text", b)[0])) for b in bodies
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store = open_store(tmp_path)
    assert sorted(versions) == list(range(1, 9))
    assert sorted(load_manifest(store, "text", v)["a"] for v in versions) == list(range(8))


@pytest.mark.parametrize(("after", "is_refused"), [("first", True), ("second", False), ("", True), (None, False)])
def test_what_goes_on_from_a_snapshot_is_committed_after_no_other(tmp_path, after, is_refused):
    store = open_store(tmp_path)
    digests = {name: commit(store, "crawl", {"a": name})[1]["digest"] for name in ("first", "second")}
    after = digests.get(after, after)
    if not is_refused:
        assert commit(store, "crawl", {"a": "third"}, after=after)[0] == 3
        return
    with pytest.raises(RuntimeError, match=r"another crawl has committed crawl/manifests/v000002.json .*same command"):
        commit(store, "crawl", {"a": "third"}, after=after)
    assert newest_version(store, "crawl") == 2


def test_of_many_that_go_on_from_one_snapshot_one_is_committed(tmp_path):
    def tried(number: int) -> bool:
        try:
            return bool(commit(open_store(tmp_path), "crawl", {"a": number}, after=""))
        except RuntimeError:
            return False

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(tried, range(16))) == 1
    assert newest_version(open_store(tmp_path), "crawl") == 1


def test_a_changed_body_does_not_have_its_digest(tmp_path):
    store = open_store(tmp_path)
    body = seal({"a": 1}) | {"a": 2}
    store.put_new(manifest_name("text", 1), canonical_json(body))
    with pytest.raises(ValueError, match="does not have the digest"):
        load_manifest(store, "text", 1)


def test_canonical_json_has_one_form():
    assert canonical_json({"b": 1, "a": "日"}) == '{"a":"日","b":1}'.encode()
    assert digest_of({"b": 1, "a": 2}) == digest_of({"a": 2, "b": 1})
    with pytest.raises(ValueError, match=r"nan|NaN|Out of range"):
        canonical_json(float("nan"))


def test_a_record_is_its_uri_and_its_bytes():
    assert record_id("a", b"1") != record_id("a", b"2") != record_id("b", b"2")
    assert len(record_id("a", b"1")) == 16
