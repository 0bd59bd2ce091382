"""One run of any world: what is asked for, what is trained, referred to, scored and written."""
