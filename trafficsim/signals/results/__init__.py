"""What a run of traffic lights adds up to: rows, key figures, notes, the table of trips."""
