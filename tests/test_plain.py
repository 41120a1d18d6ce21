"""Plain text and Markdown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.parts import KIND_NAMES
from filters.plain import clean, markdown_parts, markdown_title, plain_parts

README = b"""# corpus mill #

Prose with ![a logo](img/logo.png "title") inside.

```python
x = 1  # ![not](an-image)
| a | b |
|---|---|
```

| a | b |
|---|:-:|
| 1 | 2 |
Not a row.

~~~~
~~~
open to the end
"""


def shown(text, parts):
    return [(KIND_NAMES[kind], text[start:end].decode().strip()) for kind, start, end, _ in parts.rows]


def test_markdown_comes_apart_into_its_parts():
    text = clean(README)
    parts = markdown_parts(text, "in:docs/README.md")
    assert shown(text, parts) == [
        ("text", "# corpus mill #\n\nProse with"),
        ("image", ""),
        ("text", '![a logo](img/logo.png "title") inside.'),
        ("code", "```python\nx = 1  # ![not](an-image)\n| a | b |\n|---|---|\n```"),
        ("table", "| a | b |\n|---|:-:|\n| 1 | 2 |"),
        ("text", "Not a row."),
        ("code", "~~~~\n~~~\nopen to the end"),
    ]
    assert [tuple(image) for image in parts.images] == [("in:docs/img/logo.png", "a logo")]


@pytest.mark.parametrize(
    ("text", "title"),
    [
        pytest.param(b"# One\nx", "One", id="hash"),
        pytest.param(b"One two\n=======\nx", "One two", id="underlined"),
        pytest.param(b"\n\n# One ##\n", "One", id="closed"),
        pytest.param(b"## Two\n", None, id="second level"),
        pytest.param(b"x\n# One", None, id="later"),
        pytest.param(b"", None, id="empty"),
    ],
)
def test_title(text, title):
    assert markdown_title(text) == title


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        pytest.param(b"a\r\nb\rc\n", b"a\nb\nc", id="line ends"),
        pytest.param(b"a\0b\x07c\x7f\td", b"abc\td", id="control characters"),
        pytest.param("é\x85".encode(), "é\x85".encode(), id="other characters stay"),
        pytest.param(b" \n", b"", id="blank"),
    ],
)
def test_clean(raw, text):
    assert clean(raw) == text


@given(st.text(alphabet="ab|-`~#![](): \n", max_size=80))
def test_any_markdown_is_covered(text):
    body = clean(text.encode())
    for parts in (markdown_parts(body, "a:b"), plain_parts(body)):
        covering = [(start, end) for kind, start, end, _ in parts.rows.tolist() if KIND_NAMES[kind] != "image"]
        assert b"".join(body[start:end] for start, end in covering) == body
