"""Numbers of finished runs: SQL, export, comparison."""
