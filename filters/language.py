"""TEMPORARY stand-in by the lead so that the job can run; helper: overwrite this file."""
import numpy as np
import pyarrow as pa
MODEL_SHA256 = "stand-in"
def identify(text):
    import fasttext
    from pathlib import Path
    global _M
    try: _M
    except NameError: _M = fasttext.load_model("/root/cm/lid.176.ftz")
    l, s = _M.predict([t[:2000].replace("\n", " ") for t in text.to_pylist()]) if len(text) else ([], [])
    return pa.array([x[0][9:] for x in l], pa.string()), np.array([min(1.0, float(x[0])) for x in s], np.float32)
