"""A compiled feeder: the electrical network as plain arrays, and who lives where on it.

No pandapower here (see `pandapower_io`) and no solving (see `powerflow`). Bus, line and load axes
are positions in these arrays; the `*_index` arrays give pandapower's own index of each position.
The terminals of a feeder are its loads and then its generators; power > 0 consumes at both.
Per-unit values refer to `sn_mva` and to the rated voltage of each bus.
"""

import dataclasses
import json
import zipfile
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import numpy as np
from jaxtyping import Complex, Float, Int

from ss_core.errors import InputError, ResourceError, is_want_of_room

FEEDER_FORMAT = "gridsim.feeder/1"
MAX_COMPILED_BYTES = 256 * 2**20  # of a compiled feeder, unpacked
OPEN_END = -1  # `bus_index` of the auxiliary bus at the open end of a switched line


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Feeder:
    """One voltage island with one slack bus; equal only to itself, so it can key a cache."""

    name: str
    sn_mva: float  # power base

    slack_bus: int
    slack_vm_pu: float
    slack_va_degree: float

    bus_index: Int[
        np.ndarray, " bus"
    ]  # pandapower's; the first one where closed switches fuse several
    bus_name: tuple[str, ...]
    bus_vn_kv: Float[np.ndarray, " bus"]
    bus_x: Float[np.ndarray, " bus"]  # coordinate as in the net (NaN: none)
    bus_y: Float[np.ndarray, " bus"]
    bus_shunt: Complex[np.ndarray, " bus"]  # admittance to ground, per unit

    load_index: Int[np.ndarray, " load"]
    load_name: tuple[str, ...]
    load_bus: Int[np.ndarray, " load"]
    load_p_mw: Float[np.ndarray, " load"]  # nominal values of the net, scaling applied
    load_q_mvar: Float[np.ndarray, " load"]

    branch_from: Int[np.ndarray, " branch"]  # everything in service between two buses
    branch_to: Int[np.ndarray, " branch"]
    yff: Complex[np.ndarray, " branch"]  # I_from = yff V_from + yft V_to
    yft: Complex[np.ndarray, " branch"]
    ytf: Complex[np.ndarray, " branch"]  # I_to = ytf V_from + ytt V_to
    ytt: Complex[np.ndarray, " branch"]

    line_branch: Int[np.ndarray, " line"]
    line_index: Int[np.ndarray, " line"]
    line_name: tuple[str, ...]
    line_length_km: Float[np.ndarray, " line"]
    line_max_i_ka: Float[np.ndarray, " line"]  # of all parallel systems together, derating applied

    trafo_branch: Int[np.ndarray, " trafo"]
    trafo_index: Int[np.ndarray, " trafo"]
    trafo_name: tuple[str, ...]
    trafo_sn_mva: Float[np.ndarray, " trafo"]  # of one of the parallel units
    trafo_parallel: Int[np.ndarray, " trafo"]
    trafo_df: Float[np.ndarray, " trafo"]  # derating factor
    trafo_vn_hv_kv: Float[np.ndarray, " trafo"]
    trafo_vn_lv_kv: Float[np.ndarray, " trafo"]

    # fields that a compiled feeder may lack: nobody generates, and loads name no profile
    sgen_index: Int[np.ndarray, " sgen"] = field(default_factory=lambda: np.zeros(0, np.int64))
    sgen_name: tuple[str, ...] = ()
    sgen_bus: Int[np.ndarray, " sgen"] = field(default_factory=lambda: np.zeros(0, np.int64))
    sgen_p_mw: Float[np.ndarray, " sgen"] = field(default_factory=lambda: np.zeros(0))
    # generated, > 0; as in the net, scaling applied
    sgen_q_mvar: Float[np.ndarray, " sgen"] = field(default_factory=lambda: np.zeros(0))
    sgen_profile: tuple[str, ...] = ()  # what its output follows, as the net names it
    load_profile: tuple[str, ...] = ()  # SimBench's; empty: the net names none
    storage_bus: Int[np.ndarray, " storage"] = field(default_factory=lambda: np.zeros(0, np.int64))
    storage_kwh: Float[np.ndarray, " storage"] = field(default_factory=lambda: np.zeros(0))
    # usable; 0: the net does not say. Storages are no terminals: they stand still in power flows

    @property
    def bus_count(self) -> int:
        """Number of buses, open line ends included."""
        return len(self.bus_index)

    @property
    def load_count(self) -> int:
        """Number of loads; each is a house connection unless the net's profiles say otherwise."""
        return len(self.load_index)

    @property
    def terminal_bus(self) -> Int[np.ndarray, " terminal"]:
        """Bus of every load, then of every generator."""
        return np.concatenate([self.load_bus, self.sgen_bus])

    @property
    def has_transformer(self) -> bool:
        """Whether its supply comes through one."""
        return len(self.trafo_branch) > 0

    @property
    def transformer_sn_mva(self) -> float:
        """Rated power of all transformers together."""
        return float(np.sum(self.trafo_sn_mva * self.trafo_parallel))


def with_transformer_rating(feeder: Feeder, sn_mva: float) -> Feeder:
    """The same feeder with transformers of `sn_mva` in all, of the same relative data.

    Short-circuit voltage, its ohmic part and the no-load current stay as they are in percent and
    the iron losses in proportion to the rating, so every transformer admittance scales with it.

    Raises:
        InputError: the rating is not positive, or the feeder has no transformer.
    """
    if not np.isfinite(sn_mva) or sn_mva <= 0:
        raise InputError(
            f"transformer rating {sn_mva} MVA of feeder {feeder.name!r}: give one above 0"
        )
    if not len(feeder.trafo_branch):
        raise InputError(
            f"feeder {feeder.name!r} has no transformer to resize: leave its rating unset"
        )
    scale = sn_mva / feeder.transformer_sn_mva
    factor = np.ones(len(feeder.branch_from))
    factor[feeder.trafo_branch] = scale
    return dataclasses.replace(
        feeder,
        yff=feeder.yff * factor,
        yft=feeder.yft * factor,
        ytf=feeder.ytf * factor,
        ytt=feeder.ytt * factor,
        trafo_sn_mva=feeder.trafo_sn_mva * scale,
    )


@dataclass(frozen=True, slots=True)
class Attachment:
    """Which house connection each household uses."""

    load_of_household: Int[np.ndarray, " household"]  # position in `Feeder.load_index`
    load_count: int  # of all loads, those of others included
    sentence: str  # for people: what was done with too many or too few households

    def load_power(
        self, household_power: Float[np.ndarray, "batch household"]
    ) -> Float[np.ndarray, "batch load"]:
        """Sum of the households behind each connection, in the unit given; 0 where none lives."""
        loads = np.zeros((len(household_power), self.load_count))
        np.add.at(loads.T, self.load_of_household, household_power.T)
        return loads


def attach_households(
    feeder: Feeder, households: int, home_load: Int[np.ndarray, " home"] | None = None
) -> Attachment:
    """Connect households to loads in the order of the net; households in excess share in turn.

    `home_load` are the positions of the loads that are house connections; None: all of them.

    Raises:
        InputError: fewer than one household.
    """
    if households < 1:
        raise InputError(f"households={households}: at least one is needed")
    homes = np.arange(feeder.load_count) if home_load is None else home_load
    return Attachment(
        load_of_household=homes[np.arange(households) % len(homes)],
        load_count=feeder.load_count,
        sentence=_attachment_sentence(feeder.name, households, len(homes)),
    )


def _attachment_sentence(name: str, households: int, loads: int) -> str:
    if households == loads:
        return f"Each of the {loads} house connections of {name} serves one household."
    if households < loads:
        return (
            f"{households} households use the first {households} of the {loads} house connections "
            f"of {name}; the other {loads - households} carry no load."
        )
    low, rest = divmod(households, loads)
    shared = f"{low}" if rest == 0 else f"{low} or {low + 1}"
    return (
        f"{households} households share the {loads} house connections of {name}, {shared} on each."
    )


SCALAR_FIELDS = ("name", "sn_mva", "slack_bus", "slack_vm_pu", "slack_va_degree")
NAME_FIELDS = ("bus_name", "load_name", "line_name", "trafo_name")
# of what many feeders lack, written only where there is something to write
LATER_ARRAYS = (
    *("sgen_index", "sgen_bus", "sgen_p_mw", "sgen_q_mvar"),
    *("storage_bus", "storage_kwh"),
)
LATER_NAMES = ("sgen_name", "sgen_profile", "load_profile")
ARRAY_FIELDS = tuple(
    field.name
    for field in dataclasses.fields(Feeder)
    if field.name not in (*SCALAR_FIELDS, *NAME_FIELDS, *LATER_ARRAYS, *LATER_NAMES)
)
REFERENCES = {  # array of positions: the axis it points into
    "load_bus": "bus_index",
    "sgen_bus": "bus_index",
    "storage_bus": "bus_index",
    "branch_from": "bus_index",
    "branch_to": "bus_index",
    "line_branch": "branch_from",
    "trafo_branch": "branch_from",
}
MAY_BE_NAN = ("bus_x", "bus_y")


def save_feeder(feeder: Feeder, path: Path | BytesIO) -> None:
    """Write a compiled feeder as .npz; the same feeder gives the same bytes."""
    meta = {"format": FEEDER_FORMAT}
    meta |= {name: getattr(feeder, name) for name in SCALAR_FIELDS}
    meta |= {name: list(getattr(feeder, name)) for name in NAME_FIELDS}
    meta |= {name: list(getattr(feeder, name)) for name in LATER_NAMES if getattr(feeder, name)}
    text = json.dumps(meta, ensure_ascii=True, sort_keys=True)
    arrays = {name: getattr(feeder, name) for name in ARRAY_FIELDS}
    arrays |= {name: getattr(feeder, name) for name in LATER_ARRAYS if len(getattr(feeder, name))}
    np.savez_compressed(path, meta=np.frombuffer(text.encode(), np.uint8), **arrays)


def load_compiled(path: Path) -> Feeder:
    """Read a feeder that `save_feeder` wrote.

    Raises:
        InputError: the file is missing, too large, not such a file, or not consistent.
        ResourceError: there is no memory to read it.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > MAX_COMPILED_BYTES:
            raise ValueError(f"unpacks to {size} bytes, more than {MAX_COMPILED_BYTES}")
        with np.load(path, allow_pickle=False) as archive:
            meta = json.loads(archive["meta"].tobytes())
            if meta["format"] != FEEDER_FORMAT:
                raise ValueError(f"format {meta['format']!r} instead of {FEEDER_FORMAT!r}")
            later = [name for name in LATER_ARRAYS if name in archive.files]
            arrays = {name: archive[name] for name in (*ARRAY_FIELDS, *later)}
        _check_arrays(arrays)
        _check_meta(meta, arrays)
        known = [*NAME_FIELDS, *(name for name in LATER_NAMES if name in meta)]
        names = {name: tuple(str(text) for text in meta[name]) for name in known}
        return Feeder(**{name: meta[name] for name in SCALAR_FIELDS}, **names, **arrays)
    except Exception as error:  # zipfile, zlib, numpy and json raise fifteen kinds between them
        if is_want_of_room(error):
            raise ResourceError(f"{path}: no memory to read it ({error})") from error
        raise InputError(
            f"{path}: not a compiled feeder ({error}); compile the net again with save_feeder"
        ) from error


def _check_arrays(arrays: dict[str, np.ndarray]) -> None:
    for name, values in arrays.items():
        if values.ndim != 1 or values.dtype.kind not in "ifc":
            raise ValueError(f"array {name!r} is {values.dtype} of {values.ndim} axes")
        if name not in MAY_BE_NAN and not np.all(np.isfinite(values)):
            raise ValueError(f"array {name!r} has values that are not finite")
    for name, axis in REFERENCES.items():
        positions = arrays.get(name, np.zeros(0))
        if len(positions) and not (positions.min() >= 0 and positions.max() < len(arrays[axis])):
            raise ValueError(f"array {name!r} points outside {axis!r}")
    for axis in ("bus", "load", "line", "trafo", "sgen", "storage"):
        lengths = {name: len(arrays[name]) for name in arrays if name.startswith(f"{axis}_")}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"arrays differ in length: {lengths}")


def _check_meta(meta: dict[str, object], arrays: dict[str, np.ndarray]) -> None:
    buses, slack = len(arrays["bus_index"]), meta["slack_bus"]
    if not (isinstance(slack, int) and 0 <= slack < buses):
        raise ValueError(f"slack_bus {slack!r} is none of {buses} buses")
    for name in ("sn_mva", "slack_vm_pu", "slack_va_degree"):
        value = meta[name]
        if not (isinstance(value, float | int) and np.isfinite(value)):
            raise ValueError(f"{name} {value!r} is not a finite number")
    for name in (*NAME_FIELDS, *(name for name in LATER_NAMES if name in meta)):
        names, axis = meta[name], f"{name.split('_')[0]}_index"
        count = len(arrays.get(axis, ()))
        if not (isinstance(names, list) and len(names) == count):
            raise ValueError(f"{name} does not name each of {count} in {axis}")
    if "sgen_index" in arrays and not {"sgen_name", "sgen_profile"} <= meta.keys():
        raise ValueError("its generators have no names")
