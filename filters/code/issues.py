"""GitHub issues as documents: title and comments in order, without bots, quoted mail and the names of users.

Rows as the-stack-github-issues has them (`events` with author and text, comment or description) or as GitHub's own
interface does (`title`, `body`, `user`, `comments`). What is cut, and the lists of bots, follow bigcode-dataset's
preprocessing (StarCoder, Li et al. 2023, section 3.3); users are replaced as whole words only, so that a user "a"
changes no text.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

ISSUES_VERSION = 1
ISSUE = "Issue"  # stands where other files have their language
MEDIA_TYPE = "application/x-issue+json"
MAX_LINES, LAST_LINES = 80, 20  # of a comment: a longer one keeps its first 60 and its last 20
CUT = "[Truncated]"
COLUMNS = (  # that may say something of an issue
    "repo", "repo_name", "repository", "issue_id", "issue_number", "number", "title", "body", "user", "author",
    "events", "comments", "html_url", "url",
)  # fmt: skip
_BOT_NAMES = frozenset(
    {
        "apache-hbase", "autorestci", "claassistant", "cmsbuild", "codecov-io", "codecov-commenter", "coveralls",
        "danger-public", "dnfclas", "msftclas", "pydocteur", "sparkqa", "karma-pr-reporter", "claassistantio",
        "probot-stale",
    }
)  # fmt: skip
_BOT_PARTS = ("[bot]", "botmanager", "bors-", "jenkins", "k8s-", "-test-", "travis")
_BOT_ENDS = (
    "-automaton", "-automation", "-benchmark", "-build", "-deployer", "-cloud", "bot", "-ci", "-linter", "-teamcity",
    "-test", "-testing", "-service-account",
)  # fmt: skip
_MAIL_DATE = re.compile(r"\d+/\d+/\d+ \d{2}:\d{2} [AP]M.+wrote")
_RULER = re.compile(r"_{20,}")
_SIGNED_OFF = re.compile(r"^Signed-off-by: .+<.+>[ \t]*$\n?", re.MULTILINE)


class NotAnIssue(ValueError):
    """A row without any event."""


class Issue(NamedTuple):
    """An issue's text, and what rules read: characters of its comments, users, comments."""

    text: str
    char_count: int
    user_count: int
    event_count: int


def is_issue(names: Sequence[str]) -> bool:
    """Return whether rows with these columns are issues."""
    return "events" in names or {"title", "body", "comments"} <= set(names)


def issue_text(source: str) -> Issue:
    """Return the issue of a row's JSON; of one that only bots wrote, no text. Raises NotAnIssue."""
    try:
        row = json.loads(source)
    except (ValueError, RecursionError) as error:
        raise NotAnIssue(f"not JSON: {type(error).__name__}") from error
    if not isinstance(row, dict):
        raise NotAnIssue("no object")
    events = [(author, shortened(without_mail(text))) for author, text in _events(row)]
    if not events:
        raise NotAnIssue("no event")
    events = [(author, text) for author, text in without_bots(events) if text]
    title = " ".join(_title(row).split())
    users = {author: f"username_{number}" for number, author in enumerate(dict.fromkeys(each for each, _ in events))}
    said = [f"{users[author]}: {text}" for author, text in _without_names(events, users)]
    head = [f"# {_replaced(title, users)}"] if title and said else []
    whole = "\n\n".join([*head, *said]).encode(errors="replace").decode()  # JSON may hold half a surrogate pair
    return Issue(whole, sum(len(text) for _, text in events), len(users), len(events))


def _title(row: Mapping[str, Any]) -> str:
    events = row.get("events")
    first = events[0] if isinstance(events, list) and events and isinstance(events[0], dict) else {}
    return next((each for each in (row.get("title"), first.get("title")) if isinstance(each, str)), "")


def _events(row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    given = row.get("events")
    if given is None:
        comments = row.get("comments")
        given = [row, *(comments if isinstance(comments, list) else [])]
    for event in given if isinstance(given, list) else []:
        if isinstance(event, dict):
            user = event.get("author", event.get("user"))
            author = user.get("login") if isinstance(user, dict) else user
            texts = (event.get(name) for name in ("text", "comment", "description", "body"))
            yield str(author or ""), next((each for each in texts if isinstance(each, str) and each), "")


def without_mail(text: str) -> str:
    """Return a comment without what a mail program put around it: quotes, headings, "Reply to this email"."""
    lines = _SIGNED_OFF.sub("", text.replace("\r\n", "\n").strip()).split("\n")
    start, end = 0, -1
    for number, line in enumerate(lines):
        bare = line.strip()
        if "notifications@github.com" in bare or _MAIL_DATE.search(bare):
            start = number
            end = max(end, number)
        if "Reply to this email directly" in bare:
            end = number + 1 if bare.endswith(":") else number
        if bare.startswith(">") and start:  # a quote below a mail's heading; elsewhere it is the writer's own
            end = number
    left = lines if end < 0 else lines[:start] + lines[end + 1 :]
    return _RULER.sub("", "\n".join(left)).strip()


def shortened(text: str) -> str:
    """Return a comment of at most MAX_LINES lines and a mark."""
    lines = text.split("\n")
    if len(lines) <= MAX_LINES:
        return text
    return "\n".join([*lines[: MAX_LINES - LAST_LINES], CUT, *lines[-LAST_LINES:]])


def is_bot(author: str) -> bool:
    """Return whether a user's name is that of a program."""
    name = author.lower()
    return name in _BOT_NAMES or name.endswith(_BOT_ENDS) or any(part in name for part in _BOT_PARTS)


def without_bots(events: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the events that people wrote, without those that only called a bot ("/retest", or its name)."""
    kept: list[tuple[str, str]] = []
    for author, text in events:
        if not is_bot(author):
            kept.append((author, text))
        elif len(kept) > 1 and (kept[-1][1].startswith("/") or author in kept[-1][1]):
            kept.pop()
    return kept


def _without_names(events: Sequence[tuple[str, str]], users: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for author, text in events:
        yield author, _replaced(text, users)


def _replaced(text: str, users: Mapping[str, str]) -> str:
    names = sorted((name for name in users if name), key=lambda name: (-len(name), name))
    if not names:
        return text
    pattern = re.compile(rf"(?<![\w/.-])(?:{'|'.join(map(re.escape, names))})(?![\w-])")
    return pattern.sub(lambda found: users[found[0]], text)
