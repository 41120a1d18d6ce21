"""Source code: what its files are, what they are licensed under, what is measured of them, how they are packed."""
