"""Equilibrium, optimum and other rows that nobody learned, found by simulation; duaIterate."""
