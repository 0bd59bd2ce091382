"""Traffic runs, their sub-tasks and what they add up to."""
