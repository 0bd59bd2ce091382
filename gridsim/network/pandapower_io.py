"""Nets in, compiled feeders out: the one module that talks to pandapower, which it imports late.

Shipped feeders load from their frozen arrays without pandapower; any other net is read as plain
tables, checked, and compiled from pandapower's own branch admittances (taps, phase shifts, line
charging, parallel systems and open switches are therefore pandapower's).
"""

import copy
import json
import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from gridsim.network.feeder import OPEN_END, Feeder, load_compiled, with_transformer_rating
from gridsim.network.net_checks import SUPPORTED, Net, net_problems, unsupplied_problems
from gridsim.network.net_extras import (
    idle_storages,
    known_columns,
    load_profiles_of,
    negative_loads_generate,
    sgen_profiles_of,
    storage_kwh_of,
    sum_unbalanced,
    unbalanced_problems,
    unread_notes,
)
from gridsim.network.net_json import PlainNet, Table, read_plain_net
from ss_core.errors import InputError
from ss_core.resources import data_path

SHIPPED = ("kerber_dorfnetz", "schutterwald_56", "kerber_146")
CREATORS = (  # functions of pandapower.networks
    "create_kerber_landnetz_freileitung_1",
    "create_kerber_landnetz_freileitung_2",
    "create_kerber_landnetz_kabel_1",
    "create_kerber_landnetz_kabel_2",
    "create_kerber_dorfnetz",
    "create_kerber_vorstadtnetz_kabel_1",
    "create_kerber_vorstadtnetz_kabel_2",
    "kb_extrem_landnetz_freileitung",
    "kb_extrem_landnetz_kabel",
    "kb_extrem_dorfnetz",
    "kb_extrem_vorstadtnetz_1",
    "kb_extrem_vorstadtnetz_2",
    "create_cigre_network_lv",
    "create_dickert_lv_network",
    "panda_four_load_branch",
    "four_loads_with_branches_out",
    "ieee_european_lv_asymmetric",
)
CREATION_SEED = 0  # some creators draw cable types at random
MAX_LISTED_PROBLEMS = 20
FORMER_COLUMNS = (  # of earlier pandapowers, for `convert_format`
    *("const_z_percent", "const_i_percent", "tap_phase_shifter", "tp_side", "tp_mid", "tp_min"),
    *("tp_max", "tp_st_percent", "tp_st_degree", "tp_pos", "tp_phase_shifter", "p_kw", "q_kvar"),
    *("sn_kva", "imax_ka", "coords", "tap_dependent_impedance", "vk_percent_characteristic"),
    *("vkr_percent_characteristic", "autotransformer"),
)
LEAST_OHM = 1e-5  # of a line that pandapower may not find a solution with: 10 mV at 1 kA
# what pandapower raises for values that no check foresaw
MALFORMED = (
    *(ArithmeticError, AttributeError, LookupError, TypeError, UserWarning, ValueError),
    *(NotImplementedError, RecursionError),
)


def feeder_names() -> tuple[str, ...]:
    """Names that `load_feeder` and `read_net` know besides paths; the shipped ones first."""
    return SHIPPED + CREATORS


def load_feeder(
    name_or_path: str | Path, *, households: int, kva_per_household: float | None
) -> Feeder:
    """A feeder ready to solve, its transformer of `kva_per_household` per household if set.

    Raises:
        InputError: the net cannot be read or is not a feeder; all problems are listed.
    """
    return load_feeder_with_notes(
        name_or_path, households=households, kva_per_household=kva_per_household
    )[0]


def load_feeder_with_notes(
    name_or_path: str | Path, *, households: int, kva_per_household: float | None
) -> tuple[Feeder, list[str]]:
    """`load_feeder`, and what of the net was changed for it or is not used.

    Raises:
        InputError: see `load_feeder`.
    """
    name, notes = str(name_or_path), list[str]()
    if name in SHIPPED:
        feeder = load_compiled(data_path(f"feeders/{name}.npz"))
    else:
        net, notes = _read(name_or_path)
        feeder = compile_feeder(net, name)
    if kva_per_household is not None:
        feeder = with_transformer_rating(feeder, households * kva_per_household / 1000)
    return feeder, notes


def read_net(name_or_path: str | Path) -> Net:
    """A pandapower net by the name of a built-in feeder or the path of a pandapower JSON file."""
    return _read(name_or_path)[0]


def _read(name_or_path: str | Path) -> tuple[Net, list[str]]:
    name = str(name_or_path)
    if name in SHIPPED:
        path = data_path(f"feeders/{name}.json")
        return _net_from_tables(read_plain_net(path), str(path))
    if name in CREATORS:
        created = _create(name)
        return created, _made_plain(created, name)
    if not Path(name).exists():
        raise InputError(
            f"feeder {name!r}: neither a file nor a built-in feeder; shipped are "
            f"{', '.join(SHIPPED)} (`ssgrid feeders`), and pandapower's own {len(CREATORS)} "
            f"low-voltage nets, such as {CREATORS[0]}"
        )
    return _net_from_tables(read_plain_net(Path(name)), name)


def compile_feeder(net: Net, name: str) -> Feeder:
    """Check a net and turn it into arrays.

    Raises:
        InputError: with every problem of the net.
    """
    _refuse(net_problems(net), name)
    solved = _solve_unloaded(net, name)
    _refuse(unsupplied_problems(solved), name)
    return Feeder(
        name=Path(name).stem,
        sn_mva=float(solved.sn_mva),
        **_source(solved),
        **_buses(solved),
        **_loads(solved),
        **_generators(solved),
        **_storages(solved),
        **_branches(solved),
    )


def run_reference(
    net: Net,
    feeder: Feeder,
    p_mw: Float[np.ndarray, " terminal"],
    q_mvar: Float[np.ndarray, " terminal"],
) -> bool:
    """Solve `net` in place by pandapower with the feeder's ratings; False: no convergence."""
    import pandapower
    from pandapower.auxiliary import LoadflowNotConverged

    loads = feeder.load_count
    net.load.loc[feeder.load_index, "p_mw"] = p_mw[:loads]
    net.load.loc[feeder.load_index, "q_mvar"] = q_mvar[:loads]
    net.load.loc[feeder.load_index, "scaling"] = 1.0
    if len(feeder.sgen_index):
        net.sgen.loc[feeder.sgen_index, "p_mw"] = -p_mw[loads:]
        net.sgen.loc[feeder.sgen_index, "q_mvar"] = -q_mvar[loads:]
        net.sgen.loc[feeder.sgen_index, "scaling"] = 1.0
    rating = net.trafo.loc[feeder.trafo_index, "sn_mva"]
    net.trafo.loc[feeder.trafo_index, "pfe_kw"] *= feeder.trafo_sn_mva / rating
    net.trafo.loc[feeder.trafo_index, "sn_mva"] = feeder.trafo_sn_mva
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what pandapower will change
            pandapower.runpp(net, tolerance_mva=1e-10, numba=False, voltage_depend_loads=True)
    except LoadflowNotConverged:
        return False
    return True


def with_switches(net: Net, feeder: Feeder) -> tuple[Net, Bool[np.ndarray, " line"]]:
    """A copy in which lines of next to no impedance are closed switches; and which lines these are.

    pandapower's Newton-Raphson finds no solution with such a line, and fuses the buses of a switch.
    """
    import pandapower

    tiny = np.isin(feeder.line_index, _tiny_lines(net))
    copied = copy.deepcopy(net)
    for index in feeder.line_index[tiny]:
        ends = int(copied.line.at[index, "from_bus"]), int(copied.line.at[index, "to_bus"])
        copied.line.at[index, "in_service"] = False
        pandapower.create_switch(copied, *ends, et="b", closed=True)
    return copied, tiny


def _tiny_lines(net: Net) -> Int[np.ndarray, " tiny"]:
    """Indices of lines in service that have next to no impedance."""
    lines = net.line[net.line["in_service"].astype(bool)]
    per_km_ohm = np.hypot(lines["r_ohm_per_km"].to_numpy(), lines["x_ohm_per_km"].to_numpy())
    ohm = per_km_ohm * lines["length_km"].to_numpy() / lines["parallel"].to_numpy()
    return lines.index.to_numpy()[ohm < LEAST_OHM].astype(np.int64)


def _tiny_words(net: Net) -> str:
    """What to do about such lines, where pandapower finds no solution at all."""
    tiny = _tiny_lines(net)
    if not len(tiny):
        return ""
    shown = ", ".join(map(str, tiny[:5])) + (", ..." if len(tiny) > 5 else "")
    return (
        f"; line {shown}: next to no impedance (below {LEAST_OHM:g} ohm): set it out of service "
        "and join its buses by a closed switch"
    )


def _refuse(problems: list[str], name: str) -> None:
    if not problems:
        return
    shown = problems[:MAX_LISTED_PROBLEMS]
    if len(problems) > len(shown):
        shown.append(f"... and {len(problems) - len(shown)} more")
    raise InputError(f"feeder {name}: cannot be used:\n  " + "\n  ".join(shown))


def _create(name: str) -> Net:
    """Call a creator of pandapower with its random draws fixed."""
    import pandapower.networks

    state = random.getstate()
    random.seed(CREATION_SEED)
    try:
        return getattr(pandapower.networks, name)()
    finally:
        random.setstate(state)


def _made_plain(net: Net, place: str) -> list[str]:
    """Turn, in place, what a feeder does not know into what it knows; notes on it."""
    notes = list[str]()
    if "asymmetric_load" in net:
        _refuse(unbalanced_problems(net), place)
        notes += sum_unbalanced(net)
    idle_storages(net)
    return [*notes, *negative_loads_generate(net)]


def _net_from_tables(plain: PlainNet, place: str) -> tuple[Net, list[str]]:
    """The net of this pandapower: tables as they were written, converted, then completed; notes."""
    import pandapower

    empty = pandapower.create_empty_network()
    net = pandapower.create_empty_network()
    net.update({key: value for key, value in plain.settings.items() if value is not None})
    tables = {name: _known_part(table, name, empty) for name, table in plain.tables.items()}
    for name, table in tables.items():
        with _named(f"{place}: table {name!r}"):
            net[name] = _frame(table, empty.get(name))
    try:
        net = pandapower.convert_format(net)
    except MALFORMED as error:
        raise InputError(f"{place}: cannot be converted to this pandapower ({error})") from error
    for name in tables:
        if name in net and name in empty:  # tables that this pandapower knows
            with _named(f"{place}: table {name!r}"):
                net[name] = _completed(net[name], empty[name])
    _refuse([f"no {name} table" for name in SUPPORTED if name not in net], place)
    unread = unread_notes(tables, plain.ignored, empty)
    return net, [*_made_plain(net, place), *unread]


def _known_part(table: Table, name: str, empty: Net) -> Table:
    """The table without user columns of objects; which columns are the user's.

    Raises:
        InputError: a column of pandapower's own holds objects.
    """
    import pandas

    if not isinstance(empty.get(name), pandas.DataFrame):
        return table
    known = known_columns(name, empty[name])
    for column, problem in table.objects.items():
        if column in known:
            raise InputError(problem)
    users = [one for one in table.columns if one not in known and one not in FORMER_COLUMNS]
    kept = [at for at, one in enumerate(table.columns) if one not in table.objects]
    return replace(
        table,
        columns=[table.columns[at] for at in kept],
        rows=[[row[at] for at in kept] for row in table.rows],
        user_columns=tuple(users),
    )


@contextmanager
def _named(place: str) -> Iterator[None]:
    """Say in which table a value does not fit."""
    try:
        yield
    except (ValueError, TypeError, OverflowError) as error:
        raise InputError(f"{place}: {error}; correct the value or write the net again") from error


def _frame(table: Table, empty: Any) -> Any:
    """A pandas frame; its columns are of the types they have in pandapower's `empty` table."""
    import pandas

    frame = pandas.DataFrame(
        table.rows, columns=pandas.Index(table.columns), index=pandas.Index(table.index)
    )
    if empty is None:
        return frame
    if not isinstance(empty, pandas.DataFrame):
        raise ValueError("not a table of pandapower")
    if len(set(table.index)) != len(table.index):
        raise ValueError("an index occurs twice")
    frame.index = frame.index.astype(np.int64)
    return _typed(frame, empty)


def _completed(frame: Any, empty: Any) -> Any:
    """The frame with every column of pandapower's empty table of that name."""
    import pandas

    for column in empty.columns:
        if column not in frame.columns:
            frame[column] = pandas.Series([None] * len(frame), index=frame.index, dtype=object)
    return _typed(frame, empty)


def _typed(frame: Any, empty: Any) -> Any:
    """The frame with the column types of `empty`, as far as nothing is missing in a column."""
    for column, dtype in empty.dtypes.items():
        if column in frame.columns and (dtype.kind == "f" or not bool(frame[column].isna().any())):
            frame[column] = frame[column].astype(dtype)
    return frame


def _solve_unloaded(net: Net, name: str) -> Net:
    """A copy of the net, solved without load, so that pandapower's internal model lies open."""
    import pandapower
    from pandapower.auxiliary import LoadflowNotConverged

    bare = copy.deepcopy(net)
    idle_storages(bare)
    nominal = {}
    for table in ("load", "sgen"):
        bare[table][["p_mw", "q_mvar"]] = bare[table][["p_mw", "q_mvar"]].astype(float)
        nominal[table] = bare[table][["p_mw", "q_mvar"]].mul(bare[table]["scaling"], axis=0)
        bare[table][["p_mw", "q_mvar"]] = 0.0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what diverges; the error below says so
            pandapower.runpp(bare, numba=False)
    except (LoadflowNotConverged, *MALFORMED) as error:
        raise InputError(
            f"feeder {name}: pandapower cannot solve it without load: {error}{_tiny_words(net)}"
        ) from error
    for table, values in nominal.items():
        bare[table][["p_mw", "q_mvar"]] = values
    return bare


def _source(net: Net) -> dict[str, Any]:
    source = net.ext_grid[net.ext_grid["in_service"].astype(bool)].iloc[0]
    return {
        "slack_bus": int(net._pd2ppc_lookups["bus"][int(source["bus"])]),
        "slack_vm_pu": float(source["vm_pu"]),
        "slack_va_degree": float(source["va_degree"]),
    }


def _buses(net: Net) -> dict[str, Any]:
    from pandapower.pypower.idx_bus import BASE_KV, BS, GS

    internal = net._ppc["internal"]["bus"].real
    count = len(internal)
    index = np.full(count, OPEN_END)
    names = ["open line end"] * count
    x_y = np.full((2, count), np.nan)
    for bus in reversed(net.bus.index[net.bus["in_service"].astype(bool)]):
        position = net._pd2ppc_lookups["bus"][bus]
        index[position] = bus
        names[position] = _text(net.bus.at[bus, "name"], f"bus {bus}")
        x_y[:, position] = _coordinates(net.bus.at[bus, "geo"] if "geo" in net.bus else None)
    return {
        "bus_index": index,
        "bus_name": tuple(names),
        "bus_vn_kv": internal[:, BASE_KV].copy(),
        "bus_x": x_y[0],
        "bus_y": x_y[1],
        "bus_shunt": (internal[:, GS] + 1j * internal[:, BS]) / float(net.sn_mva),
    }


def _loads(net: Net) -> dict[str, Any]:
    loads = _live(net, "load")
    lookup = np.asarray(net._pd2ppc_lookups["bus"])
    return {
        "load_profile": load_profiles_of(loads),
        "load_index": loads.index.to_numpy(np.int64),
        "load_name": tuple(_text(name, f"load {i}") for i, name in loads["name"].items()),
        "load_bus": lookup[loads["bus"].to_numpy(np.int64)].astype(np.int64),
        "load_p_mw": loads["p_mw"].to_numpy(float),
        "load_q_mvar": loads["q_mvar"].to_numpy(float),
    }


def _generators(net: Net) -> dict[str, Any]:
    sgens = _live(net, "sgen")
    lookup = np.asarray(net._pd2ppc_lookups["bus"])
    return {
        "sgen_index": sgens.index.to_numpy(np.int64),
        "sgen_name": tuple(_text(name, f"sgen {i}") for i, name in sgens["name"].items()),
        "sgen_bus": lookup[sgens["bus"].to_numpy(np.int64)].astype(np.int64),
        "sgen_p_mw": sgens["p_mw"].to_numpy(float),
        "sgen_q_mvar": sgens["q_mvar"].to_numpy(float),
        "sgen_profile": sgen_profiles_of(sgens),
    }


def _storages(net: Net) -> dict[str, Any]:
    if "storage" not in net or not len(net.storage):
        return {}
    storages = _live(net, "storage")
    lookup = np.asarray(net._pd2ppc_lookups["bus"])
    return {
        "storage_bus": lookup[storages["bus"].to_numpy(np.int64)].astype(np.int64),
        "storage_kwh": storage_kwh_of(storages),
    }


def _live(net: Net, table: str) -> Any:
    """Rows of a table in service at buses in service."""
    frame = net[table]
    at_live_bus = net.bus["in_service"].astype(bool).loc[frame["bus"]].to_numpy()
    return frame[frame["in_service"].astype(bool).to_numpy() & at_live_bus]


def _branches(net: Net) -> dict[str, Any]:
    from pandapower.pypower.idx_brch import F_BUS, T_BUS
    from pandapower.pypower.makeYbus import branch_vectors

    branch = net._ppc["internal"]["branch"]
    ytt, yff, yft, ytf = branch_vectors(branch, len(branch))
    line_branch, line = _elements(net, "line")
    trafo_branch, trafo = _elements(net, "trafo")
    return {
        "branch_from": branch[:, F_BUS].real.astype(np.int64),
        "branch_to": branch[:, T_BUS].real.astype(np.int64),
        "yff": yff,
        "yft": yft,
        "ytf": ytf,
        "ytt": ytt,
        "line_branch": line_branch,
        "line_index": line.index.to_numpy(np.int64),
        "line_name": tuple(_text(name, f"line {i}") for i, name in line["name"].items()),
        "line_length_km": line["length_km"].to_numpy(float),
        "line_max_i_ka": (line["max_i_ka"] * line["df"] * line["parallel"]).to_numpy(float),
        "trafo_branch": trafo_branch,
        "trafo_index": trafo.index.to_numpy(np.int64),
        "trafo_name": tuple(_text(name, f"trafo {i}") for i, name in trafo["name"].items()),
        "trafo_sn_mva": trafo["sn_mva"].to_numpy(float),
        "trafo_parallel": trafo["parallel"].to_numpy(np.int64),
        "trafo_df": trafo["df"].to_numpy(float),
        "trafo_vn_hv_kv": trafo["vn_hv_kv"].to_numpy(float),
        "trafo_vn_lv_kv": trafo["vn_lv_kv"].to_numpy(float),
    }


def _elements(net: Net, table: str) -> tuple[np.ndarray, Any]:
    """Positions among the branches in service, and the rows, of a table's live elements."""
    live = net._ppc["internal"]["branch_is"]
    first, last = net._pd2ppc_lookups["branch"].get(table, (0, 0))
    position = np.cumsum(live) - 1
    mask = live[first:last]
    return position[first:last][mask].astype(np.int64), net[table].iloc[: last - first][mask]


def _text(value: Any, otherwise: str) -> str:
    return value if isinstance(value, str) and value else otherwise


def _coordinates(geo: Any) -> tuple[float, float]:
    """x and y of a GeoJSON point; NaN where there is none."""
    try:
        point = json.loads(geo) if isinstance(geo, str) else geo
        x, y = point["coordinates"][:2]
        return float(x), float(y)
    except (TypeError, KeyError, ValueError, IndexError, RecursionError):
        return float("nan"), float("nan")
