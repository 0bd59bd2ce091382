"""Who lives where, as somebody wrote it down: bus, phase, car, heat pump, PV and battery of each.

An empty cell, or a column left out, leaves its content to the run's own rules.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from gridsim.network.connections import connections_of
from gridsim.network.feeder import Attachment, Feeder
from gridsim.own_data.tables import Table, find_column, listed, read_table
from ss_core.errors import InputError

COLUMNS = ("household", "bus", "phase", "car", "heat_pump", "pv_kwp", "battery_kwh")
WORDS = {"yes": math.inf, "no": 0.0}
UNKNOWN = math.nan
MOST = {"car": 50.0, "heat_pump": 50.0, "pv_kwp": 100.0, "battery_kwh": 200.0}
UNIT = {"car": "kW", "heat_pump": "kW", "pv_kwp": "kWp", "battery_kwh": "kWh"}


@dataclass(frozen=True, slots=True, eq=False)
class HouseholdsFile:
    """The rows of a file, in its order; `number` is the row as a spreadsheet shows it."""

    path: Path
    number: Int[np.ndarray, " household"]
    name: tuple[str, ...]
    bus: tuple[str, ...]  # name or index in the net; () where the file leaves it to the run
    phase: Int[np.ndarray, " household"]  # 1, 2, 3, or 0: not said; for --phases unbalanced
    car_kw: Float[np.ndarray, " household"]  # 0: none; infinite: yes; NaN: not said
    heat_pump_kw: Float[np.ndarray, " household"]  # likewise
    pv_kwp: Float[np.ndarray, " household"]  # 0: none; NaN: not said
    battery_kwh: Float[np.ndarray, " household"]  # likewise

    @property
    def num_households(self) -> int:
        """How many rows there are."""
        return len(self.name)

    def refusal(self, at: int, column: str, value: object, why: str) -> InputError:
        """The error of one cell."""
        return InputError(f"{self.path}: row {self.number[at]}, column {column!r}: {value!r} {why}")

    @property
    def car_power_kw(self) -> float | None:
        """What cars charge with, where the file says it."""
        said = self.car_kw[np.isfinite(self.car_kw) & (self.car_kw > 0)]
        return float(said[0]) if len(said) else None


def read_households_file(path: Path) -> HouseholdsFile:
    """Read and check what can be checked without a feeder.

    Raises:
        InputError: the file cannot be used; file, row, value and remedy are named.
    """
    table = read_table(path)
    unknown = [name for name in table.columns if name.strip().lower() not in COLUMNS]
    if unknown:
        raise InputError(
            f"{path}: columns {listed(unknown)} mean nothing here; name columns "
            f"{', '.join(COLUMNS)}, and leave others out"
        )
    who = find_column(table, ("household",), "the household")
    names = table.texts(who)
    seen: dict[str, int] = {}
    for at, name in enumerate(names):
        if not name:
            raise table.refusal(at, who, "names no household; write one")
        if name in seen:
            why = f"stands in row {table.number[seen[name]]}, too; give each household one row"
            raise table.refusal(at, who, why)
        seen[name] = at
    columns = {name.strip().lower(): name for name in table.columns}
    found = HouseholdsFile(
        path=path,
        number=table.number,
        name=tuple(names),
        bus=_buses(table, columns.get("bus")),
        phase=_column(table, columns.get("phase"), _phase, 0.0).astype(np.int64),
        car_kw=_column(table, columns.get("car"), _device("car"), UNKNOWN),
        heat_pump_kw=_column(table, columns.get("heat_pump"), _device("heat_pump"), UNKNOWN),
        pv_kwp=_column(table, columns.get("pv_kwp"), _amount("pv_kwp"), UNKNOWN),
        battery_kwh=_column(table, columns.get("battery_kwh"), _amount("battery_kwh"), UNKNOWN),
    )
    _check_cars(found)
    return found


def attach_as_given(file: HouseholdsFile, feeder: Feeder) -> Attachment:
    """Households at the house connections of the buses that the file names.

    A bus with several connections serves its households in turn. A name comes before an index.

    Raises:
        InputError: a bus that the feeder does not have, or that has no house connection.
    """
    homes = connections_of(feeder).home_load
    by_name: dict[str, list[int]] = {}
    for position, name in enumerate(feeder.bus_name):
        by_name.setdefault(name, []).append(position)
    by_index = {str(index): position for position, index in enumerate(feeder.bus_index)}
    taken: dict[int, int] = {}
    load_of_household = []
    for at, bus in enumerate(file.bus):
        position = _position(file, feeder, at, by_name.get(bus), by_index.get(bus))
        at_bus = homes[feeder.load_bus[homes] == position]
        if not len(at_bus):
            why = (
                f"is a bus of {feeder.name} without a house connection (a load); buses that have "
                f"one: {listed(bus_labels(feeder))}"
            )
            raise file.refusal(at, "bus", bus, why)
        load_of_household.append(at_bus[taken.get(position, 0) % len(at_bus)])
        taken[position] = taken.get(position, 0) + 1
    return Attachment(
        load_of_household=np.array(load_of_household),
        load_count=feeder.load_count,
        sentence=(
            f"{file.num_households} households at {len(taken)} buses of {feeder.name}, as "
            f"{file.path.name} says; {len({*homes.tolist()} - {*load_of_household})} of "
            f"{len(homes)} house connections carry no household."
        ),
    )


def bus_labels(feeder: Feeder) -> list[str]:
    """What a file calls the buses with house connections: by name, else by index."""
    homes = connections_of(feeder).home_load
    positions = dict.fromkeys(feeder.load_bus[homes].tolist())
    return [_label(feeder, position) for position in positions]


def template(feeder: Feeder) -> str:
    """A file to fill in: a household at each house connection, all else left to the run."""
    homes = connections_of(feeder).home_load
    lines = [",".join(COLUMNS)]
    for number, load in enumerate(homes):
        bus = _label(feeder, int(feeder.load_bus[load]))
        quoted = '"' + bus.replace('"', '""') + '"' if any(c in bus for c in ',;"\t') else bus
        lines.append(f"household_{number:03d},{quoted},,,,,")
    return "\n".join([*lines, ""])


def file_notes(
    file: HouseholdsFile, *, balanced: bool = True, else_by: str = "drawn (population.*)"
) -> list[str]:
    """What the file leaves open, and what of it is not used where power flow is `balanced`.

    `else_by`: how households get what the file does not say.
    """
    notes = []
    drawn = [
        f"{what} of {count}"
        for what, values in (("cars", file.car_kw), ("heat pumps", file.heat_pump_kw))
        if (count := int(np.isnan(values).sum()))
    ]
    left = f"; {' and '.join(drawn)} households are {else_by}" if drawn else ""
    notes.append(f"{file.path.name}: {file.num_households} households{left}")
    if (file.pv_kwp > 0.0).any():
        notes.append("photovoltaics of the file face south, 30° up, under one sky with clouds")
    phases = int((file.phase > 0).sum())
    if phases and balanced:
        notes.append(
            f"phases of {phases} households are kept and not used: power flow is balanced "
            "(--phases unbalanced uses them)"
        )
    return notes


def _label(feeder: Feeder, position: int) -> str:
    name = feeder.bus_name[position]
    usable = name.strip() == name and name not in ("", "None", "nan")
    return name if usable and feeder.bus_name.count(name) == 1 else str(feeder.bus_index[position])


def _position(
    file: HouseholdsFile, feeder: Feeder, at: int, named: list[int] | None, indexed: int | None
) -> int:
    bus = file.bus[at]
    if named is not None and len(named) == 1:
        return named[0]
    if named is not None:
        indices = [str(feeder.bus_index[position]) for position in named]
        why = f"is the name of {len(named)} buses; write the index of one: {listed(indices)}"
        raise file.refusal(at, "bus", bus, why)
    if indexed is not None and feeder.bus_index[indexed] >= 0:
        return indexed
    why = f"is no bus of {feeder.name}; buses with house connections: {listed(bus_labels(feeder))}"
    raise file.refusal(at, "bus", bus, why)


def _buses(table: Table, column: str | None) -> tuple[str, ...]:
    if column is None:
        return ()
    buses = table.texts(column)
    if not any(buses):
        return ()
    if not all(buses):
        why = "names no bus, as other rows do; write one in every row, or in none"
        raise table.refusal(buses.index(""), column, why)
    return tuple(buses)


def _column(
    table: Table, column: str | None, read: Callable[[str], float | str], empty: float
) -> Float[np.ndarray, " household"]:
    """A column by a rule that gives a number, or says why there is none."""
    if column is None:
        return np.full(table.num_rows, empty)
    values = []
    for at, text in enumerate(table.texts(column)):
        plain = text.replace(",", ".") if table.decimal_comma else text
        found = read(plain.lower()) if text else empty
        if isinstance(found, str):
            raise table.refusal(at, column, found)
        values.append(found)
    return np.array(values, float)


def _phase(text: str) -> float | str:
    if text in ("1", "2", "3", "1.0", "2.0", "3.0"):
        return float(text)
    return "is no phase; write 1, 2 or 3, or leave the cell empty"


def _device(column: str) -> Callable[[str], float | str]:
    def read(text: str) -> float | str:
        if text in WORDS:
            return WORDS[text]
        value = _number(text)
        if 0.0 <= value <= MOST[column]:
            return value
        return f"is neither yes, no nor a power from 0 to {MOST[column]:g} kW; write one of these"

    return read


def _amount(column: str) -> Callable[[str], float | str]:
    def read(text: str) -> float | str:
        value = 0.0 if text == "no" else _number(text)
        if 0.0 <= value <= MOST[column]:
            return value
        unit = UNIT[column]
        return f"is no number from 0 to {MOST[column]:g} {unit}; write {unit}, 0 for none"

    return read


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _check_cars(file: HouseholdsFile) -> None:
    """All cars of a run charge with one power."""
    power = file.car_power_kw
    other = np.isfinite(file.car_kw) & (file.car_kw > 0) & (file.car_kw != power)
    if other.any():
        at = int(other.argmax())
        why = (
            f"is another power than the {power:g} kW of a car above; cars of a run charge with "
            "one: write that, or yes"
        )
        raise file.refusal(at, "car", float(file.car_kw[at]), why)
