"""img2dataset in its own environment, over local files: what benchmarks/images.py compares with.

    PYTHON benchmarks/images_peer.py FOLDER OUT SIZE_PX

It takes file: URLs, so no server and no network is in its figure. One process; the settings are those of our run.
"""

import csv
import sys
from pathlib import Path

from img2dataset import download


def main() -> None:
    """Make shards of one folder."""
    folder, out, size = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    listed = out.with_suffix(".csv")
    with listed.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["url", "caption"])
        for path in sorted(folder.glob("*.jpg")):
            rows.writerow([path.resolve().as_uri(), path.with_suffix(".txt").read_text()])
    download(
        url_list=str(listed),
        input_format="csv",
        caption_col="caption",
        output_folder=str(out),
        output_format="webdataset",
        resize_mode="keep_ratio",
        image_size=size,
        encode_quality=95,
        processes_count=1,
        thread_count=8,
        number_sample_per_shard=100_000,
        enable_wandb=False,
    )


if __name__ == "__main__":
    main()
