"""The whole text job against datatrove's whole chain: from WARC files, and from the same extracted text.

corpusmill runs as its users run it, `corpusmill text INPUT --out OUT --workers 1`; datatrove as `datatrove_chain.py`
says. The figure is CPU time a page as a slope between two sizes, so that start-up stands apart on both sides.
"""

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks import inputs, peers
from benchmarks.measure import Contender, Series, run, slope_ms, startup_s
from benchmarks.outcomes import Outcome, agreement, counted, first_reasons, of_corpusmill, of_datatrove
from benchmarks.table import Row
from filters.models import model_path

KINDS = {"warc": inputs.warc, "jsonl": inputs.jsonl}
WORK = {
    "warc": "WARC -> extract -> language -> Gopher, C4, FineWeb -> MinHash -> shards: over datatrove",
    "jsonl": "the same from the same extracted text (JSONL)",
}
Outcomes = dict[tuple[str, int], Outcome]  # (contender, pages)


def corpusmill(kind: str, pages_a_file: int, settings: Sequence[str], outcomes: Outcomes) -> Contender:
    """Return the text job over pages ("warc") or texts ("jsonl"); `settings` go to --set."""
    override = [f"--set={setting}" for setting in settings]
    name, script = f"corpusmill {kind}", Path(sys.executable).with_name("corpusmill")

    def command(pages: int, out: Path) -> list[str | Path]:
        return [script, "text", KINDS[kind](pages, pages_a_file), "--out", out, "--workers", "1", "--quiet", *override]

    return Contender(name, command, look=lambda pages, out: outcomes.update({(name, pages): of_corpusmill(out)}))


def datatrove(kind: str, pages_a_file: int, outcomes: Outcomes) -> Contender:
    """Return datatrove's chain over the same files."""
    name = f"datatrove {kind}"
    return Contender(
        name,
        lambda pages, out: _chain(kind, KINDS[kind](pages, pages_a_file), out),
        {"HF_HUB_OFFLINE": "1"},
        lambda pages, out: outcomes.update({(name, pages): of_datatrove(out)}),
    )


def _chain(kind: str, source: Path, out: Path) -> list[str | Path]:
    chain = Path(__file__).with_name("datatrove_chain.py")
    return [peers.datatrove_python(), chain, kind, source, out, model_path("lid.176.ftz")]


def rows(series: Series, kind: str, low: int, high: int) -> list[Row]:
    """Return how many times more pages a CPU second corpusmill does, and each side's start-up."""
    ours, theirs = series[f"corpusmill {kind}"], series[f"datatrove {kind}"]
    mine, other = slope_ms(ours, low, high), slope_ms(theirs, low, high)
    measured = (
        f"{mine:.2f} against {other:.1f} ms a page (start-up {startup_s(ours, low, high):.1f} against "
        f"{startup_s(theirs, low, high):.1f} CPU-s)"
    )
    return [Row(WORK[kind], measured, other / mine, "x", (">=", 10))]


def differences(outcomes: Outcomes, pages: int, pages_a_file: int) -> str:
    """Return who keeps what at `pages`, as Markdown: counts by first reason, and verdicts on the same texts."""
    parts = []
    for kind in KINDS:
        ours, theirs = outcomes[f"corpusmill {kind}", pages], outcomes[f"datatrove {kind}", pages]
        parts += [
            f"### {pages} pages from {kind}: corpusmill keeps {len(ours.kept)}, datatrove {len(theirs.kept)}",
            counted("corpusmill: first reason", ours.reasons),
            counted("datatrove: first reason", theirs.reasons),
        ]
    ours, theirs = outcomes["corpusmill jsonl", pages], outcomes["datatrove jsonl", pages]
    both = agreement(ours, theirs)
    english = agreement(ours, theirs, {"en"})
    parts += [
        "### Verdicts of the rules on the same texts, before deduplication",
        f"The same for {both.same_fraction:.1%} of all texts and {english.same_fraction:.1%} of those in English: both "
        f"keep {both.both_pass}, both drop {both.both_drop}, only corpusmill keeps {len(both.only_ours_passes)}, only "
        f"datatrove keeps {len(both.only_theirs_passes)}.",
        counted(
            "datatrove's first reason for what only corpusmill keeps",
            _their_reasons(both.only_ours_passes, inputs.jsonl(pages, pages_a_file)),
        ),
        counted(
            "corpusmill's first reason for what only datatrove keeps", first_reasons(ours, both.only_theirs_passes)
        ),
    ]
    return "\n\n".join(parts)


def _their_reasons(uris: frozenset[str], texts: Path) -> dict[str, int]:
    """Give datatrove these texts alone: its rules look at one document at a time."""
    with tempfile.TemporaryDirectory(prefix="corpusmill-bench-") as folder:
        source, out = Path(folder) / "in", Path(folder) / "out"
        source.mkdir()
        with (source / "texts.jsonl").open("w") as file:
            for path in sorted(texts.glob("*.jsonl")):
                with path.open() as lines:
                    file.writelines(line for line in lines if json.loads(line)["url"] in uris)
        run(_chain("jsonl", source, out), {"HF_HUB_OFFLINE": "1"})
        reasons = of_datatrove(out).reasons
    return {name: n for name, n in reasons.items() if not name.startswith("minhash")}
