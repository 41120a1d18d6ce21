"""Which record a part of a page meets, and through which redirects: the join on tables alone."""

import pyarrow as pa
import pytest

from manifests.runs import sort_table
from pipelines.interleave.join import LOST_ORDER, follow, join
from pipelines.interleave.read import ORDERS, address_keys
from pipelines.interleave.records import ASKED, HOP, KNOWN

PAGE = b"p" * 16


def asked(*parts):
    rows = [
        {"address": address, "kind": kind, "id": PAGE, "position": n, "uri": address}
        for n, (kind, address) in enumerate(parts)
    ]
    return keyed(rows, ASKED, "asked")


def known(*rows):
    """Rows of {address, kind, rank, file, media, reason, start_s}; file and media are one letter."""
    named = [{**row, **{name: row[name].encode() * 16 for name in ("file", "media") if row.get(name)}} for row in rows]
    return keyed(named, KNOWN, "known")


def hops(*pairs):
    rows = [{"address": a, "ended_s": float(n), "target": b} for n, (a, b) in enumerate(pairs)]
    return keyed(rows, HOP, "hops")


def keyed(rows, schema, name):
    table = pa.Table.from_pylist([{"key": 0, **row} for row in rows], schema)
    table = table.set_column(0, schema.field("key"), pa.array(address_keys(table["address"].combine_chunks())))
    return sort_table(table, ORDERS[name])


def clip(address, file, media, start_s, **more):
    return {"address": address, "kind": "video", "rank": 0, "file": file, "media": media, "start_s": start_s, **more}


IMAGE = {"address": "a", "kind": "image", "rank": 0, "file": "i", "media": "i"}
GONE = {"address": "a", "kind": "image", "rank": 2, "file": "x", "reason": "dropped/small"}


def met(joined):
    """(position, media, start_s) of found rows, by position."""
    rows = sort_table(joined.found, ("position", "start_s", "media")).to_pylist()
    return [(row["position"], row["media"][:1].decode(), row["start_s"]) for row in rows]


def lost(joined):
    return [(row["position"], row["reason"]) for row in sort_table(joined.lost, LOST_ORDER).to_pylist()]


@pytest.mark.parametrize(
    ("parts", "records", "found", "missing"),
    [
        pytest.param([("image", "a")], [IMAGE], [(0, "i", None)], [], id="an image meets its record"),
        pytest.param(
            [("image", "a")], [GONE, IMAGE], [(0, "i", None)], [], id="what is kept counts before what is not"
        ),
        pytest.param([("image", "a")], [GONE], [], [(0, "dropped/small")], id="what went says why"),
        pytest.param([("image", "a")], [], [], [(0, "no_such_media")], id="nobody has seen it"),
        pytest.param(
            [("image", "a"), ("image", "a")],
            [IMAGE, {**IMAGE, "file": "j", "media": "j"}],
            [(0, "i", None), (1, "i", None)],
            [],
            id="of two records of an address each part takes the same one",
        ),
        pytest.param(
            [("video", "a")],
            [clip("a", "f", "2", 5.0), clip("a", "f", "1", 0.0), clip("b", "g", "3", 0.0)],
            [(0, "1", 0.0), (0, "2", 5.0)],
            [],
            id="a film is all its clips",
        ),
        pytest.param(
            [("video", "a")],
            [clip("a", "f", "1", 0.0), clip("a", "g", "2", 0.0)],
            [(0, "1", 0.0)],
            [],
            id="of two films of one address the clips of one",
        ),
        pytest.param(
            [("video", "a")],
            [clip("a", "f", None, 0.0, rank=2, reason="dropped/black"), clip("a", "f", "2", 5.0)],
            [(0, "2", 5.0)],
            [],
            id="a clip that was dropped is left out",
        ),
        pytest.param(
            [("video", "a")],
            [clip("a", "f", None, 0.0, rank=2, reason="dropped/black")],
            [],
            [(0, "dropped/black")],
            id="a film without a clip that stays says why",
        ),
        pytest.param(
            [("video", "a"), ("audio", "a"), ("image", "a")],
            [IMAGE, clip("a", "f", "1", 0.0)],
            [(0, "1", 0.0), (1, "1", 0.0), (2, "i", None)],
            [],
            id="one address is an image here and a film there",
        ),
    ],
)
def test_join(parts, records, found, missing):
    joined = join(asked(*parts), known(*records), hops())
    assert (met(joined), lost(joined), joined.moved.num_rows) == (found, missing, 0)
    assert len(joined.met_kind) == joined.found.num_rows


def test_what_is_unknown_goes_on_to_where_its_redirect_led():
    parts = [("image", "a"), ("image", "b"), ("image", "c")]
    joined = join(asked(*parts), known(IMAGE), hops(("a", "elsewhere"), ("b", "old"), ("b", "new")))
    assert met(joined) == [(0, "i", None)]
    assert [(row["address"], row["position"], row["uri"]) for row in joined.moved.to_pylist()] == [("new", 1, "b")]
    assert joined.moved["key"].to_pylist() == address_keys(pa.array(["new"])).tolist()
    assert lost(joined) == [(2, "no_such_media")]


def test_without_redirects_nothing_moves():
    moved, others = follow(asked(("image", "a")), hops())
    assert (moved.num_rows, others.num_rows) == (0, 1)
