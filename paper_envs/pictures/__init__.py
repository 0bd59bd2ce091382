"""`ss watch`: episodes of trained agents as pictures."""
