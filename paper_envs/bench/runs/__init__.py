"""What a benchmark runs, and one run of it."""
