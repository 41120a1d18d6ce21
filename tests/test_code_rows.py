"""Rows of code and of issues, and who said no: nothing of an owner on a list is read, whatever holds it."""

import gzip
import json

import jobs
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.safety.url_lists import UrlList, compiled
from manifests.limits import Limits
from manifests.local_store import LocalStore
from manifests.reasons import Refused, RefusedCode
from pipelines.repositories.names import OptOuts, address_of, of_url, opt_outs
from pipelines.repositories.plan import code_units
from pipelines.repositories.rows import RowReader
from pipelines.stages.broken import QuarantineError, refuse_broken

NOBODY = OptOuts(frozenset(), frozenset())
ISSUE = {
    "repo": "jane/parser",
    "issue_number": 12,
    "events": [
        {"author": "jane", "title": "長い行で落ちる", "text": "See https://x.example/log.\n\n" + "details " * 40},
        {"author": "john", "text": "I can confirm, @jane. The line is too long."},
    ],
}  # fmt: skip
CODE = {"repo_name": "jane/parser", "path": "src/a.py", "content": "def f():\n    return 1\n", "license": "mit"}


@pytest.mark.parametrize(
    ("url", "name", "address"),
    [
        ("https://user:secret@github.com/Owner/Name.git", "Owner/Name", "https://github.com/Owner/Name"),
        ("git@github.com:owner/name.git", "owner/name", "https://github.com/owner/name"),
        ("ssh://git@git.example:2222/group/sub/name", "sub/name", "https://git.example/sub/name"),
        ("/srv/git/name.git", "git/name", None),
        ("", None, None),
    ],
)
def test_a_remote_names_its_repository_and_never_its_credentials(url, name, address):
    assert of_url(url) == name
    assert address_of(url) == address


@given(st.text(st.sampled_from("ab/:@.git-https"), max_size=30))
def test_any_remote_has_a_name_or_none(url):
    assert of_url(url) is None or of_url(url).count("/") == 1


def test_owners_repositories_and_lists_of_sites_say_no(tmp_path):
    (tmp_path / "sites.txt").write_text("github.com/closed/\nforge.example\n")
    (tmp_path / "names.txt").write_text("# asked on 2026-01-02\nGone\nopen/secret\n")
    table = compiled([UrlList("sites", str(tmp_path / "sites.txt"))])
    named = opt_outs(["a/b"], ["Q"], [str(tmp_path / "names.txt")])
    said = OptOuts(named.repositories, named.owners, table)
    assert said.refusal("GONE/any") == said.refusal("q/x") == RefusedCode.OPT_OUT_OWNER
    assert said.refusal("Open/Secret") == said.refusal("A/B") == RefusedCode.OPT_OUT_REPOSITORY
    assert said.refusal("closed/x", "https://github.com/closed/x") == Refused.OPT_OUT
    assert said.refusal("x/y", "https://forge.example/x/y") == Refused.OPT_OUT
    assert said.refusal("open/door", "https://github.com/open/door") is None
    assert said.refusal("gone") is None  # an archive's name is no owner's


def lines_of(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    body = "".join(
        json.dumps(row, ensure_ascii=False) + "\n" if not isinstance(row, str) else row + "\n" for row in rows
    )
    path.write_bytes(gzip.compress(body.encode(), mtime=0) if path.suffix == ".gz" else body.encode())


def items(folder, kind, said=NOBODY):
    store = LocalStore(folder)
    units = code_units(store, "in", "auto", 1 << 20, kind)
    return [item for unit in units for item in RowReader(Limits(), said).items(store, unit)]


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.jsonl.gz"])
def test_json_lines_hold_files_and_issues_and_a_bad_line_costs_itself(tmp_path, name):
    lines_of(tmp_path / name, [CODE, "{broken", ISSUE, "[1]", {**CODE, "path": "../up.py"}, {**CODE, "content": None}])
    found = items(tmp_path, "jsonl")
    assert [(item.what, item.reason) for item in found] == [
        ("file", ""),
        ("fault", "malformed_record"),
        ("file", ""),
        ("fault", "malformed_record"),
        ("fault", "code_unsafe_path"),
        ("fault", "empty_payload"),
    ]
    assert (found[0].repository, found[0].path, found[0].inherited.expression) == ("jane/parser", "src/a.py", "MIT")
    assert (found[2].repository, found[2].path, found[2].media_type) == (
        "jane/parser",
        "issues/12",
        "application/x-issue+json",
    )


def test_json_lines_among_other_files_are_files(tmp_path):
    lines_of(tmp_path / "rows.jsonl", [CODE])
    assert [unit.kind for unit in code_units(LocalStore(tmp_path), "in", "auto", 1 << 20)] == ["jsonl"]
    (tmp_path / "a.py").write_text("x = 1\n")
    (unit,) = code_units(LocalStore(tmp_path), "in", "auto", 1 << 20)
    assert (unit.kind, unit.members) == ("files", ("a.py", "rows.jsonl"))


def test_rows_of_who_said_no_are_refused_unread(tmp_path):
    lines_of(tmp_path / "rows.jsonl", [CODE, ISSUE, {**CODE, "repo_name": "john/x"}])
    said = OptOuts(frozenset(), frozenset({"jane"}))
    found = items(tmp_path, "jsonl", said)
    assert [item.what for item in found] == ["refused", "refused", "file"]
    assert not any(item.payload for item in found[:2])


def test_issues_in_parquet_are_read_by_their_events(tmp_path):
    pq.write_table(pa.Table.from_pylist([ISSUE]), tmp_path / "issues.parquet")
    (item,) = items(tmp_path, "auto")
    assert json.loads(item.payload)["events"][0]["author"] == "jane"
    assert item.path == "issues/12"


def test_rows_of_something_else_are_no_input(tmp_path):
    pq.write_table(pa.table({"a": [1]}), tmp_path / "x.parquet")
    with pytest.raises(ValueError, match="no column content or text or code, nor events; it has a"):
        items(tmp_path, "auto")


def test_too_much_that_is_broken_is_no_corpus():
    markers = [{"read": 10, "reasons": {"quarantined/code_unsafe_path": 1, "skipped/code_binary": 9}}]
    refuse_broken("code", markers, 0.1)
    with pytest.raises(QuarantineError, match=r"1 of 10 .* code.max_quarantined_fraction = 0.09: code_unsafe_path 1"):
        refuse_broken("code", markers, 0.09)


def test_issues_become_documents_with_their_links_and_the_recipes_lists_are_heard(tmp_path):
    lines_of(
        tmp_path / "in/rows.jsonl", [ISSUE, CODE, {**CODE, "repo_name": "closed/x"}, {**ISSUE, "repo": "Closed/y"}]
    )
    (tmp_path / "sites.txt").write_text("github.com/closed\n")
    lists = json.dumps([{"name": "sites", "path": str(tmp_path / "sites.txt")}])
    given = ("--set=inputs.in.kind=jsonl", f"--set=opt_out={lists}")
    jobs.run("code", tmp_path / "in", "--out", tmp_path / "out", "--quiet", "--workers", "1", *given)
    made = jobs.manifest(tmp_path / "out", "code")
    assert made["ledger"]["out"] == {"kept": 2, "refused/opt_out": 2}
    kinds = {shard["kind"]: pq.read_table(tmp_path / "out" / shard["name"]).to_pylist() for shard in made["shards"]}
    issue = next(row for row in kinds["documents"] if row["language"] == "Issue")
    assert issue["text"].startswith("# 長い行で落ちる\n\nusername_0: See https://x.example/log.")
    assert "@username_0" in issue["text"] and "jane" not in issue["text"]
    assert [row["files"] for row in kinds["repositories"]] == [
        [row["id"] for row in kinds["documents"] if row != issue]
    ]
    assert not any("return 1" in str(row) for row in kinds["refused"])
