"""The benchmarks' own arithmetic: slopes, growth, verdicts, tables. The figures are `make bench`'s."""

import os
import sys

import pytest

from benchmarks import bare, growth
from benchmarks.measure import Usage, run, slope_ms, startup_s, tree
from benchmarks.outcomes import Outcome, _gone, agreement, counted
from benchmarks.signatures import parse
from benchmarks.table import Row, render


def used(*cpu_s, worker=100, child=50):
    return [Usage(each, each, worker << 20, child << 20) for each in cpu_s]


def test_a_slope_leaves_start_up_out_and_takes_the_least_disturbed_runs():
    runs = {100: used(5.0, 4.2), 1100: used(9.0, 6.2)}
    assert slope_ms(runs, 100, 1100) == pytest.approx(2.0)
    assert startup_s(runs, 100, 1100) == pytest.approx(4.0)


def test_the_total_is_held_against_the_bare_libraries():
    series = {"ours": {100: used(1.0), 1100: used(4.0)}, bare.NAME: {100: used(0.5), 1100: used(2.0)}}
    [row] = bare.rows(series, "ours", 100, 1100)
    assert (row.figure, row.verdict) == (2.0, "met")


@pytest.mark.parametrize(
    ("cpu_s", "worker", "verdicts"),
    [
        pytest.param((4.0, 5.0, 15.0), (100, 105, 110), ["met", "met", "met"], id="linear, memory stands"),
        pytest.param((4.0, 5.0, 16.0), (100, 120, 130), ["**missed**"] * 3, id="worse than linear"),
    ],
)
def test_growth_compares_the_differences_of_neighbouring_sizes(cpu_s, worker, verdicts):
    runs = {size: used(cpu, worker=mib) for size, cpu, mib in zip((10, 100, 1000), cpu_s, worker, strict=True)}
    assert [row.verdict for row in growth.rows({"ours": runs}, "ours", 10)] == verdicts


def test_two_sizes_tell_memory_alone():
    runs = {10: used(4.0, child=100), 100: used(5.0, child=200)}
    [row] = growth.rows({"ours": runs}, "ours", 10)
    assert row.figure == 2.0


def test_a_command_costs_its_descendants_too():
    spin = "import time\nwhile time.process_time() < {}: pass"
    child = spin.format(0.3)
    both = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    assert run([sys.executable, "-c", both]).cpu_s >= 0.3


def test_peak_memory_is_told_for_the_worker_and_its_child():
    hold = "import time; held = bytearray({} << 20); time.sleep(0.6)"
    both = (
        f"import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', {hold.format(120)!r}]); "
        + hold.format(40)
    )
    usage = run([sys.executable, "-c", both + "; p.wait()"])
    assert 40 << 20 <= usage.worker_bytes < 100 << 20 <= usage.child_bytes


def test_a_command_that_fails_is_no_figure():
    with pytest.raises(RuntimeError, match=r"status 3\s+told"):
        run([sys.executable, "-c", "print('told'); raise SystemExit(3)"])


def test_a_tree_holds_its_root():
    assert os.getpid() in tree(os.getpid())


def test_verdicts_are_compared_over_the_same_texts():
    languages = {"a": "en", "b": "en", "c": "ja", "d": "ja"}
    ours, theirs = Outcome(passed={"a", "b"}, language=languages), Outcome(passed={"b", "c", "elsewhere"})
    both = agreement(ours, theirs)
    assert (both.both_pass, both.both_drop, both.only_ours_passes, both.only_theirs_passes) == (1, 1, {"a"}, {"c"})
    assert both.same_fraction == 0.5
    assert agreement(ours, theirs, {"en"}).only_theirs_passes == frozenset()


def test_every_document_that_datatrove_loses_has_a_step_or_a_reason():
    steps = [
        {"step": "📖 - READER: 🕷 Warc", "documents": 10},
        {"step": "🛢 - EXTRAC: ⛏ Trafilatura", "total": 10, "timeout": 1, "dropped": 2, "forwarded": 7},
        {
            "step": "🔻 - FILTER: ⛰ C4 Quality",
            "total": 7,
            "dropped": 3,
            "dropped_curly_bracket": 2,
            "dropped_too_few_sentences": 1,
        },
    ]
    assert dict(_gone(steps)) == {
        "trafilatura/timeout": 1,
        "trafilatura": 2,
        "c4_quality/curly_bracket": 2,
        "c4_quality/too_few_sentences": 1,
    }


def test_minhash_is_judged_by_words_of_the_same_quality():
    printed = (
        "en: 12.1 x the best of rensa, like words (goal 8 x)\nja: 3.6 x the best of rensa, words free (goal 8 x)\n"
    )
    assert [(row.figure, row.verdict) for row in parse(printed)] == [(12.1, "met"), (3.6, "")]


def test_a_table_says_which_goals_are_met():
    rows = [Row("a", "1 against 2", 2.0, "x", (">=", 10)), Row("b", "", 0.25, "s", ("<=", 0.3)), Row("c", "", 1, "x")]
    *_, missed, met, told = render(rows).splitlines()
    assert missed.endswith("| 2.00 x | >= 10 x | **missed** |")
    assert met.endswith("| met |")
    assert told.endswith("|  |  |")


def test_counts_come_with_the_largest_first():
    assert counted("why", {"b": 1, "a": 1, "c": 5}).splitlines()[2:] == ["| `c` | 5 |", "| `a` | 1 |", "| `b` | 1 |"]
