"""`ss train`: settings, one run, its result and its chapters of the page."""
