"""Inputs as arrays: synPRO traces and weather, appliance data, tariff shapes.

Reads the files of `data/`, checks them and hands out fresh arrays. Who lives in a household and
which job arrives on which day is decided elsewhere. Powers are kW of consumption (heat: thermal),
one year of 365 days by 96 steps from midnight, local standard time, the calendar of 2021.
"""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from ss_core.errors import InputError
from ss_core.record.parquet import check_claims, reading
from ss_core.resources import data_path

DAYS = 365
STEPS_PER_DAY = 96
STEP_H = 0.25
YEAR = 2021
CARNOT_SHARE = 0.45  # real heat pumps reach about this share of the Carnot coefficient
COP_LIMITS = (1.5, 6.0)
ELECTRICITY_NAMES = ("single_under30", "couple_fulltime", "couple_over65", "family")
BUILDING_NAMES = (
    "old_single_family",
    "old_multi_family",
    "passive_single_family",
    "passive_multi_family",
)
EV_NAMES = ("tesla_11kw", "vw_eup_3_7kw")


@dataclass(frozen=True, slots=True)
class Profiles:
    """One year of traces, midnight to midnight, per dwelling or per car."""

    electricity_kw: Float[np.ndarray, "kind day step"]  # appliances and light, no heat, no car
    electricity_names: tuple[str, ...]
    space_heat_kw: Float[np.ndarray, "building day step"]  # thermal
    hot_water_kw: Float[np.ndarray, "building day step"]  # thermal
    building_names: tuple[str, ...]
    ev_kw: Float[np.ndarray, "car day step"]  # home charging at the meter
    ev_names: tuple[str, ...]
    temperature_c: Float[np.ndarray, "day step"]  # outdoors
    month: Int[np.ndarray, " day"]  # 1..12
    weekday: Int[np.ndarray, " day"]  # 0 = Monday


@dataclass(frozen=True, slots=True)
class Appliance:
    """One kind of shiftable appliance."""

    name: str
    cycle_kw: tuple[float, ...]  # mean power of each 15-min step of one run
    ownership: float  # share of households
    cycles_per_year: float  # per owning household
    window_h: tuple[float, float]  # latest end after the request: shortest, longest
    delay_cost_eur_per_h: float
    source: str

    def __post_init__(self) -> None:
        if not self.cycle_kw or not all(0 <= power <= 20 for power in self.cycle_kw):
            raise InputError(f"appliance {self.name}: cycle must be 15-min powers in 0..20 kW")
        if not 0 <= self.ownership <= 1 or self.cycles_per_year < 0:
            raise InputError(f"appliance {self.name}: ownership in 0..1 and cycles >= 0 needed")
        if not 0 < self.window_h[0] <= self.window_h[1] <= 24 or self.delay_cost_eur_per_h < 0:
            raise InputError(f"appliance {self.name}: window 0 < low <= high <= 24 h, delay >= 0")


@dataclass(frozen=True, slots=True)
class TariffShape:
    """Retail energy price of a day, hour 0 = midnight."""

    name: str
    price_eur_per_kwh: tuple[float, ...]  # 24
    source: str

    def __post_init__(self) -> None:
        if len(self.price_eur_per_kwh) != 24 or not np.isfinite(self.price_eur_per_kwh).all():
            raise InputError(
                f"tariff {self.name}: 24 finite hourly prices needed, "
                f"got {len(self.price_eur_per_kwh)}"
            )


def load_profiles(path: Path | None = None) -> Profiles:
    """The shipped synPRO year, or another file of the same columns.

    Raises:
        InputError: the file or a column is missing, has another length, or holds bad values.
    """
    path = path or data_path("profiles/synpro_15min.parquet")
    columns = _read_columns(path)

    def stack(kind: str, names: tuple[str, ...]) -> Float[np.ndarray, "name day step"]:
        return np.stack([columns[f"{kind}_{name}_kw"] for name in names])

    days = [date(YEAR, 1, 1) + timedelta(days=day) for day in range(DAYS)]
    return Profiles(
        electricity_kw=stack("electricity", ELECTRICITY_NAMES),
        electricity_names=ELECTRICITY_NAMES,
        space_heat_kw=stack("space_heat", BUILDING_NAMES),
        hot_water_kw=stack("hot_water", BUILDING_NAMES),
        building_names=BUILDING_NAMES,
        ev_kw=stack("ev", EV_NAMES),
        ev_names=EV_NAMES,
        temperature_c=columns["temperature_c"],
        month=np.array([day.month for day in days]),
        weekday=np.array([day.weekday() for day in days]),
    )


def from_hour(
    year: Float[np.ndarray, "... day step"], first_hour: int = 12
) -> Float[np.ndarray, "... day step"]:
    """Day d from an hour to that hour of day d+1; the last day ends with the first morning."""
    first = year.shape[-1] * first_hour // 24
    next_morning = np.roll(year, -1, axis=-2)[..., :first]
    return np.concatenate([year[..., first:], next_morning], axis=-1)


def heat_pump_cop(
    temperature_c: Float[np.ndarray, "..."], flow_temperature_c: float = 45.0
) -> Float[np.ndarray, "..."]:
    """Coefficient of performance: 0.45 (T_flow + 273.15) / (T_flow - T_air), within [1.5, 6]."""
    lift_k = np.maximum(flow_temperature_c - temperature_c, 1e-9)
    return np.clip(CARNOT_SHARE * (flow_temperature_c + 273.15) / lift_k, *COP_LIMITS)


def load_appliances(path: Path | None = None) -> tuple[Appliance, ...]:
    """The shiftable appliances of `data/appliances.toml`, in file order.

    Raises:
        InputError: a key is missing or a value is out of range.
    """
    path = path or data_path("appliances.toml")
    entries = _read_toml(path).get("appliance", {})
    return tuple(_appliance(path, name, entry) for name, entry in entries.items())


def load_tariff_shape(name: str, folder: Path | None = None) -> TariffShape:
    """The tariff `data/tariffs/<name>.toml`: `default` (retail), `winter` or `summer` (wholesale).

    Raises:
        InputError: no tariff of that name, or not 24 finite prices.
    """
    folder = folder or data_path("tariffs")
    path = folder / f"{name}.toml"
    if not path.is_file():
        known = ", ".join(sorted(found.stem for found in folder.glob("*.toml")))
        raise InputError(f"{path}: no tariff {name!r}; choose one of: {known}")
    entry = _read_toml(path)
    try:
        prices = tuple(float(price) for price in entry["price_eur_per_kwh"])
        return TariffShape(name=name, price_eur_per_kwh=prices, source=entry["source"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path}: needs price_eur_per_kwh (24 numbers) and source; {error!r}"
        ) from error


def _read_columns(path: Path) -> dict[str, Float[np.ndarray, "day step"]]:
    """Every column of the file as checked days of steps."""
    import pyarrow  # here: only runs that read traces pay for it
    import pyarrow.parquet

    with (
        reading(path, "restore it", InputError),
        pyarrow.parquet.ParquetFile(path) as file,  # read_table would import pandas
    ):
        check_claims(file.metadata)
        _check_extent(path, file.schema_arrow.names, file.metadata.num_rows)
        table = file.read(list(_expected_columns()), use_threads=False).combine_chunks()
        table.validate(full=True)
        _check_extent(path, table.column_names, table.num_rows)  # pages may differ from the footer
    columns = {}
    for name in _expected_columns():
        column = table[name]
        if not pyarrow.types.is_floating(column.type):
            raise InputError(f"{path}: column {name!r} holds {column.type}, expected floats")
        if column.null_count:
            raise InputError(
                f"{path}: column {name!r} has {column.null_count} empty cells; fill them"
            )
        columns[name] = _checked(path, name, np.from_dlpack(column.chunk(0)))  # no pandas either
    return columns


def _check_extent(path: Path, names: Sequence[str], rows: int) -> None:
    for name in _expected_columns():
        if names.count(name) != 1:
            found = "is missing" if name not in names else "is there more than once"
            raise InputError(f"{path}: column {name!r} {found}; rebuild the file")
    if rows != DAYS * STEPS_PER_DAY:
        raise InputError(f"{path}: {rows} rows, expected {DAYS * STEPS_PER_DAY} (a year of 15 min)")


def _expected_columns() -> tuple[str, ...]:
    return (
        *(f"electricity_{name}_kw" for name in ELECTRICITY_NAMES),
        *(f"space_heat_{name}_kw" for name in BUILDING_NAMES),
        *(f"hot_water_{name}_kw" for name in BUILDING_NAMES),
        *(f"ev_{name}_kw" for name in EV_NAMES),
        "temperature_c",
    )


def _checked(path: Path, name: str, values: np.ndarray) -> Float[np.ndarray, "day step"]:
    """Finite, and non-negative unless a temperature; reshaped to days."""
    bad = ~np.isfinite(values) if name.endswith("_c") else ~(np.isfinite(values) & (values >= 0))
    if bad.any():
        row = int(bad.argmax())
        raise InputError(
            f"{path}: column {name!r}, row {row}: {values[row]} is not a finite"
            f"{'' if name.endswith('_c') else ', non-negative'} number; fix the column"
        )
    return values.astype(np.float64).reshape(DAYS, STEPS_PER_DAY)


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path}: not a readable TOML file: {error}") from error


def _appliance(path: Path, name: str, entry: dict[str, Any]) -> Appliance:
    try:
        shortest, longest = entry["window_h"]
        return Appliance(
            name=name,
            cycle_kw=tuple(watt / 1000 for watt in entry["cycle_w"]),
            ownership=float(entry["ownership"]),
            cycles_per_year=float(entry["cycles_per_year"]),
            window_h=(float(shortest), float(longest)),
            delay_cost_eur_per_h=float(entry["delay_cost_eur_per_h"]),
            source=entry["source"],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: [appliance.{name}] is incomplete: {error!r}") from error
