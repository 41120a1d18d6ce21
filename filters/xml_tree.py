"""Small XML documents as a tree of elements: nothing is defined, expanded or loaded, and depth and number are bounded.

Names are local: prefixes are often undeclared or wrong in the wild, so an element is known by what stands behind the
colon. A document type that only names itself is passed over; one that defines anything is refused (entity bombs).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

from manifests.reasons import Quarantine

MAX_DEPTH = 128
MAX_ELEMENTS = 500_000


class XmlError(ValueError):
    """A document that can't be read, with the reason of the closed list."""

    def __init__(self, reason: Quarantine, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


@dataclass(slots=True)
class Element:
    """An element; `attributes` by local name, `text` of its own up to its first child and behind its children."""

    name: str
    attributes: dict[str, str]
    children: list["Element"] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Return the element's own text, stripped."""
        return "".join(self.pieces).strip()

    def whole_text(self) -> str:
        """Return all text inside, its white space made one space."""
        return " ".join(" ".join(each.text for each in self.walk()).split())

    def walk(self) -> Iterator["Element"]:
        """Yield the element and what stands in it, in document order."""
        waiting = [self]
        while waiting:
            element = waiting.pop()
            yield element
            waiting.extend(reversed(element.children))

    def find(self, name: str) -> Iterator["Element"]:
        """Yield the elements called `name` inside, in document order."""
        return (each for each in self.walk() if each.name == name and each is not self)

    def first(self, name: str) -> "Element | None":
        """Return the first element called `name` inside."""
        return next(self.find(name), None)


def local(name: str) -> str:
    """Return a name without its prefix."""
    return name.rpartition(":")[2]


def read_tree(data: bytes) -> Element:
    """Return the root element of a document in any encoding that expat knows (UTF-8, UTF-16, Latin-1).

    Raises XmlError: parse_error for what is not well-formed or defines entities, nesting_too_deep, too_many_parts.
    """
    builder = _Builder()
    try:
        builder.parser.Parse(data.lstrip(), True)
    except expat.ExpatError as error:
        raise XmlError(Quarantine.PARSE_ERROR, f"XML: {expat.ErrorString(error.code)}") from None
    return builder.root.children[0]


class _Builder:
    def __init__(self) -> None:
        self.root = Element("", {})
        self._open = [self.root]
        self._count = 0
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.EntityDeclHandler = refuse_entity
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = lambda name: self._open.pop()
        self.parser.CharacterDataHandler = self._characters

    def _characters(self, text: str) -> None:
        self._open[-1].pieces.append(text)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if len(self._open) > MAX_DEPTH:
            raise XmlError(Quarantine.NESTING_TOO_DEEP, f"XML: more than {MAX_DEPTH} open elements")
        if self._count > MAX_ELEMENTS:
            raise XmlError(Quarantine.TOO_MANY_PARTS, f"XML: more than {MAX_ELEMENTS} elements")
        element = Element(local(name), {local(key): value for key, value in attributes.items()})
        self._open[-1].children.append(element)
        self._open.append(element)


def refuse_entity(*_: object) -> None:
    """Refuse a document that defines an entity: expat's handler of such declarations."""
    raise XmlError(Quarantine.PARSE_ERROR, "XML: the document type defines entities")
