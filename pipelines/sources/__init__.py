"""Where raw records come from: each source plans units of one input and reads them as raw batches."""

from pipelines.sources.plan import plan_units, read_unit
from pipelines.sources.units import MEDIA_TYPES, Columns, Kind, RawChunk, Unit

SOURCES_VERSION = 3  # part of the stage key; goes up when any record may be read differently

__all__ = ["MEDIA_TYPES", "SOURCES_VERSION", "Columns", "Kind", "RawChunk", "Unit", "plan_units", "read_unit"]
