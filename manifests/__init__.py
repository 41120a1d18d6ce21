"""What the data is: records, store, plan, runs, shards, ledger, manifest, verification. Nothing here knows Beam."""
