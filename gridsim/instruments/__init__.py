"""Policy instruments: what selfish households do under each, and what each takes and asks."""
