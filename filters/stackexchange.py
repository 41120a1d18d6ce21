"""Posts of Stack Exchange dumps (Posts.xml: one row element a post) as documents: a question or an answer each.

A dump lists posts by number, so an answer stands far from its question; joining them is a matter of a later phase, by
`parent` of the metadata. The body is HTML and read as such; a question's text begins with its title.
"""

import re
from collections.abc import Callable

from filters import html
from filters.books import Book, NotOurs, Section, Unusable, join_sections
from filters.plain import clean, plain_parts
from filters.xml_tree import XmlError, read_tree
from manifests.limits import Limits
from manifests.reasons import Quarantine, Skipped

MEDIA_TYPE = "application/x-stackexchange-post"
KINDS = {"1": "question", "2": "answer"}
_TAG = re.compile(r"[^<>|]+")
_NUMBERS = {
    "Id": "id",
    "ParentId": "parent",
    "AcceptedAnswerId": "accepted_answer",
    "Score": "score",
    "OwnerUserId": "owner",
}


def read_post(payload: bytes, uri: str, limits: Limits, beat: Callable[[], None]) -> Book:
    """Return the document of a row; `uri` is its record's.

    Raises Unusable for what is no row, NotOurs (post_type) for wikis of tags and the like.
    """
    del beat  # a post is read in one go
    try:
        row = read_tree(payload).attributes
    except XmlError as error:
        raise Unusable(error.reason, error.detail) from error
    kind = KINDS.get(row.get("PostTypeId", ""))
    if kind is None:
        raise NotOurs(Skipped.POST_TYPE)
    if "Body" not in row:
        raise Unusable(Quarantine.MALFORMED_RECORD, "a post without a body")
    page = html.read_within(row["Body"].encode(), uri, limits, xml=False, main_content=False)
    title = " ".join(row.get("Title", "").split()) or None
    sections = [Section(None, page.text, page.parts)]
    if title:
        heading = clean(title.encode())
        sections.insert(0, Section(None, heading, plain_parts(heading)))
    text, parts = join_sections(sections)
    return Book(title, text, parts, _metadata(row, kind), row.get("ContentLicense") or None, ())


def _metadata(row: dict[str, str], kind: str) -> dict[str, object]:
    numbers = {name: int(row[key]) for key, name in _NUMBERS.items() if re.fullmatch(r"-?\d{1,18}", row.get(key, ""))}
    tags = _TAG.findall(row.get("Tags", ""))
    return {"format": "stackexchange", "type": kind, "tags": tags, "date": row.get("CreationDate", ""), **numbers}
