"""Microdata of a page as JSON objects like those of JSON-LD (HTML Living Standard, section 5, "Microdata").

An item becomes {"@type": ..., "@id": ..., property: value or list of values}. Values are those of section 5.2.4: an
address, a date as a machine writes it, a number, or the text; addresses are left as they stand. As search engines do,
`content` counts on any element.

The parser finds the elements that have such attributes; each is led to the item around it by its parents, once. No
list of children is asked for, nor an element by its place in a list: both take the square of their number. What an
itemref could ask for again and again is bounded by how many elements are looked at, and values are read once.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any, NamedTuple

from manifests.limits import Limits

_ATTRIBUTES = {
    "meta": "content",
    **dict.fromkeys(("audio", "embed", "iframe", "img", "source", "track", "video"), "src"),
    **dict.fromkeys(("a", "area", "link"), "href"),
    "object": "data",
    "data": "value",
    "meter": "value",
}
_SCOPE = re.compile(rb"[iI][tT][eE][mM][sS][cC][oO][pP][eE]")
_QUOTES = 4  # characters of JSON around a string
_FAQ = "FAQPage"  # such a page is kept whole, as HTML (filters.markup)


class Beyond(NamedTuple):
    """A limit that the items of a page went beyond."""

    limit: str
    limit_value: int
    observed: int  # at least


class Items(NamedTuple):
    """The outermost items of a page as JSON, in page order, and the limits that cut them short."""

    items: list[str]
    beyond: list[Beyond]


class _Enough(Exception):
    """A limit is reached, and the rest of the page is not read."""


def may_hold_items(page: bytes) -> bool:
    """Return whether a page is worth asking."""
    return _SCOPE.search(page) is not None


def items_of(tree: Any, limits: Limits) -> Items:
    """Return the outermost items of a parsed page; what has no type or no property is none."""
    reader, found = _Reader(tree, limits), []
    try:
        for element in reader.elements("[itemscope]"):
            if not element.hasattr("itemprop"):
                item, size = reader.item(element, ())
                if item and "@type" in item and len(item) > 1 + ("@id" in item) and not _is_faq(item):
                    reader.count("max_markup_bytes", size)
                    found.append(json.dumps(item, ensure_ascii=False))
    except _Enough:
        pass
    return Items(found, [Beyond(name, getattr(limits, name), most) for name, most in sorted(reader.beyond.items())])


def _is_faq(item: Mapping[str, Any]) -> bool:
    return str(item["@type"]).endswith(_FAQ)


class _Reader:
    """What is read of one page. beyond: limit -> how much there was, at least."""

    def __init__(self, tree: Any, limits: Limits) -> None:
        self.document, self.limits = tree.document, limits
        self.beyond: dict[str, int] = {}
        self._counts = {"max_items": 0, "max_item_elements": 0, "max_markup_bytes": 0}
        self._html_chars = 0
        self._around: dict[Any, Any] = {}  # element -> the item that it is or stands in
        self._known: dict[tuple[Callable[[Any], Any], Any], Any] = {}

    def elements(self, selector: str) -> list[Any]:
        """Return the elements that a selector finds, in page order; none of them where they are too many."""
        found = self.document.query_selector_all(selector)
        self.count("max_item_elements", len(found))
        elements: list[Any] = found.values()
        return elements

    def item(self, element: Any, open_: tuple[Any, ...]) -> tuple[dict[str, Any], int]:
        """Return an item with its properties and about how long its JSON is; nothing inside of itself, or too deep.

        open_: the items around it. An item under several names is written as often, so its size counts as often.
        """
        if element in open_:
            return {}, 0
        if len(open_) > self.limits.max_item_depth:
            self.beyond["max_item_depth"] = len(open_)  # not looked any deeper
            return {}, 0
        self.count("max_items")
        found, size = self._once(_about, element)
        said: dict[str, list[Any]] = {}
        for each in self._properties_of(element):
            value: Any = self._value(each) if not each.hasattr("itemscope") else ""
            length = len(value)
            if each.hasattr("itemscope"):
                value, length = self.item(each, (*open_, element))
            for name in self._once(_names, each) if value else ():
                size += len(name) + length + _QUOTES
                self._hold("max_markup_bytes", size)
                said.setdefault(name, []).append(value)
        return found | {name: values[0] if len(values) == 1 else values for name, values in said.items()}, size

    def _once(self, read: Callable[[Any], Any], element: Any) -> Any:
        """Return what `read` makes of an element, which may be asked for again and again."""
        if (read, element) not in self._known:
            self._known[read, element] = read(element)
        return self._known[read, element]

    def _properties_of(self, item: Any) -> Iterator[Any]:
        """Yield the elements that are properties of an item, each once: those in it, then those that itemref names."""
        found = dict.fromkeys(self._properties.get(item, ()))
        for name in self._once(_references, item):
            self.count("max_item_elements")
            if (named := self._by_id.get(name)) is not None:
                found |= dict.fromkeys(self._below.get(named, ()))
        for each in found:
            self.count("max_item_elements")
            yield each

    @cached_property
    def _with_names(self) -> list[Any]:
        return self.elements("[itemprop]")

    @cached_property
    def _below(self) -> dict[Any, list[Any]]:
        """Return element with an id -> the properties at and in it, up to the items in it, in page order."""
        found = dict[Any, list[Any]]()
        for each in self._with_names:
            above = self._named_above(each.parent_element)
            self.count("max_item_elements", len(above))
            for named in (each, *above):
                found.setdefault(named, []).append(each)
        return found

    @cached_property
    def _above(self) -> dict[Any, tuple[Any, ...]]:
        return {}

    def _named_above(self, element: Any) -> tuple[Any, ...]:
        """Return the elements with an id, from this one up to the item around it."""
        path = []
        while element is not None and element not in self._above and not element.hasattr("itemscope"):
            self.count("max_item_elements")
            path.append(element)
            element = element.parent_element
        named = self._above.get(element, ())
        for each in reversed(path):
            named = (each, *named) if each.hasattr("id") else named
            self.count("max_item_elements", len(named))
            self._above[each] = named
        return named

    @cached_property
    def _properties(self) -> dict[Any, list[Any]]:
        """Return item -> the elements that are properties of it by where they stand."""
        found: dict[Any, list[Any]] = {}
        for element in self._with_names:
            item = self._item_of(element)
            found.setdefault(item, []).append(element)
            self._around.setdefault(element, element if element.hasattr("itemscope") else item)
        return found

    @cached_property
    def _by_id(self) -> dict[str, Any]:
        """Return id -> the first element that has it."""
        found: dict[str, Any] = {}
        for element in self.elements("[id]"):
            found.setdefault(element.getattr("id"), element)
        return found

    def _item_of(self, element: Any) -> Any:
        """Return the item in which an element stands, be it one itself or not; None where there is none."""
        return self._item_around(element.parent_element)

    def _item_around(self, element: Any) -> Any:
        """Return the item that an element is or stands in; None where there is none."""
        path = []
        while element is not None and element not in self._around and not element.hasattr("itemscope"):
            self.count("max_item_elements")
            path.append(element)
            element = element.parent_element
        item = self._around.get(element, element)
        self._around.update(dict.fromkeys(path, item))
        return item

    def _value(self, element: Any) -> str:
        value: str = self._once(self._read_value, element)
        return value

    def _read_value(self, element: Any) -> str:
        name = _ATTRIBUTES.get(element.tag)
        stated = element.getattr(name or ("datetime" if element.tag == "time" else "content"))
        if stated is None and name is None:
            stated = self._text(element)
        return (stated or "").strip()

    def _text(self, element: Any) -> str:
        """Return the text of an element; nothing where its HTML is too long, or that of all values so far."""
        if self._html_chars > self.limits.max_item_html_chars:
            self.beyond["max_item_html_chars"] = self._html_chars
            return ""
        length = len(element.html)
        self._html_chars += length
        if length > self.limits.max_item_value_chars:
            self.beyond["max_item_value_chars"] = max(length, self.beyond.get("max_item_value_chars", 0))
            return ""
        return " ".join(element.text.split())

    def count(self, limit: str, more: int = 1) -> None:
        """Add to what a limit bounds; raise _Enough beyond it."""
        self._counts[limit] += more
        self._hold(limit, self._counts[limit])

    def _hold(self, limit: str, observed: int) -> None:
        if observed > getattr(self.limits, limit):
            self.beyond[limit] = observed
            raise _Enough


def _about(element: Any) -> tuple[dict[str, Any], int]:
    """Return an item's type and address and how long they are."""
    types = [each.rstrip("/#") for each in (element.getattr("itemtype") or "").split()]
    found: dict[str, Any] = {"@type": types[0] if len(types) == 1 else types} if types else {}
    if address := (element.getattr("itemid") or "").strip():
        found["@id"] = address
    return found, sum(len(each) + _QUOTES for each in (*types, address))


def _names(element: Any) -> list[str]:
    """Return the names of a property; "@type" and the like are ours."""
    return [name for name in dict.fromkeys(element.getattr("itemprop").split()) if not name.startswith("@")]


def _references(item: Any) -> list[str]:
    """Return the ids that an item's itemref names."""
    return list(dict.fromkeys((item.getattr("itemref") or "").split()))
