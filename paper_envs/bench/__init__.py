"""`ss bench paper`: the paper's experiments, its figures, and a verdict on each of its claims."""
