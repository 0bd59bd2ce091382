"""Suggestion Sharing: learner, exchange and record. Knows tensors and agents, no domain."""
