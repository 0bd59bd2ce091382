"""`ss study`: many runs of one command, and what they say together."""
