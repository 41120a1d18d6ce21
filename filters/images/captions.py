"""What captions measure: language, length, words."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters.language import identify
from filters.segmentation import segment

CAPTIONS_VERSION = 1  # part of the stage key
CAPTION_SIGNALS = pa.schema(
    [
        ("caption_language", pa.string()),  # of filters.language; "und" without a letter or a caption
        ("caption_language_score", pa.float64()),  # [0, 1]
        ("caption_is_english", pa.int8()),
        ("caption_char_count", pa.int32()),  # code points, without white space at the ends; 0 for null
        ("caption_word_count", pa.int32()),  # of filters.segmentation
        ("caption_distinct_word_count", pa.int32()),  # letter case aside
        ("caption_file_name_count", pa.int8()),  # 1 where it is the name of a file, such as "IMG_0815.jpg"
    ]
)
_FILE_NAME = r"(?i)^\S+\.(jpe?g|png|gif|webp|avif|tiff?|bmp|svg|heic)$"


def caption_signals(captions: pa.StringArray) -> pa.RecordBatch:
    """Return CAPTION_SIGNALS, one row a caption."""
    text = pc.utf8_trim_whitespace(pc.fill_null(captions, ""))
    language, score = identify(text)
    words = segment(text)
    distinct = [
        len(np.unique(words.hashes[start:end]))
        for start, end in zip(words.doc_offsets[:-1].tolist(), words.doc_offsets[1:].tolist(), strict=True)
    ]
    columns: list[Any] = [
        language,
        pa.array(score.astype(np.float64)),
        pc.equal(language, "en").cast(pa.int8()),
        pc.utf8_length(text).cast(pa.int32()),
        pa.array(np.diff(words.doc_offsets).astype(np.int32)),
        pa.array(distinct, pa.int32()),
        pc.match_substring_regex(text, _FILE_NAME).cast(pa.int8()),
    ]
    return pa.record_batch(columns, schema=CAPTION_SIGNALS)
