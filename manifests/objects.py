"""JSON objects that this program wrote, read back: a damaged one is named, and what to do about it is said."""

import json
from collections.abc import Iterable
from typing import Any

from manifests.store import Store

AGAIN = "delete it and run the same command again"
_KINDS = {dict: "an object", list: "a list"}


def read_json(
    store: Store,
    name: str,
    keys: Iterable[str] = (),
    *,
    kind: type[dict[str, Any]] | type[list[Any]] = dict,
    what: str = "file",
    mend: str = AGAIN,
) -> Any:
    """Return what the object holds: a dict with at least one entry and all of `keys`, or with kind=list a list.

    `what` and `mend` say what the object is and what to do. Raises RuntimeError for any other content; ObjectNotFound.
    """
    data = store.read(name)
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise damaged(name, what, str(error), mend) from error
    if not isinstance(value, kind):
        raise damaged(name, what, f"not {_KINDS[kind]}", mend)
    if kind is dict and not value:
        raise damaged(name, what, "it says nothing", mend)
    if missing := [key for key in keys if key not in value]:
        raise damaged(name, what, f"no {missing[0]!r}", mend)
    return value


def damaged(name: str, what: str, why: str, mend: str = AGAIN) -> RuntimeError:
    """Return the error that names a damaged object."""
    return RuntimeError(f"{name}: a damaged {what} ({why}); {mend}")
