"""Results of a benchmark as tables, curves and comparisons."""
