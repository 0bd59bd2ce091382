"""The routing game: its rules, its settings and its environments."""
