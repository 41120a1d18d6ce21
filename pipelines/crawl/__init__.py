"""The crawl job: seeds to WARC, in rounds of generate, fetch, update, write."""
