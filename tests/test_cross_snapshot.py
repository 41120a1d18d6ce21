"""What another snapshot keeps always leads; its nodes lie where ids lie and are no record's."""

import numpy as np
import pyarrow as pa
import pytest
import real_texts
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.annotate import Settings, annotate
from filters.shingle_match import match_clusters
from manifests.keys import keys_of
from manifests.records import ID, RAW
from pipelines.stages.duplicate_rows import BAND
from pipelines.text.other_corpora import bands, node_ids, text_digests

DIGESTS = st.text("0123456789abcdef", min_size=64, max_size=64)


@given(st.lists(st.binary(min_size=16, max_size=16), max_size=20), DIGESTS)
def test_a_node_is_another_id_in_the_same_key_range(ids, digest):
    column = pa.array(ids, ID)
    nodes = node_ids(column, digest)
    assert nodes.type == ID and node_ids(nodes, digest).to_pylist() == ids
    assert keys_of(nodes).tolist() == keys_of(column).tolist()
    assert not any(a == b for a, b in zip(nodes.to_pylist(), ids, strict=True))


sets = st.lists(st.sets(st.integers(0, 12), min_size=1, max_size=8), min_size=1, max_size=12)


@settings(max_examples=300)
@given(sets, st.integers(0, 12), st.sampled_from([1, 4, 64]), st.sampled_from([0.3, 0.5, 0.8, 1.0]))
def test_those_that_stay_lead_whomever_they_resemble(members, known, cap, threshold):
    hashes = np.array([value for each in members for value in sorted(each)], np.uint64)
    offsets = np.cumsum([0, *map(len, members)])
    stays = np.arange(len(members)) < known
    found = match_clusters(np.array([0, len(members)]), hashes, offsets, threshold, cap, stays)
    assert not stays[found.members].any()
    leaders: list[int] = []
    expected = {}
    for member, words in enumerate(members):
        alike = [each for each in leaders if len(words & members[each]) / len(words | members[each]) >= threshold]
        if alike and member >= known:
            expected[member] = alike[0]
        else:
            leaders.append(member)
    if cap == 64:  # nothing is left uncompared
        assert dict(zip(found.members.tolist(), found.leaders.tolist(), strict=True)) == expected


@pytest.mark.parametrize("near", [None, {"bands": 14, "rows": 8, "ngram": 5}])
def test_bands_of_published_texts_are_those_that_staging_gives(near):
    texts = [text for text in real_texts.sample()[:40] if text.strip()]
    rows = [
        {"uri": f"file:{number}", "media_type": "text/plain", "digest": bytes([number]) * 32, "payload": text.encode()}
        for number, text in enumerate(texts)
    ]
    staged = annotate(pa.RecordBatch.from_pylist(rows, RAW), Settings(edits=(), near=near), lambda row: None)
    documents = staged["documents"]
    again = bands(documents["id"], documents["text"], near)
    expected = pa.Table.from_batches([staged["bands"].select(BAND.names)])
    order = [("key", "ascending"), ("id", "ascending")]
    assert again.sort_by(order).to_pylist() == expected.sort_by(order).to_pylist()
    assert text_digests(documents["text"]).to_pylist() == staged["signals"]["view_digest"].to_pylist()
