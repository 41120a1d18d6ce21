"""ONNX models: checked by sha256 before every load, run on one thread, so the same scores come out of any load."""

import hashlib
from pathlib import Path
from typing import Any

from filters.models import ModelDamagedError, ModelMissingError


def load(path: str | Path, sha256: str) -> Any:
    """Return an onnxruntime session of the file on the CPU.

    Raises ModelMissingError where there is no file, ModelDamagedError where its digest is another.
    """
    file = Path(path)
    if not file.is_file():
        raise ModelMissingError(f"there is no model at {file}")
    content = file.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise ModelDamagedError(f"model {file}: sha256 {found}, not {sha256}")
    return session(content)


def session(content: bytes) -> Any:
    """Return a session of a model file's bytes."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.use_deterministic_compute = True
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
