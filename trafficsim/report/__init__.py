"""Traffic's chapters of the page."""
