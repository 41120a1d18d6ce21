"""Images with the bare libraries: OpenCV decodes, shrinks by area and encodes; nothing else is done.

    python -m benchmarks.images_bare FOLDER OUT SIZE_PX

The files are those that img2dataset would make, one behind the other in OUT.
"""

import sys
from pathlib import Path

import cv2
import numpy as np


def main() -> None:
    """Do the work of one folder."""
    folder, out, size = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    cv2.setNumThreads(1)
    with out.open("wb") as file:
        for path in sorted(folder.glob("*.jpg")):
            pixels = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
            if pixels is None:
                continue
            height, width = pixels.shape[:2]
            scale = size / min(height, width)
            small = cv2.resize(pixels, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)
            file.write(cv2.imencode(".jpg", small, [int(cv2.IMWRITE_JPEG_QUALITY), 95])[1].tobytes())


if __name__ == "__main__":
    main()
