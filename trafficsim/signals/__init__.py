"""Traffic lights by sumo-rl in child processes: environment, neighbours, and their runs."""
