"""From update to update: the training loop, what it writes to the trace, saved learners."""
