"""SUMO in child processes: days simulated, steered while they last, and recorded."""
