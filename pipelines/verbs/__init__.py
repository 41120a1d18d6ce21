"""One file a verb: `add_parser(subparsers)` describes it, `run(arguments)` does it and returns the exit status.

0 done, 1 the data failed a check, 2 wrong usage. Heavy imports stand inside `run`, so that help is instant.
"""
