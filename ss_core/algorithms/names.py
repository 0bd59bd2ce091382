"""Algorithms by name for the command line and for pages: titles and roles, without torch."""

from typing import Literal

LearnedRole = Literal["selfish", "ours"]

ALGORITHM_LABELS: dict[str, tuple[str, LearnedRole]] = {
    "ss": ("SS (suggestions only)", "ours"),
    "independent": ("selfish, learned", "selfish"),
    "centralised": ("centralised, learned", "ours"),
    "vps": ("VPS, learned", "ours"),
    "vs": ("VS, learned", "ours"),
    "ps": ("PS, learned", "ours"),
    "imr": ("IMR, learned", "ours"),
}
