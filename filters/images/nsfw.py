"""How likely an image is pornographic: Yahoo's open_nsfw (Mahadeokar & Pesavento 2016; BSD-2-Clause), as ONNX.

It knows photographs of naked people; drawings, violence and other offence it does not.
"""

import io
from functools import cache
from typing import Any

import numpy as np
from PIL import Image

from filters.images.onnx import session
from filters.models import model_path

NSFW_VERSION = 1  # part of the stage key
MODEL = "open-nsfw.onnx"
_SIDE, _CROP = 256, 224
_MEAN_BGR = np.array([104, 117, 123], np.float32)


def nsfw_score(pixels: Any) -> float:
    """Return the score of uint8[H, W, 3], in [0, 1]; the network's float32."""
    (scores,) = _session().run(None, {_input_name(): prepared(pixels)[None]})
    return float(scores[0, 1])


def prepared(pixels: Any) -> Any:
    """Return float32[224, 224, 3], BGR less the mean, as the model was trained: through a JPEG of quality 75."""
    small = Image.fromarray(pixels).resize((_SIDE, _SIDE), Image.Resampling.BILINEAR)
    edge = (_SIDE - _CROP) // 2
    with io.BytesIO() as file:
        small.crop((edge, edge, edge + _CROP, edge + _CROP)).save(file, "JPEG", quality=75)
        seen = np.asarray(Image.open(file), np.float32)
    return np.ascontiguousarray(seen[:, :, ::-1] - _MEAN_BGR)


@cache
def _session() -> Any:
    return session(model_path(MODEL).read_bytes())


@cache
def _input_name() -> str:
    return str(_session().get_inputs()[0].name)
