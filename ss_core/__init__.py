"""Suggestion Sharing: the learner, the exchange and the record. Knows tensors and agents, no domain."""
