"""From counts of a corpus to a vocabulary: count, train, evaluate. Nothing here knows Beam."""
