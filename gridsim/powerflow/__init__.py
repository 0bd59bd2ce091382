"""Batched AC power flow, and its audit by pandapower."""
