"""The encode job: token shards of a corpus for trainers."""
