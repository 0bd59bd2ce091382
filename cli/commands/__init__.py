"""One file per command; each parses its options and prints its result."""
