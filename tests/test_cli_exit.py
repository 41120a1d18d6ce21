"""A job that fails while other threads compute ends with its own exit status and what it said."""

import subprocess
import sys

FAILS = """
import sys, threading, time
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pipelines import cli

def compute():
    rows = pa.array(np.random.default_rng(0).random(1 << 20))
    while True:
        pc.sort_indices(rows)

def fails(chosen):
    for _ in range(4):
        threading.Thread(target=compute, daemon=True).start()
    time.sleep(0.3)
    print("so far", end="")
    raise ValueError("this record is broken")

class Parser:
    def parse_args(self, own):
        return type("Chosen", (), {"run": staticmethod(fails)})()

cli.parser = Parser
sys.argv = ["corpusmill"]
sys.exit(cli.main())
"""


def test_a_failure_beside_native_threads_keeps_its_status_and_its_words():
    for _ in range(3):
        ended = subprocess.run([sys.executable, "-c", FAILS], capture_output=True, text=True, timeout=60, check=False)
        assert (ended.returncode, ended.stdout) == (1, "so far")
        assert ended.stderr == "corpusmill: this record is broken\n"
