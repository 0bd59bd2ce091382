"""Travel demand: SUMO's formats, generated demand, candidate routes."""
