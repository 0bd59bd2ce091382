"""Commands that carry out a benchmark."""
