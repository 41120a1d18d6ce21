"""The mixture job: how much of what a trainer reads, stage by stage."""
