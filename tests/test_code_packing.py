"""Repository documents: what is imported first, holes by keyed hash, and no file that can end another."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.code.imports import imports_of, in_order
from filters.code.packing import (
    END,
    FILE_SEP,
    FIM_MIDDLE,
    FIM_PREFIX,
    FIM_SUFFIX,
    REPO_NAME,
    TOKENS,
    File,
    Settings,
    chance,
    disarmed,
    repository_documents,
    with_hole,
)

TEXT = st.text(st.sampled_from("ab \n日<>|_fim prefixmdlesuo"), min_size=3, max_size=60)
ALWAYS, NEVER = Settings(fim_fraction=1.0, bare_fraction=0.0), Settings(fim_fraction=0.0, bare_fraction=0.0)


def joined(text):
    """Return the text of a document with a hole, read as a trainer reads it."""
    if text.startswith(f"{FIM_PREFIX}{FIM_SUFFIX}"):
        suffix, rest = text.removeprefix(f"{FIM_PREFIX}{FIM_SUFFIX}").split(FIM_MIDDLE)
        return rest + suffix
    prefix, rest = text.removeprefix(FIM_PREFIX).split(FIM_SUFFIX)
    suffix, middle = rest.split(FIM_MIDDLE)
    return prefix + middle + suffix


@given(TEXT, st.binary(min_size=16, max_size=16))
def test_the_pieces_of_a_hole_are_the_text(text, key):
    assert joined(with_hole(disarmed(text), key, ALWAYS)) == disarmed(text)
    assert with_hole(text, key, NEVER) == text


def test_holes_and_orders_come_as_often_as_is_asked_and_depend_on_the_key_alone():
    settings, text = Settings(fim_fraction=0.5, spm_fraction=0.25), "0123456789" * 100
    keys = [number.to_bytes(16) for number in range(4000)]
    made = [with_hole(text, key, settings) for key in keys]
    holes = [each for each in made if each.startswith(FIM_PREFIX)]
    assert abs(len(holes) / 4000 - 0.5) < 0.03
    turned = sum(each.startswith(FIM_PREFIX + FIM_SUFFIX) for each in holes)  # some of them have an empty prefix
    assert abs(turned / len(holes) - 0.25) < 0.03
    assert made[::-1] == [with_hole(text, key, settings) for key in reversed(keys)]
    cuts = [each.index(FIM_SUFFIX) // 100 for each in holes if not each.startswith(FIM_PREFIX + FIM_SUFFIX)]
    assert set(cuts) >= set(range(10))


def test_chances_are_even():
    values = sorted(chance(number.to_bytes(4), "x") for number in range(2000))
    assert max(abs(value - rank / 2000) for rank, value in enumerate(values)) < 0.04


@given(TEXT, TEXT)
def test_no_file_can_end_another(first, second):
    files = [File(b"1" * 16, first, f"{first}{END}{second}{FILE_SEP}"), File(b"2" * 16, "b", second + FIM_PREFIX)]
    ((text, ids),) = repository_documents(f"o/{REPO_NAME}", files, NEVER)
    assert ids == [b"1" * 16, b"2" * 16]
    assert text.count(FILE_SEP) == 2 and text.count(END) == 1 and text.endswith(END)
    assert text.count(REPO_NAME) == 1 and FIM_PREFIX not in text


def test_tokens_are_broken_by_a_joiner_and_nothing_else_changes():
    assert disarmed("a <file_sep> b") == "a <\u2060file_sep> b"
    assert all(token not in disarmed(token) for token in TOKENS)
    assert disarmed("<file> <|end|> 日") == "<file> <|end|> 日"


def test_documents_are_starcoder2s():
    files = [File(b"1" * 16, "a.py", "x = 1\n"), File(b"2" * 16, "b.py", "y = 2\n")]
    ((named, _),) = repository_documents("o/n", files, NEVER)
    assert named == "<repo_name>o/n<file_sep>a.py\nx = 1\n<file_sep>b.py\ny = 2\n<|endoftext|>"
    ((bare, _),) = repository_documents("o/n", files, Settings(fim_fraction=0.0, bare_fraction=1.0))
    assert bare == "<file_sep>x = 1\n<file_sep>y = 2\n<|endoftext|>"


def test_a_large_repository_is_cut_between_files():
    files = [File(bytes([n]) * 16, f"{n}.py", "x" * 600) for n in range(5)]
    made = list(repository_documents("o/n", files, Settings(fim_fraction=0.0, bare_fraction=0.0, max_chars=1300)))
    assert [len(ids) for _, ids in made] == [2, 2, 1]
    assert all(text.startswith(f"{REPO_NAME}o/n") for text, _ in made)
    assert [each for _, ids in made for each in ids] == [file.id for file in files]


IMPORTS = [
    ("Python", "from .base import x\nimport pkg.deep.mod as m\n", {".base", "pkg.deep.mod"}),
    ("JavaScript", 'import a from "./a.js";\nconst b = require("../b");\n', {"./a.js", "../b"}),
    ("C", '#include "x/y.h"\n#include <stdio.h>\n', {"x/y.h"}),
    ("Go", 'import (\n\t"fmt"\n\t"example.org/m/inner"\n)\n', {"example.org/m/inner"}),
    ("Rust", "mod lexer;\nuse crate::ast::Node;\n", {"lexer"}),
    ("Java", "import org.example.Node;\n", {"org.example.Node"}),
    ("Ruby", "require_relative 'part'\n", {"part"}),
    ("Lua", 'local a = require("pl.utils")\n', {"pl.utils"}),
    ("Perl", "use Moo::Role;\n", {"Moo::Role"}),
    ("PHP", "use Twig\\Node\\Node;\n", {"Twig\\Node\\Node"}),
]


@pytest.mark.parametrize(("language", "text", "expected"), IMPORTS, ids=[each[0] for each in IMPORTS])
def test_what_a_file_names(language, text, expected):
    assert expected <= set(imports_of(text, language))


def test_a_language_without_imports_names_nothing():
    assert imports_of("import x\n", "Text") == []


ORDERS = [
    pytest.param([("a.py", ["b"]), ("b.py", ["c"]), ("c.py", [])], ["c.py", "b.py", "a.py"], id="a chain"),
    pytest.param([("b.py", []), ("a.py", [])], ["a.py", "b.py"], id="no imports: by path"),
    pytest.param([("a.py", ["b"]), ("b.py", ["a"]), ("c.py", [])], ["c.py", "a.py", "b.py"], id="a circle is cut"),
    pytest.param([("p/a.py", [".b"]), ("p/b.py", []), ("b.py", [])], ["b.py", "p/b.py", "p/a.py"], id="Python's dots"),
    pytest.param([("s/a.js", ["../lib/b"]), ("lib/b.js", [])], ["lib/b.js", "s/a.js"], id="a path up"),
    pytest.param([("main.c", ["inc/x.h"]), ("inc/x.h", [])], ["inc/x.h", "main.c"], id="a header"),
    pytest.param([("a.py", ["numpy"])], ["a.py"], id="what is elsewhere"),
    pytest.param([("a.py", ["a"])], ["a.py"], id="itself"),
    pytest.param([("甲.py", ["乙"]), ("乙.py", [])], ["乙.py", "甲.py"], id="Chinese names"),
]


@pytest.mark.parametrize(("files", "expected"), ORDERS)
def test_what_is_imported_comes_first(files, expected):
    assert [files[place][0] for place in in_order(files)] == expected


PATHS = st.lists(st.sampled_from([f"{a}{b}.py" for a in ("", "p/", "q/") for b in "abcd"]), unique=True, max_size=9)


@given(PATHS, st.data())
def test_every_file_stands_once_and_the_order_does_not_depend_on_theirs(paths, data):
    files = [(path, data.draw(st.lists(st.sampled_from(["a", "b", ".c", "p.d"]), max_size=3))) for path in paths]
    order = [files[place][0] for place in in_order(files)]
    assert sorted(order) == sorted(paths)
    mixed = data.draw(st.permutations(files))
    assert [mixed[place][0] for place in in_order(mixed)] == order
