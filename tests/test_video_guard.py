"""A film that takes long and lives is left alone; one that hangs, or takes longer than any film may, is stopped."""

import time
from pathlib import Path

import pyarrow as pa
import pytest

from filters.guard import GuardedPool
from manifests.limits import Limits
from manifests.reasons import Quarantine

BETWEEN_S, WHOLE_S = 0.3, 2.0


def patient(config):
    """Return a worker whose rows burn CPU: "alive 1.0" tells of itself all the time, "silent 1.0" never does."""

    def work(batch, progress):
        for row, order in enumerate(batch["order"].to_pylist()):
            progress(row)
            what, _, seconds = order.partition(" ")
            until = time.process_time() + float(seconds or 0)
            while time.process_time() < until:
                if what == "alive":
                    progress(row)
        return {"done": batch}

    return work


def run(orders, row_cpu_s=WHOLE_S):
    limits = Limits(parse_cpu_s=BETWEEN_S)
    with GuardedPool(f"{Path(__file__).stem}:patient", {}, limits, row_cpu_s) as pool:
        return pool.run(pa.record_batch({"order": orders}))


def test_a_row_that_shows_life_may_take_longer_than_the_limit_between_two_signs():
    guarded = run(["alive 1.2", "alive 0.6"])
    assert (guarded.failures, guarded.outputs["done"].num_rows) == ([], 2)


@pytest.mark.parametrize(
    ("order", "row_cpu_s"),
    [
        pytest.param("silent 60", WHOLE_S, id="no sign of life"),
        pytest.param("alive 60", WHOLE_S, id="signs of life beyond what a whole row may take"),
        pytest.param("alive 60", None, id="signs of life where rows have no limit of their own"),
    ],
)
def test_cpu_limits_stay(order, row_cpu_s):
    began = time.monotonic()
    guarded = run(["a", order, "b"], row_cpu_s)
    assert [(failure.row, failure.reason) for failure in guarded.failures] == [(1, Quarantine.PARSE_TIMEOUT)]
    assert guarded.outputs["done"]["order"].to_pylist() == ["a", "b"]
    assert time.monotonic() - began < 55
