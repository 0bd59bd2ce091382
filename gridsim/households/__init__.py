"""Households: population, days, jobs, the schedules of a job, and forecasts of load."""
