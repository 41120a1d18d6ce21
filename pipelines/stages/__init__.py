"""What the jobs share: units in parts, staged runs, key ranges, clusters, verdicts, statistics."""
