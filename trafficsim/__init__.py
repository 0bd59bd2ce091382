"""Road networks in SUMO's format: reading them safely and checking them before anything runs."""
