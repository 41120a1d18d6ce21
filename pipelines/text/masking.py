"""The last edit: personal data in what is published gives way to the name of its class."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters.personal.find import find
from filters.personal.mask import Masked, count_by_class, mask
from filters.personal.style import Style
from manifests.records import MARKUP, PART


@dataclass
class Masking:
    """Masks texts of a shard and counts what it found; `classes` empty: everything stays as it is."""

    classes: tuple[str, ...]
    style: Style
    spans: Counter[str] = field(default_factory=Counter)
    documents: int = 0

    @classmethod
    def of(cls, settings: Mapping[str, Any] | None) -> "Masking":
        """Return the masking that `text.personal` asks for, as JSON; None masks nothing."""
        if settings is None:
            return cls((), Style())
        return cls(tuple(settings["classes"]), Style(settings["style"], settings["tokens"]))

    def documents_of(self, columns: dict[str, Any], language: pa.Array) -> dict[str, Any]:
        """Return {title, markup, text, parts} of documents, masked; offsets of parts follow."""
        if not self.classes:
            return columns
        spans = find(columns["text"], self.classes, language)
        masked = mask(columns["text"], spans, self.style)
        self.spans.update(count_by_class(spans))
        self.documents += len(pc.unique(spans["row"]))
        return {
            "text": masked.text,
            "parts": self._alternatives(masked, columns["parts"], language),
            "title": self.strings(columns["title"], language),
            "markup": self._markup(columns["markup"], language),
        }

    def strings(self, text: pa.ChunkedArray | pa.Array, language: pa.Array) -> pa.Array:
        """Return strings masked; nulls stay null."""
        whole = text.combine_chunks() if isinstance(text, pa.ChunkedArray) else text
        if not self.classes:
            return whole
        filled = pc.fill_null(whole, "")
        masked = mask(filled, find(filled, self.classes, language), self.style).text
        return pc.if_else(pc.is_valid(whole), masked, pa.scalar(None, pa.string()))

    def _alternatives(self, masked: Masked, parts: pa.ListArray, language: pa.Array) -> pa.ListArray:
        moved = masked.move_parts(parts)
        return _with(moved, PART, "alt", self.strings(moved.flatten().field("alt"), _each(moved, language)))

    def _markup(self, markup: pa.ChunkedArray | pa.ListArray, language: pa.Array) -> pa.ListArray:
        whole = markup.combine_chunks() if isinstance(markup, pa.ChunkedArray) else markup
        content = self.strings(whole.flatten().field("content"), _each(whole, language))
        return _with(whole, MARKUP, "content", content)

    def as_statistics(self) -> dict[str, Any]:
        """Return what was masked in texts, to add up over shards."""
        return {"documents": self.documents, "spans": dict(sorted(self.spans.items()))}


def _each(lists: pa.ListArray, language: pa.Array) -> pa.Array:
    """Return the language of each element of lists."""
    return language.take(pc.list_parent_indices(lists))


def _with(lists: pa.ListArray, kind: pa.StructType, name: str, values: pa.Array) -> pa.ListArray:
    """Return lists of structs with one field replaced; null lists stay null."""
    flat = lists.flatten()
    columns = [values if each.name == name else flat.field(each.name) for each in kind]
    sizes = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    bounds = pa.array(np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32))
    empty = None if lists.null_count == 0 else pc.is_null(lists)
    return pa.ListArray.from_arrays(bounds, pa.StructArray.from_arrays(columns, fields=list(kind)), mask=empty)
