"""On disk: atomic writes, locks, manifest, run directory, checkpoints, schema and trace writer."""
