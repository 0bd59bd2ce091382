"""One question over many runs: axes and seeds, runs that stay resumable, one data set, one page."""
