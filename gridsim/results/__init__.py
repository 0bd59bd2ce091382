"""Results of a grid run: scores, key figures, tables of the trace, replay."""
