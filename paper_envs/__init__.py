"""The four tasks of the paper, their scripted references, and the benchmark of its claims."""
