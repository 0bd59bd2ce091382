"""Names of presets, for modules that must not import torch; see `presets`."""

from typing import Literal

PresetName = Literal["paper", "tuned"]
