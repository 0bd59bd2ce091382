"""The routing game: its rules, its environments and its reference rows."""
