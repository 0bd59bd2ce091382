"""The child process that holds sumo-rl: its gaps bridged, programs for its lights, its server."""
