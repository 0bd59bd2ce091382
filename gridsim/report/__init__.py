"""The grid's chapters of the page."""
