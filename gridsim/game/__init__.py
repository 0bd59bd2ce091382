"""The scheduling game: tariff, costs, schedules of a day, and its environments."""
