"""Interleaved documents: which media a part means, what a part measures beside its media, and the profiles."""
