"""The trainer's sequence: one order for any number of readers, gone on from exactly where it stood."""

import pickle
from itertools import islice

import pytest
from export_world import COUNT, World, world
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.snapshots import commit_samples
from manifests.exports.loader import Sequence
from manifests.exports.source import open_source
from manifests.integrity import IntegrityError
from manifests.reader import Position
from manifests.store import open_store

WINDOW = 5
JOBS = ("media", "text")


@pytest.fixture(scope="module")
def there(tmp_path_factory) -> World:
    return world(tmp_path_factory.mktemp("loader"))


@pytest.fixture(scope="module")
def orders(there):
    """Give by job the keys of three epochs, as one reader reads them."""
    return {job: keys(Sequence(there.source(job), WINDOW), count=3 * COUNT) for job in JOBS}


def keys(sequence, position=None, rank=0, world_size=1, count=COUNT):
    taken = islice(sequence.samples(position or sequence.start(), rank, world_size), count)
    return [key for _, (key, _) in taken]


@pytest.mark.parametrize("job", JOBS)
def test_an_epoch_is_every_record_once_with_its_bytes(there, job):
    read = dict(sample for _, sample in islice(Sequence(there.source(job), WINDOW).samples(start(there, job)), COUNT))
    assert read == there.samples[job]


def start(there, job):
    return Sequence(there.source(job)).start()


@pytest.mark.parametrize("job", JOBS)
def test_epochs_differ_from_each_other_and_from_the_shards_order(there, orders, job):
    epochs = [orders[job][n * COUNT : (n + 1) * COUNT] for n in range(3)]
    epochs.append([key for key, _ in there.in_order(job)])
    assert all(sorted(epoch) == sorted(epochs[0]) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 4


def test_another_seed_is_another_order(there, orders):
    sequence = Sequence(there.source("media"), WINDOW)
    other = keys(sequence, sequence.start(seed=1))
    assert sorted(other) == sorted(orders["media"][:COUNT])
    assert other != orders["media"][:COUNT]


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 8)), min_size=1, max_size=4), st.sampled_from(JOBS))
def test_any_readers_one_after_another_read_the_one_sequence(there, orders, plan, job):
    """A plan: so many readers take so many records each, then others go on from the position they left."""
    position, read = start(there, job), []
    for world_size, rounds in plan:
        sequence = Sequence(there.source(job), WINDOW)
        taken = [list(islice(sequence.samples(position, rank, world_size), rounds)) for rank in range(world_size)]
        read += [taken[rank][turn][1][0] for turn in range(rounds) for rank in range(world_size)]
        ends = {mine[-1][0] for mine in taken}
        assert len(ends) == 1, "all readers say the same position after as many turns"
        position = Position.from_json(ends.pop().as_json())
    assert read == orders[job][: len(read)] if len(read) <= len(orders[job]) else read[: 3 * COUNT] == orders[job]
    assert position.epoch * COUNT + position.index == len(read)


def test_the_order_is_what_it_was(tmp_path):
    """A trainer goes on next year: the order may not change under its position."""
    store = open_store(tmp_path)
    commit_samples(store, "numbers", [(f"{n:032x}", {"txt": b"%d" % n}) for n in range(24)])
    sequence = Sequence(open_source(store, "numbers"), window=4)
    assert [int(key, 16) for key in keys(sequence, count=24)] == PINNED


PINNED = [7, 4, 10, 1, 6, 0, 3, 9, 19, 13, 16, 22, 11, 8, 5, 2, 15, 21, 18, 12, 14, 23, 20, 17]


def test_a_sequence_goes_to_a_loaders_workers(there):
    sequence = Sequence(there.source("media"), WINDOW)
    assert keys(pickle.loads(pickle.dumps(sequence))) == keys(sequence)


def test_a_position_in_another_snapshot_is_refused(there):
    with pytest.raises(ValueError, match="this position is in manifest"):
        keys(Sequence(there.source("media")), start(there, "text"))


@pytest.mark.parametrize(("rank", "world_size"), [(2, 2), (-1, 2), (0, 0)])
def test_a_rank_is_below_the_number_of_readers(there, rank, world_size):
    with pytest.raises(ValueError, match="ranks are 0 to"):
        keys(Sequence(there.source("media")), None, rank, world_size)


@pytest.mark.parametrize("job", JOBS)
def test_a_flipped_bit_is_found_before_its_record_is_handed_out(there, tmp_path, job):
    """Every shard's middle byte: in a tar the record that holds it, in Parquet the shard."""
    whole = there.source(job)
    for name in there.store.list(f"{job}/"):
        data = there.store.read(name[0])
        if name[0] in {shard.name for shard in whole.shards}:
            data = data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :]
        open_store(tmp_path).put_new(name[0], data)
    damaged = Sequence(open_source(open_store(tmp_path), job), WINDOW)
    read = {}
    with pytest.raises(IntegrityError, match=f"{job}/data/part"):
        for _, (key, fields) in islice(damaged.samples(damaged.start()), COUNT):
            read[key] = fields
    assert len(read) < COUNT
    assert all(there.samples[job][key] == fields for key, fields in read.items())


def test_a_reader_of_tars_fetches_its_own_records_alone(there, monkeypatch):
    fetched = []
    store_type = type(there.store)
    ranged = store_type.read_range
    monkeypatch.setattr(
        store_type, "read_range", lambda self, name, at, size: fetched.append(size) or ranged(self, name, at, size)
    )
    sequence = Sequence(there.source("media"), WINDOW)
    mine = [fields for _, (_, fields) in islice(sequence.samples(sequence.start(), 3, 8), COUNT // 8)]
    assert sorted(fetched) == sorted(len(content) for fields in mine for content in fields.values())
