"""Stacks of networks: actors of every architecture, critics, and the optimiser that trains them."""
