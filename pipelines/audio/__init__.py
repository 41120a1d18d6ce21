"""The audio job: sound files, archives and crawls to deduplicated speech segments with transcripts, in shards."""
