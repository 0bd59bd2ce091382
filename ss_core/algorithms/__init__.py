"""Algorithms, one file each: how agents turn what they saw and received into a policy update."""
