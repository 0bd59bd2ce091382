"""Results of a traffic run: key figures, tables of the trace, notes, replay."""
