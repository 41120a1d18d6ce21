"""The report: one HTML page that shows what came in, what stayed, what went and why, from statistics and samples."""
