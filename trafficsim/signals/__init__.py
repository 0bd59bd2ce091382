"""Traffic lights by sumo-rl in child processes, as an environment."""
