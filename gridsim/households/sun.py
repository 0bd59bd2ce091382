"""What photovoltaics generate under a clear sky, by time of year: the most that a day can bring.

Position of the sun by Cooper's declination and Spencer's equation of time; air mass of Kasten and
Young (1989); Meinel's clear sky, G_direct = 1353 W/m² · 0.7^(AM^0.678), with a tenth more diffuse.
One site: the middle of Germany; roofs of 30°. No clouds.
"""

import numpy as np
from jaxtyping import Float

DAYS, STEPS_PER_DAY = 365, 96
LATITUDE_DEGREE, LONGITUDE_DEGREE = 51.2, 10.4
ZONE_LONGITUDE_DEGREE = 15.0  # of Central European Time, which profiles keep all year
TILT_DEGREE = 30.0
PERFORMANCE_RATIO = 0.85  # what heat, cables and inverter leave
SOLAR_W_PER_M2, RATED_W_PER_M2 = 1353.0, 1000.0
DIFFUSE_SHARE = 0.1


def clear_sky_year(azimuth_degree: float = 0.0) -> Float[np.ndarray, "day step"]:
    """Generation relative to rated power, midnight to midnight, mean of each quarter of an hour.

    `azimuth_degree` of the roof: 0 south, -90 east, 90 west.
    """
    day = np.arange(DAYS)[:, None]
    hour = (np.arange(STEPS_PER_DAY)[None, :] + 0.5) / 4
    latitude, tilt = np.deg2rad(LATITUDE_DEGREE), np.deg2rad(TILT_DEGREE)
    declination = np.deg2rad(23.45) * np.sin(2 * np.pi * (285 + day) / 365)
    angle = 2 * np.pi * day / 365
    minutes = 229.18 * (
        0.000075
        + 0.001868 * np.cos(angle)
        - 0.032077 * np.sin(angle)
        - 0.014615 * np.cos(2 * angle)
        - 0.04089 * np.sin(2 * angle)
    )
    solar_hour = hour + minutes / 60 + (LONGITUDE_DEGREE - ZONE_LONGITUDE_DEGREE) / 15
    turn = np.deg2rad(15) * (solar_hour - 12)
    up = _cosine(latitude, declination, turn)
    on_roof = np.maximum(
        _cosine_on_roof(latitude, tilt, np.deg2rad(azimuth_degree), declination, turn), 0.0
    )
    direct = _direct_w_per_m2(up)
    diffuse = DIFFUSE_SHARE * direct * (1 + np.cos(tilt)) / 2
    received = np.where(up > 0, direct * on_roof + diffuse, 0.0)
    return np.minimum(PERFORMANCE_RATIO * received / RATED_W_PER_M2, 1.0)


def _cosine(
    latitude: float, declination: np.ndarray, turn: np.ndarray
) -> Float[np.ndarray, "day step"]:
    """Of the angle between the sun and a plane that faces south, level at this latitude."""
    level = np.sin(latitude) * np.sin(declination)
    return level + np.cos(latitude) * np.cos(declination) * np.cos(turn)


def _cosine_on_roof(
    latitude: float, tilt: float, azimuth: float, declination: np.ndarray, turn: np.ndarray
) -> Float[np.ndarray, "day step"]:
    """Of the angle between the sun and a roof of any azimuth."""
    if azimuth == 0.0:
        return _cosine(latitude - tilt, declination, turn)
    flat = np.cos(tilt) * _cosine(latitude, declination, turn)
    south = np.cos(declination) * np.cos(turn) * np.sin(latitude)
    south = south - np.sin(declination) * np.cos(latitude)
    west = np.cos(declination) * np.sin(turn)
    return flat + np.sin(tilt) * (np.cos(azimuth) * south + np.sin(azimuth) * west)


def _direct_w_per_m2(up: Float[np.ndarray, "day step"]) -> Float[np.ndarray, "day step"]:
    zenith = np.degrees(np.arccos(np.clip(up, 0.0, 1.0)))
    air_mass = 1 / (np.clip(up, 0.0, 1.0) + 0.50572 * (96.07995 - zenith) ** -1.6364)
    return SOLAR_W_PER_M2 * 0.7 ** (air_mass**0.678)
