"""What we think of a record: extractors, edits, signals, rules, deduplication. Nothing here knows Beam."""
