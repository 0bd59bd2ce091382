"""Reference rows of the scheduling game: equilibrium, optimum, planners, certificate."""
