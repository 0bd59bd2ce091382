"""What vehicle types in SUMO's words mean to the link model."""

import math
import re
from collections.abc import Mapping

import numpy as np

from trafficsim.demand.trips import DISTRIBUTION, VehicleType
from trafficsim.link_model.tables import Vehicles
from trafficsim.nets.sumo_text import number
from trafficsim.sumo.simulation import Scene

# SUMO 1.28's defaults of a car, https://sumo.dlr.de/docs/Vehicle_Type_Parameter_Defaults.html
LENGTH_M, MIN_GAP_M, TAU_S, MAX_SPEED_M_PER_S = 5.0, 2.5, 1.0, 55.55
ACCELERATION_M_PER_S2, BRAKING_M_PER_S2 = 2.6, 4.5
SIGMA, SPEED_DEVIATION = 0.5, 0.1
SPREAD_OF = re.compile(r"\s*normc?\([^,)]*,\s*([^,)\s]*)")  # norm(mean, deviation, …)


def vehicles_of(scene: Scene) -> Vehicles:
    """A row for each vehicle of the scene, in its order; what a type leaves open is a car's."""
    types = {each.type_id: _row(each) for each in scene.types}
    plain = _row(VehicleType(""))
    rows = np.array([types.get(name, plain) for name in scene.type_ids]).T
    length_m, gap_m, tau_s, top, factor, spread, acceleration, braking, sigma = rows
    return Vehicles(
        depart_s=scene.depart_s,
        space_m=length_m + gap_m,
        tau_s=tau_s,
        top_speed_m_per_s=top,
        speed_factor=factor,
        speed_spread=spread,
        acceleration_m_per_s2=acceleration,
        braking_m_per_s2=braking,
        is_noisy=sigma > 0.0,
    )


def _row(kind: VehicleType) -> tuple[float, ...]:
    given = dict(kind.attributes)
    factor, spread = _speed_factor(given)
    return (
        _positive(given, "length", LENGTH_M),
        _positive(given, "minGap", MIN_GAP_M, least=0.0),
        _positive(given, "tau", TAU_S),
        _positive(given, "maxSpeed", MAX_SPEED_M_PER_S),
        factor,
        spread,
        _positive(given, "accel", ACCELERATION_M_PER_S2),
        _positive(given, "decel", BRAKING_M_PER_S2),
        _positive(given, "sigma", SIGMA, least=0.0),
    )


def _speed_factor(given: Mapping[str, str]) -> tuple[float, float]:
    """Mean and standard deviation of wanted speed over the limit."""
    text, spread = given.get("speedFactor", "1"), SPEED_DEVIATION
    mean = DISTRIBUTION.match(text)
    if mean is not None:
        text = mean[1]
        found = SPREAD_OF.match(given["speedFactor"])
        spread = _finite(found[1] if found else "", SPEED_DEVIATION)
    return max(_finite(text, 1.0), 0.2), max(_finite(given.get("speedDev", ""), spread), 0.0)


def _positive(given: Mapping[str, str], name: str, default: float, least: float = 0.01) -> float:
    return max(_finite(given.get(name, ""), default), least)


def _finite(text: str, default: float) -> float:
    value = number(text.strip())
    return value if math.isfinite(value) else default
