"""Where raw records come from: each source plans units of one input and reads them as raw batches."""
