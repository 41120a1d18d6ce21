"""Guarded HTTP: what is fetched, from which addresses, how much of it."""
