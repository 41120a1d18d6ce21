"""Images: guarded decoding, resizing, what they measure, near-duplicates, and the rules of published data sets."""
