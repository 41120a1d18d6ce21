"""Issues as documents: whose words stay, whose go, and what rules read; notebooks beside them, as both are JSON."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.code.issues import (
    CUT,
    NotAnIssue,
    is_bot,
    is_issue,
    issue_text,
    shortened,
    without_bots,
    without_mail,
)
from filters.code.notebooks import NotANotebook, notebook_text

STACK = {
    "repo": "owner/name",
    "issue_number": 7,
    "events": [
        {"author": "jane-roe", "title": "Crash in\nparser", "text": "See [the log](https://x.example/log?a=1).\n\n![p](p.png)"},
        {"author": "ci-runner[bot]", "text": "All checks passed."},
        {"author": "太郎", "text": "@jane-roe 同じ問題があります。 janeway も。"},
    ],
}  # fmt: skip


def test_an_issue_is_its_title_and_comments_with_links_and_without_names():
    found = issue_text(json.dumps(STACK))
    assert found.text == (
        "# Crash in parser\n\n"
        "username_0: See [the log](https://x.example/log?a=1).\n\n![p](p.png)\n\n"
        "username_1: @username_0 同じ問題があります。 janeway も。"
    )
    assert (found.user_count, found.event_count) == (2, 2)
    assert found.char_count == sum(len(event["text"]) for event in STACK["events"] if "[bot]" not in event["author"])


def test_githubs_own_rows_are_issues_too():
    row = {
        "title": "T",
        "body": "first",
        "user": {"login": "a"},
        "comments": [{"user": {"login": "b"}, "body": "a, no"}],
    }
    assert is_issue(list(row))
    assert issue_text(json.dumps(row)).text == "# T\n\nusername_0: first\n\nusername_1: username_0, no"


@pytest.mark.parametrize(
    ("author", "expected"),
    [
        ("dependabot[bot]", True),
        ("SparkQA", True),
        ("my-jenkins-user", True),
        ("release-ci", True),
        ("k8s-merge", True),
        ("abbott", False),
        ("Jane", False),
        ("山田", False),
    ],
)
def test_bots_by_name(author, expected):
    assert is_bot(author) is expected


def test_a_call_for_a_bot_goes_with_its_answer_and_the_first_comment_stays():
    events = [("jane", "/open"), ("john", "/retest"), ("k8s-ci-robot", "done"), ("jane", "thanks"), ("x[bot]", "bye")]
    assert without_bots(events) == [("jane", "/open"), ("jane", "thanks")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("I agree.\n> quoted by hand\nYes.", "I agree.\n> quoted by hand\nYes.", id="a quote stays"),
        pytest.param(
            "Fine.\n\nOn 1/2/2020 10:11 AM, Jane wrote:\n> old\n> words\nReply to this email directly or view it",
            "Fine.",
            id="an answer by mail",
        ),
        pytest.param(
            "Fine.\nOn Monday x <notifications@github.com> wrote:\n> a\nReply to this email directly:\nlink\nAfter",
            "Fine.\nAfter",
            id="what stands below it stays",
        ),
        pytest.param("Fix\nSigned-off-by: Jane <j@x.org>\n", "Fix", id="a sign-off"),
        pytest.param("a\n" + "_" * 30, "a", id="a ruler"),
        pytest.param("文字\nだけ", "文字\nだけ", id="Japanese"),
    ],
)
def test_what_a_mail_program_added_goes(text, expected):
    assert without_mail(text) == expected


def test_a_long_comment_keeps_its_beginning_and_its_end():
    lines = [str(number) for number in range(81)]
    assert shortened("\n".join(lines[:80])) == "\n".join(lines[:80])
    assert shortened("\n".join(lines)).split("\n") == [*lines[:60], CUT, *lines[61:]]


FIELDS = (
    "events", "author", "user", "login", "text", "title", "body", "comments", "cells", "cell_type", "source",
    "nbformat", "worksheets", "metadata", "language_info", "name",
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.sampled_from("a[bot]\ud800字/>\n"), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(FIELDS),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_any_json_is_an_issue_or_none_and_a_notebook_or_none(value):
    source = json.dumps(value)
    for read, refusal in (
        (lambda: issue_text(source).text, NotAnIssue),
        (lambda: notebook_text(source)[0], NotANotebook),
    ):
        try:
            read().encode()
        except refusal:
            continue
