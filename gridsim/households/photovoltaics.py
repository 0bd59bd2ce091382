"""What households' roofs generate: orientation and size of each, one sky with clouds for all.

Under a clear sky as in `sun.py`. Clouds: a day's clearness (its share of a clear sky) is drawn, and
within the day the sky changes around it, most where it is neither clear nor overcast. All roofs of
a feeder lie within a few hundred metres, so that one sky stands for all: the case that strains the
feeder most. The shares of orientations and the law of the clouds are this project's own choice: a
mean clearness of 0.70 in the season that is asked for, days from overcast to clear, steps that
correlate by 0.8 from one quarter of an hour to the next.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float

from gridsim.households.sun import STEPS_PER_DAY, clear_sky_year


@dataclass(frozen=True, slots=True)
class Orientation:
    """Of a roof."""

    azimuth_degree: float  # 0 south, -90 east, 90 west
    share: float  # of roofs


PV_ORIENTATIONS = (
    Orientation(0.0, 0.6),
    Orientation(-90.0, 0.2),
    Orientation(90.0, 0.2),
)
CLEARNESS_BETA = (2.5, 1.2)  # a day's clearness: between the two ends below
DARKEST, CLEAREST = 0.1, 1.0
PERSISTENCE = 0.8  # of the sky from step to step
CHANGE = 0.8  # how much the sky changes within a day, times clearness times what lacks to 1


@cache
def clear_sky_of_roofs() -> Float[np.ndarray, "orientation day step"]:
    """Generation relative to rated power under a clear sky, midnight to midnight."""
    return np.stack([clear_sky_year(each.azimuth_degree) for each in PV_ORIENTATIONS])


def draw_clouds(
    num_days: int, rng: np.random.Generator
) -> tuple[Float[np.ndarray, " day"], Float[np.ndarray, "day step"]]:
    """Clearness of each day, and the share of a clear sky in each of its steps."""
    clearness = DARKEST + (CLEAREST - DARKEST) * rng.beta(*CLEARNESS_BETA, num_days)
    shocks = rng.standard_normal((num_days, STEPS_PER_DAY))
    sky = np.empty_like(shocks)
    sky[:, 0] = shocks[:, 0]
    for step in range(1, STEPS_PER_DAY):
        new = np.sqrt(1.0 - PERSISTENCE**2) * shocks[:, step]
        sky[:, step] = PERSISTENCE * sky[:, step - 1] + new
    change = CHANGE * clearness * (1.0 - clearness)
    around = clearness[:, None] + change[:, None] * sky
    return clearness, np.clip(around, 0.02, 1.0)
