"""A public queue model of a road network: link times from choices, much faster than SUMO."""
