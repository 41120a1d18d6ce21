"""`corpusmill quality train`: examples out of snapshots and files."""
