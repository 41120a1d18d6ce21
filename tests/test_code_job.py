"""The real `corpusmill code` over real packages and hostile archives: every member is somewhere, and says why."""

import io
import json
import shutil
import stat
import tarfile
import zipfile

import jobs
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dulwich.objects import Blob, Commit, Tree
from dulwich.repo import Repo
from report_page import Page

from filters.code.packing import END, FIM_MIDDLE, FIM_PREFIX, FIM_SUFFIX, REPO_NAME
from pipelines.demo_input import fetch_package

JOB = "code"
ALLOWED = "--set=code.max_quarantined_fraction=0.5"
KEEP_ALL = "--set=code.licenses.keep=[permissive,none,weak_copyleft,copyleft,unknown,restricted]"
APACHE = "# Licensed under the Apache License, Version 2.0 (the 'License');\n"
GPL = (
    "/* This program is free software; you can redistribute it and/or modify it under the terms of the\n"
    " * GNU General Public License as published by the Free Software Foundation; either version 2 of the\n"
    " * License, or (at your option) any later version. */\n"
)
PYTHON = "import os\n\n# counts what stands in a folder\ndef entries(folder):\n    return len(os.listdir(folder))\n"
JAPANESE = "# 文字を数える関数\ndef 数える(文):\n    # 空白は数えない\n    return len(文.replace(' ', ''))\n"
HUMAN_EVAL = (
    "def has_close_elements(numbers, threshold):\n    for idx, elem in enumerate(numbers):\n"
    "        for idx2, elem2 in enumerate(numbers):\n            if idx != idx2:\n"
    "                distance = abs(elem - elem2)\n                if distance < threshold:\n"
    "                    return True\n    return False\n"
)
MBPP = (
    "R = 3\nC = 3\ndef min_cost(cost, m, n):\n    tc = [[0 for x in range(C)] for x in range(R)]\n"
    "    tc[0][0] = cost[0][0]\n    for i in range(1, m+1):\n        tc[i][0] = tc[i-1][0] + cost[i][0]\n"
)


def tar_of(members):
    """Return a .tar.gz of (name, bytes or TarInfo) pairs, names as they are given."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, body in members:
            info = body if isinstance(body, tarfile.TarInfo) else tarfile.TarInfo(name)
            content = b"" if isinstance(body, tarfile.TarInfo) else body
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def special(name, kind, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return name, info


HOSTILE = [
    ("proj/good.py", PYTHON.encode()),
    ("proj/../../etc/passwd", b"root:x"),
    ("/absolute.py", PYTHON.encode()),
    ("proj/" + "d/" * 80 + "deep.py", PYTHON.encode()),
    ("proj/" + "n" * 1100 + ".py", PYTHON.encode()),
    ("proj/twice.py", b"a = 1\n"),
    ("proj/twice.py", b"a = 2\n"),
    ("proj/big.bin", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n"),
    ("proj/tool.exe", b"MZ\0\0\0\0"),
    ("proj/empty.py", b"\n\n"),
    ("proj/.git/hooks/post-checkout", b"#!/bin/sh\ntouch /tmp/pwned\n"),
    ("proj/__x__/y.py", b"x = 'dotted'\n" * 3),
    special("proj/link.py", tarfile.SYMTYPE, "/etc/passwd"),
    special("proj/hard.py", tarfile.LNKTYPE, "proj/good.py"),
    special("proj/null", tarfile.CHRTYPE),
]
FATES = {
    "quarantined/code_unsafe_path": 4,
    "quarantined/code_duplicate_member": 1,
    "quarantined/code_device": 2,
    "skipped/code_lfs_pointer": 1,
    "skipped/code_binary": 1,
    "skipped/code_empty": 1,
    "skipped/code_version_control": 1,
    "skipped/code_symlink": 1,
}


def bomb():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(8):
            archive.writestr(f"zeros{number}.txt", bytes(12 << 20))
    return out.getvalue()


def bare_repository(path):
    """Write a bare repository of one commit: files, a symbolic link, a submodule, and a hook that must not run."""
    repo = Repo.init_bare(str(path), mkdir=True)
    tree, folder = Tree(), Tree()
    for name, body in ((b"use.py", b"import pkg.base\n\nprint(pkg.base.Entries('.').size)\n"), (b"LICENSE", mit())):
        blob = Blob.from_string(body)
        repo.object_store.add_object(blob)
        tree.add(name, 0o100644, blob.id)
    base = Blob.from_string(b'class Entries(list):\n    """What a folder holds."""\n\n    size = property(len)\n')
    repo.object_store.add_object(base)
    folder.add(b"base.py", 0o100644, base.id)
    repo.object_store.add_object(folder)
    tree.add(b"pkg", stat.S_IFDIR, folder.id)
    tree.add(b"link", 0o120000, base.id)
    tree.add(b"module", 0o160000, b"1" * 40)
    repo.object_store.add_object(tree)
    commit = Commit()
    commit.tree, commit.author, commit.committer = tree.id, b"A <a@b.c>", b"A <a@b.c>"
    commit.author_time = commit.commit_time = commit.author_timezone = commit.commit_timezone = 0
    commit.message = b"one"
    repo.object_store.add_object(commit)
    repo.refs[b"refs/heads/main"] = commit.id
    repo.refs.set_symbolic_ref(b"HEAD", b"refs/heads/main")
    with (path / "config").open("a") as config:
        config.write('[remote "origin"]\n\turl = https://user:secret@git.example/owner/named.git\n')
    hook = path / "hooks/post-update"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\ntouch ran\n")
    hook.chmod(0o755)


def mit():
    """The MIT licence as a real package ships it."""
    text = "".join(
        path.read_text()
        for path in sorted(fetch_package("node-lodash").root.rglob("copyright"))
        if "Permission is hereby granted" in path.read_text()
    )
    start = text.index("Permission is hereby granted")
    end = text.index("SOFTWARE.", start) + 9
    return (
        "MIT License\n\nCopyright (c) 2020 Example\n\n"
        + "\n".join(line.strip().removeprefix(".") for line in text[start:end].splitlines())
    ).encode()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An input as users have them: packages of several languages, checkouts, a bare repository, hostile archives."""
    root = tmp_path_factory.mktemp("code") / "in"
    root.mkdir()
    (root / "proj-1.0.tar.gz").write_bytes(tar_of(HOSTILE))
    (root / "bomb.zip").write_bytes(bomb())
    (root / "cut.tar.gz").write_bytes(tar_of([("a/b.py", PYTHON.encode() * 400)])[:90])
    checkout = root / "checkout"
    files = {
        "LICENSE": mit(),
        "main.py": f"{APACHE}{PYTHON}".encode(),
        "ja.py": JAPANESE.encode(),
        "vendor/copied/x.c": f"{GPL}int count(void) {{ return 1; }}\n".encode(),
        "vendor/silent/y.c": b"int silent(void) { return 2; }\n",
        "README.md": b"# Title\n\nSee [the guide](docs/guide.md) and ![a chart](chart.png).\n",
        "key.py": b"AWS_KEY = 'AKIAQYLPMN5HHHFPZAM2'  # mail jane.roe@corp.example.org\n",
        "eval.py": HUMAN_EVAL.encode(),
        "tasks.py": f"# tasks\n{MBPP}".encode(),
        "min.js": b"var a=" + b"function(b){return b+1}," * 200 + b"0;\n",
        "notebook.ipynb": json.dumps(notebook()).encode(),
        ".git/config": b'[remote "origin"]\n\turl = git@git.example:jane/checkout.git\n',
    }
    for name, body in files.items():
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_bytes(body)
    (checkout / "linked.py").symlink_to("main.py")
    bare_repository(root / "named.git")
    stack(root / "stack.parquet")
    lua = fetch_package("lua-penlight").root
    shutil.copytree(lua / "usr/share/lua/5.1", root / "penlight")
    return root


def notebook():
    return {
        "nbformat": 4,
        "metadata": {"language_info": {"name": "python"}},
        "cells": [
            {"cell_type": "markdown", "source": ["# 数の表\n", "Second line"]},
            {"cell_type": "code", "source": "print(1)", "outputs": [{"data": {"image/png": "iVBORw0KGgo" * 400}}]},
            {"cell_type": "markdown", "source": "The end"},
        ],
    }


def stack(path):
    """Rows as The Stack has them; two copies of one file differ in licence and stars, one owner has opted out."""
    body = "package main\n\n// adds two numbers\nfunc add(a int, b int) int {\n\treturn a + b\n}\n" * 2
    rows = [
        ("a/one", "add.go", body, ["GPL-3.0"], 900),
        ("b/two", "add.go", body, ["MIT"], 3),
        ("c/three", "add.go", body, ["MIT"], 40),
        ("Gone/four", "x.go", "package x\n\nfunc x() {}\n", ["MIT"], None),
        ("d/five", "../up.go", "package x\n", ["MIT"], None),
        ("e/six", "same.go", body.replace("add", "sum"), ["MIT"], 5),
        ("f/seven", "same.go", body.replace("add", "sum"), ["BSD-3-Clause"], 5),
    ]
    names = ("max_stars_repo_name", "max_stars_repo_path", "content", "max_stars_repo_licenses", "max_stars_count")
    pq.write_table(pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))), path)


def evaluation(folder):
    """Files as HumanEval and MBPP have them, and the setting that names them."""
    items = {"humaneval": {"prompt": HUMAN_EVAL}, "mbpp": {"text": "Find the least cost of a path.", "code": MBPP}}
    for name, item in items.items():
        (folder.parent / f"{name}.jsonl").write_text(json.dumps({"task_id": 1, **item}) + "\n")
    uris = [(name, str(folder.parent / f"{name}.jsonl")) for name in items]
    sets = [{"name": name, "uri": uri, "fields": [list(items[name])[-1]]} for name, uri in uris]
    return f"--set=code.decontaminate={json.dumps({'sets': sets})}"


def given(folder):
    sets = ("--set=code.shards=2", "--set=code.opt_out.owners=[gone]")
    return ("--quiet", KEEP_ALL, ALLOWED, *sets, evaluation(folder))


def code(folder, out, *more, status=0):
    return jobs.run("code", folder, "--out", out, *given(folder), *more, status=status)


@pytest.fixture(scope="module")
def done(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    code(folder, out, "--workers", "1")
    return out


def rows(out, kind="documents"):
    shards = [shard["name"] for shard in jobs.manifest(out, JOB)["shards"] if shard["kind"] == kind]
    return [row for name in shards for row in pq.read_table(out / name).to_pylist()]


def by_uri(out, kind="documents"):
    return {row["uri"].partition(":")[2]: row for row in rows(out, kind)}


def test_every_member_is_in_one_place(done):
    ledger = jobs.manifest(done, JOB)["ledger"]
    assert ledger["in"] == sum(ledger["out"].values())
    assert "sound" in jobs.run("verify", "--out", done, "--job", JOB)


def test_absurd_members_cost_themselves_and_say_why(done):
    (unit,) = [unit for unit in jobs.manifest(done, JOB)["units"] if "proj-1.0" in unit["unit"]]
    assert {name: n for name, n in unit["out"].items() if not name.startswith(("kept", "dropped"))} == FATES
    assert {"in:proj-1.0.tar.gz#proj/good.py", "in:proj-1.0.tar.gz#proj/__x__/y.py"} <= {r["uri"] for r in rows(done)}


def test_a_bomb_and_a_cut_archive_end_where_they_are(done):
    found = {name: row["reason"] for name, row in by_uri(done, "quarantine").items()}
    assert found["bomb.zip"] == "code_archive_bomb"
    assert found["cut.tar.gz"] == "code_damaged_archive"


def test_a_bare_repository_is_read_at_its_commit_and_runs_nothing(done, folder):
    (unit,) = [unit for unit in jobs.manifest(done, JOB)["units"] if "named.git" in unit["unit"]]
    assert unit["out"]["skipped/code_symlink"] == unit["out"]["skipped/code_submodule"] == 1
    row = by_uri(done)["named.git#pkg/base.py"]
    assert row["signals"]["repository"] == "owner/named"
    assert row["license"] == "MIT"
    assert not list(folder.rglob("ran"))


def test_a_vendored_folder_has_its_own_licence_or_none(done):
    kept = by_uri(done)
    assert kept["checkout/main.py"]["license"] == "Apache-2.0"
    assert kept["checkout/ja.py"]["license"] == "MIT"
    assert kept["checkout/vendor/copied/x.c"]["license"] == "GPL-2.0-or-later"
    assert kept["checkout/vendor/silent/y.c"]["license"] is None
    said = json.loads(kept["checkout/ja.py"]["markup"][0]["content"])
    assert (said["how"], said["source"]) == ("folder", "LICENSE")
    assert "askalono" in said["detector"]


def test_the_copy_with_the_freest_licence_and_most_stars_stays(done):
    kept = {row["signals"]["repository"] for row in rows(done) if row["title"] == "add.go"}
    assert kept == {"c/three"}
    gone = {r["signals"]["repository"]: r["reason"] for r in rows(done, "dropped") if r["title"] == "add.go"}
    assert gone == {"a/one": "exact_duplicate", "b/two": "exact_duplicate"}


def test_of_equals_the_smallest_id_stays(done):
    (kept,) = [row for row in rows(done) if row["title"] == "same.go"]
    (gone,) = [row for row in rows(done, "dropped") if row["title"] == "same.go"]
    assert kept["id"] < gone["id"]
    assert gone["kept_id"] == kept["id"]


def test_who_opted_out_is_counted_and_not_read(done):
    assert [row["reason"] for row in rows(done, "refused")] == ["opt_out_owner"]
    assert not any("func x()" in row["text"] for row in rows(done))


def test_secrets_and_people_are_masked_and_told_where(done):
    row = by_uri(done)["checkout/key.py"]
    assert "AKIA" not in row["text"]
    assert "jane.roe" not in row["text"]
    spans = json.loads(next(each["content"] for each in row["markup"] if each["kind"] == "masked"))
    assert [(name, row["text"][start:end]) for name, start, end in spans] == [
        ("secret", "<SECRET>"),
        ("email", "<EMAIL>"),
    ]


def test_benchmark_items_and_minified_files_go(done):
    gone = {row["uri"].partition(":")[2]: row["reason"] for row in rows(done, "dropped")}
    assert gone["checkout/eval.py"] == "decontamination_v1/humaneval"
    assert gone["checkout/tasks.py"] == "decontamination_v1/mbpp"
    assert gone["checkout/min.js"].startswith(("starcoder2_v1/", "source_v1/is_minified"))


def test_a_notebook_is_its_cells_in_order_without_outputs(done):
    row = by_uri(done)["checkout/notebook.ipynb"]
    assert row["text"] == "# 数の表\nSecond line\n\n```python\nprint(1)\n```\n\nThe end"
    assert [part["kind"] for part in row["parts"]] == ["text", "code", "text"]


def test_markdown_keeps_its_links_and_pictures(done):
    row = by_uri(done)["checkout/README.md"]
    assert "[the guide](docs/guide.md)" in row["text"]
    assert [part["uri"] for part in row["parts"] if part["kind"] == "image"] == ["in:checkout/chart.png"]


def test_a_repository_document_holds_its_files_imports_first(done):
    by_name = {row["repository"]: row for row in rows(done, "repositories")}
    titles = {row["id"]: row["title"] for row in rows(done)}
    order = [titles[each] for each in by_name["owner/named"]["files"]]
    assert order.index("pkg/base.py") < order.index("use.py")
    text = by_name["penlight"]["text"]
    assert text.endswith(END)
    assert text.count(FIM_PREFIX) == text.count(FIM_MIDDLE) == text.count(FIM_SUFFIX)
    bare = [row["repository"] for row in by_name.values() if not row["text"].startswith(REPO_NAME)]
    assert 0 < len(bare) < len(by_name)


def test_the_report_tells_languages_licences_and_fates(done):
    told = jobs.run("report", "--out", done)
    page = Page(next(done.glob("report/*.html")).read_bytes())
    ledger = jobs.manifest(done, JOB)["ledger"]
    assert str(done / "report") in told
    for said in (
        "Classes of licence",
        "Repository documents",
        "Go",
        "Lua",
        "Python",
        "MIT",
        "Apache-2.0",
        "GPL-2.0-or-later",
        "pyaskalono",
        "owner/named",
    ):
        assert said in page.words
    assert f"of whatever kind {ledger['in']}" in page.words.replace("  ", " ")
    assert "code_unsafe_path 5" in page.words  # one of the rows of the stack, and four of the archive's members
    assert "jane.roe" not in page.words


@pytest.mark.long
@pytest.mark.parametrize("more", [("--workers", "2"), ("--workers", "1", "--", "--direct_runner_bundle_repeat=1")])
def test_workers_and_replays_change_no_byte(folder, done, tmp_path, more):
    code(folder, tmp_path, *more)
    assert jobs.digest(tmp_path, JOB) == jobs.digest(done, JOB)


@pytest.mark.long
def test_a_killed_run_goes_on_to_the_same_digest(folder, done, tmp_path):
    process = jobs.start("code", folder, "--out", tmp_path, "--workers", "1", *given(folder))
    assert jobs.wait_for(lambda: len(jobs.markers(tmp_path)) >= 3, process)
    jobs.kill(process)
    code(folder, tmp_path, "--workers", "1")
    assert jobs.digest(tmp_path, JOB) == jobs.digest(done, JOB)
