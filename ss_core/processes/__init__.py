"""Other processes: sub-tasks of a run, and pools for many short tasks."""
