"""Reports of runs: one self-contained page for every world."""
