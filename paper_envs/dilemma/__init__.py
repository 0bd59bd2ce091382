"""Schelling diagrams: whether a task is a social dilemma, found with scripted play."""
