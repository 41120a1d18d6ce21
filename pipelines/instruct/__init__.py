"""The instruct job: documents and media of OUT -> instruction sets, each answer with its evidence."""
