"""Licences: tags, notices, texts, folders; held against Debian's DEP-5 copyright files."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.code.dep5 import paragraphs
from filters.code.license_classes import CLASSES, class_of_expression
from filters.code.license_gold import Gold, agreement
from filters.code.licenses import Folders, Verdict, of_file, of_text
from filters.code.names import is_license_name, unsafe, vendor_root
from pipelines.demo_input import fetch_package

GNU = "you can redistribute it under the terms of the GNU {kind}General Public License{rest}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("// SPDX-License-Identifier: (MIT OR Apache-2.0)\n", "(MIT OR Apache-2.0)"),
        ("/* SPDX-License-Identifier: GPL-2.0+ */\n", "GPL-2.0-or-later"),
        ("# SPDX-License-Identifier: apache-2.0 or mit\n", "Apache-2.0 OR MIT"),
        ("# SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note\n", "GPL-2.0-only WITH Linux-syscall-note"),
        (GNU.format(kind="", rest=" version 3"), "GPL-3.0-only"),
        (
            GNU.format(kind="Lesser ", rest="; either\n * version 2.1 of the License, or any later version"),
            "LGPL-2.1-or-later",
        ),
        (GNU.format(kind="Affero ", rest=", version 3 or later"), "AGPL-3.0-or-later"),
        ("# Licensed under the Apache License, Version 2.0\n", "Apache-2.0"),
        (
            "// Use of this source code is governed by a BSD-style\n// license that can be found in LICENSE.",
            "BSD-3-Clause",
        ),
        ("; Released under the MIT license\n", "MIT"),
        ("%% Licensed under the Mozilla Public License, v. 2.0", "MPL-2.0"),
        ("# This is free software; same terms as Perl itself.", "Artistic-1.0-Perl OR GPL-1.0-or-later"),
        ("x = licensed_users\n", None),
        ("このファイルの許諾\n", None),
        ("", None),
    ],
)
def test_what_a_head_says(text, expected):
    assert of_file(text).expression == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("MIT", "permissive"),
        ("GPL-2.0-only OR MIT", "permissive"),
        ("GPL-2.0-only AND MIT", "copyleft"),
        ("(MIT OR Apache-2.0) AND LGPL-2.1-only", "weak_copyleft"),
        ("GPL-2.0-or-later WITH Classpath-exception-2.0", "weak_copyleft"),
        ("GPL-3.0-only WITH Nonsense", "copyleft"),
        ("CC-BY-NC-4.0", "restricted"),
        ("LicenseRef-unknown", "unknown"),
        (None, "none"),
    ],
)
def test_classes_of_expressions(expression, expected):
    assert class_of_expression(expression, {}) == expected


def test_a_recipe_may_call_a_licence_otherwise():
    assert class_of_expression("MPL-2.0", {"MPL-2.0": "permissive"}) == "permissive"


@given(st.text(st.sampled_from("()AND OR WITHMIT-GPL2.0 "), max_size=40))
def test_any_expression_has_a_class(text):
    assert class_of_expression(text, {}) in CLASSES


def test_the_nearest_licence_counts_and_no_other_project_gives_its_own():
    mit, gpl = Verdict("MIT", "text", 1.0, "LICENSE"), Verdict("GPL-3.0-only", "text", 1.0, "x/COPYING")
    folders = Folders({"LICENSE": mit, "x/COPYING": gpl, "vendor/a/LICENSE": gpl})
    assert folders.of("src/deep/a.py").expression == "MIT"
    assert folders.of("x/y/a.py").expression == "GPL-3.0-only"
    assert folders.of("vendor/a/b/c.go").expression == "GPL-3.0-only"
    assert folders.of("vendor/b/c.go").expression is None


@pytest.mark.parametrize(
    ("path", "root"),
    [
        ("vendor/github.com/o/r/x.go", "vendor/github.com/o/r"),
        ("a/node_modules/@scope/p/i.js", "a/node_modules/@scope/p"),
        ("third_party/zlib/x.c", "third_party/zlib"),
        ("src/vendor.py", None),
        ("vendors.txt", None),
    ],
)
def test_vendored_projects(path, root):
    assert vendor_root(path) == root


DEP5 = """Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/

Files: *
License: GPL-2+

Files: src/*.js lib/jquery.[js]
License: Expat or Apache-2

Files: 文書/*
License: other
"""


def test_a_dep5_file_speaks_of_files_by_name_and_of_all_others():
    mit = Verdict("MIT", "text", 1.0, "sub/LICENSE")
    folders = Folders({"sub/LICENSE": mit}, {"debian/copyright": paragraphs(DEP5)})
    assert folders.of("src/a.js") == Verdict("MIT OR Apache-2.0", "dep5", 1.0, "debian/copyright")
    assert folders.of("src/a.c").expression == "GPL-2.0-or-later"
    assert folders.of("sub/a.c").expression == "MIT"  # the nearest text before a word about all files
    assert folders.of("sub/src/a.js").expression == "MIT OR Apache-2.0"
    assert folders.of("lib/jquery.j").expression == "GPL-2.0-or-later"  # brackets are no pattern there
    assert folders.of("文書/一.txt").expression == "LicenseRef-unknown"
    assert folders.of("vendor/x/a.c").expression is None


def test_a_pattern_that_would_run_for_ever_does_not():
    known = paragraphs(f"Format: x\n\nFiles: {'*a' * 40}b\nLicense: MIT\n")
    assert Folders({}, {"debian/copyright": known}).of("a" * 1000).expression is None


@given(st.text(st.sampled_from("Format:\nFiles: *License GPL+-2or,()"), max_size=80))
def test_any_text_is_dep5_or_not(text):
    assert all(each.patterns for each in paragraphs(f"Format: x\n{text}"))


def test_names_of_licence_files():
    assert all(
        map(
            is_license_name,
            [
                "LICENSE",
                "COPYING.LESSER",
                "a/LICENSE-MIT",
                "MIT-LICENSE.txt",
                "LICENSES/MIT.txt",
                "UNLICENSE",
                ".reuse/dep5",
            ],
        )
    )
    assert not any(map(is_license_name, ["license.py", "licenses.rb", "README", "src/copying.c"]))


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x", "C:\\x", "a\nb", "", "d/" * 70 + "x", b"\xff\xfe.py"])
def test_absurd_names(name):
    assert unsafe(name, 1024) is not None


def test_real_licence_texts_are_known_by_their_wording():
    text = fetch_package("tcllib").root.joinpath("usr/share/doc/tcllib/copyright")
    assert of_text(text.read_text(errors="replace"), "copyright").how in ("text", "notice")


GOLD = (
    "golang-golang-x-net-dev",
    "librust-tokio-dev",
    "ruby-activerecord",
    "erlang-src",
    "node-lodash",
    "php-twig",
    "lua-penlight",
    "elpa-magit",
    "ocaml-findlib",
    "qtbase5-examples",
)


@pytest.mark.long
def test_notices_agree_with_debians_own_reading_of_ten_packages():
    """Of files with a notice of their own nearly all have Debian's licence, or one of the same class."""
    whole = Gold(0, 0, 0, 0)
    for name in GOLD:
        package = fetch_package(name)
        whole += agreement(package.root, package.root / f"usr/share/doc/{name}/copyright")
    assert whole.files > 2000
    assert whole.same_class >= 0.95 * whole.said
