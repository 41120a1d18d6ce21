"""Where it runs: sources, the shared phases, one file per job, the command line. The only importer of Beam."""
