"""Road networks: SUMO's XML read safely, checked, and seen as a graph."""
