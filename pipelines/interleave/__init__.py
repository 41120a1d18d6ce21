"""The interleave job: documents of the text job and media of the images job into interleaved shards."""
