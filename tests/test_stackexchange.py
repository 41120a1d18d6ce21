"""Posts of Stack Exchange dumps: question or answer, HTML body, score, tags and licence; real pages as bodies."""

from xml.sax.saxutils import quoteattr

import pytest
from corpora import pages, read_bytes

from filters.books import NotOurs, Unusable
from filters.html import read_within
from filters.stackexchange import read_post
from manifests.limits import Limits

QUESTION = (
    '<row Id="1" PostTypeId="1" AcceptedAnswerId="3" CreationDate="2016-08-02T15:39:14.947" Score="-5" ViewCount="154" '
    'Body="&lt;p&gt;What does &quot;backprop&quot; mean?&lt;/p&gt;&#xA;&#xA;&lt;pre&gt;&lt;code&gt;x = 1&#xA;y = 2'
    '&lt;/code&gt;&lt;/pre&gt;&#xA;" OwnerUserId="8" Title="What is 逆伝播?" Tags="{}" ContentLicense="CC BY-SA 3.0" />'
)


def read(row: str):
    return read_post(row.encode(), "in:Posts.xml#1", Limits(), lambda: None)


@pytest.mark.parametrize(
    "tags", ["&lt;neural-networks&gt;&lt;c#&gt;", "|neural-networks|c#|"], ids=["until 2023", "since"]
)
def test_a_question_is_its_title_and_its_body(tags):
    found = read(QUESTION.format(tags))
    assert found.text.decode() == 'What is 逆伝播?\n\nWhat does "backprop" mean?\n\nx = 1\ny = 2'
    assert (found.title, found.license) == ("What is 逆伝播?", "CC BY-SA 3.0")
    said = {"format": "stackexchange", "type": "question", "id": 1, "score": -5, "accepted_answer": 3, "owner": 8}
    assert found.metadata == said | {"tags": ["neural-networks", "c#"], "date": "2016-08-02T15:39:14.947"}
    assert found.parts.rows[-1].tolist()[:1] == [2]  # code


def test_an_answer_names_its_question():
    found = read('<row Id="3" PostTypeId="2" ParentId="1" Score="9" Body="&lt;p&gt;It is this.&lt;/p&gt;" />')
    assert (found.text, found.title, found.metadata["type"], found.metadata["parent"]) == (
        b"It is this.",
        None,
        "answer",
        1,
    )


def test_real_pages_as_bodies_are_read_as_the_html_extractor_reads_them():
    chosen = [body for path, body in pages("installation-guide-amd64") if path.startswith(("ja/", "ko/", "en/"))][::12]
    rows = [
        f'<row Id="{n}" PostTypeId="2" Body={quoteattr(body.decode(), {chr(10): "&#xA;"})} />'
        for n, body in enumerate(chosen)
    ]
    outcome = read_bytes("Posts.xml", ("<posts>\n" + "\n".join(rows) + "\n</posts>").encode())
    assert len(outcome.rows) == len(chosen) > 10
    for row, body in zip(outcome.rows, chosen, strict=True):
        expected = read_within(body.replace(b"\r", b""), row["uri"], Limits(), xml=False, main_content=False)
        assert read_post(row["payload"], row["uri"], Limits(), lambda: None).text == expected.text


def test_other_rows_are_no_documents():
    with pytest.raises(NotOurs) as error:
        read('<row Id="9" PostTypeId="5" Body="x" />')
    assert error.value.reason == "post_type"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ('<row Id="1" PostTypeId="1" Body="&nope;" />', "parse_error"),
        ('<row Id="1" PostTypeId="1" Body="a', "parse_error"),
        ('<row Id="1" PostTypeId="1" />', "malformed_record"),
        ('<row Id="1" PostTypeId="1" Body="{}" />'.format("&lt;div&gt;" * 5000), "nesting_too_deep"),
    ],
)
def test_broken_rows_are_named(row, reason):
    with pytest.raises(Unusable) as error:
        read(row)
    assert error.value.reason == reason
