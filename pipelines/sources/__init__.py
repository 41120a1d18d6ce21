"""Where raw records come from: each source plans units of one input and reads them as raw batches."""

from pipelines.sources.plan import plan_units, read_unit
from pipelines.sources.units import MEDIA_TYPES, Columns, Kind, RawChunk, Unit

__all__ = ["MEDIA_TYPES", "Columns", "Kind", "RawChunk", "Unit", "plan_units", "read_unit"]
