"""HTML by construction: a plain string is always escaped, only what `tag` made is taken as it stands."""

import html
import re
from collections.abc import Iterable

VOID = frozenset({"meta", "br", "wbr", "img"})
# NUL and other controls have no place in HTML; they are shown as their pictures (U+2400 ...).
_CONTROLS = {i: 0x2400 + i for i in range(32) if i not in (9, 10)} | {0x7F: 0x2421}
_LANGUAGE = re.compile(r"[a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8})*")


class Html(str):
    """Mark-up, already escaped."""

    __slots__ = ()


Child = str | int | float | None | Iterable["Child"]


def escape(text: str) -> Html:
    """Escape text from anywhere; controls become visible, lone surrogates U+FFFD."""
    clean = text.encode("utf-8", "surrogatepass").decode("utf-8", "replace").translate(_CONTROLS)
    return Html(html.escape(clean))


def tag(name: str, /, *children: Child, **attributes: str | int | float | bool | None) -> Html:
    """Return an element. `class_` is class, `data_x` is data-x; None and False leave an attribute out."""
    given = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in VOID:
        return Html(f"<{name}{given}>")
    return Html(f"<{name}{given}>{join(children)}</{name}>")


def join(children: Child) -> Html:
    """Return children one after the other."""
    if isinstance(children, Html):
        return children
    if children is None:
        return Html("")
    if isinstance(children, str | int | float):
        return escape(str(children))
    return Html("".join(join(child) for child in children))


def name(dotted: str, **attributes: str) -> Html:
    """Return a technical name, breakable after its / and _."""
    parts = re.split(r"(?<=[/_])", dotted)
    return tag("code", [[tag("wbr") if i else None, part] for i, part in enumerate(parts)], **attributes)


def foreign(name: str, content: Child, language: str = "und", **attributes: str) -> Html:
    """Return an element for a text of any language and direction, kept apart from the direction around it."""
    lang = language if _LANGUAGE.fullmatch(language) and language != "und" else ""
    return tag(name, content, dir="auto", lang=lang, **attributes)


def _attribute(key: str, value: str | int | float | bool | None) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{escape(str(value))}"'
