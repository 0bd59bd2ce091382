"""Households on a low-voltage feeder: physics, tariff, the scheduling game and its references."""
