"""A grid run's sub-tasks and what they add up to."""
