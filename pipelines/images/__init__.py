"""The images job: files, archives and crawls to deduplicated images with captions, in WebDataset shards."""
