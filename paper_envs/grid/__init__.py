"""Cleanup and Harvest: grid worlds in which every agent earns the apples that it eats itself."""
